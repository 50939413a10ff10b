"""From a `Problem` to the optimiser's arrays (`Program`): the only place that reads a market for the
optimiser.

It must not import cvxpy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.errors import DataError
from models.supply.curves import FloatArray
from targeting.allocation.problem import Market, Metric, Problem, Row, sparse_rows
from targeting.allocation.solver.arrays import Program

METRICS: tuple[Metric, ...] = ("spend", "impressions", "entries", "fans", "gmv", "reached", "active")


def build(problem: Problem) -> Program:
    """Lay the problem out. Raises DataError where its arrays do not fit or are not numbers."""
    _check(problem)
    market, limits = problem.market, problem.limits
    cell, width, users = _layout(market)
    alive, at = cell >= 0, np.maximum(cell, 0)

    def put(x: FloatArray) -> FloatArray:
        return np.where(alive, np.asarray(x, float)[at], 0.0)

    curves = market.supply.take(at)
    if not alive.all():
        curves = curves.rescaled(top=alive.astype(float))
    matrix = _rows(problem)
    floor_on = np.maximum(limits.min_if_used_cny, limits.lower_cny)
    upper = put(np.minimum(limits.upper_cny, problem.budget_cny))
    counted = np.asarray(abs(matrix["active"]).sum(axis=0)).ravel() + np.abs(
        np.asarray(problem.objective.get("active", 0.0))
    )
    switch = put((limits.lower_cny <= 0) & ((limits.min_if_used_cny > 0) | (counted > 0))) > 0
    closed = switch & (put(floor_on) > upper)  # it cannot be on
    shape = (len(market), len(cell))
    chosen = sparse.csr_matrix((alive.astype(float), (at, np.arange(len(cell)))), shape=shape)
    return Program(
        cell=cell,
        width=width,
        curves=curves,
        hazard=put(market.hazard),
        users=users,
        lower=put(np.where(limits.lower_cny > 0, floor_on, 0.0)),  # a cell that must spend is used
        upper=np.where(closed, 0.0, upper),
        floor_on=put(floor_on),
        switch=switch & ~closed,
        objective=basic_weights(market, problem.objective, put),
        matrix={k: v @ chosen for k, v in matrix.items()},
        row_lower=np.array([-np.inf, *(r.lower for r in problem.rows)], dtype=float),
        row_upper=np.array([problem.budget_cny, *(r.upper for r in problem.rows)], dtype=float),
        row_name=("total", *(r.name for r in problem.rows)),
        row_where=("", *(r.where for r in problem.rows)),
    )


def _layout(market: Market) -> tuple[NDArray[np.int64], int, FloatArray]:
    n = len(market)
    key = np.where(np.isfinite(market.users), market.block, market.block.max(initial=0) + 1 + np.arange(n))
    order = np.argsort(key, kind="stable")
    first = (
        np.flatnonzero(np.r_[True, key[order][1:] != key[order][:-1]]) if n else np.array([], dtype=np.int64)
    )
    size = np.diff(np.r_[first, n])
    width = int(size.max(initial=1))
    cell = np.full((len(first), width), -1, dtype=np.int64)
    block = np.repeat(np.arange(len(first)), size)
    cell[block, np.arange(n) - np.repeat(first, size)] = order
    return cell.ravel(), width, market.users[order[first]]


def basic_weights(
    market: Market, weights: Mapping[Metric, FloatArray], put: Callable[[FloatArray], FloatArray]
) -> dict[str, FloatArray]:
    """Weights of the seven metrics -> the five basic ones, on the grid."""
    zero = np.zeros(len(market))
    c = {k: np.asarray(weights.get(k, zero), float) + zero for k in METRICS}
    return {
        "spend": put(c["spend"]),
        "impressions": put(c["impressions"] + c["entries"] * market.entry),
        "fans": put(c["fans"] + c["gmv"] * market.gmv_per_fan_cny),
        "reached": put(c["reached"]),
        "active": put(c["active"]),
    }


def _rows(problem: Problem) -> dict[str, sparse.csr_matrix]:
    """Basic metric -> sparse (r, n_cells); row 0 is the budget."""
    n, market = len(problem.market), problem.market
    rows = (Row("total", {"spend": np.ones(n)}), *problem.rows)

    def stacked(metric: Metric) -> sparse.csr_matrix:
        return sparse_rows(rows, metric, n)

    return {
        "spend": stacked("spend"),
        "impressions": stacked("impressions") + stacked("entries") @ sparse.diags(market.entry),
        "fans": stacked("fans") + stacked("gmv") @ sparse.diags(market.gmv_per_fan_cny),
        "reached": stacked("reached"),
        "active": stacked("active"),
    }


def _check(problem: Problem) -> None:
    n, limits = len(problem.market), problem.limits
    if n == 0:
        raise DataError("allocation: the market has no cells; nothing to allocate")
    if (limits.lower_cny < 0).any():
        raise DataError("limits: a lower limit is negative, expected CNY >= 0")
    if not (np.isfinite(problem.budget_cny) and problem.budget_cny >= 0):
        raise DataError(f"allocation: budget_cny is {problem.budget_cny}, expected a finite amount >= 0")
    arrays = {
        "hazard": problem.market.hazard,
        "gmv_per_fan_cny": problem.market.gmv_per_fan_cny,
        "lower_cny": limits.lower_cny,
        "min_if_used_cny": limits.min_if_used_cny,
        **{f"objective {k}": v for k, v in problem.objective.items()},
    }
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise DataError(
                f"allocation: {name} has NaN or infinity at cell {int(np.argmin(np.isfinite(array)))}"
            )
    if limits.lower_cny.shape != (n,) or limits.upper_cny.shape != (n,) or np.isnan(limits.upper_cny).any():
        raise DataError(f"allocation: limits must hold {n} numbers, one per cell")
