"""New fans as if everybody had been shown alike. In: the log. Out: a weight of each new fan.

Delivery shows most to the keenest, beyond what features explain, so the fans that history won are worth more
than those whom a plan will win, which shows to everybody in its segments. A fan who had been shown N times
where M is usual of its placement up to that day stands for

    w = (M + c) / (N + c)        N without the showing that won it

people like it: inverse propensity, with pressure as the propensity, given gamma differences of it whose
squared coefficient of variation is 1 / c. Whom a coin showed is shown evenly and counts once. Must not import
targeting.
"""

from __future__ import annotations

import polars as pl

from models.audience.settings import AUDIENCE
from models.events.event_log import CONTROL, EventLog
from models.rates.settings import RATES


def even_weights(log: EventLog) -> pl.DataFrame:
    """user_id, weight of every new follower; those of ranked rows sum to as many as they are worth.

    Args:
        log: what happened.
    """
    day = pl.col("exposed_at").dt.date().alias("day")
    shown = log.exposures.filter((pl.col("placement") != CONTROL) & pl.col("at_risk")).with_columns(day)
    ranked = shown.filter(~pl.col("randomized").fill_null(False))
    people = max(log.users.filter(~pl.col("is_fan").fill_null(False)).height, 1)
    usual = (
        ranked.group_by("placement", "day")
        .agg(pl.col("impressions").sum() / people)
        .sort("placement", "day")
        .select("placement", "day", usual=pl.col("impressions").cum_sum().over("placement"))
    )
    won = ranked.filter("followed").select("user_id", "placement", "day")
    mine = (
        ranked.select("user_id", "placement", "impressions")
        .join(won, on=["user_id", "placement"], how="inner")
        .group_by("user_id", "placement", "day")
        .agg(pl.col("impressions").sum().cast(pl.Float64))
        .join(usual, on=["placement", "day"], how="left")
        .sort("user_id")
    )
    c = AUDIENCE.pressure_prior
    weight = ((pl.col("usual") + c) / ((pl.col("impressions") - 1.0).clip(0.0) + c)).clip(
        *RATES.inverse_propensity_limits
    )
    found = mine.select("user_id", weight=weight)
    w = found["weight"].to_numpy()
    scale = float(w.sum() / (w**2).sum()) if len(w) else 1.0
    coin = (
        log.follows.select("user_id").join(found, on="user_id", how="anti").with_columns(weight=pl.lit(1.0))
    )
    return pl.concat([found.with_columns(pl.col("weight") * scale), coin]).sort("user_id")
