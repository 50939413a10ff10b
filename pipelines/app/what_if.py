"""The decision behind the page: a saved plan's market under a changed brief. It needs no page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from targeting.campaign import Campaign, parse_campaign
from targeting.decision.decide import decide
from targeting.decision.verbs import Plan


def what_if(
    plan: Plan,
    *,
    budget_cny: float,
    least_share: Mapping[str, float],
    most_share: float = 1.0,
    kept: Sequence[str] | None = None,
) -> Plan:
    """The best plan on the saved plan's market under a changed brief.

    Args:
        plan: the saved plan.
        budget_cny: yuan, > 0.
        least_share: placement -> least share of the budget, 0..1; 0 sets no limit.
        most_share: no segment may have more than this share of the budget; 1 sets no limit.
        kept: names of the brief's own constraints that stay; None keeps all.

    Raises:
        CampaignError, InfeasibleError: the changed brief contradicts itself.
    """
    brief = changed_brief(
        plan.campaign, budget_cny=budget_cny, least_share=least_share, most_share=most_share, kept=kept
    )
    last = plan.allocation if any(c.kind == "change_limit" for c in brief.constraints) else None
    return decide(
        campaign=brief,
        market=plan.market,
        provenance=plan.provenance,
        audience=plan.audience,
        last_plan=last,
        time_limit_s=5.0,
    )


def changed_brief(
    campaign: Campaign,
    *,
    budget_cny: float,
    least_share: Mapping[str, float],
    most_share: float,
    kept: Sequence[str] | None,
) -> Campaign:
    """The saved brief with another budget and other limits; see `what_if`."""
    mapping = campaign.model_dump(mode="json", exclude_none=True)
    own = mapping.get("constraints", [])
    rows = [row for row in own if kept is None or row["name"] in kept]
    for placement, share in least_share.items():
        if share > 0:
            row = {"kind": "bounds", "name": f"what if: {placement} at least {share:.0%}"}
            rows.append({**row, "placement": placement, "min_share": share})
    if most_share < 1:
        row = {"kind": "bounds", "name": f"what if: no segment above {most_share:.0%}"}
        rows.append({**row, "each": "segment", "max_share": most_share})
    return parse_campaign({**mapping, "budget_cny": budget_cny, "constraints": rows}, "what-if page")


def beside(saved: Plan, tried: Plan) -> pl.DataFrame:
    """Spend per cell of both plans: segment, placement, plan (`saved`, `what if`), spend_cny."""
    columns = ["segment", "placement", "spend_cny"]
    both = [
        p.allocation.select(columns).with_columns(plan=pl.lit(name))
        for name, p in (("saved", saved), ("what if", tried))
    ]
    return (
        pl.concat(both).group_by("segment", "placement", "plan", maintain_order=True).agg(pl.sum("spend_cny"))
    )
