"""The plan. In: a brief and its market (`decision`). Out: a frozen `Plan` and its files.

`decided` is the data; `promise`, `usual_plans`, `curve_table`, `packages` compute from it, `questions` asks
the allocator again, `saved` is the directory, `verbs` the object with all of it on top. Nothing is imported
here, so that `targeting.report` can stand between the data and the verbs.
"""
