"""A campaign at another time than its logs: what is taken as it was. Text only."""

from __future__ import annotations

from datetime import datetime

from targeting.campaign.brief import Campaign

SILENT_DAYS = 14
"""Days between logs and campaign that go without a word: two weekly rhythms."""


def season_warnings(campaign: Campaign, *, known_by: datetime) -> tuple[str, ...]:
    """A line where the campaign runs on days that the logs are far from.

    >>> from targeting.campaign.brief import parse_campaign
    >>> brief = parse_campaign({"campaign_id": "c", "budget_cny": 1, "starts_at": "2020-11-11"})
    >>> season_warnings(brief, known_by=datetime(2020, 11, 1))
    ()
    >>> season_warnings(brief, known_by=datetime(2020, 8, 3))[0][:52]
    'starts_at: the campaign starts 100 days after what i'
    """
    if campaign.starts_at is None:
        return ()
    gap = (campaign.starts_at - known_by).total_seconds() / 86_400
    if gap > SILENT_DAYS:
        when = f"starts {gap:.0f} days after what is known ends ({known_by:%Y-%m-%d})"
    elif gap + campaign.days > SILENT_DAYS * 2:
        when = f"ends {gap + campaign.days:.0f} days after what is known ends ({known_by:%Y-%m-%d})"
    elif gap < -SILENT_DAYS:
        when = f"starts {-gap:.0f} days before what is known ends ({known_by:%Y-%m-%d})"
    else:
        return ()
    return (
        f"starts_at: the campaign {when}: prices, follow rates and values are taken as they were; a"
        " season or a festival in between is in no number of this plan",
    )
