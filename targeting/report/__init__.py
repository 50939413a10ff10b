"""The merchant's report: one self-contained HTML page, no network, no script.

`render` is the only way in. `sentences` puts numbers into words, `charts` draws them as inlined SVG,
`template.html.j2` lays them out. It reads a finished `Plan` and must not import cvxpy, the planner or
anything that decides.
"""

from targeting.report.page import render

__all__ = ["render"]
