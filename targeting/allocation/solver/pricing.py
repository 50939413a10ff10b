"""The pricing problem: the best spend of every block when limits cost what the master says they cost.

`best_single` solves max alpha y(s) - beta s over an interval exactly (and says how exactly) for any curve of
`models.supply.curves`; `price` climbs from several starts in every block at once, which finds good columns
fast. What the
climb finds is never trusted as a bound: that is `certificate`'s work. It must not import cvxpy.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.supply.curve_families import TINY
from models.supply.curves import POINTS, CurveSet, FloatArray
from targeting.allocation.solver.blocks import Jet, block_value, jet
from targeting.allocation.solver.program import Program

BoolArray = NDArray[np.bool_]
CLIMB_STEPS = 40
START_GRID = 240  # starts per block in the first round, shared out over its cells


@dataclass(frozen=True)
class Best:
    """Where the maximum is, y there, what it is, and by how much the true maximum could exceed it (rounding
    of roots).
    """

    spend: FloatArray
    y: FloatArray
    value: FloatArray
    slack: FloatArray


def best_single(
    curves: CurveSet,
    alpha: FloatArray,
    beta: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    ends: tuple[FloatArray, ...] | None = None,
) -> Best:
    """max of alpha y(s) - beta s over lower <= s <= upper, cell by cell; all arguments (..., n).

    `ends` are y(lower) and y(upper), where they are known already.

    The maximum of a curve that is convex up to its inflection and concave after it lies at an end of the
    interval or where y'(s) = beta / alpha; on the concave branch the tangent at any point bounds it from
    above, which turns the residual of the root into an honest `slack`.
    """
    like = np.broadcast_shapes(alpha.shape, beta.shape, lower.shape, upper.shape)
    alpha, beta, lower, upper = (np.broadcast_to(x, like) for x in (alpha, beta, lower, upper))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where((alpha != 0) & (beta / alpha > 0), beta / np.where(alpha != 0, alpha, 1.0), np.inf)
    has_root = np.isfinite(ratio)
    y_low, y_high = (curves.value(s) for s in (lower, upper)) if ends is None else ends
    at_low, at_high = alpha * y_low - beta * lower, alpha * y_high - beta * upper
    high = at_high > at_low
    spend, y, value = (np.where(high, *x) for x in ((upper, lower), (y_high, y_low), (at_high, at_low)))
    slack = np.zeros(like)
    root = np.clip(curves.inverse_slope(np.where(has_root, ratio, 1.0)), lower, upper)
    root = np.where(has_root & (alpha > 0), root, lower)
    if (has_root & (alpha < 0)).any():  # -y is concave where y is convex: the rising branch holds its maximum
        rising = np.clip(curves.inverse_slope(np.where(has_root, ratio, 1.0), rising=True), lower, upper)
        root = np.where(has_root & (alpha < 0), rising, root)
    inner = (root > lower) & (root < upper)
    if inner.any():
        there = curves.value(root)
        found = alpha * there - beta * root
        take = inner & (found > value)
        spend, y, value = (np.where(take, *x) for x in ((root, spend), (there, y), (found, value)))
        rise = alpha * curves.slope(root) - beta
        known = np.maximum(root, TINY * curves.scale_cny)  # `slope` is cut off before, and so too small
        slack = np.where(inner, np.where(rise > 0, rise * (upper - root), -rise * (known - lower)), 0.0)
    at = np.flatnonzero(curves.family == POINTS)
    if len(at):
        spend, y, value, slack = _best_knot(
            curves, at, alpha, beta, lower, upper, Best(spend, y, value, slack)
        )
    return Best(spend, y, value, slack + 4e-16 * (np.abs(value) + np.abs(beta * spend)))


def _best_knot(curves, at, alpha, beta, lower, upper, so_far):  # type: ignore[no-untyped-def]
    """Straight pieces: the maximum is at a knot or an end, exactly."""
    found = so_far.spend.copy(), so_far.y.copy(), so_far.value.copy(), so_far.slack.copy()
    spend, level, value, slack = found
    slack[..., at] = 0.0
    knots = curves.points
    x = knots.x * curves.scale_cny[at][:, None]
    y = knots.y * curves.top[at][:, None] + curves.base[at][:, None]
    a, b, low, high = (z[..., at][..., None] for z in (alpha, beta, lower, upper))
    allowed = (x >= low) & (x <= high)
    gain = np.where(allowed, a * y - b * np.where(np.isfinite(x), x, 0.0), -np.inf)
    k = gain.argmax(axis=-1)
    best = np.take_along_axis(gain, k[..., None], axis=-1)[..., 0]
    take = best > value[..., at]
    spend[..., at] = np.where(take, x[np.arange(len(at)), k], spend[..., at])
    level[..., at] = np.where(take, y[np.arange(len(at)), k], level[..., at])
    value[..., at] = np.where(take, best, value[..., at])
    return found


def patterns(program: Program) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Boxes (lower, upper), each (m,), whose union is what the blocks may do: every on/off choice of
    switchable cells.

    Blocks with fewer switches than the widest repeat themselves, which costs time but no correctness.
    """
    switch = program.grid(program.switch)
    most = int(switch.sum(axis=1).max(initial=0))
    rank = np.where(switch, np.cumsum(switch, axis=1) - 1, -1)
    low, high, on = (program.grid(x) for x in (program.lower, program.upper, program.floor_on))
    for choice in itertools.product((True, False), repeat=most):
        chosen = np.array([*choice, True])[rank]  # rank -1 reads the last: not a switch
        yield (
            np.where(switch & chosen, np.minimum(on, high), np.where(chosen, low, 0.0)).ravel(),
            np.where(chosen & ~(switch & (on > high)), high, 0.0).ravel(),
        )


def legal(program: Program, spend: FloatArray) -> FloatArray:
    """The nearest spend that each cell's own limits allow, (..., m)."""
    spend = np.clip(spend, program.lower, program.upper)
    low = program.switch & (spend < program.floor_on)
    up = (spend > 0.5 * program.floor_on) & (program.floor_on <= program.upper)
    return np.where(low, np.where(up, program.floor_on, 0.0), spend)


def price(
    program: Program, weights: Mapping[str, FloatArray], warm: tuple[FloatArray, ...] = ()
) -> tuple[FloatArray, FloatArray]:
    """Good columns for every block: spend (m,) and the price-adjusted value (n_blocks,) there.

    Args:
        program: the problem in the optimiser's layout.
        weights: what each metric is worth at the master's prices.
        warm: spends to start from; a coarse grid in every block when there are none.
    """
    if program.width == 1 and not np.isfinite(program.users).any():
        return _price_additive(program, weights)
    best_s, best_v = None, None
    for low, high in patterns(program):
        starts = [np.clip(s, low, high) for s in warm] or [_coarse(program, weights, low, high)]
        for start in starts:
            spend, value = climb(program, weights, start, low, high)
            if best_s is None or best_v is None:
                best_s, best_v = spend, value
            else:
                better = value > best_v
                best_s = np.where(np.repeat(better, program.width), spend, best_s)
                best_v = np.where(better, value, best_v)
    assert best_s is not None
    assert best_v is not None
    return best_s, best_v


def _price_additive(program: Program, weights: Mapping[str, FloatArray]) -> tuple[FloatArray, FloatArray]:
    alpha = weights["impressions"] + weights["reached"] + program.hazard * weights["fans"]
    beta = -weights["spend"]
    low = np.where(program.switch, np.minimum(program.floor_on, program.upper), program.lower)
    on = best_single(program.curves, alpha, beta, low, program.upper)
    spend = on.spend
    may_stop = program.switch | ((program.lower <= 0) & (weights["active"] != 0))
    if may_stop.any():
        idle = alpha * program.curves.value(np.zeros_like(alpha))
        stop = may_stop & (
            (idle >= on.value + weights["active"]) | (program.switch & (program.floor_on > program.upper))
        )
        spend = np.where(stop, 0.0, spend)
    return spend, block_value(program, weights, spend)


def _coarse(
    program: Program, weights: Mapping[str, FloatArray], low: FloatArray, high: FloatArray
) -> FloatArray:
    """The best point of a small grid in every block: dense near the scale of the curve, where curves bend."""
    k = program.width
    levels = max(2, int(START_GRID ** (1.0 / k))) if k <= 8 else 1
    scale = np.atleast_2d(program.curves.scale_cny).mean(axis=0)
    reach = np.minimum(high, low + 4.0 * scale)
    ladder = [low + (reach - low) * f for f in np.geomspace(0.01, 1.0, levels)]
    ladder = [low, *ladder[1:], high] if k == 1 else [low + 1e-3 * (reach - low), *ladder[1:]]
    grid = [program.grid(x) for x in ladder]
    best, best_v = None, None
    for choice in (
        itertools.product(range(len(ladder)), repeat=k) if k <= 8 else ((i,) * k for i in range(len(ladder)))
    ):
        spend = np.stack([grid[i][:, c] for c, i in enumerate(choice)], axis=1).ravel()
        value = block_value(program, weights, spend)
        if best is None or best_v is None:
            best, best_v = spend, value
            continue
        better = value > best_v
        best = np.where(np.repeat(better, k), spend, best)
        best_v = np.where(better, value, best_v)
    assert best is not None
    return best


def climb(
    program: Program, weights: Mapping[str, FloatArray], start: FloatArray, low: FloatArray, high: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Projected Newton with backtracking in all blocks at once, from `start` within [low, high]; all (m,)."""
    spend = np.clip(start, low, high)
    here = jet(program, weights, spend)
    value = here.value
    for _ in range(CLIMB_STEPS):
        step = newton_step(program, here, spend, low, high)
        target = np.clip(spend + step, low, high)
        size, moved = np.ones(program.n_blocks), np.zeros(program.n_blocks, dtype=bool)
        new, new_value = spend, value
        for _halving in range(8):
            trial = np.clip(spend + np.repeat(size, program.width) * step, low, high) if _halving else target
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


def newton_step(
    program: Program, here: Jet, spend: FloatArray, low: FloatArray, high: FloatArray
) -> FloatArray:
    """Newton direction (m,) on the coordinates that are free to move; Hessians bent until they curve down."""
    s, lo, hi = program.grid(spend), program.grid(low), program.grid(high)
    g, k = here.gradient, program.width
    fixed = ((s <= lo) & (g <= 0)) | ((s >= hi) & (g >= 0))
    curve = np.abs(here.hessian[:, np.arange(k), np.arange(k)])
    width = np.maximum(hi - lo, 1e-150)
    least = np.minimum(np.abs(g), 1e150) / width  # a straight cell steps no further than its interval
    scale = 1.0 / np.sqrt(np.maximum(np.maximum(curve, least), 1e-280))
    free = ~fixed
    h = here.hessian * scale[:, :, None] * scale[:, None, :] * free[:, :, None] * free[:, None, :]
    h[:, np.arange(k), np.arange(k)] = np.where(free, h[:, np.arange(k), np.arange(k)], -1.0)
    if k == 1:
        h = -np.maximum(np.abs(h), 1.0)
    else:
        top = np.linalg.eigvalsh(h)[:, -1]
        h = h - np.maximum(0.0, top + 0.05)[:, None, None] * np.eye(k)
    step = -np.linalg.solve(h, (g * scale * free)[:, :, None])[:, :, 0] * scale
    return np.where(free, step, 0.0).ravel()
