"""The merchant's report. In: a `DecidedPlan`. Out: one self-contained HTML page, no network, no script.

`page.render` is the only way in. A section is data (`sections/<name>.py`) and its template beside it; every
word of both comes from `targeting.words`, in the reader's language. `charts` draws. It must not import cvxpy,
the planner or anything that decides.
"""
