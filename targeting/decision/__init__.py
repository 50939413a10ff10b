"""The decision. In: a brief and what was learned, supplied or reported. Out: a certified `Plan`.

`decide` solves, checks and values; `verbs` is the `Plan` with everything one may ask of it; `supplied_curves`
and `delivery_plan` are the two ways here without logs (`targeting.planner` is the third).
"""
