"""The one list of names that a stranger may give a segment, a placement, a level, a constraint or a file.

Every output of the project is tested with all of them: report, page, CSV, sheets, terminal, MLflow.
"""

MARKUP = (
    "<img src=x onerror=alert(1)>",
    "</svg><script>alert(2)</script>",
    '"><svg onload=alert(3)>',
    "' onmouseover='alert(4)",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(5)",
    "&lt;b&gt; &amp;#x3c;",
    "--><!--",
    "x | y",
)
MARKDOWN = (
    "![x](http://fetch.invalid/a.png)",
    "[click](http://fetch.invalid)",
    "http://fetch.invalid/auto",
    "<http://fetch.invalid>",
    "$\\frac{1}{2}$ :red[stop] :material/delete:",
    "# heading",
    "1. item",
    "`code` **bold** ~~gone~~",
)
TERMINAL = (
    "\x1b[2J\x1b[31mred",
    "\x1b]0;title\x07",
    "\x9b2J",
    "women\ntargeting: all is well",
    "over\rwritten",
    "[/live]",
    "[red]x[/red] [link=http://fetch.invalid]y[/link]",
    ":boom:",
    "abc\u202egnp.exe",
)
CELLS = (
    "=cmd|' /C calc'!A0",
    "+1+2",
    "-1+2",
    "@SUM(1+9)*cmd|' /C calc'!A0",
    "＝1+2",
    " =1+2",
    "'=1+2",
    'a,"b";c',
)
KEYS = ("a//b", "../../etc/passwd", "/absolute", "a/b", "x" * 400, "%s%n$(id)`id`;--", "名/字")
UNSEEN = ("bell\x07", "nul\x00", "last\ufffe", "non\ufdd0", "del\x7f", "\ufeffbom\u200b", "a\u2028b")
HOSTILE = (*MARKUP, *MARKDOWN, *TERMINAL, *CELLS, *KEYS, *UNSEEN)
