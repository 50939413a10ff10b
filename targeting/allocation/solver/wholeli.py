"""Whole 厘 (1/1000 yuan): what a console can be told, without breaking a single limit.

With few funded cells every rounding is tried and the best is taken. Else every cell goes down to the 厘
below, or up by one where a limit needs it or the money left over pays for it. Limits are checked on the true
curves, the budget in whole numbers. It must not import the optimiser.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.supply.curves import FloatArray
from targeting.allocation.moves import Neighbours, trial_gains
from targeting.allocation.outcomes import outcomes, total
from targeting.allocation.problem import Metric, Problem, Row, Solution, in_cny, in_li, sparse_rows
from targeting.allocation.settings import SETTINGS
from targeting.allocation.solver.stops import below_floor


def to_whole_li(problem: Problem, spend_cny: FloatArray) -> NDArray[np.int64]:
    """Spend in whole 厘, (n_cells,), that meets every limit and row `spend_cny` meets.

    Args:
        problem: the limits and rows to respect.
        spend_cny: (n_cells,) a feasible plan in yuan.

    Returns:
        (n_cells,) 厘, each cell within one 厘 of its spend, two where there are few cells. Where no such
        rounding meets a row exactly (an equality in fans, say) the row is met as nearly as a 厘 allows.
    """
    task = _Task.of(problem, spend_cny)
    best = task.best_around()
    if best is None:
        best = task.with_the_rest(task.repaired())
    return np.asarray(best, dtype=np.int64)


def rounded(problem: Problem, solution: Solution) -> Solution:
    """The solution in whole 厘, its value recomputed on the true curves; the bound stays valid."""
    spend = in_cny(to_whole_li(problem, solution.spend_cny))
    value = float(total(problem.objective, outcomes(problem.market, spend)))
    return replace(solution, spend_cny=spend, value=value, upper_bound=max(solution.upper_bound, value))


@dataclass(frozen=True)
class _Task:
    """Spends in 厘, each (n_cells,): rounded down; the most and the least that a cell may get.

    `up` is one 厘 more where the cell may have it; `budget` is in whole 厘.
    """

    problem: Problem
    down: FloatArray
    up: FloatArray
    least: FloatArray
    most: FloatArray
    budget: int

    @classmethod
    def of(cls, problem: Problem, spend_cny: FloatArray) -> _Task:
        exact, limits = in_li(spend_cny), problem.limits
        near = np.rint(exact)
        hair = np.maximum(1e-9 * np.minimum(exact, 1e3), 4 * np.spacing(exact))  # rounding of the arithmetic
        on_grid = np.abs(exact - near) <= hair
        down = np.where(on_grid, near, np.floor(exact))
        lower = np.ceil(in_li(limits.lower_cny) * (1 - 1e-15) - 1e-9)
        on = exact > 0
        least = np.where(on, np.maximum(lower, np.ceil(in_li(limits.min_if_used_cny) - 1e-9)), lower)
        most = np.floor(in_li(np.minimum(limits.upper_cny, problem.budget_cny)) + 1e-9)
        up = np.where(on_grid & (near >= least), down, np.minimum(down + 1, most))
        budget = int(np.floor(in_li(problem.budget_cny) + 1e-6))
        return cls(problem, down, np.where(on, up, down), least, np.where(on, most, 0.0), budget)

    def best_around(self) -> FloatArray | None:
        """The best whole 厘 around `down` by trying them all; None where that are too many, or none is a
        plan.
        """
        used = np.flatnonzero(self.most > 0)
        ways = (s for s in SETTINGS.rounding_steps if len(s) ** len(used) <= SETTINGS.most_roundings)
        steps = next(ways, None)
        if steps is None or len(steps) ** len(used) * len(self.down) > SETTINGS.most_rounding_numbers:
            return None
        moves = np.array(list(itertools.product(steps, repeat=len(used))), dtype=float)
        tried = np.tile(self.down, (len(moves), 1))
        tried[:, used] = np.clip(tried[:, used] + moves, np.where(self.most > 0, self.least, 0.0)[used],
                                 self.most[used])  # fmt: skip
        metrics = outcomes(self.problem.market, in_cny(tried))
        kept = (tried.sum(axis=-1) <= self.budget) & ~self._shortfalls(metrics).any(axis=0)
        value = np.where(kept, total(self.problem.objective, metrics), -np.inf)
        for k in np.argsort(-value, kind="stable"):
            if value[k] == -np.inf:
                return None
            if not below_floor(self.problem, in_cny(tried[k])).any():
                return np.asarray(tried[k])
        return None

    def _shortfalls(self, metrics: Mapping[Metric, FloatArray]) -> FloatArray:
        """(r, ...) how far each row is below its lower (> 0) or above its upper limit (< 0), 0 where it
        holds; row 0 is the budget.
        """
        spent = np.rint(in_li(metrics["spend"])).sum(axis=-1)
        over = in_cny(np.minimum(self.budget - spent, 0.0))
        lhs, size = np.zeros((2, len(self.problem.rows), *over.shape))
        for metric, of_rows in self._coefficients.items():
            cells = metrics[metric].reshape(-1, metrics[metric].shape[-1]).T
            lhs += (of_rows @ cells).reshape(lhs.shape)
            size += (abs(of_rows) @ cells).reshape(lhs.shape)
        ends = np.array([(row.lower, row.upper) for row in self.problem.rows]).reshape(-1, 2).T
        lower, upper = ends.reshape(2, -1, *([1] * over.ndim))
        slack = SETTINGS.rounding_slack * np.maximum(size, np.where(np.isfinite(lower), abs(lower), 0.0))
        low, high = lower - lhs, upper - lhs
        short = np.where(low > slack, low, np.where(high < -slack, high, 0.0))
        return np.concatenate([over[None], short])

    @cached_property
    def _coefficients(self) -> dict[Metric, sparse.csr_matrix]:
        """(r, n_cells) of every metric that a row speaks of."""
        rows, n = self.problem.rows, len(self.down)
        return {m: sparse_rows(rows, m, n) for m in dict.fromkeys(m for r in rows for m in r.coefficients)}

    def _shortfall(self, li: FloatArray) -> FloatArray:
        return self._shortfalls(outcomes(self.problem.market, in_cny(li)))

    def _effects(self, li: FloatArray, rows: tuple[Row, ...]) -> FloatArray:
        """(r, n_cells) change of every row by one 厘 more in each cell."""
        near, spend = Neighbours.of(self.problem.market), in_cny(li)
        more = in_cny(li + 1.0)[None, :]
        return np.concatenate(
            [
                trial_gains(
                    self.problem.market, spend_cny=spend, trials_cny=more, neighbours=near,
                    coefficients={m: c for m, c in row.spread(len(li)).items() if m != "active"},
                )
                for row in rows
            ]
        )  # fmt: skip

    def repaired(self) -> FloatArray:
        """Rounded down, then single 厘 moved until every row holds: the cells that help most per 厘 first."""
        li = np.where(self.down >= self.least, self.down, self.up)
        rows = (Row("total", {"spend": np.ones(len(li))}), *self.problem.rows)
        missing = self._shortfall(li)
        if not missing.any():
            return li
        effects = self._effects(li, rows)  # a few 厘 more or less change them by next to nothing
        for _ in range(SETTINGS.rounding_repairs):
            if not missing.any():
                break
            size = np.maximum(np.abs(effects).max(axis=1, keepdims=True), 1e-300)
            i = int(np.argmax(np.abs(missing) / size[:, 0]))
            gain = np.where(li < self.up, effects[i], 0.0) * np.sign(missing[i])
            may_drop = (li > self.down) & (li - 1 >= self.least)
            loss = np.where(may_drop, -effects[i], 0.0) * np.sign(missing[i])
            best, step = np.maximum(gain, loss), np.where(gain >= loss, 1.0, -1.0)
            harm = np.maximum(0.0, -(effects * step * np.sign(missing)[:, None])) / size
            order = np.argsort(-(best / max(best.max(), 1e-300) - 0.5 * harm.sum(axis=0)), kind="stable")
            order = order[best[order] > 0]
            enough = int(np.searchsorted(np.cumsum(best[order]), abs(missing[i]) * (1 - 1e-12))) + 1
            trial = li.copy()
            trial[order[:enough]] += step[order[:enough]]
            after = self._shortfall(trial)
            if not len(order) or abs(after[i]) >= abs(missing[i]):
                break
            li, missing = trial, after
        return li

    def with_the_rest(self, li: FloatArray) -> FloatArray:
        """Give the 厘 that rounding down left over to the cells that gain most, while every row holds."""
        if self._shortfall(li).any():
            return li
        gain = self._effects(li, (Row("objective", self.problem.objective),))[0]
        waiting = np.flatnonzero((li < self.up) & (gain > 0))
        waiting = waiting[np.argsort(-gain[waiting], kind="stable")]
        many = len(waiting)
        for _ in range(SETTINGS.rounding_repairs):
            many = min(many, self.budget - int(li.sum()), len(waiting))
            if many <= 0:
                break
            trial = li.copy()
            trial[waiting[:many]] += 1
            if not (self._shortfall(trial).any() or below_floor(self.problem, in_cny(trial)).any()):
                li, waiting, many = trial, waiting[many:], 2 * many
            elif many > 1:
                many //= 2
            else:
                waiting = waiting[1:]
        return li
