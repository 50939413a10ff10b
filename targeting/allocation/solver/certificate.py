"""The Lagrangian bound: how much any plan could earn, whatever the shape of the curves.

For prices p of the rows (>= 0 on upper, <= 0 on lower limits) every feasible plan s has

    value(s) <= sum_b max_s J_b(s; p) + p . limits                                   (weak duality),

so the bound is honest as long as each block's maximum is not *under*-estimated. A climb could be; this
module bounds
the maximum from above instead, up to a tolerance that is part of the bound.

*Additive blocks* are one-dimensional and solved exactly (`pricing.best_single`).

*Competing blocks.* For fixed z = sum x_c, J is phi(z) Q + linear, separable over cells but for the sum. With
any
multiplier mu of that sum,

    max {J(s): z(s) in [z0, z1]} <= max over z in [z0, z1] of K(z),
    K(z) = sum_c M_c(phi(z) w_c + mu) - mu z,   M_c(alpha) = max_s [alpha x_c(s) + rest_c(s)].

M_c is convex in alpha (a maximum of lines) and increasing, phi is convex, so K is convex in z and its
maximum over the
interval is at an end: two exact one-dimensional problems per cell bound the whole interval. (Where w_c < 0,
    phi is
replaced by its tangent, which is below it.) With mu chosen per interval the excess shrinks with the square of
the width, so halving intervals closes in quickly; only those that could still hold a better plan are kept.
`reached` is concave in sum a and is replaced by its tangent at the incumbent: linear, and above it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models.supply.curves import FloatArray
from targeting.allocation.solver.blocks import block_value, phi, phi_jet
from targeting.allocation.solver.jointstops import joint_stops
from targeting.allocation.solver.pricing import best_single, legal, patterns
from targeting.allocation.solver.program import Program

RUNGS = 4  # first intervals each side of the incumbent, shrinking towards it
SHRINK = 0.1
LEVELS = 40
MU_STEPS = 9
MOST_INTERVALS = 60  # per block: a relaxation that does not close is left as it is, honest but loose
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
    return float(ceiling.bound.sum() + program.price_limits(prices) + program.constant + 1e-15 * terms)


def ceiling(
    program: Program, weights: Mapping[str, FloatArray], spend: FloatArray, tolerance: FloatArray
) -> Ceiling:
    """Bound every block's price-adjusted maximum from above to `tolerance` (n_blocks,), starting from
    `spend` (m,).
    """
    if program.width == 1 and not np.isfinite(program.users).any():
        return _additive(program, weights, spend)
    value = block_value(program, weights, spend)
    bound = np.full(program.n_blocks, -np.inf)
    for low, high in patterns(program):
        search = _Search(program, weights, low, high, spend, value, tolerance)
        bound = np.maximum(bound, search.run())
        spend, value = search.spend, search.value
    return Ceiling(np.maximum(bound, value), spend, value)


def _additive(program: Program, weights: Mapping[str, FloatArray], spend: FloatArray) -> Ceiling:
    alpha = weights["impressions"] + weights["reached"] + program.hazard * weights["fans"]
    low = np.where(program.switch, np.minimum(program.floor_on, program.upper), program.lower)
    on = best_single(program.curves, alpha, -weights["spend"], low, program.upper)
    bound = on.value + on.slack + weights["active"] * (program.switch | (program.lower > 0))
    idle = alpha * program.curves.value(np.zeros_like(alpha))
    barred = program.switch & (program.floor_on > program.upper)
    bound = np.where(program.switch, np.maximum(np.where(barred, -np.inf, bound), idle), bound)
    stop = program.switch & (barred | (idle >= on.value + weights["active"]))
    best = np.where(stop, 0.0, on.spend)
    return Ceiling(bound, best, block_value(program, weights, best))


class _Search:
    """Branch and bound over intervals of z, all blocks at once, for one on/off pattern."""

    def __init__(
        self,
        program: Program,
        weights: Mapping[str, FloatArray],
        low: FloatArray,
        high: FloatArray,
        spend: FloatArray,
        value: FloatArray,
        tolerance: FloatArray,
    ) -> None:
        grid = program.grid
        self.program, self.weights, self.spend, self.value = program, weights, spend, value
        self.low, self.high = grid(low), grid(high)
        users = np.where(np.isfinite(program.users), program.users, 1.0)[:, None]
        self.finite = np.isfinite(program.users)
        a_low, a_high = grid(program.curves.value(low)), grid(program.curves.value(high))
        self.ends = a_low, a_high
        self.rate = grid(program.hazard) / users  # x_c = rate_c a_c
        self.inside = np.clip(spend, low, high)
        start = grid(program.curves.value(self.inside))
        self.z_low, self.z_high = (self.rate * a_low).sum(axis=1), (self.rate * a_high).sum(axis=1)
        self.z_start = np.clip((self.rate * start).sum(axis=1), self.z_low, self.z_high)
        self.fans = grid(weights["fans"] * program.hazard)
        self.mass = (self.fans * start).sum(axis=1)
        linear, self.constant = _reached_lines(
            grid(weights["reached"]), start, a_low, a_high, users[:, 0], self.finite
        )
        self.linear = grid(weights["impressions"]) + linear
        on = grid((program.switch | (program.lower > 0)) & (high > 0))
        self.constant = self.constant + (grid(weights["active"]) * on).sum(axis=1)
        self.cost = -grid(weights["spend"])
        self.barred = (grid(program.switch) & (self.low > self.high)).any(axis=1)
        self.tolerance = tolerance

    def run(self) -> FloatArray:
        """(n_blocks,) bound of the pattern; improves `spend` and `value` on the way."""
        fractions = SHRINK ** np.arange(RUNGS)
        left = self.z_start[:, None] - (self.z_start - self.z_low)[:, None] * fractions
        right = self.z_start[:, None] + (self.z_high - self.z_start)[:, None] * fractions[::-1]
        marks = np.concatenate([left, self.z_start[:, None], right], axis=1)
        block = np.repeat(np.arange(len(marks)), marks.shape[1] - 1)
        z0, z1 = marks[:, :-1].ravel(), marks[:, 1:].ravel()
        worth = (z1 > z0) | np.tile(np.arange(marks.shape[1] - 1) == RUNGS, len(marks))
        worth &= ~np.repeat(self.barred, marks.shape[1] - 1)
        worth &= self.finite[block] | np.tile(np.arange(marks.shape[1] - 1) == RUNGS, len(marks))
        block, z0, z1 = block[worth], z0[worth], z1[worth]
        at, slope = self._multiplier()
        near = np.clip(self.z_start[block], z0, z1)  # the end that dominates, as a rule
        span = self._span()[block]  # a cell next to nothing bends so much that `slope` means nothing
        mu = at[block] + np.clip(slope[block] * (near - self.z_start[block]), -span, span)
        bound = np.full(len(marks), -np.inf)
        for level in range(LEVELS):
            upper, mu = self._bound(block, z0, z1, mu)
            alive = (upper > (self.value + self.tolerance)[block]) & self.finite[block] & (z1 > z0)
            np.maximum.at(bound, block[~alive], upper[~alive])
            block, z0, z1, mu, upper = block[alive], z0[alive], z1[alive], mu[alive], upper[alive]
            if level == LEVELS - 1 or not len(block) or len(block) > 1000 + MOST_INTERVALS * len(marks):
                np.maximum.at(bound, block, upper)
                break
            middle = 0.5 * (z0 + z1)
            block, mu = np.tile(block, 2), np.tile(mu, 2)
            z0, z1 = np.r_[z0, middle], np.r_[middle, z1]
        return bound

    def _multiplier(self) -> tuple[FloatArray, FloatArray]:
        """(n_blocks,) the multiplier of z at the start, phi'(z) Q, and how fast it moves with z.

        From the optimality conditions alpha_c y_c' = cost_c, alpha_c = linear_c + phi(z) w_c + mu rate_c and
        sum x_c = z: with k_c = -y'^2 / (alpha y'') of the cells strictly inside their limits,
        dmu/dz = (1 - phi' sum rate k w) / sum rate^2 k. A guess: any multiplier bounds.
        """
        grid, curves, s = self.program.grid, self.program.curves, self.inside
        p, p1, _ = phi_jet(self.z_start)
        mu = p1 * self.mass
        alpha = self.linear + p[:, None] * self.fans + mu[:, None] * self.rate
        bend = -alpha * grid(curves.curvature(s))
        free = (grid(s) > self.low) & (grid(s) < self.high) & (bend > 0)
        move = np.where(free, grid(curves.slope(s)) ** 2 / np.where(free, bend, 1.0), 0.0)
        reach = (self.rate**2 * move).sum(axis=1)
        pull = 1.0 - p1 * (self.rate * move * self.fans).sum(axis=1)
        return mu, np.where(reach > 0, pull / np.where(reach > 0, reach, 1.0), 0.0)

    def _span(self) -> FloatArray:
        """(n_blocks,) a multiplier that counts as much as what impressions are worth."""
        worth = np.abs(self.fans) + np.abs(self.linear)
        return np.asarray((worth / np.where(self.rate > 0, self.rate, np.inf)).max(axis=1))

    def _bound(self, block, z0, z1, mu):  # type: ignore[no-untyped-def]
        """Upper bound of J on each interval, and the multiplier it was got with.

        Any multiplier bounds, so an interval whose bound is already below what is looked for is left alone;
        the others step towards a surplus of none, then take false positions and halves in turn.
        """
        n = len(block)
        stops = None
        if self.program.floors is not None:
            stops = joint_stops(
                self.program, self.program.floors, self.rate, self.low, self.high, block, z0, z1
            )
        best, best_mu = np.full(n, np.inf), mu.copy()
        goal = (self.value + self.tolerance)[block]
        step = 0.5 * self._span()[block] * (z1 - z0) + 1e-13 * np.abs(
            mu
        )  # mu moves with z at about this rate
        under, over = np.full(n, -np.inf), np.full(n, np.inf)
        short, spare = np.full(n, -1.0), np.full(n, 1.0)  # the surplus at `under` and at `over`
        ends = np.stack([z0, z1])
        phi_at = phi(ends)
        line = np.stack(_tangent(z0, z1)) if (self.fans < 0).any() else phi_at
        at, mu = np.arange(n), mu.copy()
        for attempt in range(MU_STEPS):
            gain, surplus, spend = self._relaxed(
                block[at],
                ends[:, at],
                phi_at[:, at],
                line[:, at],
                mu[at],
                None if stops is None else stops[at],
            )
            if attempt == 0 and stops is None:  # the relaxation's maximiser may break a floor
                self._learn(block, spend[1])
            better = gain.max(axis=0) < best[at]
            best_mu[at[better]] = mu[at[better]]
            best[at] = np.minimum(best[at], gain.max(axis=0))
            surplus = np.where(gain[0] >= gain[1], surplus[0], surplus[1])  # of z at the dominating end
            high, low = at[surplus > 0], at[surplus < 0]
            over[high], spare[high] = mu[high], surplus[surplus > 0]
            under[low], short[low] = mu[low], surplus[surplus < 0]
            open_ = best[at] > goal[at]
            at, surplus = at[open_], surplus[open_]
            if not len(at):
                break
            bracketed = np.isfinite(over[at]) & np.isfinite(under[at])
            left, right = np.where(bracketed, under[at], 0.0), np.where(bracketed, over[at], 0.0)
            share = 0.5 if attempt % 2 else np.clip(short[at] / (short[at] - spare[at]), 0.05, 0.95)
            mu[at] = np.where(bracketed, left + share * (right - left), mu[at] - np.sign(surplus) * step[at])
            step[at] = np.where(bracketed, step[at], step[at] * 4.0)
        return best, best_mu

    def _relaxed(self, block, z, phi_at, line, mu, high):  # type: ignore[no-untyped-def]
        """K(z) at both ends (2, n_intervals), its surplus (sum of x at its maximiser - z) and that maximiser
        (2, n_intervals, width); z, phi_at and line are (2, n_intervals), `high` (n_intervals, width) or None.
        """
        fans, rate, k = self.fans[block], self.rate[block], self.program.width
        curves = self.program.curves.take((block[:, None] * k + np.arange(k)).ravel())
        level = np.where(fans >= 0, phi_at[:, :, None], line[:, :, None])
        level = np.where(self.finite[block][:, None], level, 1.0)
        alpha = self.linear[block] + level * fans + mu[:, None] * rate
        shape, flat = alpha.shape, (2, -1)
        cost, low = self.cost[block].ravel(), self.low[block].ravel()
        most = (self.high[block] if high is None else high).ravel()
        ends = (
            self.ends[0][block].ravel(),
            self.ends[1][block].ravel() if high is None else curves.value(most),
        )
        top = best_single(curves, alpha.reshape(flat), cost, low, most, ends)
        gain = (top.value + top.slack).reshape(shape).sum(axis=2) - mu * z + self.constant[block]
        x = rate * top.y.reshape(shape)
        return gain, x.sum(axis=2) - z, top.spend.reshape(shape)

    def _learn(self, block, spend):  # type: ignore[no-untyped-def]
        """Keep a maximiser of the relaxation as the block's best plan where it beats the one so far (first
        per block).
        """
        order = np.unique(block, return_index=True)[1]
        whole = self.program.grid(self.spend).copy()
        whole[block[order]] = spend[order]
        trial = legal(self.program, whole.ravel())
        value = block_value(self.program, self.weights, trial)
        better = value > self.value
        self.spend = np.where(np.repeat(better, self.program.width), trial, self.spend)
        self.value = np.where(better, value, self.value)


def _tangent(z0: FloatArray, z1: FloatArray) -> tuple[FloatArray, FloatArray]:
    """phi's tangent at the middle of [z0, z1], read at both ends: below phi everywhere, phi being convex."""
    middle = 0.5 * (z0 + z1)
    p, p1, _ = phi_jet(middle)
    return p + p1 * (z0 - middle), p + p1 * (z1 - middle)


def _reached_lines(weight, start, a_low, a_high, users, finite):  # type: ignore[no-untyped-def]
    """(per-impression weight (n_blocks, k), constant (n_blocks,)) of a linear function above sum weight x
    reached.

    reached_c = phi(y) a_c, y = sum a / N. With R the largest weight, sum R_c reached_c = R N (1 - exp(-y)) -
    sum (R - R_c) phi(y) a_c; the last sum is at least that with phi at the largest y. A positive R takes the
    tangent of
    the concave 1 - exp(-y), a negative one its chord.
    """
    if not weight.any():
        return np.zeros_like(weight), np.zeros(len(users))
    y, y0, y1 = ((a.sum(axis=1) / users) for a in (start, a_low, a_high))
    largest = np.where(weight != 0, weight, -np.inf).max(axis=1)
    largest = np.where(
        np.isfinite(largest), np.where((weight == 0).any(axis=1), np.maximum(largest, 0), largest), 0.0
    )
    drop = (largest[:, None] - weight) * phi_jet(y1)[0][:, None]
    wide = y1 - y0 > 1e-12 * (1.0 + y1)
    chord = np.where(wide, (np.exp(-y0) - np.exp(-y1)) / np.where(wide, y1 - y0, 1.0), np.exp(-y1))
    slope = np.where(largest >= 0, np.exp(-y), chord)
    at = np.where(largest >= 0, y, y0)
    constant = largest * users * (-np.expm1(-at) - slope * at)
    lines = largest[:, None] * slope[:, None] - drop
    return np.where(finite[:, None], lines, weight), np.where(finite, constant, 0.0)
