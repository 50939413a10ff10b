"""A brief with what its merchant was granted: a lower fee, money on top of the budget, free impressions."""

from __future__ import annotations

from collections.abc import Sequence

from targeting.campaign import Campaign
from targeting.campaign.brief import Grant
from targeting.programmes.programme_rules import Granted, Programme
from targeting.programmes.verdicts import Verdict, amount, facts_of


def supported(
    campaign: Campaign, programmes: Sequence[Programme], verdicts: Sequence[Verdict], *, without: str = ""
) -> Campaign:
    """The brief after every programme that was granted, but for one.

    A fee is replaced where the programme's is lower; cash is added to the budget; granted impressions are
    the response of their cells to no money at all.

    Args:
        campaign: as written.
        programmes: the rules.
        verdicts: on each of them, in the same order.
        without: name of a programme to leave out.
    """
    facts = facts_of(campaign)
    economics, budget, grants = campaign.economics, campaign.budget_cny, list(campaign.grants)
    for programme, verdict in zip(programmes, verdicts, strict=True):
        if verdict.outcome != "granted" or programme.name == without:
            continue
        gives = programme.gives
        if gives.fee_rate is not None and economics is not None and gives.fee_rate < economics.fee_rate:
            economics = economics.model_copy(update={"fee_rate": gives.fee_rate})
        if gives.cash_cny is not None:
            budget += amount(gives.cash_cny, facts)
        grants += [_grant(one, amount(one.impressions, facts)) for one in gives.grants]
    changed = {"economics": economics, "budget_cny": budget, "grants": tuple(grants)}
    return campaign.model_copy(update=changed)


def _grant(given: Granted, impressions: float) -> Grant:
    return Grant(impressions=impressions, placement=given.placement, segment=given.segment)
