"""Sequential linear programs: from any spend to a plan that keeps every row, earning what it can on the way.

Newton (`polish`) is fast but needs a start near the answer and the right binding rows. Where curved rows (capacity, ROI,
frequency) leave the mixture's average outside them, this slower method gets inside first and hands over its
multipliers. Within a trust region the problem is linear; a step is kept when value - penalty x violation rises on the
true curves. It must not import cvxpy (a throw-away program of this size gains nothing from it).
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from models.curves import FloatArray
from targeting.allocation.blocks import block_value, jet
from targeting.allocation.polish import Polished, activity, jacobian, row_size
from targeting.allocation.program import Program

STEPS = 40


def repair(
    program: Program, spend: FloatArray, low: FloatArray, high: FloatArray, *, steps: int = STEPS
) -> Polished:
    """A point in [low, high] that keeps every row where it can; `residual` is its largest relative violation."""
    spend = np.clip(spend, low, high)
    radius, penalty = 0.25, 10.0
    prices = np.zeros(len(program.row_lower))
    objective = program.weights(np.zeros_like(prices))
    worth, broken = _merit(program, objective, spend)
    size = row_size(program, spend)
    for _ in range(steps):
        found = _step(program, objective, spend, low, high, radius, penalty)
        if found is None:
            break
        trial, new_prices = found
        new_worth, new_broken = _merit(program, objective, trial)
        unit = max(abs(worth), abs(new_worth), 1e-300)
        gain = (new_worth - worth) / unit - penalty * (new_broken - broken)
        if gain > 1e-14:
            spend, worth, broken, prices = trial, new_worth, new_broken, new_prices
            radius = min(radius * 1.6, 1.0)
        else:
            radius *= 0.35
        if radius < 1e-9:
            if broken < 1e-10 or penalty > 1e5:
                break
            radius, penalty = 0.05, penalty * 30.0
    lhs = activity(program, spend)
    worst = np.maximum(lhs - program.row_upper, program.row_lower - lhs) / size
    return Polished(spend, prices, float(max(worst.max(initial=0.0), 0.0)))


def _merit(program: Program, objective, spend: FloatArray) -> tuple[float, float]:  # type: ignore[no-untyped-def]
    lhs = activity(program, spend)
    over = np.maximum(lhs - program.row_upper, 0.0) + np.maximum(program.row_lower - lhs, 0.0)
    return float(block_value(program, objective, spend).sum()), float((over / row_size(program, spend)).sum())


def _step(program, objective, spend, low, high, radius, penalty):  # type: ignore[no-untyped-def]
    """Best point of the linearised problem within the trust region, and its rows' prices; None where HiGHS fails."""
    slope = jet(program, objective, spend).gradient.ravel()
    rows = np.arange(len(program.row_lower))
    a, lhs, size = jacobian(program, spend, rows), activity(program, spend), row_size(program, spend)
    scale = np.maximum(np.minimum(high - low, np.maximum(4.0 * spend, 0.05 * (high - low))), 1e-300)
    unit = max(float(np.abs(block_value(program, objective, spend)).sum()), 1e-300)
    ups, downs = np.flatnonzero(np.isfinite(program.row_upper)), np.flatnonzero(np.isfinite(program.row_lower))
    scaled = sparse.diags(1.0 / size) @ a @ sparse.diags(scale)
    lines = sparse.vstack([scaled[ups], -scaled[downs]], "csr")
    slack = sparse.hstack([lines, -sparse.identity(len(ups) + len(downs))], "csr")
    limit = np.r_[((program.row_upper - lhs) / size)[ups], ((lhs - program.row_lower) / size)[downs]]
    bounds = np.stack([np.maximum((low - spend) / scale, -radius), np.minimum((high - spend) / scale, radius)], axis=1)
    bounds[:, 0], bounds[:, 1] = np.minimum(bounds[:, 0], 0.0), np.maximum(bounds[:, 1], 0.0)
    free = np.tile([0.0, np.inf], (len(limit), 1))
    cost = np.r_[-np.clip(slope * scale / unit, -1e9, 1e9), np.full(len(limit), penalty)]
    done = linprog(cost, A_ub=slack, b_ub=limit, bounds=np.vstack([bounds, free]), method="highs")
    if done.status != 0:
        return None
    dual = -np.asarray(done.ineqlin.marginals) * unit
    prices = np.zeros(len(rows))
    prices[ups] += dual[: len(ups)] / size[ups]
    prices[downs] -= dual[len(ups) :] / size[downs]
    return np.clip(spend + done.x[: len(spend)] * scale, low, high), prices
