"""The part of a problem that needs no curve: limits and rows of spend and of on/off, as a small exact MILP.

Exists because almost every contradiction of a brief lies here (floors above the budget, a cap below a
minimum) and is found here in milliseconds, with an exact answer to "by how much". It must not evaluate a
curve.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from scipy import sparse

from models.supply.curves import FloatArray
from targeting.allocation.problem import CellLimit, Metric, Problem, Row, sparse_rows
from targeting.allocation.settings import SETTINGS
from targeting.allocation.solver.deadline import Deadline
from targeting.allocation.solver.highs import maximise_whole

BUDGET = "total"


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
) -> float | None:
    """By how much `relaxed` must give way, in its unit, so that some spend keeps the named constraints.

    One slack t >= 0 is shared by every limit of the relaxed constraint: cap + t, floor - t, budget + t.
    Variables are spend / budget (n), on/off (n) and t.

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
    n, money = len(problem.market), max(problem.budget_cny, 1e-9)
    rows = [r for r in problem.rows if r.name in names and is_linear(r)]
    rows += [Row(BUDGET, {"spend": np.ones(n)}, upper=problem.budget_cny)] if BUDGET in names else []
    sources = [s for s in problem.limits.sources if s.name in names and s.side != "marginal_floor"]
    rows += [row for s in sources for row in _rows_of(s)]
    spend, active = (sparse_rows(rows, metric, n) for metric in ("spend", "active"))
    counted = np.diff(active.indptr) > 0
    named = np.array([r.name == relaxed for r in rows])
    in_cells = any(r.unit == "cells" for r in rows if r.name == relaxed)
    size = np.where(counted, np.maximum(abs(active).max(axis=1).toarray().ravel(), 1.0), money)
    give = np.where(named, (1.0 if in_cells else money) / size, 0.0)
    lower, upper = (np.array([getattr(r, end) for r in rows]) / size for end in ("lower", "upper"))
    # a row with two ends gives way at both: it stands once for each
    lines = sparse.hstack([sparse.diags(money / size) @ spend, sparse.diags(1.0 / size) @ active], "csr")
    ends = [sparse.hstack([lines, sparse.csr_matrix(way * give[:, None])]) for way in (1.0, -1.0)]
    switched = np.asarray(abs(active).sum(axis=0)).ravel() > 0
    one = sparse.identity(n, format="csr")
    off = sparse.hstack([one, -_plenty(rows, money) * one, sparse.csr_matrix((n, 1))], "csr")[switched]
    none, endless = np.zeros(int(switched.sum())), np.full(len(rows), np.inf)
    found = maximise_whole(
        np.r_[np.zeros(2 * n), -1.0], sparse.vstack([*ends, off], "csr"),
        np.r_[lower, -endless, none - np.inf], np.r_[endless, upper, none],
        high=np.r_[np.full(n, np.inf), np.ones(n), 0.0 if relaxed is None else np.inf],
        whole=np.r_[np.zeros(n, dtype=bool), switched, in_cells], deadline=Deadline.of(seconds),
    )  # fmt: skip
    return None if found is None else max(float(found[-1]), 0.0) * (1.0 if in_cells else money)


def _rows_of(source: CellLimit) -> list[Row]:
    """The limit of single cells as rows."""
    found = []
    for c in np.flatnonzero(~np.isnan(source.value)):
        at, limit = np.array([c]), float(source.value[c])
        one: dict[Metric, FloatArray] = {"spend": np.ones(1)}
        if source.side == "min_if_used_cny":
            found.append(Row(source.name, {**one, "active": np.full(1, -limit)}, lower=0.0, cells=at))
        elif source.side == "lower_cny":
            found.append(Row(source.name, one, lower=limit, cells=at))
        else:
            found.append(Row(source.name, one, upper=limit, cells=at))
    return found


def _plenty(rows: list[Row], money: float) -> float:
    """More than any cell could need in any relaxation, in budgets: that and all limits together."""
    ends = [abs(x) for r in rows for x in (r.lower, r.upper) if np.isfinite(x)]
    ends += [float(np.abs(r.coefficients["active"]).max()) for r in rows if "active" in r.coefficients]
    return 2.0 * (1.0 + sum(ends) / money)
