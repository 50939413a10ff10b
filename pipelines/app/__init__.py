"""The planner's page. In: a plan, a console's report or curves. Out: the plan under any other brief.

`opening` reads what is uploaded, `choices` is what a person sets and the brief that it makes, `what_if`
decides, `screen` lays out, `controls` and `views` are its two halves. All words come from `targeting.words`.
"""
