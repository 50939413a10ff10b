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
from targeting.assignment.boxstep import Settled
from targeting.assignment.problem import NONE, Choice, People, reply
from targeting.assignment.switches import IntArray


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
    cost = np.stack([np.zeros(len(people)) if u is None else u for u in people.rows[0].use])
    users, places, slopes, costs, worths = [], [], [], [], []
    free = np.full(len(people), NONE, dtype=np.int16)
    for chunk in people.chunks():
        c, w = cost[:, chunk], people.worth[:, chunk]
        here = np.arange(c.shape[1])
        given = np.where(c == 0, w, -np.inf)
        first = given.argmax(axis=0)
        now_w = np.maximum(given[first, here], 0.0)
        free[chunk] = np.where(now_w > 0, first, NONE)
        now_c, before = np.zeros(len(here)), np.full(len(here), np.inf)
        for _ in range(len(c)):
            with np.errstate(invalid="ignore"):
                more = (c > now_c) & (w > now_w)
                slope = np.where(more, (w - now_w) / np.where(more, c - now_c, 1.0), -np.inf)
            top = slope.max(axis=0, initial=-np.inf)
            # Of equally steep steps the longest: what lies between is on the same line.
            to = np.where(slope == top, c, -1.0).argmax(axis=0)
            go = np.flatnonzero(top > 0)
            if not len(go):
                break
            # Where a person's offers lie on one line, rounding may make a later slope the steeper one; the
            # later step would then come first and be undone by the earlier.
            before = np.minimum(before, top)
            users.append(go + chunk.start)
            places.append(to[go].astype(np.int16))
            slopes.append(before[go])
            costs.append(c[to[go], go] - now_c[go])
            worths.append(w[to[go], go] - now_w[go])
            now_c[go], now_w[go] = c[to[go], go], w[to[go], go]
    return _sorted(people, free, users, places, slopes, costs, worths)


def _sorted(
    people: People,
    free: Choice,
    users: list[IntArray],
    places: list[Choice],
    slopes: list[FloatArray],
    costs: list[FloatArray],
    worths: list[FloatArray],
) -> Path:
    """Steps by falling slope; equal slopes by person, and a person's own in the order they were found."""
    shown = np.flatnonzero(free >= 0)
    given = float(people.worth[free[shown], shown].sum())
    if not users:
        nothing = np.zeros(0)
        return Path(
            free, nothing.astype(np.int64), nothing.astype(np.int16), nothing, np.zeros(1), np.array([given])
        )
    user, slope = np.concatenate(users), np.concatenate(slopes)
    order = np.argsort(-slope, kind="stable")
    return Path(
        free=free,
        user=user[order],
        to=np.concatenate(places)[order],
        slope=slope[order],
        cost_cny=np.concatenate([[0.0], np.cumsum(np.concatenate(costs)[order])]),
        worth=given + np.concatenate([[0.0], np.cumsum(np.concatenate(worths)[order])]),
    )


def settle_budget(people: People) -> Settled:
    """The price of money and the choice for the budget that is the only row of `people`."""
    path = whole_path(people)
    whole, _, price = path.at(float(people.upper[0]))
    choice = path.free.copy()
    # A person's later step stands later, so it overwrites the earlier one.
    choice[path.user[:whole]] = path.to[:whole]
    undecided = path.user[whole : whole + 1]
    return Settled(reply(people, np.array([price])), choice, undecided, exact=True)
