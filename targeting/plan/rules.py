"""Every rule of a brief beside its plan: how much room is left in it, and what it costs.

What a rule allows and what the plan does is told by the independent checker; what a rule costs by the plan
that would be best without it, solved and certified again. Rules in which there is room cost nothing, unless
they are about being on or off (`_SWITCHES`), whose price no slack shows.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from models.errors import TargetingError
from targeting.allocation.audit import check
from targeting.allocation.audit.judgement import Finding
from targeting.allocation.solver.deadline import Deadline
from targeting.campaign.constraints import BaseConstraint
from targeting.plan import questions
from targeting.plan.decided import DecidedPlan
from targeting.plan.loosening import prices
from targeting.plan.plan_settings import SETTINGS

log = logging.getLogger("targeting.report")
_SWITCHES = ("min_if_used", "max_active", "marginal_floor", "target")


@dataclass(frozen=True)
class Rule:
    """One rule of the brief at the plan.

    Attributes:
        name: in the brief; the budget's is `total`.
        kind: of constraint, or `total`.
        constraint: as the brief has it; None for the budget.
        tightest: what is nearest to its limit, of all that the rule speaks of; None where it speaks of
            nothing that the plan does.
        at_limit: no room is left.
        places, tight_places: of how many parts (each segment, each placement ...) it speaks, and in how many
            of them no room is left.
        step: what loosening it by one round step brings, a row of `loosening.prices`; None where that is
            nothing.
        gain: the columns value, new_fans, new_fan_gmv_cny and spend_cny of the best plan without it less
            this plan's; None where it was not solved again.
    """

    name: str
    kind: str
    constraint: BaseConstraint | None
    tightest: Finding | None
    at_limit: bool
    places: int
    tight_places: int
    step: Mapping[str, Any] | None = None
    gain: Mapping[str, float] | None = None


def rules_of(plan: DecidedPlan, *, priced: bool = True) -> tuple[Rule, ...]:
    """The budget and every rule of the brief, in its order.

    Args:
        plan: the decided plan.
        priced: also solve again without each rule that may cost something, and with each a step looser.
    """
    found = check.findings(
        plan.market,
        budget_cny=plan.budget_cny,
        constraints=plan.campaign.limits,
        spend_cny=plan.solution.spend_cny,
        objective=plan.campaign.objective,
        last_plan=plan.last_spend_cny,
    )
    limits = {c.name: c for c in plan.campaign.limits}
    rules = [_rule(plan, name, limits.get(name), tuple(judged)) for name, judged in found.items()]
    spoken = [rule for rule in rules if rule.kind != "trial" or plan.market.untried.any()]
    if not priced:
        return tuple(spoken)
    deadline = Deadline.of(SETTINGS.asked_seconds)
    steps = {row["constraint"]: row for row in prices(plan, deadline).to_dicts()}
    gains = _gains(plan, spoken, deadline)
    return tuple(replace(r, gain=gains.get(r.name), step=steps.get(r.name)) for r in spoken)


def _rule(
    plan: DecidedPlan, name: str, constraint: BaseConstraint | None, judged: tuple[Finding, ...]
) -> Rule:
    if constraint is None:
        judged = judged[:1]  # the budget itself, not that nothing is below 0
    room = [_room(finding) for finding in judged]
    tight = sum(one <= SETTINGS.rule_room for one in room)
    return Rule(
        name=name,
        kind=getattr(constraint, "kind", name),
        constraint=constraint,
        tightest=judged[room.index(min(room))] if judged else None,
        at_limit=tight > 0 or name in plan.binding,
        places=len(judged),
        tight_places=tight,
    )


def _room(finding: Finding) -> float:
    """Room left in a limit as a share of its scale."""
    left = finding.limit - finding.actual if finding.at_most else finding.actual - finding.limit
    return left / max(finding.scale, abs(finding.limit), 1e-12)


def _gains(plan: DecidedPlan, rules: list[Rule], deadline: Deadline) -> dict[str, Mapping[str, float]]:
    """What each rule of the list keeps from the plan; only where that is cheap to know."""
    asked = [r for r in rules if r.constraint is not None and (r.at_limit or r.kind in _SWITCHES)]
    if not asked or len(asked) > SETTINGS.priced_rules or len(plan.market) > SETTINGS.priced_cells:
        return {}
    if any(rule.kind == "target" for rule in rules):  # the objective itself would be another
        return {}
    try:
        plans = questions.scenarios(
            plan,
            {rule.name: _without(plan, rule) for rule in asked},
            time_limit_s=SETTINGS.priced_seconds,
            deadline=deadline,
        )
    except TargetingError as error:  # the plan stands, with the prices of its own certificate
        log.warning("report: what each rule costs was not solved again: %s", error)
        return {}
    columns = ["value", "new_fans", "new_fan_gmv_cny", "spend_cny"]
    if not plans.height:
        return {}
    own = plans.row(0, named=True)
    known = plans.slice(1).filter(pl.col("value").is_not_null())
    return {row["scenario"]: {c: row[c] - own[c] for c in columns} for row in known.to_dicts()}


def _without(plan: DecidedPlan, rule: Rule) -> dict[str, object]:
    """Keys of the brief that take the rule away."""
    if rule.name == "min_ticket_cny":
        return {"min_ticket_cny": 0.0}
    if rule.name == "trial_cny":
        return {"trial_cny": plan.budget_cny}
    kept = [c for c in plan.campaign.constraints if c.name != rule.name]
    return {"constraints": [c.model_dump(mode="json", exclude_none=True) for c in kept]}
