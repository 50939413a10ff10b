"""User-level choice: at most one offer for every person, by the prices of the limits.

    max sum_uj w_uj x_uj   s.t.  l_c <= sum_uj A^c_uj x_uj <= b_c,  sum_j x_uj <= 1,  x whole

What comes in: a table with a row per person and offer, a budget, limits. What goes out: who is offered
what, what that is worth, and a bound on what anything else within the limits could be worth.

**The bound.** A price p_c for every limit takes the limits into the objective (Lagrange), and then every
person chooses alone. For any prices of the right sign (>= 0 for a cap, <= 0 for a floor)

    U(p) = sum_u max(0, max_j (w_uj - sum_c p_c A^c_uj)) + sum_c max(p_c b_c, p_c l_c)

is at least the worth of every assignment that keeps the limits. U is convex and piecewise linear in as many
numbers as there are limits, and one pass over the people gives U and a subgradient: limits less what the
choices use.

**The prices** that make U least are found by cutting planes (`prices`): each pass supports U from below by
one plane, and a linear program says where all planes so far are lowest. On a large table a sample says in
which box the prices are; in a box almost everybody's choice is the same, and only the others are looked at
again. With the budget alone this is the same algorithm with one price.

**Whole people.** At a vertex of the linear program, the optimum of which is min U, each limit splits at
most one person: a basis has one variable for each person and one for each limit, and every person needs
one. So rounding costs at most as many offers as there are limits, and less after one small exact program
over those next to a tie (`core`), which also proves small tables optimal. Limits hold exactly: sums are
made again from the offers chosen, and a choice that breaks a limit is never returned.

`choose` is the way in, `offers` and `limits` read what the caller gives, `crowd` holds it in arrays,
`contradiction` says why there is none, `assigned` is what comes back, `effort` has every tuning number. No
cvxpy, no randomness, no disk, no clock: the answer depends on the input alone.

Source: P. Sinha, A. Zoltners (1979), The multiple-choice knapsack problem, Operations Research 27, for the
decomposition by person.
"""

from targeting.assignment.assigned import Assignment
from targeting.assignment.choose import assign

__all__ = ["Assignment", "assign"]
