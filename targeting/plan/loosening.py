"""What loosening each limit of the brief by one round step brings: solved again, certified again.

A shadow price is a slope at the plan; a step of a thousand yuan or of one cell may leave the limits that hold
there. So the number in words is always that of the plan which the looser brief would get.
"""

from __future__ import annotations

from math import floor, log10
from typing import Any

import polars as pl

from models.errors import CampaignError, InfeasibleError
from targeting.allocation.explain.contradiction import solve_or_explain
from targeting.allocation.problem import Problem
from targeting.allocation.solver.deadline import Deadline
from targeting.allocation.solver.solve import Warm
from targeting.campaign.constraints import Parsed
from targeting.campaign.steps import loosened, steps_of
from targeting.plan.decided import DecidedPlan
from targeting.plan.plan_settings import SETTINGS
from targeting.plan.questions import compiled

SCHEMA = {
    "constraint": pl.String,
    "unit": pl.String,
    "step": pl.Float64,
    "price": pl.Float64,
    "gain": pl.Float64,
    "status": pl.String,
}


def small_change(budget_cny: float) -> float:
    """A round amount of at most a twentieth of the budget: what a planner would move.

    >>> small_change(200_000), small_change(20_000), small_change(200), small_change(30)
    (10000.0, 1000.0, 10.0, 1.0)
    """
    return float(10.0 ** floor(log10(budget_cny / 20) + 1e-9))


def prices(plan: DecidedPlan, deadline: Deadline | None = None) -> pl.DataFrame:
    """What one round step of every limit with a price brings to the objective, dearest first.

    Args:
        plan: the decided plan.
        deadline: after which nothing is solved again.

    Returns:
        constraint; unit of its number (of the first, where it gives several), `CNY` for the budget `total`;
        step, in that unit: `small_change` of the budget for yuan, else the natural step (`campaign.steps`);
        price, the slope at the plan times the step; gain, the objective of the plan of the looser brief less
        this plan's; status of that plan: within the gap, as where a live room fills, the gain is uncertain by
        both plans' gaps. Both null where it was not solved again in time (many limits, or a
        plan that takes long).
    """
    cny = small_change(plan.budget_cny)
    limits = {c.name: c for c in plan.campaign.limits}
    found: list[dict[str, Any]] = []
    for name, price in plan.shadow_prices.items():
        if abs(price) * cny <= SETTINGS.price_nothing * max(abs(plan.value), 1e-300):
            continue
        step = None if name not in limits else next(iter(steps_of(limits[name]).values()))
        in_yuan = step is None or step.unit == "CNY"
        found.append(
            {
                "constraint": name,
                "unit": "CNY" if step is None else step.unit,
                "step": cny if in_yuan or step is None else step.size,
                "price": price * (cny if in_yuan else 1.0),
            }
        )
    found.sort(key=lambda row: -abs(row["price"]))
    deadline, warm = deadline or Deadline.of(SETTINGS.asked_seconds), Warm()
    for i, row in enumerate(found):
        if i < SETTINGS.priced_rules and not deadline.over:
            row.update(_gain(plan, row["constraint"], cny, warm, deadline))
    return pl.DataFrame(found, SCHEMA)


def _gain(plan: DecidedPlan, name: str, cny: float, warm: Warm, deadline: Deadline) -> dict[str, Any]:
    """Objective of the plan of the looser brief less this plan's, and its status; nothing where it has none
    in time.
    """
    try:
        left_s = deadline.left(SETTINGS.asked_seconds)
        found = solve_or_explain(_looser(plan, name, cny), time_limit_s=left_s, warm=warm)
    except (CampaignError, InfeasibleError):
        return {}
    return {} if found.status == "time_limit" else {"gain": found.value - plan.value, "status": found.status}


def _looser(plan: DecidedPlan, name: str, cny: float) -> Problem:
    last = plan.last_spend_cny
    if name == "total":
        return compiled(plan.market, campaign=plan.campaign, last=last, budget_cny=plan.budget_cny + cny)
    limits = Parsed(loosened(c, cny=cny) if c.name == name else c for c in plan.campaign.limits)
    return compiled(plan.market, campaign=plan.campaign, last=last, limits=limits)
