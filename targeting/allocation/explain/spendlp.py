"""The part of a problem that needs no curve: limits and rows of spend and of on/off, as a small exact MILP.

Exists because almost every contradiction of a brief lies here (floors above the budget, a cap below a
minimum) and is found here in milliseconds, with an exact answer to "by how much". HiGHS through scipy: the
program is built once and thrown away, so cvxpy's parameters would buy nothing. It must not evaluate a curve.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from models.errors import SolverError, UndecidedError
from models.supply.curves import FloatArray
from targeting.allocation.problem import Problem, Row
from targeting.allocation.settings import SETTINGS

BUDGET = "total"


@dataclass(frozen=True)
class Slack:
    """A spend (n_cells,) and by how much, in its unit, the relaxed constraint gives way."""

    spend_cny: FloatArray
    amount: float


def is_linear(row: Row) -> bool:
    """Whether the row speaks of spend and of on/off only."""
    return all(metric in ("spend", "active") or not np.any(c) for metric, c in row.coefficients.items())


def linear_names(problem: Problem) -> tuple[str, ...]:
    """Names of the constraints that this module sees, the budget (`total`) first."""
    found = [BUDGET, *(r.name for r in problem.rows if is_linear(r))]
    found += [s.name for s in problem.limits.sources if s.side != "marginal_floor"]
    return tuple(dict.fromkeys(found))


def least_slack(
    problem: Problem,
    *,
    names: Collection[str],
    relaxed: str | None = None,
    seconds: float = SETTINGS.feasibility_seconds,
) -> Slack | None:
    """A spend that keeps the named constraints, `relaxed` giving way by as little as possible.

    One slack t >= 0 is shared by every limit of the relaxed constraint: cap + t, floor - t, budget + t.

    Args:
        problem: its linear rows, cell limits and budget are looked at; the rest is ignored.
        names: constraints to keep; `relaxed` counts as kept, less t.
        relaxed: name of the one that may give way, or None (then the amount is 0).
        seconds: after which HiGHS gives up.

    Returns:
        None where no spend does it.

    Raises:
        UndecidedError: time was up.
        SolverError: HiGHS stopped without an answer.
    """
    n, rows = len(problem.market), _gather(problem, set(names), relaxed)
    cost = np.zeros(2 * n + 1)
    cost[-1] = 1.0 if relaxed else 0.0
    integral = np.zeros(2 * n + 1)
    integral[n:-1] = _switched(problem, set(names))
    if rows.counts_cells:
        integral[-1] = 1.0
    top = np.full(2 * n + 1, np.inf)
    top[n:-1] = 1.0
    if relaxed is None:
        top[-1] = 0.0
    found = milp(
        c=cost,
        constraints=LinearConstraint(rows.matrix(2 * n + 1), rows.lower, rows.upper),
        bounds=Bounds(np.zeros(2 * n + 1), top),
        integrality=integral,
        options={"time_limit": seconds},
    )
    if found.x is None:
        if found.status == 2:
            return None
        if found.status == 1:
            raise UndecidedError(f"within {seconds:g} s limits of spend were not compared")
        raise SolverError(
            f"feasibility of the limits: HiGHS gave no answer ({found.message}); please report it"
        )
    unit = 1.0 if rows.counts_cells else rows.money
    return Slack(np.maximum(found.x[:n], 0.0) * rows.money, float(max(found.x[-1], 0.0)) * unit)


@dataclass
class _Rows:
    """Rows as they are gathered; variables are spend / money (n), on/off (n), slack (1)."""

    money: float
    lower: list[float] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    entries: list[tuple[int, int, float]] = field(default_factory=list)
    counts_cells: bool = False

    def add(self, terms: list[tuple[int, float]], *, lower: float = -np.inf, upper: float = np.inf) -> None:
        """One row: lower <= sum of weight * variable <= upper."""
        number = len(self.lower)
        self.entries += [(number, column, weight) for column, weight in terms]
        self.lower.append(lower)
        self.upper.append(upper)

    def matrix(self, width: int) -> sparse.csr_matrix:
        """Sparse (rows, width)."""
        at = np.array(self.entries, dtype=float).reshape(-1, 3)
        places = (at[:, 0].astype(np.int64), at[:, 1].astype(np.int64))
        return sparse.csr_matrix((at[:, 2], places), shape=(len(self.lower), width))


def _switched(problem: Problem, names: set[str]) -> FloatArray:
    """(n_cells,) 1 where on and off differ for a kept constraint, so that the cell needs a binary."""
    switched = np.zeros(len(problem.market), dtype=bool)
    for source in problem.limits.sources:
        if source.name in names and source.side == "min_if_used_cny":
            switched |= ~np.isnan(source.value)
    for row in problem.rows:
        if row.name in names and is_linear(row) and "active" in row.coefficients:
            switched |= row.coefficients["active"] != 0
    return switched.astype(float)


def _gather(problem: Problem, names: set[str], relaxed: str | None) -> _Rows:
    n = len(problem.market)
    slack = 2 * n
    rows = _Rows(money=max(problem.budget_cny, 1e-9))
    everything = [(c, 1.0) for c in range(n)]
    if BUDGET in names:
        give = [(slack, -1.0)] if relaxed == BUDGET else []
        rows.add([*everything, *give], upper=problem.budget_cny / rows.money)
    for row in problem.rows:
        if row.name in names and is_linear(row):
            _add_row(rows, row, n=n, soft=row.name == relaxed)
    for source in problem.limits.sources:
        if source.name not in names or source.side == "marginal_floor":
            continue
        give = [(slack, 1.0)] if source.name == relaxed else []
        for c in np.flatnonzero(~np.isnan(source.value)).tolist():
            limit = float(source.value[c]) / rows.money
            if source.side == "upper_cny":
                rows.add([(c, 1.0), *((s, -w) for s, w in give)], upper=limit)
            elif source.side == "lower_cny":
                rows.add([(c, 1.0), *give], lower=limit)
            else:
                rows.add([(c, 1.0), (n + c, -limit), *give], lower=0.0)
    most = _most_spend(problem) / rows.money
    for c in np.flatnonzero(_switched(problem, names)).tolist():
        rows.add([(c, 1.0), (n + c, -most)], upper=0.0)
    return rows


def _add_row(rows: _Rows, row: Row, *, n: int, soft: bool) -> None:
    spend = row.coefficients.get("spend", np.zeros(n))
    active = row.coefficients.get("active", np.zeros(n))
    counts = bool(np.any(active))
    rows.counts_cells |= soft and counts
    unit = 1.0 if counts else rows.money
    terms = [(int(c), float(spend[c]) * rows.money / unit) for c in np.flatnonzero(spend)]
    terms += [(n + int(c), float(active[c])) for c in np.flatnonzero(active)]
    slack = 2 * n
    if np.isfinite(row.upper):
        rows.add([*terms, *([(slack, -1.0)] if soft else [])], upper=row.upper / unit)
    if np.isfinite(row.lower):
        rows.add([*terms, *([(slack, 1.0)] if soft else [])], lower=row.lower / unit)


def _most_spend(problem: Problem) -> float:
    """More than any cell could need in any relaxation: the budget and every finite limit together."""
    total = problem.budget_cny
    for source in problem.limits.sources:
        if source.side != "marginal_floor":
            total += float(np.nansum(source.value))
    limits = [v for r in problem.rows for v in (r.lower, r.upper) if is_linear(r) and np.isfinite(v)]
    return 2.0 * (total + sum(abs(v) for v in limits))
