"""How much a block of competing cells can earn at most: intervals of z, the follows a person is expected to
give.

For fixed z = sum x_c, J is phi(z) Q + linear, separable over cells but for the sum. With
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

import numpy as np
from numpy.typing import NDArray

from models.curves import FloatArray
from targeting.allocation.settings import SETTINGS
from targeting.allocation.solver.arrays import Program
from targeting.allocation.solver.blocks import block_value, phi_jet
from targeting.allocation.solver.jointstops import joint_stops
from targeting.allocation.solver.multipliers import Intervals, Lines, Numbers, Walk
from targeting.allocation.solver.pricing import Box, legal
from targeting.allocation.solver.singles import best_or_none


class Search:
    """Branch and bound over intervals of z, all blocks at once, for one box."""

    def __init__(
        self,
        program: Program,
        weights: Mapping[str, FloatArray],
        box: Box,
        spend: FloatArray,
        value: FloatArray,
        tolerance: FloatArray,
    ) -> None:
        grid = program.grid
        self.program, self.weights, self.spend, self.value = program, weights, spend, value
        self.low, self.high, self.loose = grid(box.low), grid(box.high), grid(box.loose)
        self.tolerance = tolerance
        self.finite = np.isfinite(program.users)
        users = np.where(self.finite, program.users, 1.0)[:, None]
        least = np.where(box.loose, 0.0, box.low)
        a_low, a_high = grid(program.curves.value(least)), grid(program.curves.value(box.high))
        self.ends = grid(program.curves.value(box.low)), a_high
        self.rate = grid(program.hazard) / users  # x_c = rate_c a_c
        self.inside = np.clip(spend, least, box.high)
        start = grid(program.curves.value(self.inside))
        self.z_low, self.z_high = (self.rate * a_low).sum(axis=1), (self.rate * a_high).sum(axis=1)
        self.z_start = np.clip((self.rate * start).sum(axis=1), self.z_low, self.z_high)
        self.fans = grid(weights["fans"] * program.hazard)
        self.mass = (self.fans * start).sum(axis=1)
        linear, self.constant = _reached_lines(
            grid(weights["reached"]), start, a_low, a_high, users[:, 0], self.finite
        )
        self.linear = grid(weights["impressions"]) + linear
        self.cost = -grid(weights["spend"])
        self.bonus = grid(weights["active"] * ((program.switch | (program.lower > 0)) & (box.high > 0)))
        worth = np.abs(self.fans) + np.abs(self.linear)
        # (n_blocks,) a multiplier that counts as much as what impressions are worth
        self.span = (worth / np.where(self.rate > 0, self.rate, np.inf)).max(axis=1)

    def run(self) -> FloatArray:
        """(n_blocks,) bound of the box; improves `spend` and `value` on the way."""
        n = len(self.span)
        left, bound = self._first(), np.full(n, -np.inf)
        for level in range(SETTINGS.interval_halvings):
            upper = self._bound(left)
            alive = (upper > (self.value + self.tolerance)[left.block]) & self.finite[left.block]
            alive &= left.z1 > left.z0
            np.maximum.at(bound, left.block[~alive], upper[~alive])
            left, upper = left[alive], upper[alive]
            last = level == SETTINGS.interval_halvings - 1
            if last or not len(left) or len(left) > 1000 + SETTINGS.most_intervals * n:
                np.maximum.at(bound, left.block, upper)
                break
            left = left.halved()
        return bound

    def _first(self) -> Intervals:
        """Intervals that shrink towards the start from both sides; blocks without users need only one."""
        rungs = SETTINGS.first_intervals
        fractions = SETTINGS.interval_shrink ** np.arange(rungs)
        left = self.z_start[:, None] - (self.z_start - self.z_low)[:, None] * fractions
        right = self.z_start[:, None] + (self.z_high - self.z_start)[:, None] * fractions[::-1]
        marks = np.concatenate([left, self.z_start[:, None], right], axis=1)
        block = np.repeat(np.arange(len(marks)), marks.shape[1] - 1)
        z0, z1 = marks[:, :-1].ravel(), marks[:, 1:].ravel()
        one = np.tile(np.arange(marks.shape[1] - 1) == rungs, len(marks))
        worth = one | ((z1 > z0) & self.finite[block])
        block, z0, z1 = block[worth], z0[worth], z1[worth]
        at, slope = self._multiplier()
        near = np.clip(self.z_start[block], z0, z1)  # the end that dominates, as a rule
        span = self.span[block]  # a cell next to nothing bends so much that `slope` means nothing
        mu = at[block] + np.clip(slope[block] * (near - self.z_start[block]), -span, span)
        return Intervals(block, z0, z1, mu)

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

    def _bound(self, left: Intervals) -> FloatArray:
        """Upper bound of J on each interval; leaves the multiplier it was got with in `left.mu`.

        Any multiplier bounds, so an interval whose bound is already below what is looked for is left alone;
        the others step towards a surplus of none, then take false positions and halves in turn.
        """
        n, program = len(left), self.program
        high = None
        if program.floors is not None:
            high = joint_stops(
                program, program.floors, self.rate, self.low, self.high, left.block, left.z0, left.z1
            )
        goal = (self.value + self.tolerance)[left.block]
        lines = Lines.of(left, tangent=bool((self.fans < 0).any()))
        walk = Walk.of(left.mu, 0.5 * self.span[left.block] * (left.z1 - left.z0))
        best, best_mu, at = np.full(n, np.inf), left.mu.copy(), np.arange(n)
        for attempt in range(SETTINGS.multiplier_steps):
            mu = walk.mu[at]
            gain, surplus, spend = self._relaxed(
                left.block[at], lines.take(at), mu, None if high is None else high[at]
            )
            if attempt == 0 and high is None:  # the relaxation's maximiser may break a floor
                self._learn(left.block, spend[1])
            better = gain.max(axis=0) < best[at]
            best_mu[at[better]] = mu[better]
            best[at] = np.minimum(best[at], gain.max(axis=0))
            surplus = np.where(gain[0] >= gain[1], surplus[0], surplus[1])  # of z at the dominating end
            open_ = best[at] > goal[at]
            walk.saw(at, surplus)
            at, surplus = at[open_], surplus[open_]
            if not len(at):
                break
            walk.step(at, surplus, halve=attempt % 2 == 1)
        left.mu = best_mu
        return best

    def _relaxed(
        self, block: Numbers, lines: Lines, mu: FloatArray, high: FloatArray | None
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """K(z) at both ends (2, n), its surplus (sum of x at its maximiser - z) and that maximiser
        (2, n, width); `high` (n, width) where it is lower than the box's.
        """
        fans, rate, k = self.fans[block], self.rate[block], self.program.width
        curves = self.program.curves.take((block[:, None] * k + np.arange(k)).ravel())
        level = np.where(fans >= 0, lines.phi[:, :, None], lines.below[:, :, None])
        level = np.where(self.finite[block][:, None], level, 1.0)
        alpha = self.linear[block] + level * fans + mu[:, None] * rate
        shape = alpha.shape
        most = (self.high[block] if high is None else high).ravel()
        ends = (
            self.ends[0][block].ravel(),
            self.ends[1][block].ravel() if high is None else curves.value(most),
        )
        top = best_or_none(
            curves, alpha.reshape(2, -1), self.cost[block].ravel(), self.low[block].ravel(), most,
            bonus=self.bonus[block].ravel(), loose=self.loose[block].ravel(), ends=ends,
        )  # fmt: skip
        gain = (top.value + top.slack).reshape(shape).sum(axis=2) - mu * lines.z + self.constant[block]
        x = rate * top.y.reshape(shape)
        return gain, x.sum(axis=2) - lines.z, top.spend.reshape(shape)

    def _learn(self, block: Numbers, spend: FloatArray) -> None:
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


def _reached_lines(
    weight: FloatArray,
    start: FloatArray,
    a_low: FloatArray,
    a_high: FloatArray,
    users: FloatArray,
    finite: NDArray[np.bool_],
) -> tuple[FloatArray, FloatArray]:
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
