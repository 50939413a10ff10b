"""The allocator: `formulation` states the budget problem, `solver` certifies a plan, `audit` checks it.

`problem` is what they share, `outcomes` the true curves; `explain` and `whatif` are asked by planners.
"""
