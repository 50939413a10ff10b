"""A plan as data. In: the brief, the market, the solution. Out: figures, files and answers to questions.

`decided` is the data; `promise`, `usual_plans`, `curve_table`, `person_offers` and `packages` compute from
it, `questions` asks the allocator again, `saved` and `market_file` are the directory. `targeting.report`
reads this room; `targeting.decision` puts its functions on the object that users hold.
"""
