"""A decided plan asked again: another brief on the same market, here or wherever the plan was sent.

In: a plan, and what of its brief is to change. Out: the plan of the changed brief, or the same as plain data.
A plan travels as three texts without anybody's scores; whoever has them can decide again.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import polars as pl

from targeting.allocation.problem import Market
from targeting.campaign import Campaign, parse_campaign
from targeting.decision.decide import decide
from targeting.decision.verbs import Plan, plan_from_files
from targeting.plan import saved

TEXTS = ("plan.json", "market.json", "allocation.csv")
_TOLD = (
    "status", "objective", "value", "upper_bound", "gap", "budget_cny", "spend_cny", "expected", "realised",
    "live_room", "binding", "shadow_prices", "claims", "warnings",
)  # fmt: skip


def decide_again(
    plan: Plan, campaign: Campaign, *, market: Market | None = None, time_limit_s: float = 60.0
) -> Plan:
    """The best plan of another brief on the plan's market; the plan itself is its "last plan".

    Args:
        plan: of before.
        campaign: the brief.
        market: what money buys now, where that is not what it was.
        time_limit_s: stop then, whatever the gap.

    Raises:
        CampaignError, InfeasibleError: the brief contradicts itself or the market.
    """
    return decide(
        campaign=campaign,
        market=plan.market if market is None else market,
        provenance=plan.provenance,
        audience=plan.audience,
        last_plan=plan.solution.spend_cny,
        time_limit_s=time_limit_s,
    )


def answer(plan: Plan, changes: Mapping[str, object], *, time_limit_s: float = 60.0) -> dict[str, Any]:
    """Allocation and certificate of the plan's brief with some of its keys changed.

    Args:
        plan: whose market and brief they are.
        changes: keys of the brief that differ, e.g. `{"budget_cny": 3000, "constraints": []}`.
        time_limit_s: after which the best plan so far is told, with its gap.

    Returns:
        What plan.json says of status, value, upper_bound, gap, prices and promises, and `allocation`, a
        mapping for each unit with spend.

    Raises:
        CampaignError, InfeasibleError: the changed brief is none, or has no plan.
    """
    brief = {**plan.campaign.model_dump(mode="json", exclude_none=True), **changes}
    decided = decide_again(plan, parse_campaign(brief, "brief"), time_limit_s=time_limit_s)
    told = decided.to_dict()
    funded = decided.allocation.filter(pl.col("spend_li") > 0).sort("spend_li", descending=True)
    return {**{name: told[name] for name in _TOLD}, "allocation": funded.to_dicts()}


def texts_of(plan: Plan) -> dict[str, str]:
    """The plan as the texts `TEXTS`: figures, brief and market; no person is in them."""
    files = saved.files_of(replace(plan, audience=None))
    return {name: held if isinstance(held := files[name], str) else held.write_csv() for name in TEXTS}


def plan_of(texts: Mapping[str, str]) -> Plan:
    """The plan that `texts_of` wrote.

    Raises:
        DataError: a text is missing or is another.
    """
    tables = {
        name: pl.read_csv(io.StringIO(text), infer_schema_length=None)
        for name, text in texts.items()
        if name.endswith(".csv")
    }
    return plan_from_files({**texts, **tables})
