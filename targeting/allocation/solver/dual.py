"""Prices first: the Lagrangian dual, descended by L-BFGS-B from any prices.

The bound sum_b max_s J_b(s; p) + p . limits is convex in the prices p, and its slope is what the answers to p
leave of the limits. Where answers do not jump it is smooth, so quasi-Newton steps (Zhu, Byrd, Lu and Nocedal,
ACM TOMS 23, 1997) come close within a dozen looks at all blocks, however many rows there are, and Newton on
the optimality conditions (`polish`) does the rest. Where answers jump they end near the best prices, and what
was seen on the way are good columns. It proves nothing: `certificate` bounds what comes out.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import minimize

from models.supply.curves import FloatArray
from targeting.allocation.settings import SETTINGS
from targeting.allocation.solver.arrays import Program
from targeting.allocation.solver.blocks import basic_metrics, block_value
from targeting.allocation.solver.deadline import Deadline
from targeting.allocation.solver.polish import lines
from targeting.allocation.solver.pricing import legal, price


def least_value(program: Program) -> float:
    """No plan earns less, by a hair: a bound below it proves that there is no plan."""
    worth, ones = program.objective, np.ones(len(program.cell))
    most = basic_metrics(program, program.upper)
    most |= {"fans": program.hazard * most["impressions"], "reached": most["impressions"], "active": ones}
    lost = sum(np.minimum(worth[k], 0.0) @ most[k] for k in worth if k != "spend")
    paid = float(np.minimum(worth["spend"], 0.0).min()) * program.row_upper[0]
    size = float(sum(np.abs(worth[k]) @ most[k] for k in worth if k != "spend")) - paid
    return float(lost + paid - 1e-6 * size)


@dataclass
class Descent:
    """The lowest prices so far (r,), and the last answers (m,) on the way."""

    program: Program
    least: float
    deadline: Deadline
    unit: FloatArray
    worth: float
    prices: FloatArray
    lowest: float = np.inf
    spends: list[FloatArray] = field(default_factory=list)

    def look(self, sides: FloatArray) -> tuple[float, FloatArray]:
        """The dual at the limits' prices, each in its `unit`, and its gradient, in shares of `worth`."""
        program, ups, downs = self.program, self.program.ups, self.program.downs
        prices = program.by_row(sides) * self.unit
        spend, value = price(program, program.weights(prices), tuple(self.spends[-1:]))
        self.spends = [*self.spends[1 - SETTINGS.kept_answers :], spend]
        most = float(value.sum() + program.price_limits(prices))
        if most < self.lowest:
            self.lowest, self.prices = most, prices
        lhs, _size = lines(program, spend)
        left = np.r_[(program.row_upper - lhs)[ups], (lhs - program.row_lower)[downs]]
        return most / self.worth, left * np.r_[self.unit[ups], self.unit[downs]] / self.worth

    def check(self, _sides: FloatArray) -> None:
        """Stop where time is up, and where no plan is the matter: then prices rise without end."""
        if self.deadline.over or self.lowest < self.least:
            raise StopIteration


def descend(
    program: Program, prices: FloatArray | None, *, least: float, deadline: Deadline
) -> Descent | None:
    """Prices near the best ones; None where nothing is worth anything.

    Args:
        program: the problem.
        prices: (r,) known to be about right, or None.
        least: what a plan that is known earns; nothing below it can be a bound.
        deadline: stops early.
    """
    each = np.full(len(program.cell), program.row_upper[0] / len(program.cell))
    even = legal(program, np.maximum(each, program.floor_on))
    worth = float(np.abs(block_value(program, program.weights(np.zeros(len(program.row_lower))), even)).sum())
    if not worth > 0:
        return None
    _lhs, size = lines(program, even)
    at = Descent(program, least, deadline, worth / size, worth, np.zeros(len(size)))
    own = np.zeros(len(size)) if prices is None else program.lawful(prices) / at.unit
    own[0] += float(prices is None)  # the budget: a yuan earns what it does where it is spread
    start = np.maximum(np.r_[own[program.ups], -own[program.downs]], 0.0)
    minimize(
        at.look, start, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * len(start), callback=at.check,
        options={"maxfun": SETTINGS.dual_looks, "maxcor": 20, "ftol": 1e-9, "gtol": 1e-7},
    )  # fmt: skip
    return at
