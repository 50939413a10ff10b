"""The merchant's report. In: a `DecidedPlan`. Out: one self-contained HTML page, no network, no script.

`page.render` is the only way in. `sentences` puts numbers into words, `charts` draws them as inlined SVG,
`template.html.j2` lays them out. It must not import cvxpy, the planner or anything that decides.
"""
