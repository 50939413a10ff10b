"""The Dantzig-Wolfe master: mixes the columns found so far under the coupling rows, and says what each limit
costs.

A *sheet* is one spend for every cell, so it is one column for every block; blocks are bundled in groups when
there are
thousands (a column is then a group's share of a sheet), which keeps the linear program small and costs a few
rounds.
Rows may be broken at a penalty, so the program always has a solution and an infeasible one shows itself by
its slack.
The linear program is scaled (rows to 1, objective to 1 per group): money in yuan or in 1/1000 yuan is the
same to it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.errors import SolverError
from models.supply.curves import FloatArray
from targeting.allocation.solver.blocks import basic_metrics
from targeting.allocation.solver.highs import run_highs
from targeting.allocation.solver.program import BASIC, Program

MAX_GROUPS = 1500
KEEP_SHEETS = 3  # of the newest sheets every column is kept
HIGHS = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}


@dataclass(frozen=True)
class Sheet:
    """One spend vector, what every block earns with it and adds to every row: (m,), (n_blocks,), sparse (r,
    n_blocks).
    """

    spend: FloatArray
    value: FloatArray
    activity: sparse.csr_matrix


def sheet(program: Program, spend: FloatArray) -> Sheet:
    """The true objective and row activities of one spend vector, block by block."""
    metrics = basic_metrics(program, spend)
    gather = _gather(program)
    value = np.asarray(sum(program.objective[k] * metrics[k] for k in BASIC)) @ gather
    activity = sum(
        (program.matrix[k].multiply(metrics[k][None, :]) for k in BASIC if program.matrix[k].nnz), start=0
    )
    if isinstance(activity, int):
        activity = sparse.csr_matrix(program.matrix["spend"].shape)
    return Sheet(spend, np.asarray(value), sparse.csr_matrix(sparse.csr_matrix(activity) @ gather))


def _gather(program: Program) -> sparse.csr_matrix:
    m = len(program.cell)
    return sparse.csr_matrix(
        (np.ones(m), (np.arange(m), np.arange(m) // program.width)), shape=(m, program.n_blocks)
    )


@dataclass
class Pool:
    """The columns found so far: sheets, and which of each sheet's group columns are still in use."""

    program: Program
    group: NDArray[np.int64]
    sheets: list[Sheet] = field(default_factory=list)
    use: list[NDArray[np.bool_]] = field(default_factory=list)

    @classmethod
    def of(cls, program: Program) -> Pool:
        """An empty pool; neighbouring blocks share a group where there are more than `MAX_GROUPS`."""
        n = program.n_blocks
        return cls(program, np.arange(n) * min(n, MAX_GROUPS) // max(n, 1))

    @property
    def n_groups(self) -> int:
        """Number of groups."""
        return int(self.group.max(initial=0)) + 1

    def add(self, spend: FloatArray) -> None:
        """Add one sheet."""
        self.sheets.append(sheet(self.program, spend))
        self.use.append(np.ones(self.n_groups, dtype=bool))

    def prune(self, worth: FloatArray, keep: int) -> None:
        """Keep the `keep` best columns of each group (reduced cost `worth`, (n_sheets, n_groups)) and the
        newest.
        """
        if len(self.sheets) <= keep + KEEP_SHEETS:
            return
        worth = np.where(np.array(self.use), worth, -np.inf)
        worth[-KEEP_SHEETS:] = np.inf
        order = np.argsort(-worth, axis=0, kind="stable")
        good = np.zeros(worth.shape, dtype=bool)
        np.put_along_axis(good, order[: keep + KEEP_SHEETS], True, axis=0)
        good &= np.array(self.use)
        alive = np.asarray(good.any(axis=1))
        self.sheets = [s for s, a in zip(self.sheets, alive.tolist(), strict=True) if a]
        self.use = [u for u, a in zip(good, alive.tolist(), strict=True) if a]


@dataclass(frozen=True)
class Mixture:
    """The master's answer.

    Attributes:
        value: of the mixed columns, without penalties.
        prices: (r,) of the rows, > 0 where an upper and < 0 where a lower limit costs.
        share: (n_sheets, n_groups) of each column.
        excess: (r,) by how much the mixture breaks each row (> 0 above the upper limit, < 0 below the lower).
        worth: (n_sheets, n_groups) reduced values of the columns, <= 0, 0 for those in use.
    """

    value: float
    prices: FloatArray
    share: FloatArray
    excess: FloatArray
    worth: FloatArray


def mixed_spend(pool: Pool, mixture: Mixture) -> FloatArray:
    """The average spend of the mixture, (m,)."""
    share = np.repeat(mixture.share[:, pool.group], pool.program.width, axis=1)
    return np.asarray((share * np.array([s.spend for s in pool.sheets])).sum(axis=0))


def row_scale(program: Program, pool: Pool) -> FloatArray:
    """(r,) a typical size of each row: its largest activity on a sheet, or its limit."""
    top = np.array([np.asarray(abs(s.activity).sum(axis=1)).ravel() for s in pool.sheets])
    limit = np.maximum(
        np.where(np.isfinite(program.row_lower), np.abs(program.row_lower), 0.0),
        np.where(np.isfinite(program.row_upper), np.abs(program.row_upper), 0.0),
    )
    size = np.maximum(top.max(axis=0), limit)
    return np.where(size > 0, size, 1.0)


def solve_master(pool: Pool, *, penalty: float, objective: float = 1.0, integral: bool = False) -> Mixture:
    """Best mixture of the pool's columns.

    Args:
        pool: the columns.
        penalty: price of breaking a (scaled) row by its own size, in units of the objective's size.
        objective: 1, or 0 to look for the least violation.
        integral: one column per group instead of a mixture (a mixed-integer program; prices are then 0).

    Raises:
        SolverError: HiGHS gave no optimal solution.
    """
    program = pool.program
    gather = sparse.csr_matrix(
        (np.ones(len(pool.group)), (np.arange(len(pool.group)), pool.group)),
        shape=(len(pool.group), pool.n_groups),
    )
    use = np.array(pool.use)
    at = np.argwhere(use)
    values = np.array([s.value @ gather for s in pool.sheets])
    activity = sparse.hstack(
        [(s.activity @ gather)[:, u] for s, u in zip(pool.sheets, pool.use, strict=True)], "csr"
    )
    size = row_scale(program, pool)
    unit = np.abs(values).max(axis=0).sum() / pool.n_groups
    unit = unit if unit > 0 else 1.0
    c = objective * values[use] / unit
    ups, downs = (
        np.flatnonzero(np.isfinite(program.row_upper)),
        np.flatnonzero(np.isfinite(program.row_lower)),
    )
    scaled = sparse.diags(1.0 / size) @ activity
    rows = sparse.vstack([scaled[ups], -scaled[downs]], "csr")
    limits = np.r_[program.row_upper[ups] / size[ups], -program.row_lower[downs] / size[downs]]
    convex = sparse.csr_matrix(
        (np.ones(len(at)), (at[:, 1], np.arange(len(at)))), shape=(pool.n_groups, len(at))
    )
    cost = penalty * (pool.n_groups if objective else 1.0)
    lam, slack, dual = _highs(c, rows, limits, convex, cost, integral)
    share = np.zeros(use.shape)
    share[use] = lam
    prices, excess = np.zeros(len(size)), np.zeros(len(size))
    price_unit = unit if objective else 1.0
    prices[ups] += dual[: len(ups)] * price_unit / size[ups]
    prices[downs] -= dual[len(ups) :] * price_unit / size[downs]
    excess[ups] += slack[: len(ups)] * size[ups]
    excess[downs] -= slack[len(ups) :] * size[downs]
    worth = np.full(use.shape, -np.inf)
    worth[use] = c - dual @ rows
    worth = worth - worth.max(axis=0)
    return Mixture(float((share * values).sum()), prices, share, excess, worth)


def _highs(c, rows, limits, convex, cost, integral):  # type: ignore[no-untyped-def]
    """maximise c lam - cost sum slack with rows lam - slack <= limits and convex lam = 1; gives (lam, slack,
    dual).
    """
    import cvxpy as cp

    n, r = len(c), len(limits)
    lam = cp.Variable(n, boolean=True) if integral else cp.Variable(n, nonneg=True)
    slack = cp.Variable(r, nonneg=True)
    limit = rows @ lam - slack <= limits
    one = convex @ lam == 1
    program = cp.Problem(cp.Maximize(c @ lam - cost * cp.sum(slack)), [limit, one])
    options = {**HIGHS, "mip_rel_gap": 1e-9, "time_limit": 20.0} if integral else HIGHS
    try:
        run_highs(program, options)
    except (cp.error.SolverError, ValueError) as error:
        raise SolverError(f"allocation: HiGHS failed on the master program ({error})") from error
    if lam.value is None or program.status not in ("optimal", "optimal_inaccurate", "user_limit"):
        raise SolverError(f"allocation: the master program ended as {program.status!r}")
    if not integral and program.status != "optimal":
        raise SolverError(f"allocation: the master program ended as {program.status!r}")
    share = np.maximum(np.asarray(lam.value), 0.0)
    share = share / np.maximum(convex.T @ (convex @ share), 1e-300)
    dual = np.zeros(r) if integral else np.maximum(np.asarray(limit.dual_value), 0.0)
    return share, np.maximum(np.asarray(slack.value), 0.0), dual
