"""One limit, the budget: every budget's best assignment in one pass (Sverdrup et al. 2024, `maq`).

Each person's offers and nothing at all are points (cost, worth). Only the upper concave hull of them can be
chosen at some price of money, and moving up it is a row of steps with falling slopes. All steps of everybody,
steepest first, are the exact solution of the linear program for every budget at once: O(n k^2 + n k log n k).
Must not import a solver.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.supply.curves import FloatArray
from targeting.assignment.crowd import NONE, Choice, IntArray, People


@dataclass(frozen=True)
class Path:
    """The steps of everybody, steepest first.

    Attributes:
        free: (n_users,) where everybody starts: the best offer that costs nothing, or none.
        user, to: (n_steps,) who moves to which placement.
        slope: (n_steps,) worth per yuan, falling.
        cost_cny, worth: (n_steps + 1,) totals before the first step and after each.
    """

    free: Choice
    user: IntArray
    to: Choice
    slope: FloatArray
    cost_cny: FloatArray
    worth: FloatArray

    def at(self, budget_cny: float) -> tuple[int, float, float]:
        """Whole steps that fit, worth with the next one in part (the exact bound), price of money."""
        whole = int(np.searchsorted(self.cost_cny, budget_cny, side="right")) - 1
        if whole >= len(self.slope):
            return whole, float(self.worth[-1]), 0.0
        price = float(self.slope[whole])
        return whole, float(self.worth[whole]) + price * (budget_cny - float(self.cost_cny[whole])), price


def whole_path(people: People) -> Path:
    """The path of everybody; the first row of `people` is the budget, other rows are not looked at."""
    free = np.full(len(people), NONE, dtype=np.int16)
    steps = [np.zeros((5, 0))]
    for chunk in people.chunks():
        worth = people.worth[:, chunk]
        cost = np.stack([np.zeros(worth.shape[1]) if u is None else u[chunk] for u in people.rows[0].use])
        here = np.arange(worth.shape[1])
        given = np.where(cost == 0, worth, -np.inf)
        first = given.argmax(axis=0)
        now_w, now_c = np.maximum(given[first, here], 0.0), np.zeros(len(here))
        free[chunk] = np.where(now_w > 0, first, NONE)
        before = np.full(len(here), np.inf)
        for _ in people.placements:
            more = (cost > now_c) & (worth > now_w)
            slope = np.full(worth.shape, -np.inf)
            np.divide(worth - now_w, cost - now_c, out=slope, where=more)
            top = slope.max(axis=0, initial=-np.inf)
            # Of equally steep steps the longest: what lies between is on the same line.
            to = np.where(slope == top, cost, -1.0).argmax(axis=0)
            go = np.flatnonzero(top > 0)
            # Where a person's offers lie on one line, rounding may make a later slope the steeper one; the
            # later step would then come first and be undone by the earlier.
            before = np.minimum(before, top)
            gained = worth[to[go], go] - now_w[go], cost[to[go], go] - now_c[go]
            steps.append(np.stack([go + chunk.start, to[go], before[go], *gained]))
            now_c[go], now_w[go] = cost[to[go], go], worth[to[go], go]
    user, to, slope, more_worth, more_cost = np.concatenate(steps, axis=1)
    # Equal slopes by person, and a person's own in the order they were found.
    order = np.argsort(-slope, kind="stable")
    return Path(
        free=free,
        user=user[order].astype(np.int64),
        to=to[order].astype(np.int16),
        slope=slope[order],
        cost_cny=np.concatenate([[0.0], np.cumsum(more_cost[order])]),
        worth=people.value(free) + np.concatenate([[0.0], np.cumsum(more_worth[order])]),
    )
