"""What the report suggests to learn next: the cells whose uncertainty costs most, and the money to put there.

It must not compute: `plan.questions` and `allocation.whatif.sensitivity` do.
"""

from __future__ import annotations

import polars as pl

from targeting.allocation.whatif.sensitivity import SCHEMA, exploration_budget
from targeting.plan import questions
from targeting.plan.decided import DecidedPlan
from targeting.report.report_settings import SETTINGS
from targeting.report.sentences import amount_of, placement_term, yuan


def experiments(plan: DecidedPlan, information: pl.DataFrame) -> list[tuple[str, str, str, str]]:
    """(segment, placement, what to try, what knowing it is worth) of the cells worth an experiment."""
    return [
        (r["segment"], placement_term(r["placement"]), yuan(r["probe_cny"]), amount_of(plan, r["evpi"]))
        for r in information.filter(pl.col("worth_probing")).head(SETTINGS.experiments).to_dicts()
    ]


def exploration(plan: DecidedPlan, information: pl.DataFrame) -> str:
    """The money that experiments of this plan are worth, e.g. "¥320"."""
    return yuan(exploration_budget(information, budget_cny=plan.budget_cny))


def information_of(plan: DecidedPlan) -> pl.DataFrame:
    """`Plan.experiments`, without rows where there is no uncertainty to speak of or too much to compute."""
    cheapest = any(c.kind == "target" for c in plan.campaign.constraints)
    if plan.market.draws is None or len(plan.market) > SETTINGS.most_cells or cheapest:
        return pl.DataFrame(schema=SCHEMA)
    return questions.experiments(plan)
