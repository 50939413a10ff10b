"""The pricing problem: the best spend of every block when limits cost what the master says they cost.

`price` climbs from several starts in every block at once, which finds good columns fast. What the climb finds
is never trusted as a bound: that is `certificate`'s work. It must not import cvxpy.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from models.supply.curves import FloatArray
from targeting.allocation.settings import SETTINGS
from targeting.allocation.solver.arrays import Program
from targeting.allocation.solver.blocks import Jet, block_value, jet
from targeting.allocation.solver.newton import bent_inverse
from targeting.allocation.solver.singles import BoolArray, best_or_none


@dataclass(frozen=True)
class Box:
    """Limits (m,) of every cell's spend; a `loose` cell may also be off."""

    low: FloatArray
    high: FloatArray
    loose: BoolArray


def boxes(program: Program) -> Iterator[Box]:
    """Boxes whose union is what the blocks may do: every on/off choice of a block's first switches.

    Blocks with fewer switches than the widest repeat themselves, which costs time but no correctness. Of the
    switches beyond `SETTINGS.enumerated_switches` each box leaves the choice open.
    """
    switch = program.grid(program.switch)
    rank = np.where(switch, np.cumsum(switch, axis=1) - 1, -1)
    most = min(int(rank.max(initial=-1)) + 1, SETTINGS.enumerated_switches)
    chosen_here, loose = (rank >= 0) & (rank < most), (rank >= most).ravel()
    low, high, on = (program.grid(x) for x in (program.lower, program.upper, program.floor_on))
    for choice in itertools.product((True, False), repeat=most):
        used = np.array([*choice, True])[np.where(chosen_here, rank, -1)]
        least = np.where(switch, on, low)
        yield Box(np.where(used, least, 0.0).ravel(), np.where(used, high, 0.0).ravel(), loose)


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
        warm: spends to start from; a coarse grid in every block when there are none.
    """
    if program.additive:
        return _price_additive(program, weights)
    tried = []
    for box in boxes(program):
        starts = [np.clip(s, box.low, box.high) for s in warm] or [_coarse(program, weights, box)]
        for start in starts:
            low = np.where(box.loose, 0.0, box.low)
            spend, value = climb(program, weights, start, low, box.high)
            if box.loose.any():
                spend = legal(program, spend)
                high = np.where(box.loose & (spend <= 0), 0.0, box.high)
                low = np.where(box.loose & (spend <= 0), 0.0, box.low)
                spend, value = climb(program, weights, spend, low, high)
            tried.append((spend, value))
    return _best_of(program, tried)


def _best_of(program: Program, tried: list[tuple[FloatArray, FloatArray]]) -> tuple[FloatArray, FloatArray]:
    """Block by block the spend (m,) with the highest value (n_blocks,)."""
    best, best_value = tried[0]
    for spend, value in tried[1:]:
        better = value > best_value
        best = np.where(np.repeat(better, program.width), spend, best)
        best_value = np.where(better, value, best_value)
    return best, best_value


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


def _coarse(program: Program, weights: Mapping[str, FloatArray], box: Box) -> FloatArray:
    """The best point of a small grid in every block: dense near the scale of the curve, where curves bend.

    In wide blocks the cells move along the grid together.
    """
    k = program.width
    together = k > SETTINGS.gridded_width
    levels = max(2, int(SETTINGS.start_points ** (1.0 if together else 1.0 / k)))
    levels = min(levels, SETTINGS.start_levels) if together else levels
    scale = np.atleast_2d(program.curves.scale_cny).mean(axis=0)
    reach = np.minimum(box.high, box.low + 4.0 * scale)
    ladder = [box.low + (reach - box.low) * f for f in np.geomspace(0.01, 1.0, levels)]
    first = box.low if k == 1 else box.low + 1e-3 * (reach - box.low)
    ladder = [first, *ladder[1:], box.high] if k == 1 else [first, *ladder[1:]]
    grid = [program.grid(x) for x in ladder]
    steps = range(len(ladder))
    tried = []
    for choice in ((i,) * k for i in steps) if together else itertools.product(steps, repeat=k):
        spend = np.stack([grid[i][:, c] for c, i in enumerate(choice)], axis=1).ravel()
        tried.append((spend, block_value(program, weights, spend)))
    return _best_of(program, tried)[0]


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
    inverse = bent_inverse(here.hessian, free, np.maximum(least, 1e-280), margin=SETTINGS.climb_margin)
    return np.where(free, -np.matmul(inverse, (g * free)[:, :, None])[:, :, 0], 0.0).ravel()
