"""One cell alone: the best spend for a price, exactly, for any curve of `models.supply.curves`.

Every bound of the optimiser comes down to this question, so the answer says how exact it is. It must not know
blocks or rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.supply.curve_families import TINY
from models.supply.curves import POINTS, CurveSet, FloatArray

BoolArray = NDArray[np.bool_]


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
    y_low, y_high = (curves.value(s) for s in (lower, upper)) if ends is None else ends
    at_low, at_high = alpha * y_low - beta * lower, alpha * y_high - beta * upper
    high = at_high > at_low
    spend, y, value = (np.where(high, *x) for x in ((upper, lower), (y_high, y_low), (at_high, at_low)))
    slack = np.zeros(like)
    root = _root(curves, alpha, beta, lower, upper)
    inner = (root > lower) & (root < upper)
    if inner.any():
        there = curves.value(root)
        found = alpha * there - beta * root
        take = inner & (found > value)
        spend, y, value = (np.where(take, *x) for x in ((root, spend), (there, y), (found, value)))
        rise = alpha * curves.slope(root) - beta
        known = np.maximum(root, TINY * curves.scale_cny)  # `slope` is cut off before, and so too small
        slack = np.where(inner, np.where(rise > 0, rise * (upper - root), -rise * (known - lower)), 0.0)
    best = Best(spend, y, value, slack)
    at = np.flatnonzero(curves.family == POINTS)
    if len(at):
        best = _best_knot(curves, at, alpha, beta, lower, upper, best)
    rounding = 4e-16 * (np.abs(best.value) + np.abs(beta * best.spend))
    return Best(best.spend, best.y, best.value, best.slack + rounding)


def best_or_none(
    curves: CurveSet,
    alpha: FloatArray,
    beta: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    *,
    bonus: FloatArray,
    loose: BoolArray,
    ends: tuple[FloatArray, ...] | None = None,
) -> Best:
    """`best_single`, where a `loose` cell may also spend nothing, and all that spend earn `bonus`."""
    on = best_single(curves, alpha, beta, lower, upper, ends)
    value = on.value + bonus
    if not loose.any():
        return Best(on.spend, on.y, value, on.slack)
    none = np.broadcast_to(curves.value(np.zeros_like(upper)), value.shape)
    idle = alpha * none
    stop = loose & (idle >= value)
    slack = np.where(loose, np.maximum(value + on.slack - np.maximum(value, idle), 0.0), on.slack)
    return Best(np.where(stop, 0.0, on.spend), np.where(stop, none, on.y), np.where(stop, idle, value), slack)


def _root(
    curves: CurveSet, alpha: FloatArray, beta: FloatArray, lower: FloatArray, upper: FloatArray
) -> FloatArray:
    """Where y'(s) = beta / alpha on the branch that can hold a maximum, else `lower`."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where((alpha != 0) & (beta / alpha > 0), beta / np.where(alpha != 0, alpha, 1.0), np.inf)
    exists = np.isfinite(ratio)
    wanted = np.where(exists, ratio, 1.0)
    root = np.where(exists & (alpha > 0), np.clip(curves.inverse_slope(wanted), lower, upper), lower)
    if (exists & (alpha < 0)).any():  # -y is concave where y is convex: the rising branch holds its maximum
        rising = np.clip(curves.inverse_slope(wanted, rising=True), lower, upper)
        root = np.where(exists & (alpha < 0), rising, root)
    return root


def _best_knot(
    curves: CurveSet,
    at: NDArray[np.int64],
    alpha: FloatArray,
    beta: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    so_far: Best,
) -> Best:
    """Straight pieces: the maximum is at a knot or an end, exactly."""
    spend, level = so_far.spend.copy(), so_far.y.copy()
    value, slack = so_far.value.copy(), so_far.slack.copy()
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
    return Best(spend, level, value, slack)
