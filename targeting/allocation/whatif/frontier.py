"""The best plan for every budget, and plans of several briefs side by side.

Exists because a budget is rarely fixed when the planner asks. Every point is its own certified plan;
neighbours start from each other's columns. It must not compile constraints itself: the caller says how the
problem looks at a budget.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import polars as pl

from models.errors import CampaignError, InfeasibleError
from targeting.allocation.explain.contradiction import solve_or_explain
from targeting.allocation.explain.words import value_coefficients
from targeting.allocation.outcomes import outcomes
from targeting.allocation.problem import Problem
from targeting.allocation.solver.deadline import Deadline
from targeting.allocation.solver.solve import Warm

SCHEMA = {
    "budget_cny": pl.Float64,
    "status": pl.String,
    "spend_cny": pl.Float64,
    "value": pl.Float64,
    "upper_bound": pl.Float64,
    "gap": pl.Float64,
    "price": pl.Float64,
    "new_fans": pl.Float64,
    "new_fan_gmv_cny": pl.Float64,
    "worth_per_cny": pl.Float64,
    "note": pl.String,
}


def frontier(
    problem_at: Callable[[float], Problem],
    *,
    budgets: Iterable[float],
    gap_tol: float = 1e-6,
    time_limit_s: float = 60.0,
    warm: Warm | None = None,
    deadline: Deadline | None = None,
) -> pl.DataFrame:
    """The best plan for each budget, in the order of `budgets`.

    Args:
        problem_at: the brief at another budget, e.g. `lambda b: compile_problem(market, budget_cny=b, ...)`.
        budgets: yuan, each > 0.
        gap_tol, time_limit_s: for each budget.
        warm: columns of other solves of the same market and rows; updated in place.
        deadline: of all budgets together; those not begun by then are left out.

    Returns:
        budget_cny, status (`infeasible` where the limits cannot be kept, with the reason in `note`),
        spend_cny, value and upper_bound of the objective, gap, price (objective per further yuan of budget),
        new_fans, new_fan_gmv_cny, worth_per_cny (value / spend), note.

    Raises:
        CampaignError: no budget, or one that is no finite number > 0.
    """
    wanted = [float(b) for b in budgets]
    bad = [b for b in wanted if not (np.isfinite(b) and b > 0)]
    if bad or not wanted:
        raise CampaignError(f"budgets: expected finite numbers > 0, got {bad[0] if bad else 'none'}")
    rows: dict[float, dict[str, object]] = {}
    warm, deadline = warm or Warm(), deadline or Deadline.of(np.inf)
    for budget in sorted(set(wanted), reverse=True):  # columns of a large budget also serve a smaller one
        if deadline.over:
            break
        try:
            problem = problem_at(budget)
        except CampaignError as error:  # a limit in yuan that this budget is too small for
            rows[budget] = _infeasible(budget, error)
            continue
        rows[budget] = _point(problem, warm, gap_tol=gap_tol, time_limit_s=deadline.left(time_limit_s))
    return pl.DataFrame([rows[b] for b in wanted if b in rows], schema=SCHEMA)


def scenarios(
    problems: Mapping[str, Problem],
    *,
    gap_tol: float = 1e-6,
    time_limit_s: float = 60.0,
    deadline: Deadline | None = None,
) -> pl.DataFrame:
    """The best plan of each named problem, as `frontier`: its columns after `scenario`."""
    rows: list[dict[str, object]] = []
    deadline = deadline or Deadline.of(np.inf)
    for name, problem in problems.items():
        if deadline.over:
            break
        found = _point(problem, None, gap_tol=gap_tol, time_limit_s=deadline.left(time_limit_s))
        rows.append({"scenario": name, **found})
    return pl.DataFrame(rows, schema={"scenario": pl.String, **SCHEMA})


def _point(problem: Problem, warm: Warm | None, *, gap_tol: float, time_limit_s: float) -> dict[str, object]:
    """One line of the frontier; `warm` is read and updated."""
    try:
        found = solve_or_explain(problem, gap_tol=gap_tol, time_limit_s=time_limit_s, warm=warm)
    except InfeasibleError as error:
        return _infeasible(problem.budget_cny, error)
    metrics = outcomes(problem.market, found.spend_cny)
    spend = float(found.spend_cny.sum())
    worth = sum(float((metrics[m] * c).sum()) for m, c in value_coefficients(problem).items())
    return {
        "budget_cny": problem.budget_cny,
        "status": found.status,
        "spend_cny": spend,
        "value": found.value,
        "upper_bound": found.upper_bound,
        "gap": found.gap,
        "price": found.shadow_prices.get("total", 0.0),
        "new_fans": float(metrics["fans"].sum()),
        "new_fan_gmv_cny": float(metrics["gmv"].sum()),
        "worth_per_cny": worth / spend if spend > 0 else None,
        "note": "",
    }


def _infeasible(budget_cny: float, why: Exception) -> dict[str, object]:
    nothing = dict.fromkeys(SCHEMA)
    return {**nothing, "budget_cny": budget_cny, "status": "infeasible", "note": str(why)}
