"""The pricing problem: the best spend of every block when limits cost what the master says they cost.

`price` climbs from several starts in every block at once, which finds good columns fast. What the climb finds
is never trusted as a bound: that is `certificate`'s work. It must not import cvxpy.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from models.supply.curves import FloatArray
from targeting.allocation.settings import SETTINGS
from targeting.allocation.solver.arrays import Program
from targeting.allocation.solver.blocks import Jet, block_value, jet
from targeting.allocation.solver.newton import bent_inverse
from targeting.allocation.solver.singles import best_or_none


def legal(program: Program, spend: FloatArray) -> FloatArray:
    """The nearest spend that each cell's own limits allow, (..., m)."""
    spend = np.clip(spend, program.lower, program.upper)
    between = program.switch & (spend < program.floor_on)
    return np.where(between, np.where(spend > 0.5 * program.floor_on, program.floor_on, 0.0), spend)


def price(
    program: Program, weights: Mapping[str, FloatArray], warm: tuple[FloatArray, ...] = ()
) -> tuple[FloatArray, FloatArray]:
    """Good columns for every block: spend (m,) and the price-adjusted value (n_blocks,) there.

    Args:
        program: the problem in the optimiser's layout.
        weights: what each metric is worth at the master's prices.
        warm: spends to start from; some in every block when there are none.
    """
    if program.additive:
        return _price_additive(program, weights)
    choices, best = program.choices, (np.zeros(0), np.zeros(0))
    wide, worth = choices.program, {k: w[choices.at] for k, w in weights.items()}
    for start in [w[choices.at] for w in warm] or _starts(wide):
        spend, value = climb(wide, worth, start, wide.lower, wide.upper)
        if wide.switch.any():
            spend = legal(wide, spend)
            off = wide.switch & (spend <= 0)
            low = np.where(wide.switch, wide.floor_on, wide.lower)
            spend, value = climb(wide, worth, spend, np.where(off, 0.0, low), np.where(off, 0.0, wide.upper))
        best = _better(wide, best, (spend, value)) if len(best[1]) else (spend, value)
    return choices.best(*best)


def _better(
    program: Program, one: tuple[FloatArray, FloatArray], other: tuple[FloatArray, FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """Block by block the spend (m,) with the higher value (n_blocks,)."""
    more = other[1] > one[1]
    return np.where(np.repeat(more, program.width), other[0], one[0]), np.where(more, other[1], one[1])


def additive_line(program: Program, weights: Mapping[str, FloatArray]) -> tuple[FloatArray, FloatArray]:
    """(alpha, beta), each (m,): an additive cell is worth alpha y(s) - beta s."""
    alpha = weights["impressions"] + weights["reached"] + program.hazard * weights["fans"]
    return alpha, -weights["spend"]


def _price_additive(program: Program, weights: Mapping[str, FloatArray]) -> tuple[FloatArray, FloatArray]:
    alpha, beta = additive_line(program, weights)
    low = np.where(program.switch, program.floor_on, program.lower)
    loose = program.switch | ((program.lower <= 0) & (weights["active"] != 0))
    best = best_or_none(program.curves, alpha, beta, low, program.upper, bonus=weights["active"], loose=loose)
    return best.spend, block_value(program, weights, best.spend)


def _starts(program: Program) -> list[FloatArray]:
    """Spends (m,) to climb from, dense near the scale of the curve, where curves bend."""
    low, scale = (
        np.where(program.switch, program.floor_on, program.lower),
        np.atleast_2d(program.curves.scale_cny),
    )
    reach = np.minimum(program.upper, low + 4.0 * scale.mean(axis=0)) - low
    return [low + share * reach for share in SETTINGS.start_shares]


def climb(
    program: Program, weights: Mapping[str, FloatArray], start: FloatArray, low: FloatArray, high: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Projected Newton with backtracking in all blocks at once, from `start` within [low, high]; all (m,)."""
    spend = np.clip(start, low, high)
    here = jet(program, weights, spend)
    value = here.value
    for _ in range(SETTINGS.climb_steps):
        step = _ascent(program, here, spend, low, high)
        size, moved = np.ones(program.n_blocks), np.zeros(program.n_blocks, dtype=bool)
        new, new_value = spend, value
        for _halving in range(SETTINGS.climb_halvings):
            trial = np.clip(spend + np.repeat(size, program.width) * step, low, high)
            trial_value = block_value(program, weights, trial)
            gain = (trial_value > new_value) & ~moved
            new = np.where(np.repeat(gain, program.width), trial, new)
            new_value = np.where(gain, trial_value, new_value)
            moved |= gain
            small = np.abs(trial - spend) <= 1e-12 * (np.abs(spend) + 1e-300)
            if (moved | program.grid(small).all(axis=1)).all():
                break
            size = np.where(moved, size, size * 0.25)
        rise = new_value - value
        spend, value = new, new_value
        if not (rise > 1e-13 * np.abs(value)).any():
            break
        here = jet(program, weights, spend)
    return spend, value


def _ascent(program: Program, here: Jet, spend: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """Newton direction (m,) on the coordinates that are free to move."""
    s, lo, hi = program.grid(spend), program.grid(low), program.grid(high)
    g = here.gradient
    free = ~(((s <= lo) & (g <= 0)) | ((s >= hi) & (g >= 0)))
    width = np.maximum(hi - lo, 1e-150)
    least = np.minimum(np.abs(g), 1e150) / width  # a straight cell steps no further than its interval
    inverse = bent_inverse(here, free, np.maximum(least, 1e-280), margin=SETTINGS.climb_margin)
    return np.asarray(np.where(free, -(inverse @ (g * free)), 0.0)).ravel()
