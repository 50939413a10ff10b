"""A horizon longer than the logs. In: the log, the delay curve. Out: a refusal, or a word.

Nothing is known of what a new fan buys after the age at which new fans were last watched. The delay curve
then goes on with log(1 + age) as in the half before: a guess, purchases may stop there, or go on unabated.
It must not import targeting.
"""

from __future__ import annotations

import polars as pl

from models.audience.delay import DelayCurve
from models.audience.settings import AUDIENCE
from models.errors import CampaignError
from models.events.event_log import CONTROL, EventLog
from models.events.orders_since_follow import age_days


def refuse_far_horizon(log: EventLog, *, horizon_days: int) -> None:
    """Refuse a horizon of more than `AUDIENCE.longest_horizon` times the age of the oldest new fan.

    Only where new fans have bought: of fans alone no horizon matters. The usual month is never refused.

    Raises:
        CampaignError: how many days were seen, and which horizon they carry.
    """
    fans = log.follows.filter(pl.col("placement") != CONTROL)
    bought = log.orders.join(fans.select("user_id", "followed_at"), on="user_id", how="inner")
    if bought.filter(pl.col("ordered_at") > pl.col("followed_at")).is_empty():
        return
    seen = float(fans.select(age_days(pl.lit(log.as_of), "followed_at").max()).item())
    most = max(int(AUDIENCE.longest_horizon * seen), AUDIENCE.usual_horizon)
    if horizon_days > most:
        raise CampaignError(
            f"horizon_days: {horizon_days} days, but the oldest new fan in the logs was watched for"
            f" {seen:.0f}: what fans buy so much later cannot be told; set at most {most}, or give"
            " longer logs"
        )


def unwatched(gmv: DelayCurve) -> float:
    """Share of the horizon's days that no new fan was watched for."""
    return 1.0 - gmv.reached_days / gmv.age_days[-1]


def horizon_sd(gmv: DelayCurve) -> float:
    """Deviation of the log of a fan's GMV within the horizon, for what lies beyond what was watched."""
    return max(AUDIENCE.extrapolated_sd * gmv.extrapolated, AUDIENCE.unwatched_sd * unwatched(gmv))


def horizon_warnings(gmv: DelayCurve) -> tuple[str, ...]:
    """A line where more of the GMV or of the days lies beyond what was watched than goes without saying."""
    money, days = AUDIENCE.silent_extrapolation
    if gmv.extrapolated <= money and unwatched(gmv) <= days:
        return ()
    return (
        f"horizon_days: {gmv.age_days[-1]:.0f} days are promised, new fans were watched for"
        f" {gmv.reached_days:.0f}: {gmv.extrapolated:.0%} of a fan's GMV is extrapolated from how purchases"
        " faded until then, and the intervals are wider for it",
    )
