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

from models.supply.curves import FloatArray
from targeting.allocation.settings import SETTINGS
from targeting.allocation.solver.arrays import BASIC, Program
from targeting.allocation.solver.blocks import basic_metrics
from targeting.allocation.solver.deadline import Deadline
from targeting.allocation.solver.highs import maximise
from targeting.allocation.solver.pricing import legal


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
        """An empty pool; neighbouring blocks share a group where they are more than `most_groups`."""
        n = program.n_blocks
        return cls(program, np.arange(n) * min(n, SETTINGS.most_groups) // max(n, 1))

    @property
    def n_groups(self) -> int:
        """Number of groups."""
        return int(self.group.max(initial=0)) + 1

    def within(self, program: Program) -> Pool:
        """The columns brought within smaller boxes."""
        pool = Pool(program, self.group)
        for old in {id(s): s for s in self.sheets}.values():
            pool.add(legal(program, old.spend))
        return pool

    def add(self, spend: FloatArray) -> None:
        """Add one sheet."""
        self.sheets.append(sheet(self.program, spend))
        self.use.append(np.ones(self.n_groups, dtype=bool))

    def prune(self, worth: FloatArray, keep: int) -> None:
        """Keep the `keep` best columns of each group (reduced cost `worth`, (n_sheets, n_groups)) and the
        newest.
        """
        if len(self.sheets) <= keep + SETTINGS.kept_sheets:
            return
        worth = np.where(np.array(self.use), worth, -np.inf)
        worth[-SETTINGS.kept_sheets :] = np.inf
        order = np.argsort(-worth, axis=0, kind="stable")
        good = np.zeros(worth.shape, dtype=bool)
        np.put_along_axis(good, order[: keep + SETTINGS.kept_sheets], True, axis=0)
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


def solve_master(pool: Pool, *, penalty: float, deadline: Deadline, objective: float = 1.0) -> Mixture:
    """Best mixture of the pool's columns.

    Args:
        pool: the columns.
        penalty: price of breaking a (scaled) row by its own size, in units of the objective's size.
        deadline: stops HiGHS.
        objective: 1, or 0 to look for the least violation.

    Raises:
        SolverError: HiGHS gave no optimal solution.
        UndecidedError: time was up.
    """
    program, n = pool.program, pool.n_groups
    gather = sparse.csr_matrix(
        (np.ones(len(pool.group)), (np.arange(len(pool.group)), pool.group)), shape=(len(pool.group), n)
    )
    use = np.array(pool.use)
    values = np.array([s.value @ gather for s in pool.sheets])
    columns = [(s.activity @ gather)[:, u] for s, u in zip(pool.sheets, pool.use, strict=True)]
    size, ups, downs = row_scale(program, pool), program.ups, program.downs
    unit = np.abs(values).max(axis=0).sum() / n
    unit = unit if unit > 0 else 1.0
    scaled = sparse.diags(1.0 / size) @ sparse.hstack(columns, "csr")
    rows = sparse.vstack([scaled[ups], -scaled[downs]], "csr")
    limits = np.r_[program.row_upper[ups] / size[ups], -program.row_lower[downs] / size[downs]]
    at = np.argwhere(use)[:, 1]
    convex = sparse.csr_matrix((np.ones(len(at)), (at, np.arange(len(at)))), shape=(n, len(at)))
    gain = objective * values[use] / unit
    lam, slack, dual = _mixed(gain, rows, limits, convex, penalty * (n if objective else 1.0), deadline)
    share, worth = np.zeros(use.shape), np.full(use.shape, -np.inf)
    share[use] = lam
    worth[use] = gain - dual @ rows
    return Mixture(
        value=float((share * values).sum()),
        prices=program.by_row(dual) * (unit if objective else 1.0) / size,
        share=share,
        excess=program.by_row(slack) * size,
        worth=worth - worth.max(axis=0),
    )


def _mixed(
    gain: FloatArray,
    rows: sparse.csr_matrix,
    limits: FloatArray,
    convex: sparse.csr_matrix,
    cost: float,
    deadline: Deadline,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """maximise gain lam - cost sum slack with rows lam - slack <= limits and convex lam = 1; gives (lam,
    slack, dual).
    """
    k, n = len(limits), len(gain)
    soft = sparse.hstack([rows, -sparse.identity(k)], "csr")
    whole = sparse.hstack([convex, sparse.csr_matrix((convex.shape[0], k))], "csr")
    done = maximise(
        np.r_[gain, np.full(k, -cost)], soft, limits, bounds=np.array([[0.0, np.inf]]), whole=whole,
        deadline=deadline,
    )  # fmt: skip
    share = np.maximum(done.x[:n], 0.0)
    share = share / np.maximum(convex.T @ (convex @ share), 1e-300)
    return share, np.maximum(done.x[n:], 0.0), done.dual
