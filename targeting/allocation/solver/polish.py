"""From nearly right to right: Newton on the Karush-Kuhn-Tucker conditions of the whole problem.

The master's mixture is close to the optimum and tells which rows bind. Where the problem is smooth, Newton
then doubles
the correct digits of spends and prices every step, at the cost of one small linear system per block and one
dense one
over the binding rows. What comes out is only a proposal: the caller checks feasibility and value on the true
curves.
It must not import cvxpy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.supply.curves import POINTS, FloatArray
from targeting.allocation.settings import SETTINGS
from targeting.allocation.solver.arrays import Program
from targeting.allocation.solver.blocks import Jet, basic_metrics, jet
from targeting.allocation.solver.deadline import Deadline
from targeting.allocation.solver.newton import newton_step


@dataclass(frozen=True)
class Polished:
    """Spend (m,) and prices (r,) that satisfy the optimality conditions to `residual` (relative)."""

    spend: FloatArray
    prices: FloatArray
    residual: float


def lines(program: Program, spend: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(r,) the rows' left-hand sides at spend (m,), and what a violation is measured against: the sum of
    their absolute terms, or the limit.
    """
    metrics = basic_metrics(program, spend)
    lhs = np.asarray(sum(program.matrix[k] @ metrics[k] for k in program.absolute))
    terms = np.asarray(sum(v @ np.abs(metrics[k]) for k, v in program.absolute.items()))
    limits = [np.where(np.isfinite(x), np.abs(x), 0.0) for x in (program.row_lower, program.row_upper)]
    size = np.maximum(terms, np.maximum(*limits))
    return lhs, np.where(size > 0, size, 1.0)


def violation(program: Program, spend: FloatArray) -> FloatArray:
    """(r,) relative excess over the upper (> 0) or shortfall under the lower limit (< 0)."""
    lhs, size = lines(program, spend)
    return excess(program, lhs) / size


def excess(program: Program, lhs: FloatArray) -> FloatArray:
    """(r,) by how much left-hand sides are over the upper (> 0) or under the lower limit (< 0)."""
    return np.maximum(lhs - program.row_upper, 0.0) - np.maximum(program.row_lower - lhs, 0.0)


def polish(
    program: Program,
    spend: FloatArray,
    prices: FloatArray,
    low: FloatArray,
    high: FloatArray,
    *,
    deadline: Deadline,
    tolerance: float = 1e-11,
) -> Polished:
    """Newton from (spend, prices) within the box [low, high]; the best point met, by the deadline."""
    at = _Point.of(program, spend, prices, low, high)
    best, last_gain = Polished(at.spend, at.prices.copy(), np.inf), 0
    for step in range(SETTINGS.polish_steps):
        if at.binding.sum() > SETTINGS.most_binding or (step and deadline.over):
            break
        here = _Conditions.at(at)
        if here.residual < 0.7 * best.residual:
            last_gain = step
        if here.residual < best.residual:
            best = Polished(at.spend, at.prices.copy(), here.residual)
        if step - last_gain > SETTINGS.polish_patience:
            break
        if here.residual < tolerance and step > 0:
            if not at.update_rows():
                break
            continue
        ds, dp = newton_step(
            program, here.jet, here.slope, ~here.fixed, at.spend, here.rows, here.gap, at.size[here.rows]
        )
        at.move(ds, here.rows, dp, timid=step < 3 and here.residual > SETTINGS.far, dead=step > 8)
    return best


@dataclass
class _Point:
    """Where Newton is: spend (m,) and prices (r,), left-hand sides and sizes of the rows, and which bind."""

    program: Program
    low: FloatArray
    high: FloatArray
    spend: FloatArray
    prices: FloatArray
    lhs: FloatArray
    size: FloatArray
    binding: NDArray[np.bool_]

    @classmethod
    def of(
        cls, program: Program, spend: FloatArray, prices: FloatArray, low: FloatArray, high: FloatArray
    ) -> _Point:
        spend = np.clip(spend, low, high)
        lhs, size = lines(program, spend)
        binding = (prices != 0) | (np.abs(excess(program, lhs) / size) > 1e-9)
        binding |= program.row_lower == program.row_upper
        return cls(program, low, high, spend, prices.copy(), lhs, size, binding)

    def move(
        self, ds: FloatArray, rows: NDArray[np.int64], dp: FloatArray, *, timid: bool, dead: bool
    ) -> None:
        """Take a step; a `timid` one stays off the limits, which it would not leave again."""
        if timid:
            room = np.where(ds < 0, self.spend - self.low, self.high - self.spend)
            ds = np.where(np.abs(ds) > room, np.sign(ds) * np.maximum(room * 0.9, 0.0), ds)
        self.spend = np.clip(self.spend + ds, self.low, self.high)
        self.prices[rows] += dp
        self.lhs, self.size = lines(self.program, self.spend)
        self.update_rows(dead=dead)

    def update_rows(self, *, dead: bool = True) -> bool:
        """Drop rows whose price has the wrong sign, add those that are broken; says whether any changed."""
        beyond = excess(self.program, self.lhs) / self.size
        wrong = self.binding & (self.program.lawful(self.prices) != self.prices) & dead
        broken = ~self.binding & (np.abs(beyond) > 1e-10)
        self.prices[wrong] = 0.0
        self.binding[wrong] = False
        self.binding[broken] = True
        self.prices[broken] = np.sign(beyond[broken]) * 1e-300
        return bool(wrong.any() or broken.any())


@dataclass(frozen=True)
class _Conditions:
    """The optimality conditions at a point: what is held, what is off.

    Attributes:
        rows: the binding ones; gap: (len(rows),) limit - left-hand side.
        fixed: (m,) cells that are held at a limit; slope: (m,) of the others, 0 for those.
        jet: of the price-adjusted value; residual: the largest error.
    """

    rows: NDArray[np.int64]
    gap: FloatArray
    fixed: NDArray[np.bool_]
    slope: FloatArray
    jet: Jet
    residual: float

    @classmethod
    def at(cls, point: _Point) -> _Conditions:
        program, spend = point.program, point.spend
        rows = np.flatnonzero(point.binding)
        here = jet(program, program.weights(point.prices), spend)
        slope = here.gradient.ravel()
        fixed = ((spend <= point.low) & (slope <= 0)) | ((spend >= point.high) & (slope >= 0))
        fixed |= (point.high <= point.low) | (program.curves.family == POINTS)
        slope = np.where(fixed, 0.0, slope)
        above = point.prices[rows] >= 0
        limit = np.where(above, program.row_upper[rows], program.row_lower[rows])
        other = np.where(above, program.row_lower[rows], program.row_upper[rows])
        gap = np.where(np.isfinite(limit), limit, other) - point.lhs[rows]
        residual = _residual(slope, spend, here.value, gap / point.size[rows])
        return cls(rows, gap, fixed, slope, here, residual)


def _residual(slope: FloatArray, spend: FloatArray, value: FloatArray, error: FloatArray) -> float:
    """Largest error of the optimality conditions: what a free cell's slope is worth, a binding row's gap."""
    money, gain = max(float(np.abs(spend).sum()), 1e-300), max(float(np.abs(value).sum()), 1e-300)
    worth = np.abs(slope * np.maximum(spend, 1e-9 * money / len(spend)))
    return max(float(worth.max(initial=0)) / gain, float(np.abs(error).max(initial=0.0)))
