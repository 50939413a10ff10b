"""What the report suggests to learn next: the cells whose uncertainty costs most, and the money to put there.

It must not compute: `plan.experiments` and `allocation.whatif.sensitivity` do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from targeting.report.sentences import count, placement_term, yuan

if TYPE_CHECKING:
    from targeting.plan import Plan

MOST_CELLS = 400  # beyond it, the many small solves behind these figures would delay the report
SHOWN = 3


def experiments(plan: Plan, information: pl.DataFrame) -> list[tuple[str, str, str, str]]:
    """(segment, placement, what to try, what knowing it is worth) of the cells worth an experiment."""
    show = yuan if plan.campaign.objective in ("new_fan_gmv", "profit") else count
    return [
        (r["segment"], placement_term(r["placement"]), yuan(r["probe_cny"]), show(r["evpi"]))
        for r in information.filter(pl.col("worth_probing")).head(SHOWN).to_dicts()
    ]


def exploration(plan: Plan, information: pl.DataFrame) -> str:
    """The money that experiments of this plan are worth, e.g. "¥320"."""
    from targeting.allocation.whatif.sensitivity import exploration_budget

    return yuan(exploration_budget(information, budget_cny=plan.budget_cny))


def information_of(plan: Plan) -> pl.DataFrame:
    """`plan.experiments()`, without rows where there is no uncertainty to speak of or too much to compute."""
    from targeting.allocation.whatif.sensitivity import SCHEMA

    cheapest = any(c.kind == "target" for c in plan.campaign.constraints)
    if plan.market.draws is None or len(plan.market) > MOST_CELLS or cheapest:
        return pl.DataFrame(schema=SCHEMA)
    return plan.experiments()
