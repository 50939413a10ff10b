"""The arrays the optimiser works on: a `Problem` laid out block by block.

Cells are laid out as a grid (n_blocks, width); short blocks are filled with dead cells, and additive cells (infinite
`users`) are blocks of their own. With carry-over the variables are the *effective* spends e, so that a block never
spans two slots: what was really spent is linear in e, s_t = e_t - rho e_(t-1), and becomes rows (`carry` >= limits).

Everything is linear in five basic metrics per cell: spend, impressions, fans (gmv = gmv_per_fan x fans), reached,
active. It must not import cvxpy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.curves import CurveSet, FloatArray
from models.errors import DataError
from targeting.allocation.outcomes import previous_slot
from targeting.allocation.problem import Market, Metric, Problem

BASIC = ("spend", "impressions", "fans", "reached", "active")
CARRY = "carry-over"


@dataclass(frozen=True)
class Program:
    """A problem in the optimiser's layout; m = n_blocks * width cells, r rows (row 0 is the budget).

    Attributes:
        cell: (m,) the problem's cell behind each grid cell, -1 for dead ones.
        width: cells per block.
        curves, hazard: (m,); users: (n_blocks,), inf where additive.
        lower, upper: (m,) limits of the (effective) spend; `floor_on` the least spend of a cell that is used.
        switch: (m,) the cell may be off: spend 0, or in [floor_on, upper].
        objective: basic metric -> (m,); constant: what the objective has at zero effective spend (carry-over only).
        matrix: basic metric -> sparse (r, m).
        row_lower, row_upper: (r,).
        row_name, row_where: (r,) names of rows.
        carried: s = e - carried @ e - carry_in, or None.
    """

    cell: NDArray[np.int64]
    width: int
    curves: CurveSet
    hazard: FloatArray
    users: FloatArray
    lower: FloatArray
    upper: FloatArray
    floor_on: FloatArray
    switch: NDArray[np.bool_]
    objective: Mapping[str, FloatArray]
    constant: float
    matrix: Mapping[str, sparse.csr_matrix]
    row_lower: FloatArray
    row_upper: FloatArray
    row_name: tuple[str, ...]
    row_where: tuple[str, ...]
    carried: sparse.csr_matrix | None = None
    carry_in: FloatArray | None = None

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        return len(self.users)

    @cached_property
    def absolute(self) -> Mapping[str, sparse.csr_matrix]:
        """The absolute values of `matrix`, of the metrics that any row uses."""
        return {k: sparse.csr_matrix(abs(v)) for k, v in self.matrix.items() if v.nnz}

    def grid(self, x: FloatArray) -> FloatArray:
        """(..., m) -> (..., n_blocks, width)."""
        return x.reshape(*x.shape[:-1], self.n_blocks, self.width)

    def weights(self, prices: FloatArray, *, objective: float = 1.0) -> dict[str, FloatArray]:
        """Price-adjusted weight of each basic metric, (m,): what the pricing problem of a block maximises."""
        return {k: objective * self.objective[k] - self.matrix[k].T @ prices for k in BASIC}

    def price_limits(self, prices: FloatArray) -> float:
        """prices x limits, the constant of the Lagrangian: upper limits where the price is > 0, lower where < 0."""
        high = np.where(prices > 0, prices * np.where(np.isfinite(self.row_upper), self.row_upper, 0.0), 0.0)
        low = np.where(prices < 0, prices * np.where(np.isfinite(self.row_lower), self.row_lower, 0.0), 0.0)
        return float((high + low).sum())

    def lawful(self, prices: FloatArray) -> FloatArray:
        """Prices without those that have no limit to push against: any such vector gives a valid bound."""
        prices = np.where(np.isfinite(self.row_upper), prices, np.minimum(prices, 0.0))
        return np.where(np.isfinite(self.row_lower), prices, np.maximum(prices, 0.0))

    def restricted(self, lower: FloatArray, upper: FloatArray, switch: NDArray[np.bool_]) -> Program:
        """The same program on smaller boxes."""
        return replace(self, lower=lower, upper=upper, switch=switch)

    def effective(self, spend: FloatArray) -> FloatArray:
        """Real spend of the problem's cells -> the program's variables."""
        real = np.where(self.cell >= 0, spend[np.maximum(self.cell, 0)], 0.0)
        if self.carried is None or self.carry_in is None:
            return real
        system = sparse.identity(len(self.cell), format="csc") - self.carried.tocsc()
        return np.asarray(sparse.linalg.spsolve(system, real + self.carry_in))

    def spend(self, effective: FloatArray, n_cells: int) -> FloatArray:
        """The program's variables -> real spend of the problem's cells."""
        real = effective
        if self.carried is not None and self.carry_in is not None:
            real = effective - self.carried @ effective - self.carry_in
        out = np.zeros(n_cells)
        alive = self.cell >= 0
        out[self.cell[alive]] = real[alive]
        return out


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
    select = sparse.csr_matrix((alive.astype(float), (at, np.arange(len(cell)))), shape=(len(market), len(cell)))
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
    counted = np.asarray(abs(basic["active"]).sum(axis=0)).ravel() + np.abs(np.asarray(problem.objective.get("active", 0.0)))
    switch = alive & put((limits.lower_cny <= 0) & ((limits.min_if_used_cny > 0) | (counted > 0))).astype(bool)
    program = Program(
        cell=cell,
        width=width,
        curves=curves,
        hazard=put(market.hazard),
        users=users,
        lower=put(np.maximum(limits.lower_cny, 0.0)),
        upper=put(np.minimum(limits.upper_cny, cap)),
        floor_on=put(np.maximum(limits.min_if_used_cny, limits.lower_cny)),
        switch=switch,
        objective=basic_weights(market, problem.objective, put),
        constant=0.0,
        matrix={k: sparse.csr_matrix(v @ select) for k, v in basic.items()},
        row_lower=low,
        row_upper=high,
        row_name=names,
        row_where=where,
    )
    worth = basic_weights(market, problem.worth if problem.worth is not None else problem.objective, put)
    program = _stop_at_margin(program, put(limits.marginal_floor), worth)
    if market.carryover > 0 or market.carry_in_cny is not None:
        program = _carry(program, market)
    return program


def _layout(market: Market) -> tuple[NDArray[np.int64], int, FloatArray]:
    n = len(market)
    key = np.where(np.isfinite(market.users), market.block, market.block.max(initial=0) + 1 + np.arange(n))
    order = np.argsort(key, kind="stable")
    first = np.flatnonzero(np.r_[True, key[order][1:] != key[order][:-1]]) if n else np.array([], dtype=np.int64)
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
    names: tuple[Metric, ...] = ("spend", "impressions", "entries", "fans", "gmv", "reached", "active")
    c = {k: np.asarray(weights.get(k, zero), float) + zero for k in names}
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
    parts: dict[str, list[sparse.csr_matrix]] = {}
    for metric in ("spend", "impressions", "entries", "fans", "gmv", "reached", "active"):
        lines = [sparse.csr_matrix(np.ones((1, n)) if metric == "spend" else (1, n))]
        for row in rows:
            c = row.coefficients.get(metric)  # type: ignore[call-overload]
            lines.append(sparse.csr_matrix((1, n)) if c is None else sparse.csr_matrix(np.broadcast_to(c, (1, n))))
        parts[metric] = lines
    matrix = {k: sparse.vstack(v, format="csr") for k, v in parts.items()}
    low = np.array([-np.inf, *(r.lower for r in rows)], dtype=float)
    high = np.array([problem.budget_cny, *(r.upper for r in rows)], dtype=float)
    return matrix, low, high, ("total", *(r.name for r in rows)), ("", *(r.where for r in rows))


def _stop_at_margin(program: Program, floor: FloatArray, worth: Mapping[str, FloatArray]) -> Program:
    """Cap each cell where its own next yuan is worth less than `floor` (exact where cells are additive)."""
    if not (floor > 0).any():
        return program
    gain = worth["impressions"] + program.hazard * worth["fans"]
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.where(gain > 0, floor / gain, np.inf)
    cap = np.where(floor > 0, program.curves.inverse_slope(np.where(floor > 0, slope, 1.0)), np.inf)
    return replace(program, upper=np.minimum(program.upper, np.maximum(cap, program.lower)))


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
    matrix = {k: sparse.vstack([v, sparse.csr_matrix((len(here), m))], format="csr") for k, v in program.matrix.items()}
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
            raise DataError(f"allocation: {name} has NaN or infinity at cell {int(np.argmin(np.isfinite(array)))}")
    if limits.lower_cny.shape != (n,) or limits.upper_cny.shape != (n,) or np.isnan(limits.upper_cny).any():
        raise DataError(f"allocation: limits must hold {n} numbers, one per cell")
