"""Which budget leaves most, and what the last money of this one brings: the plan's other budgets.

Every budget is its own certified plan on the same curves under the same rules. Which of them leaves most is
found by looking between the best of a grid and its neighbours again and again: profit is flat at its top, so
the last halving changes it by far less than its interval.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import floor, log10

import numpy as np
import polars as pl

from models.errors import CampaignError, InfeasibleError
from targeting.plan import questions
from targeting.plan.decided import DecidedPlan
from targeting.plan.plan_settings import SETTINGS
from targeting.plan.promise import Interval


@dataclass(frozen=True)
class Budgets:
    """The best plan of each budget that was tried.

    Attributes:
        points: columns of `Plan.frontier` and profit_cny (null where unknown), least budget first.
        best: the row of `points` that leaves most; None where profit is unknown.
        best_profit_cny: the same with its interval.
        more_pays: it is the largest that was tried.
        step_cny: the last so much of this budget ...
        step: ... brings this much more new_fans, new_fan_gmv_cny, profit_cny, value; None where a budget
            without it allows no plan.
    """

    points: pl.DataFrame
    best: dict[str, float] | None
    best_profit_cny: Interval | None
    more_pays: bool
    step_cny: float
    step: dict[str, float | None] | None


def last_step(budget_cny: float) -> float:
    """The last so many yuan that are looked at: 1, 10, 100, 1,000 ..., at most a third of the budget.

    >>> last_step(3450), last_step(200_000), last_step(20)
    (1000.0, 10000.0, 1.0)
    """
    return float(10.0 ** floor(log10(budget_cny / 3) + 1e-9))


def budgets_of(plan: DecidedPlan, *, before: Callable[[], object] = lambda: None) -> Budgets:
    """Other budgets of the same brief.

    Args:
        plan: this one.
        before: called before each budget is solved; what it raises ends the work.

    Raises:
        CampaignError, SolverError: no budget can be tried, or one cannot be solved.
    """
    shares = sorted({*SETTINGS.budget_shares, 1.0})
    step = last_step(plan.budget_cny)
    asked = [plan.budget_cny - step, *(plan.budget_cny * share for share in shares)]
    points = _tried(plan, asked, before)
    kept = None if plan.campaign.economics is None else plan.campaign.economics.kept_share
    known = kept is not None and "new_fan_gmv_cny" not in plan.provenance.unknown
    for _ in range(SETTINGS.budget_rounds if known else 0):
        points = _closer(plan, points, before)
    best = (
        points.row(int(points["profit_cny"].arg_max() or 0), named=True) if known and points.height else None
    )
    return Budgets(
        points=points,
        best=best,
        best_profit_cny=None if best is None else _interval(plan, best["budget_cny"]),
        more_pays=best is not None and best["budget_cny"] == points["budget_cny"].max(),
        step_cny=step,
        step=_step(points, plan.budget_cny, step),
    )


def _tried(plan: DecidedPlan, budgets: Iterable[float], before: Callable[[], object]) -> pl.DataFrame:
    """The best plans of some budgets, those that allow one."""
    found = questions.frontier(
        plan, budgets, gap_tol=SETTINGS.budget_gap, time_limit_s=SETTINGS.budget_seconds, before=before
    ).filter(pl.col("value").is_not_null())
    economics = plan.campaign.economics
    kept = None if economics is None or "new_fan_gmv_cny" in plan.provenance.unknown else economics.kept_share
    profit = pl.lit(kept, dtype=pl.Float64) * pl.col("new_fan_gmv_cny") - pl.col("spend_cny")
    return found.with_columns(profit_cny=profit).sort("budget_cny")


def _closer(plan: DecidedPlan, points: pl.DataFrame, before: Callable[[], object]) -> pl.DataFrame:
    """The points with further ones halfway between the most profitable and its neighbours."""
    if points.height < 3:
        return points
    at = int(points["profit_cny"].arg_max() or 0)
    budgets = points["budget_cny"].to_list()
    near = [budgets[at], *(budgets[i] for i in (at - 1, at + 1) if 0 <= i < len(budgets))]
    halves = [round(0.5 * (near[0] + other), 2) for other in near[1:]]
    tried = _tried(plan, halves, before)
    return pl.concat([points, tried]).unique("budget_cny", keep="first").sort("budget_cny")


def _interval(plan: DecidedPlan, budget_cny: float) -> Interval | None:
    """Profit of the best plan of a budget, with its interval; None where that budget allows none."""
    try:
        return questions.promised_at(plan, budget_cny).profit_cny
    except (CampaignError, InfeasibleError):
        return None


def _step(points: pl.DataFrame, budget_cny: float, step_cny: float) -> dict[str, float | None] | None:
    """What the best plan of the budget has more than that of a budget without its last step."""
    found = points.filter(np.abs(points["budget_cny"].to_numpy() - budget_cny) < 1e-6 * budget_cny)
    less = points.filter(
        np.abs(points["budget_cny"].to_numpy() - (budget_cny - step_cny)) < 1e-6 * budget_cny
    )
    if found.is_empty() or less.is_empty():
        return None
    here, there = found.row(0, named=True), less.row(0, named=True)
    names = ("value", "new_fans", "new_fan_gmv_cny", "profit_cny")
    return {n: None if here[n] is None else here[n] - there[n] for n in names}
