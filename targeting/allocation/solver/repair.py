"""Sequential linear programs: from any spend to a plan that keeps every row, earning what it can on the way.

Newton (`polish`) is fast but needs a start near the answer and the right binding rows. Where curved rows
(capacity, ROI,
frequency) leave the mixture's average outside them, this slower method gets inside first and hands over its
multipliers. Within a trust region the problem is linear; a step is kept when value - penalty x violation
rises on the
true curves. It must not import cvxpy (a throw-away program of this size gains nothing from it).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from models.supply.curves import FloatArray
from targeting.allocation.solver.blocks import block_value, jet
from targeting.allocation.solver.newton import jacobian
from targeting.allocation.solver.polish import activity, excess, row_size
from targeting.allocation.solver.program import Program

STEPS = 40


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
        over = np.abs(excess(program, activity(program, spend)))
        broken = float((over / row_size(program, spend)).sum())
        if self.curb is not None and self.safest:
            return self.curb.value(spend), broken
        if self.curb is not None:
            short = max(self.curb.floor - self.curb.value(spend), 0.0)
            broken += short / max(abs(self.curb.floor), 1e-300)
        weights = program.weights(np.zeros(len(program.row_lower)))
        return float(block_value(program, weights, spend).sum()), broken

    def step(self, spend: FloatArray, radius: float, penalty: float):  # type: ignore[no-untyped-def]
        """Best point of the linearised problem in the trust region, with prices; None where HiGHS fails."""
        program, low, high = self.program, self.low, self.high
        weights = program.weights(np.zeros(len(program.row_lower)))
        here = jet(program, weights, spend)
        scale = np.maximum(np.minimum(high - low, np.maximum(4.0 * spend, 0.05 * (high - low))), 1e-150)
        unit = max(float(np.abs(here.value).sum()), 1e-300)
        rise = self.curb.slope(spend) if self.curb is not None and self.safest else here.gradient.ravel()
        tight, limit, size = self.lines(spend, scale)
        slack = sparse.hstack([tight, -sparse.identity(tight.shape[0])], "csr")
        below, above = np.maximum((low - spend) / scale, -radius), np.minimum((high - spend) / scale, radius)
        bounds = np.stack([np.minimum(below, 0.0), np.maximum(above, 0.0)], axis=1)
        free = np.tile([0.0, np.inf], (len(limit), 1))
        cost = np.r_[-np.clip(rise * scale / unit, -1e9, 1e9), np.full(len(limit), penalty)]
        done = linprog(cost, A_ub=slack, b_ub=limit, bounds=np.vstack([bounds, free]), method="highs")
        if done.status != 0:
            return None
        trial = np.clip(spend + done.x[: len(spend)] * scale, low, high)
        return trial, -np.asarray(done.ineqlin.marginals) * unit / size

    def lines(self, spend: FloatArray, scale: FloatArray):  # type: ignore[no-untyped-def]
        """Scaled rows as lines <= limit, with the size each was divided by: upper limits, lower limits,
        curb.
        """
        program = self.program
        rows = np.arange(len(program.row_lower))
        a, lhs, size = jacobian(program, spend, rows), activity(program, spend), row_size(program, spend)
        ups, downs = (
            np.flatnonzero(np.isfinite(program.row_upper)),
            np.flatnonzero(np.isfinite(program.row_lower)),
        )
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
    steps: int = STEPS,
) -> Repaired:
    """A point in [low, high] that keeps every row where it can.

    Args:
        program: the problem.
        spend: start (m,); low, high: the box.
        curb: one more row.
        safest: climb the curb's value instead of the objective.
        steps: at most so many linear programs.
    """
    spend = np.clip(spend, low, high)
    walk = Walk(program, low, high, curb, safest)
    radius, penalty = 0.25, 10.0
    ups, downs = (
        np.flatnonzero(np.isfinite(program.row_upper)),
        np.flatnonzero(np.isfinite(program.row_lower)),
    )
    prices, curb_price = np.zeros(len(program.row_lower)), 0.0
    worth, broken = walk.merit(spend)
    for _ in range(steps):
        found = walk.step(spend, radius, penalty)
        if found is None:
            break
        trial, dual = found
        new_worth, new_broken = walk.merit(trial)
        unit = max(abs(worth), abs(new_worth), 1e-300)
        if (new_worth - worth) / unit - penalty * (new_broken - broken) > 1e-14:
            spend, worth, broken = trial, new_worth, new_broken
            prices = np.zeros_like(prices)
            prices[ups] += dual[: len(ups)]
            prices[downs] -= dual[len(ups) : len(ups) + len(downs)]
            curb_price = float(dual[-1]) if curb is not None and not safest else 0.0
            radius = min(radius * 1.6, 1.0)
        else:
            radius *= 0.35
        if radius < 1e-9:
            if broken < 1e-10 or penalty > 1e5:
                break
            radius, penalty = 0.05, penalty * 30.0
    worst = np.abs(excess(program, activity(program, spend))) / row_size(program, spend)
    return Repaired(spend, prices, curb_price, float(worst.max(initial=0.0)))
