"""From a `Problem` to the optimiser's arrays (`Program`): the only place that reads a market for the
optimiser.

It must not import cvxpy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.errors import DataError
from models.supply.curves import FloatArray
from targeting.allocation.outcomes import previous_slot
from targeting.allocation.problem import Market, Metric, Problem
from targeting.allocation.solver.program import CARRY, Program

METRICS: tuple[Metric, ...] = ("spend", "impressions", "entries", "fans", "gmv", "reached", "active")


def build(problem: Problem) -> Program:
    """Lay the problem out. Raises DataError where its arrays do not fit or are not numbers."""
    market = problem.market
    _check(problem)
    cell, width, users = _layout(market)
    alive = cell >= 0
    at = np.maximum(cell, 0)

    def put(x: FloatArray, dead: float = 0.0) -> FloatArray:
        return np.where(alive, np.asarray(x, float)[at], dead)

    curves = market.supply.take(at)
    if not alive.all():
        curves = curves.rescaled(top=alive.astype(float))
    matrix, low, high, names, where = _rows(problem)
    select = sparse.csr_matrix(
        (alive.astype(float), (at, np.arange(len(cell)))), shape=(len(market), len(cell))
    )
    gmv, entry = sparse.diags(market.gmv_per_fan_cny), sparse.diags(market.entry)
    basic = {
        "spend": matrix["spend"],
        "impressions": matrix["impressions"] + matrix["entries"] @ entry,
        "fans": matrix["fans"] + matrix["gmv"] @ gmv,
        "reached": matrix["reached"],
        "active": matrix["active"],
    }
    limits = problem.limits
    cap = float(problem.budget_cny)
    if (limits.lower_cny < 0).any():
        raise DataError("limits: a lower limit is negative, expected CNY >= 0")
    floor_on = np.maximum(limits.min_if_used_cny, limits.lower_cny)
    counted = np.asarray(abs(basic["active"]).sum(axis=0)).ravel() + np.abs(
        np.asarray(problem.objective.get("active", 0.0))
    )
    switch = alive & put((limits.lower_cny <= 0) & ((limits.min_if_used_cny > 0) | (counted > 0))).astype(
        bool
    )
    program = Program(
        cell=cell,
        width=width,
        curves=curves,
        hazard=put(market.hazard),
        users=users,
        lower=put(np.where(limits.lower_cny > 0, floor_on, 0.0)),  # a cell that must spend is used
        upper=put(np.minimum(limits.upper_cny, cap)),
        floor_on=put(floor_on),
        switch=switch,
        objective=basic_weights(market, problem.objective, put),
        constant=0.0,
        matrix={
            k: v @ select if v.nnz else sparse.csr_matrix((v.shape[0], len(cell))) for k, v in basic.items()
        },
        row_lower=low,
        row_upper=high,
        row_name=names,
        row_where=where,
    )
    if market.carryover > 0 or market.carry_in_cny is not None:
        program = _carry(program, market)
    return program


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


def _rows(problem: Problem):  # type: ignore[no-untyped-def]
    """(metric -> sparse (r, n_cells), lower, upper, names, where); row 0 is the budget."""
    n, rows = len(problem.market), problem.rows
    matrix: dict[str, sparse.csr_matrix] = {}
    nothing = sparse.csr_matrix((1, n))
    for metric in METRICS:
        lines = [nothing if metric != "spend" else sparse.csr_matrix(np.ones((1, n)))]
        given = [row.coefficients.get(metric) for row in rows]
        if metric != "spend" and all(c is None for c in given):
            matrix[metric] = sparse.csr_matrix((1 + len(rows), n))
            continue
        lines += [nothing if c is None else sparse.csr_matrix(np.broadcast_to(c, (1, n))) for c in given]
        matrix[metric] = sparse.vstack(lines, format="csr")
    low = np.array([-np.inf, *(r.lower for r in rows)], dtype=float)
    high = np.array([problem.budget_cny, *(r.upper for r in rows)], dtype=float)
    return matrix, low, high, ("total", *(r.name for r in rows)), ("", *(r.where for r in rows))


def _carry(program: Program, market: Market) -> Program:
    """Change the variables to effective spend (see the module's docstring)."""
    m, alive = len(program.cell), program.cell >= 0
    before, share = previous_slot(market)
    seat = np.full(len(market), -1, dtype=np.int64)
    seat[program.cell[alive]] = np.flatnonzero(alive)
    here = np.flatnonzero(alive)[before[program.cell[alive]] >= 0]
    origin = program.cell[here]
    carried = sparse.csr_matrix((share[origin], (here, seat[before[origin]])), shape=(m, m))
    start = np.zeros(m)
    if market.carry_in_cny is not None:
        first = np.flatnonzero(alive)[before[program.cell[alive]] < 0]
        start[first] = market.carry_in_cny[program.cell[first]]
    back = sparse.identity(m, format="csr") - carried
    inverse = sparse.linalg.splu(sparse.csc_matrix(back))
    spend_rows = sparse.csr_matrix(program.matrix["spend"] @ back)
    shift = program.matrix["spend"] @ start
    own = sparse.csr_matrix(back[here])
    matrix = {
        k: sparse.vstack([v, sparse.csr_matrix((len(here), m))], format="csr")
        for k, v in program.matrix.items()
    }
    matrix["spend"] = sparse.vstack([spend_rows, own], format="csr")
    return replace(
        program,
        lower=np.asarray(inverse.solve(program.lower + start)),
        upper=np.asarray(inverse.solve(program.upper + start)),
        objective={**program.objective, "spend": program.objective["spend"] @ back},
        constant=float(-program.objective["spend"] @ start),
        matrix=matrix,
        row_lower=np.r_[program.row_lower + shift, program.lower[here] + start[here]],
        row_upper=np.r_[program.row_upper + shift, program.upper[here] + start[here]],
        row_name=(*program.row_name, *([CARRY] * len(here))),
        row_where=(*program.row_where, *([""] * len(here))),
        carried=carried,
        carry_in=start,
    )


def _check(problem: Problem) -> None:
    n, limits = len(problem.market), problem.limits
    if n == 0:
        raise DataError("allocation: the market has no cells; nothing to allocate")
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
