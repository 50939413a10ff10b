"""The Lagrangian bound: how much any plan could earn, whatever the shape of the curves.

For prices p of the rows (>= 0 on upper, <= 0 on lower limits) every feasible plan s has

    value(s) <= sum_b max_s J_b(s; p) + p . limits                                   (weak duality),

so the bound is honest as long as each block's maximum is not *under*-estimated. A climb could be; this
module bounds
the maximum from above instead, up to a tolerance that is part of the bound.

*Additive blocks* are one-dimensional and solved exactly (`pricing.best_single`).

*Competing blocks* are bounded over intervals of z = sum x_c: see `intervals`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models.supply.curves import FloatArray
from targeting.allocation.solver.arrays import Program
from targeting.allocation.solver.blocks import block_value
from targeting.allocation.solver.deadline import NEVER, Deadline
from targeting.allocation.solver.intervals import Search
from targeting.allocation.solver.pricing import additive_line
from targeting.allocation.solver.singles import best_or_none

Prices = FloatArray


@dataclass(frozen=True)
class Ceiling:
    """An upper bound of each block's maximum (n_blocks,), and the best spend seen on the way (m,) with its
    value.
    """

    bound: FloatArray
    spend: FloatArray
    value: FloatArray


def lagrangian_bound(program: Program, prices: Prices, ceiling: Ceiling) -> float:
    """The most any plan could earn: sum of the blocks' bounds + prices x limits + rounding of that sum."""
    terms = np.abs(ceiling.bound).sum() + abs(program.price_limits(prices))
    return float(ceiling.bound.sum() + program.price_limits(prices) + 1e-15 * terms)


def ceiling(
    program: Program,
    weights: Mapping[str, FloatArray],
    spend: FloatArray,
    tolerance: FloatArray,
    deadline: Deadline = NEVER,
) -> Ceiling:
    """Bound every block's price-adjusted maximum from above to `tolerance` (n_blocks,), starting from
    `spend` (m,); looser where time is up.
    """
    if program.additive:
        return _additive(program, weights)
    choices = program.choices
    search = Search(choices, {k: w[choices.at] for k, w in weights.items()}, spend[choices.at], tolerance)
    bound = choices.most(search.run(deadline))
    spend, value = choices.best(search.spend, search.value)
    return Ceiling(np.maximum(bound, value), spend, value)


def _additive(program: Program, weights: Mapping[str, FloatArray]) -> Ceiling:
    alpha, beta = additive_line(program, weights)
    low = np.where(program.switch, program.floor_on, program.lower)
    bonus = weights["active"] * (program.switch | (program.lower > 0))
    best = best_or_none(program.curves, alpha, beta, low, program.upper, bonus=bonus, loose=program.switch)
    return Ceiling(best.value + best.slack, best.spend, block_value(program, weights, best.spend))
