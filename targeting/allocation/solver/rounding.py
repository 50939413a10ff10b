"""Whole 厘 (1/1000 yuan): what a console can be told, without breaking a single limit.

With few funded cells every rounding is tried and the best is taken. Else every cell goes down to the 厘
below, or up by one where a limit needs it or the money left over pays for it. Limits are checked on the true
curves. It must not import the optimiser.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.supply.curves import FloatArray
from targeting.allocation.outcomes import outcomes, total
from targeting.allocation.problem import LI_PER_CNY, Metric, Problem, Row, Solution
from targeting.allocation.solver.stops import below_floor

TIGHT = 1e-12  # relative: limits met to rounding of the arithmetic
REPAIRS = 400
STEPS = ((0, 1, -1, 2), (0, 1, -1), (0, 1))  # 厘 away from the spend rounded down that are tried
MOST_TRIED = 4096  # plans: up to 12 funded cells
MOST_NUMBERS = 2e7  # plans x cells: 160 MB a metric


def to_whole_li(problem: Problem, spend_cny: FloatArray) -> NDArray[np.int64]:
    """Spend in whole 厘, (n_cells,), that meets every limit and row `spend_cny` meets.

    Args:
        problem: the limits and rows to respect.
        spend_cny: (n_cells,) a feasible plan in yuan.

    Returns:
        (n_cells,) 厘, each cell within one 厘 of its spend, two where there are few cells. Where no such
        rounding meets a row exactly (an equality in fans, say) the row is met as nearly as a 厘 allows.
    """
    exact = np.asarray(spend_cny, float) * LI_PER_CNY
    near = np.rint(exact)
    on_grid = np.abs(exact - near) <= 1e-9 * np.maximum(np.abs(exact), 1.0)
    down = np.where(on_grid, near, np.floor(exact))
    limits = problem.limits
    lower = np.ceil(limits.lower_cny * LI_PER_CNY * (1 - 1e-15) - 1e-9)
    on = exact > 0
    least = np.where(on, np.maximum(lower, np.ceil(limits.min_if_used_cny * LI_PER_CNY - 1e-9)), lower)
    most = np.floor(np.minimum(limits.upper_cny, problem.budget_cny) * LI_PER_CNY + 1e-9)
    up = np.where(on_grid & (near >= least), down, np.minimum(down + 1, most))
    up = np.where(on, up, down)
    li = np.where(down >= least, down, up)
    rows = (Row("total", {"spend": np.ones(len(exact))}, upper=problem.budget_cny), *problem.rows)
    best = _best_around(problem, rows, down, np.where(on, least, 0.0), np.where(on, most, 0.0))
    if best is None:
        li = _repair(problem, rows, li, down, up, least)
        best = _spend_rest(problem, rows, li, up)
    return np.asarray(best, dtype=np.int64)


def _best_around(problem, rows, down, least, most):  # type: ignore[no-untyped-def]
    """The best whole 厘 around `down` by trying them all; None where that are too many, or none is a plan."""
    used = np.flatnonzero(most > 0)
    steps = next((s for s in STEPS if len(s) ** len(used) <= MOST_TRIED), None)
    if steps is None or len(steps) ** len(used) * len(down) > MOST_NUMBERS:
        return None
    moves = np.array(list(itertools.product(steps, repeat=len(used))), dtype=float)
    tried = np.tile(down, (len(moves), 1))
    tried[:, used] = np.clip(tried[:, used] + moves, least[used], most[used])
    metrics = outcomes(problem.market, tried / LI_PER_CNY)
    kept = ~_shortfalls(rows, metrics).any(axis=0)
    value = np.where(kept, total(problem.objective, metrics), -np.inf)
    for k in np.argsort(-value, kind="stable"):
        if value[k] == -np.inf:
            return None
        if not below_floor(problem, tried[k] / LI_PER_CNY).any():
            return tried[k]
    return None


def _shortfalls(rows: tuple[Row, ...], metrics: Mapping[Metric, FloatArray]) -> FloatArray:
    """(r, ...) how far each row is below its lower (> 0) or above its upper limit (< 0), 0 where it holds."""
    out = []
    for row in rows:
        lhs = total(row.coefficients, metrics)
        size = total({m: np.abs(c) for m, c in row.coefficients.items()}, metrics)
        slack = TIGHT * np.maximum(size, abs(row.lower) if np.isfinite(row.lower) else 0.0)
        low, high = row.lower - lhs, row.upper - lhs
        out.append(np.where(low > slack, low, np.where(high < -slack, high, 0.0)))
    return np.array(out)


def _shortfall(problem: Problem, rows: tuple[Row, ...], li: FloatArray) -> FloatArray:
    """(r,) `_shortfalls` of one plan."""
    return _shortfalls(rows, outcomes(problem.market, li / LI_PER_CNY))


def _repair(problem, rows, li, down, up, least):  # type: ignore[no-untyped-def]
    """Move single 厘 until every row holds: the cells that help most per 厘 first."""
    missing = _shortfall(problem, rows, li)
    for _ in range(REPAIRS):
        if not missing.any():
            return li
        effects = _effects(problem, rows, li)
        i = int(np.argmax(np.abs(missing) / np.maximum(np.abs(effects).max(axis=1), 1e-300)))
        raise_, drop = (li < up), (li > down) & (li - 1 >= least)
        gain = np.where(raise_, effects[i], 0.0) * np.sign(missing[i])
        loss = np.where(drop, -effects[i], 0.0) * np.sign(missing[i])
        best, step = np.maximum(gain, loss), np.where(gain >= loss, 1.0, -1.0)
        harm = np.maximum(0.0, -(effects * step * np.sign(missing)[:, None])) / np.maximum(
            np.abs(effects).max(axis=1, keepdims=True), 1e-300
        )
        order = np.argsort(-(best / np.maximum(best.max(), 1e-300) - 0.5 * harm.sum(axis=0)), kind="stable")
        order = order[best[order] > 0]
        if not len(order):
            break
        enough = int(np.searchsorted(np.cumsum(best[order]), abs(missing[i]) * (1 - 1e-12))) + 1
        trial = li.copy()
        trial[order[:enough]] += step[order[:enough]]
        after = _shortfall(problem, rows, trial)
        if abs(after[i]) >= abs(missing[i]):
            break
        li, missing = trial, after
    return li


def _effects(problem: Problem, rows: tuple[Row, ...], li: FloatArray) -> FloatArray:
    """(r, n_cells) change of every row by one 厘 more in each cell, by differences within blocks (one pass
    per seat).
    """
    block = problem.market.block
    order = np.argsort(block, kind="stable")
    first = np.r_[True, block[order][1:] != block[order][:-1]]
    seat = np.empty(len(block), dtype=np.int64)
    start = np.maximum.accumulate(np.where(first, np.arange(len(block)), 0))
    seat[order] = np.arange(len(block)) - start
    base = outcomes(problem.market, li / LI_PER_CNY)
    out = np.zeros((len(rows), len(block)))
    for k in range(int(seat.max(initial=0)) + 1):
        moved = outcomes(problem.market, (li + (seat == k)) / LI_PER_CNY)
        for i, row in enumerate(rows):
            change = sum((moved[m] - base[m]) * c for m, c in row.coefficients.items() if m != "active")
            per_block = np.bincount(
                np.unique(block, return_inverse=True)[1], np.broadcast_to(change, block.shape)
            )
            out[i] += np.where(seat == k, per_block[np.unique(block, return_inverse=True)[1]], 0.0)
    return out


def _spend_rest(problem, rows, li, up):  # type: ignore[no-untyped-def]
    """Give the 厘 that rounding down left over to the cells that gain most, as long as every row holds."""
    if _shortfall(problem, rows, li).any():
        return li
    gain = _effects(problem, (Row("objective", problem.objective),), li)[0]
    waiting = np.flatnonzero((li < up) & (gain > 0))
    waiting = waiting[np.argsort(-gain[waiting], kind="stable")]
    many = len(waiting)
    for _ in range(REPAIRS):
        rest = int(np.floor(problem.budget_cny * LI_PER_CNY + 1e-6) - li.sum())
        many = min(many, rest, len(waiting))
        if many <= 0:
            break
        trial = li.copy()
        trial[waiting[:many]] += 1
        if not (_shortfall(problem, rows, trial).any() or below_floor(problem, trial / LI_PER_CNY).any()):
            li, waiting, many = trial, waiting[many:], 2 * many
        elif many > 1:
            many //= 2
        else:
            waiting = waiting[1:]
    return li


def rounded(problem: Problem, solution: Solution) -> Solution:
    """The solution in whole 厘, its value recomputed on the true curves; the bound stays valid."""
    spend = to_whole_li(problem, solution.spend_cny) / LI_PER_CNY
    value = float(total(problem.objective, outcomes(problem.market, spend)))
    return replace(solution, spend_cny=spend, value=value, upper_bound=max(solution.upper_bound, value))
