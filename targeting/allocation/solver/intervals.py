"""How much a block of competing cells can earn at most: intervals of z, the follows a person is expected to
give.

For fixed z = sum x_c, J is phi(z) Q + linear, separable over cells but for the sum. With any multiplier mu of
that sum,

    max {J(s): z(s) in [z0, z1]} <= max over z in [z0, z1] of K(z),
    K(z) = sum_c M_c(phi(z) w_c + mu) - mu z,   M_c(alpha) = max_s [alpha x_c(s) + rest_c(s)].

M_c is convex in alpha (a maximum of lines) and increasing, phi is convex, so K is convex in z and its maximum
over the interval is at an end: two exact one-dimensional problems per cell bound the whole interval. (Where
w_c < 0, phi is replaced by its tangent, which is below it.) With mu chosen per interval the excess shrinks
with the square of the width, so halving intervals closes in quickly; only those that could still hold a
better plan are kept. Where answers jump, what a cell may spend is halved in turn with z. `reached` is concave
in sum a and is replaced by a tangent: linear, and above it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from models.supply.curves import CurveSet, FloatArray
from targeting.allocation.settings import SETTINGS
from targeting.allocation.solver.arrays import Choices
from targeting.allocation.solver.blocks import block_value, phi_jet
from targeting.allocation.solver.deadline import Deadline
from targeting.allocation.solver.multipliers import Intervals, Lines, Numbers, Walk
from targeting.allocation.solver.pricing import legal
from targeting.allocation.solver.singles import best_or_none


class Search:
    """Branch and bound over intervals of z, all blocks in all their on/off choices at once."""

    def __init__(
        self, choices: Choices, weights: Mapping[str, FloatArray], spend: FloatArray, tolerance: FloatArray
    ) -> None:
        program, self.choices = choices.program, choices
        grid = program.grid
        self.program, self.weights, self.tolerance = program, weights, tolerance
        self.loose, self.high = grid(program.switch), grid(program.upper)
        self.low = np.where(self.loose, grid(program.floor_on), grid(program.lower))
        self.finite = np.isfinite(program.users)
        users = np.where(self.finite, program.users, 1.0)[:, None]
        a_low, a_high = grid(program.curves.value(program.lower)), grid(program.curves.value(program.upper))
        self.rate = grid(program.hazard) / users  # x_c = rate_c a_c
        self.ends = grid(program.curves.value(self.low.ravel())), a_high
        self.spend = legal(program, spend)
        self.value = block_value(program, weights, self.spend)
        self.inside = self.spend
        start = grid(program.curves.value(self.inside))
        self.z_low, self.z_high = (self.rate * a_low).sum(axis=1), (self.rate * a_high).sum(axis=1)
        self.z_start = np.clip((self.rate * start).sum(axis=1), self.z_low, self.z_high)
        self.fans = grid(weights["fans"] * program.hazard)
        self.mass = (self.fans * start).sum(axis=1)
        self.reached, self.impressions = grid(weights["reached"]), grid(weights["impressions"])
        self.users = users[:, 0]
        self.y_start = start.sum(axis=1) / self.users
        touched = self.reached * np.exp(-self.y_start)[:, None]
        self.linear = self.impressions + np.where(self.finite[:, None], touched, self.reached)
        self.cost = -grid(weights["spend"])
        self.bonus = grid(weights["active"] * (program.switch | (program.lower > 0)))
        # (n_blocks,) whether a cell's best answer may jump with the multiplier, or reach hangs on more than z
        self.jumps = (((self.cost <= 0) | ~grid(program.curves.concave)) & (self.high > self.low)).any(
            axis=1
        ) | self.reached.any(axis=1)
        self.worth = worth = np.abs(self.fans) + np.abs(self.linear)
        # (n_blocks,) a multiplier that counts as much as what impressions are worth
        self.span = (worth / np.where(self.rate > 0, self.rate, np.inf)).max(axis=1)

    def run(self, deadline: Deadline) -> FloatArray:
        """(n_blocks,) bound of the box; improves `spend` and `value` on the way, until time is up."""
        n = len(self.span)
        left, bound = self._first(), np.full(n, -np.inf)
        for level in range(SETTINGS.interval_halvings):
            upper = self._bound(left)
            alive = (upper > self._goal()[left.block]) & self.finite[left.block]
            alive &= left.z1 > left.z0
            np.maximum.at(bound, left.block[~alive], upper[~alive])
            left, upper = left[alive], upper[alive]
            if level == SETTINGS.interval_patience:
                self.jumps[:] = True  # z alone does not close in
            last = deadline.over or level == SETTINGS.interval_halvings - 1
            if last or not len(left) or len(left) > 1000 + SETTINGS.most_intervals * n:
                np.maximum.at(bound, left.block, upper)
                break
            left = self._split(left) if self.jumps[left.block].any() else left.halved()
        return bound

    def _split(self, left: Intervals) -> Intervals:
        """Both halves of every stretch: where answers may jump and z is known better than spends tell, of
        what the cell that matters most may spend.

        z alone leaves two cells free to trade follows, and what a price of impressions or a ratio pays for
        spending is convex: no multiplier is tight there, however short the stretch.
        """
        few, many = self._told(left)
        narrow = left.z1 - left.z0 < 0.999 * (many - few)
        jumps, block = self.jumps[left.block] & narrow, left.block
        ranges = self._shown(block, left.high) - self._shown(block, left.low)
        matter = self.worth[block] * ranges + np.abs(self.cost[block]) * (left.high - left.low)
        cell, here, n = matter.argmax(axis=1), np.flatnonzero(jumps), len(left)
        middle = 0.5 * (left.low + left.high)[here, cell[here]]
        twice = left.halved()
        twice.z0[n + here], twice.z1[here] = left.z0[here], left.z1[here]
        twice.high[here, cell[here]], twice.low[n + here, cell[here]] = middle, middle
        few, many = self._told(twice)
        twice.z0, twice.z1 = np.maximum(twice.z0, few), np.minimum(twice.z1, many)
        empty = twice.z1 < twice.z0 - 1e-12 * twice.z0
        twice.z1 = np.maximum(twice.z1, twice.z0)
        return twice[~empty]

    def _told(self, left: Intervals) -> tuple[FloatArray, FloatArray]:
        """(n,) least and most z that the spends of each stretch allow."""
        rate, least = self.rate[left.block], np.where(self.loose[left.block], 0.0, left.low)
        few, many = ((rate * self._shown(left.block, s)).sum(axis=1) for s in (least, left.high))
        return few, many

    def _goal(self) -> FloatArray:
        """(n,) what a choice must promise to be looked at: more than the best of its block."""
        return (self.choices.most(self.value) + self.tolerance)[self.choices.block]

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
        return Intervals(block, z0, z1, mu, self.low[block], self.high[block])

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
        """(n,) upper bound of J on each interval; leaves the multiplier it was got with in `left.mu`."""
        if not self.jumps.any():  # nothing is narrowed
            ends = self.ends[0][left.block], self.ends[1][left.block]
        else:
            ends = self._shown(left.block, left.low), self._shown(left.block, left.high)
        users = self.users[left.block]
        y0 = np.where(self.loose[left.block], 0.0, ends[0]).sum(axis=1) / users
        y1 = ends[1].sum(axis=1) / users
        return self._bound_by_multipliers(left, ends, (y0, y1))

    def _bound_by_multipliers(
        self, left: Intervals, ends: tuple[FloatArray, FloatArray], shown: tuple[FloatArray, FloatArray]
    ) -> FloatArray:
        """`_bound`, given impressions at the least and most spend (n, width), and per person (n,).

        Any multiplier bounds, so an interval whose bound is already below what is looked for is left alone;
        the others step towards a surplus of none, then take false positions and halves in turn. Reach, which
        is concave, is replaced by a line that touches it, first where the best plan is and then where the
        last answer was. What no longer falls is left to be halved.
        """
        n, curved = len(left), bool(self.reached.any())
        goal, y = self._goal()[left.block], np.clip(self.y_start[left.block], *shown)
        lines = Lines.of(left, tangent=bool((self.fans < 0).any()))
        walk = Walk.of(left.mu, 0.5 * self.span[left.block] * (left.z1 - left.z0))
        best, best_mu, at = np.full(n, np.inf), left.mu.copy(), np.arange(n)
        before = best.copy()
        for attempt in range(SETTINGS.multiplier_steps):
            mu = walk.mu[at]
            gain, surplus, spend, there = self._relaxed(
                left if len(at) == n else left[at], lines.take(at), mu, (ends[0][at], ends[1][at]), y[at]
            )
            if attempt == 0:
                self._learn(left.block, spend[1])
            top = gain.max(axis=0)
            best_mu[at[top < best[at]]] = mu[top < best[at]]
            best[at] = np.minimum(best[at], top)
            end = np.where(gain[0] >= gain[1], 0, 1), np.arange(len(at))  # the dominating one
            walk.saw(at, surplus[end])
            if curved:
                y[at] = there[end] if attempt == 0 else 0.5 * (y[at] + there[end])
            open_ = best[at] > goal[at]
            if attempt % 3 == 2:
                open_ &= before[at] - best[at] > SETTINGS.multiplier_gain * (best - goal)[at]
                before = best.copy()
            at, surplus = at[open_], surplus[end][open_]
            if not len(at):
                break
            walk.step(at, surplus, halve=attempt % 2 == 1)
        left.mu = best_mu
        return best

    def _relaxed(
        self,
        left: Intervals,
        lines: Lines,
        mu: FloatArray,
        ends: tuple[FloatArray, FloatArray],
        y: FloatArray,
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """K(z) at both ends (2, n), its surplus (sum of x at its maximiser - z), that maximiser (2, n,
        width) and its impressions per person (2, n).

        Args:
            left: the intervals; lines: z and phi at their ends; mu: (n,) multipliers.
            ends: impressions (n, width) at the least and the most that cells may spend.
            y: (n,) impressions per person where reach is touched.
        """
        block = left.block
        reach, constant = self._reach(block, ends, y)
        fans, rate = self.fans[block], self.rate[block]
        level = np.where(fans >= 0, lines.phi[:, :, None], lines.below[:, :, None])
        level = np.where(self.finite[block][:, None], level, 1.0)
        alpha = self.impressions[block] + reach + level * fans + mu[:, None] * rate
        shape = alpha.shape
        top = best_or_none(
            self._curves(block), alpha.reshape(2, -1), self.cost[block].ravel(), left.low.ravel(),
            left.high.ravel(), bonus=self.bonus[block].ravel(), loose=self.loose[block].ravel(),
            ends=(ends[0].ravel(), ends[1].ravel()),
        )  # fmt: skip
        gain = (top.value + top.slack).reshape(shape).sum(axis=2) - mu * lines.z + constant
        surplus = (rate * top.y.reshape(shape)).sum(axis=2) - lines.z
        return gain, surplus, top.spend.reshape(shape), top.y.reshape(shape).sum(axis=2) / self.users[block]

    def _curves(self, block: Numbers) -> CurveSet:
        k = self.program.width
        return self.program.curves.take((block[:, None] * k + np.arange(k)).ravel())

    def _shown(self, block: Numbers, spend: FloatArray) -> FloatArray:
        """Impressions (n, width)."""
        return self._curves(block).value(spend.ravel()).reshape(spend.shape)

    def _reach(
        self, block: Numbers, ends: tuple[FloatArray, FloatArray], y: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """(per-impression weight (n, k), constant (n,)) of a linear function above sum weight x reached, that
        touches it at y (n,) impressions per person.

        reached_c = phi(y) a_c, y = sum a / N. With R the largest weight, sum R_c reached_c = R N (1 -
        exp(-y)) - sum (R - R_c) phi(y) a_c; the last sum is at least that with phi at the largest y. A
        positive R takes the tangent of the concave 1 - exp(-y), a negative one its chord.
        """
        weight, users, finite = self.reached[block], self.users[block], self.finite[block]
        if not weight.any():
            return np.zeros_like(weight), np.zeros(len(block))
        few = np.where(self.loose[block], 0.0, ends[0])
        y0, y1 = few.sum(axis=1) / users, ends[1].sum(axis=1) / users
        largest = np.where(weight != 0, weight, -np.inf).max(axis=1)
        some_none = np.where((weight == 0).any(axis=1), np.maximum(largest, 0), largest)
        largest = np.where(np.isfinite(largest), some_none, 0.0)
        drop = (largest[:, None] - weight) * phi_jet(y1)[0][:, None]
        wide = y1 - y0 > 1e-12 * (1.0 + y1)
        chord = np.where(wide, (np.exp(-y0) - np.exp(-y1)) / np.where(wide, y1 - y0, 1.0), np.exp(-y1))
        slope = np.where(largest >= 0, np.exp(-y), chord)
        at = np.where(largest >= 0, y, y0)
        constant = largest * users * (-np.expm1(-at) - slope * at)
        lines = largest[:, None] * slope[:, None] - drop
        return np.where(finite[:, None], lines, weight), np.where(finite, constant, 0.0)

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
