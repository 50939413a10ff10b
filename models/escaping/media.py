"""One function per medium for text that somebody else wrote: HTML, chart, Markdown, terminal, cell, key, log.

A segment, a placement, a feature's level, a constraint, a file: each name may come from a stranger, and each
medium has its own way of taking a name for something else. Whoever writes to one calls its function and no
other; what enters goes through `printable` once, at the door. It must not import polars: the shell needs it
for `targeting --help`.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup, escape

# What only moves the place to write to: one blank does as well.
BREAKS = "[\t\n\x0b\x0c\r\x1c-\x1f\x85\u2028\u2029]"
# What no eye sees and some program obeys: control characters (escape sequences of terminals begin with one),
# marks that turn the direction of writing, and code points that Unicode promises never to use: of these,
# U+FFFE alone ends the process in the chart library.
UNSEEN = (
    "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ufdd0-\ufdef\ufff9-\ufffb\ufffe\uffff"
)
# Halves of a pair, which YAML and JSON can write and no file can hold; polars has no such text.
_HALVES = "\ud800-\udfff"
_UNPRINTABLE = re.compile(f"{BREAKS[:-1]}{UNSEEN}{_HALVES}]")
REPLACEMENT = "\ufffd"
# What a spreadsheet takes for a formula, half or full width.
FORMULA = "[=+\\-@\uff1d\uff0b\uff0d\uff20]"
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_KEY = re.compile(r"[^\w\-. :/]")
KEY_LENGTH = 200
"""Bytes of a key; MLflow takes 250 letters and a file's name 255 bytes, of which callers use some."""
CHART_LENGTH = 1000
"""Letters of a text in a chart: more than any of our own has."""
_SECRET = re.compile(r"(?<=://)[^\s/?#:@]*(?::\S*)?@")
_SECRET_KEY = re.compile(r"(?i)\b(password|passwd|pwd|token|secret|sig|signature|api_?key)=[^\s&;'\")]+")


def printable(text: str) -> str:
    r"""Text as it enters: line breaks and tabs as one blank, what cannot be seen as the replacement mark.

    >>> printable("women\n25-34"), printable("a\x1b[2Jb")
    ('women 25-34', 'a\ufffd[2Jb')
    """
    return re.sub(f"[{UNSEEN}{_HALVES}]", REPLACEMENT, re.sub(f"{BREAKS}+", " ", text))


def is_printable(text: str) -> bool:
    """Whether there is nothing for `printable` to replace."""
    return _UNPRINTABLE.search(text) is None


def for_html(text: object) -> Markup:
    """Text between tags or in an attribute's quotes; what is `Markup` already stays as it is.

    >>> str(for_html("<img src=x onerror=alert(1)>"))
    '&lt;img src=x onerror=alert(1)&gt;'
    """
    return text if isinstance(text, Markup) else escape(printable(str(text)))


def for_chart(spec: Any) -> Any:
    """A chart's specification with every text printable and drawn in time; the drawing escapes the rest.

    One name of 70,000 letters took nine charts 42 s, to be cut at 210 pixels: a long text is cut here, with
    eight digits of its own where another may begin like it.
    """
    if isinstance(spec, str):
        shown = printable(spec)
        return shown if len(shown) <= CHART_LENGTH else f"{shown[:CHART_LENGTH]}… {_digits_of(spec)}"
    if isinstance(spec, Mapping):
        return {for_chart(key): for_chart(held) for key, held in spec.items()}
    return [for_chart(held) for held in spec] if isinstance(spec, list | tuple) else spec


def for_markdown(text: str) -> str:
    r"""Text in a page that reads Markdown: no link, picture, formula, colour or list.

    >>> print(for_markdown("![x](http://y)"))
    \!\[x\]\(http\:\/\/y\)
    """
    return _PUNCTUATION.sub(r"\\\1", printable(text).strip())


def for_terminal(text: str, *, lines: bool = False) -> str:
    r"""Text on a terminal, or in JSON on one: what a terminal would obey is written as its code.

    Print it without the markup of rich (`rich.text.Text`), which takes [square brackets] for commands.

    Args:
        text: One line, or several of ours.
        lines: Line ends are ours and stay.

    >>> print(for_terminal("a\x1b[2J\nforged"))
    a\u001b[2J\u000aforged
    """
    if lines:
        return "\n".join(map(for_terminal, text.split("\n")))
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def for_cell(text: str) -> str:
    """Text in a cell of a CSV file or a sheet: never a formula. `from_cell` takes the mark off again.

    >>> for_cell("=cmd|' /C calc'!A0"), for_cell("video"), from_cell(for_cell("'=x"))
    ("'=cmd|' /C calc'!A0", 'video', "'=x")
    """
    return re.sub(f"^(?='*\\s*{FORMULA})", "'", printable(text))


def from_cell(text: str) -> str:
    """What `for_cell` was given."""
    return re.sub(f"^'(?='*\\s*{FORMULA})", "", text)


def for_key(name: str) -> str:
    """A name as a key of an MLflow parameter, metric or artifact: its letters, short, and one path.

    Where more than single letters had to be changed, eight digits of its own keep it apart from others.

    >>> for_key("live share"), for_key("share (%)"), for_key("a//b")
    ('live share', 'share ___', 'a/b-7a9acf33')
    """
    known = _KEY.sub("_", printable(name))
    kept = _cut(posixpath.normpath(known).lstrip("/."), KEY_LENGTH) or "_"
    if kept == known:
        return kept
    return f"{_cut(kept, KEY_LENGTH - 9)}-{_digits_of(name)}"


def _digits_of(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _cut(text: str, size: int) -> str:
    """The first letters of a text that fit into so many bytes."""
    return text.encode("utf-8")[:size].decode("utf-8", "ignore")


def without_secrets(text: str) -> str:
    """Text in which the password of every address is masked: a tracking URI, or a library's complaint.

    >>> without_secrets("cannot open postgresql://ann:s3cret@db/x?token=abc")
    'cannot open postgresql://***@db/x?token=***'
    """
    masked = _SECRET.sub("***@", text)
    return _SECRET_KEY.sub(r"\1=***", masked)
