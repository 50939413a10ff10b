"""User-level choice: at most one placement for every person, by the prices of the limits.

`choose` is the way in (`targeting.assign`). `offers` and `limits` read what the caller gives, `problem` is
the bound, `hull` (budget alone) and `boxstep` (several limits) find the prices, `rounding` the whole people,
`conflict` says why there are none, `result` is what comes back. No cvxpy, no randomness, no disk.
"""

from targeting.assignment.choose import assign
from targeting.assignment.assigned import Assignment

__all__ = ["Assignment", "assign"]
