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
from targeting.allocation.solver.blocks import basic_metrics, jet
from targeting.allocation.solver.newton import newton_step
from targeting.allocation.solver.program import Program

STEPS = 60
PATIENCE = 12  # steps without a better point
MOST_ROWS = 3000


@dataclass(frozen=True)
class Polished:
    """Spend (m,) and prices (r,) that satisfy the optimality conditions to `residual` (relative)."""

    spend: FloatArray
    prices: FloatArray
    residual: float


def activity(program: Program, spend: FloatArray) -> FloatArray:
    """(r,) the rows' left-hand sides at spend (m,)."""
    return lines(program, spend)[0]


def row_size(program: Program, spend: FloatArray) -> FloatArray:
    """(r,) sum of the absolute terms of each row, or its limit: what a violation is measured against."""
    return lines(program, spend)[1]


def lines(program: Program, spend: FloatArray) -> tuple[FloatArray, FloatArray]:
    """`activity` and `row_size` at one go."""
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
    tolerance: float = 1e-11,
) -> Polished:
    """Newton from (spend, prices) within the box [low, high]; returns the best point met."""
    spend = np.clip(spend, low, high)
    prices = prices.copy()
    still = np.flatnonzero(program.curves.family == POINTS)
    lhs, size = lines(program, spend)
    beyond = excess(program, lhs) / size
    binding = (prices != 0) | (np.abs(beyond) > 1e-9) | (program.row_lower == program.row_upper)
    best = Polished(spend, prices, np.inf)
    last_gain = 0
    for step in range(STEPS):
        rows = np.flatnonzero(binding)
        if len(rows) > MOST_ROWS:
            break
        here = jet(program, program.weights(prices), spend)
        slope = here.gradient.ravel()
        fixed = ((spend <= low) & (slope <= 0)) | ((spend >= high) & (slope >= 0)) | (high <= low)
        fixed[still] = True
        limit = np.where(prices[rows] >= 0, program.row_upper[rows], program.row_lower[rows])
        other = np.where(prices[rows] >= 0, program.row_lower[rows], program.row_upper[rows])
        limit = np.where(np.isfinite(limit), limit, other)
        error = (lhs[rows] - limit) / size[rows]
        residual = _residual(np.where(fixed, 0.0, slope), spend, here.value, error)
        if residual < 0.7 * best.residual:
            last_gain = step
        if residual < best.residual:
            best = Polished(spend, prices.copy(), residual)
        if step - last_gain > PATIENCE:
            break
        if residual < tolerance and step > 0:
            changed = _update_rows(program, beyond, prices, binding)
            if not changed:
                break
            continue
        ds, dp = newton_step(
            program,
            here.hessian,
            np.where(fixed, 0.0, slope),
            ~fixed,
            spend,
            rows,
            limit - lhs[rows],
            size[rows],
        )
        room = np.where(ds < 0, spend - low, high - spend)
        bold = np.abs(ds) > room
        ds = np.where(bold & (step < 3), np.sign(ds) * np.maximum(room * 0.9, 0.0), ds) if step < 3 else ds
        spend = np.clip(spend + ds, low, high)
        prices[rows] += dp
        lhs, size = lines(program, spend)
        beyond = excess(program, lhs) / size
        _update_rows(program, beyond, prices, binding, dead=step > 8)
    return best


def _residual(slope: FloatArray, spend: FloatArray, value: FloatArray, error: FloatArray) -> float:
    """Largest error of the optimality conditions: what a free cell's slope is worth, a binding row's gap."""
    money, gain = max(float(np.abs(spend).sum()), 1e-300), max(float(np.abs(value).sum()), 1e-300)
    worth = np.abs(slope * np.maximum(spend, 1e-9 * money / len(spend)))
    return max(float(worth.max(initial=0)) / gain, float(np.abs(error).max(initial=0.0)))


def _update_rows(
    program: Program, beyond: FloatArray, prices: FloatArray, binding: NDArray[np.bool_], *, dead: bool = True
) -> bool:
    """Drop rows whose price has the wrong sign, add those that are broken; says whether anything changed."""
    lawful = program.lawful(prices)
    wrong = binding & (lawful != prices) & dead
    broken = ~binding & (np.abs(beyond) > 1e-10)
    prices[wrong] = 0.0
    binding[wrong] = False
    binding[broken] = True
    prices[broken] = np.sign(beyond[broken]) * 1e-300
    return bool(wrong.any() or broken.any())
