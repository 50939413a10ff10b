"""Sequential linear programs: from any spend to a plan that keeps every row, earning what it can on the way.

Newton (`polish`) is fast but needs a start near the answer and the right binding rows. Where curved rows
(capacity, ROI,
frequency) leave the mixture's average outside them, this slower method gets inside first and hands over its
multipliers. Within a trust region the problem is linear; a step is kept when value - penalty x violation
rises on the
true curves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from models.errors import SolverError
from models.supply.curves import FloatArray
from targeting.allocation.settings import SETTINGS
from targeting.allocation.solver.arrays import Program
from targeting.allocation.solver.blocks import block_value, jet
from targeting.allocation.solver.highs import maximise
from targeting.allocation.solver.newton import jacobian
from targeting.allocation.solver.polish import lines, violation


@dataclass(frozen=True)
class Curb:
    """One more row that no column can carry: value(spend) >= floor, with its slope (m,)."""

    value: Callable[[FloatArray], float]
    slope: Callable[[FloatArray], FloatArray]
    floor: float


@dataclass(frozen=True)
class Repaired:
    """Spend (m,), prices (r,) of the rows and of the curb, and the largest relative violation of a row."""

    spend: FloatArray
    prices: FloatArray
    curb_price: float
    residual: float


@dataclass
class Walk:
    """What does not change from step to step of a climb within the box [low, high]."""

    program: Program
    low: FloatArray
    high: FloatArray
    curb: Curb | None
    safest: bool

    def merit(self, spend: FloatArray) -> tuple[float, float]:
        """(what is climbed, sum of relative violations)."""
        program = self.program
        broken = float(np.abs(violation(program, spend)).sum())
        if self.curb is not None and self.safest:
            return self.curb.value(spend), broken
        if self.curb is not None:
            short = max(self.curb.floor - self.curb.value(spend), 0.0)
            broken += short / max(abs(self.curb.floor), 1e-300)
        weights = program.weights(np.zeros(len(program.row_lower)))
        return float(block_value(program, weights, spend).sum()), broken

    def step(self, spend: FloatArray, radius: float, penalty: float) -> tuple[FloatArray, FloatArray] | None:
        """Best point of the linearised problem in the trust region, with prices; None where HiGHS fails."""
        program, low, high = self.program, self.low, self.high
        here = jet(program, program.weights(np.zeros(len(program.row_lower))), spend)
        scale = ranges(spend, low, high)
        unit = max(float(np.abs(here.value).sum()), 1e-300)
        rise = self.curb.slope(spend) if self.curb is not None and self.safest else here.gradient.ravel()
        tight, limit, size = self.lines(spend, scale)
        soft = sparse.hstack([tight, -sparse.identity(tight.shape[0])], "csr")
        below, above = np.maximum((low - spend) / scale, -radius), np.minimum((high - spend) / scale, radius)
        bounds = np.stack([np.minimum(below, 0.0), np.maximum(above, 0.0)], axis=1)
        bounds = np.vstack([bounds, np.tile([0.0, np.inf], (len(limit), 1))])
        gain = np.r_[np.clip(rise * scale / unit, -1e9, 1e9), np.full(len(limit), -penalty)]
        try:
            done = maximise(gain, soft, limit, bounds=bounds)
        except SolverError:
            return None
        trial = np.clip(spend + done.x[: len(spend)] * scale, low, high)
        return trial, done.dual * unit / size

    def lines(self, spend: FloatArray, scale: FloatArray) -> tuple[sparse.csr_matrix, FloatArray, FloatArray]:
        """Scaled rows as lines <= limit, with the size each was divided by: upper limits, lower limits,
        curb.
        """
        program = self.program
        rows = np.arange(len(program.row_lower))
        a, ups, downs = jacobian(program, spend, rows), program.ups, program.downs
        lhs, size = lines(program, spend)
        scaled = sparse.diags(1.0 / size) @ a @ sparse.diags(scale)
        parts = [scaled[ups], -scaled[downs]]
        limit = [((program.row_upper - lhs) / size)[ups], ((lhs - program.row_lower) / size)[downs]]
        sizes = [size[ups], size[downs]]
        if self.curb is not None and not self.safest:
            whole = max(abs(self.curb.floor), 1e-300)
            parts.append(sparse.csr_matrix(-(self.curb.slope(spend) * scale / whole)[None, :]))
            limit.append(np.array([(self.curb.value(spend) - self.curb.floor) / whole]))
            sizes.append(np.array([whole]))
        return sparse.vstack(parts, "csr"), np.concatenate(limit), np.concatenate(sizes)


def repair(
    program: Program,
    spend: FloatArray,
    low: FloatArray,
    high: FloatArray,
    *,
    curb: Curb | None = None,
    safest: bool = False,
) -> Repaired:
    """A point in [low, high] that keeps every row where it can.

    Args:
        program: the problem.
        spend: start (m,); low, high: the box.
        curb: one more row.
        safest: climb the curb's value instead of the objective.
    """
    spend = np.clip(spend, low, high)
    walk = Walk(program, low, high, curb, safest)
    radius, penalty = 0.25, 10.0
    best = Repaired(spend, np.zeros(len(program.row_lower)), 0.0, np.inf)
    worth, broken = walk.merit(spend)
    for _ in range(SETTINGS.repair_steps):
        found = walk.step(best.spend, radius, penalty)
        if found is None:
            break
        trial, dual = found
        new_worth, new_broken = walk.merit(trial)
        unit = max(abs(worth), abs(new_worth), 1e-300)
        if (new_worth - worth) / unit - penalty * (new_broken - broken) > 1e-14:
            worth, broken = new_worth, new_broken
            own = dual[:-1] if curb is not None and not safest else dual
            best = Repaired(trial, program.by_row(own), float(dual[len(own) :].sum()), np.inf)
            radius = min(radius * 1.6, 1.0)
        else:
            radius *= 0.35
        if radius < 1e-9:
            if broken < 1e-10 or penalty > 1e5:
                break
            radius, penalty = 0.05, penalty * 30.0
    return replace(best, residual=float(np.abs(violation(program, best.spend)).max(initial=0.0)))


def ranges(spend: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """(m,) how far a step may reach: a cell's range, or four times its spend where that is less."""
    wide = high - low
    return np.maximum(np.minimum(wide, np.maximum(4.0 * spend, 0.05 * wide)), 1e-150)
