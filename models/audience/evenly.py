"""As if everybody had been shown alike. In: the log. Out: a weight of each new fan, and of each row.

Delivery shows most to the keenest, beyond what features explain, so those whom history showed follow more,
and the fans that it won are worth more, than those whom a plan will reach, which shows to everybody in its
segments. A fan who had been shown N times where M is usual of its placement up to that day stands for

    w = (M + c) / (N + c)        N without the showing that won it

people like it: inverse propensity, with pressure as the propensity, given gamma differences of it whose
squared coefficient of variation is 1 / c. A row is weighed by what had been shown before its day, which no
follow of that day can have moved: so rows of late days, of whom all who follow easily have gone and whom
delivery has sorted out, say how those follow who are left. Whom a coin showed is shown evenly and counts
once. Must not import targeting.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from models.audience.settings import AUDIENCE
from models.events.event_log import CONTROL, EventLog
from models.rates.settings import RATES


def not_fans(log: EventLog) -> int:
    """People who could be won when the log begins, one at least."""
    return max(log.users.filter(~pl.col("is_fan").fill_null(False)).height, 1)


def even_rows(rows: pl.DataFrame, *, people: int) -> pl.Series:
    """`even`: weight of each row; those of a placement's ranked rows sum to as many as they are worth.

    Args:
        rows: user_id, placement, exposed_at, impressions, randomized of shown rows.
        people: whom delivery could choose from.
    """
    c, shown = AUDIENCE.pressure_prior, pl.col("impressions").cast(pl.Float64)
    own = ["user_id", "placement"]
    coin, day = pl.col("randomized").fill_null(False), pl.col("exposed_at").dt.date()
    rows = rows.select(*own, impressions=shown, day=day, coin=coin)
    ranked = rows.filter(~pl.col("coin"))

    def before(*who: str) -> pl.DataFrame:
        daily = ranked.group_by(*who, "day").agg(pl.col("impressions").sum()).sort(*who, "day")
        total = pl.col("impressions").cum_sum().over(who) - pl.col("impressions")
        return daily.select(*who, "day", total.alias("usual" if len(who) == 1 else "before"))

    told = rows.join(before(*own), on=[*own, "day"], how="left", maintain_order="left").join(
        before("placement"), on=["placement", "day"], how="left", maintain_order="left"
    )
    even = ((pl.col("usual") / people + c) / (pl.col("before") + c)).clip(*RATES.inverse_propensity_limits)
    told = told.select("impressions", "coin", even=even, place=pl.col("placement").rank("dense") - 1)
    w, n = told["even"].fill_null(0.0).to_numpy() * ~told["coin"].to_numpy(), told["impressions"].to_numpy()
    place = told["place"].to_numpy().astype(np.int64)  # bincount: a parallel sum differs from run to run
    worth = np.bincount(place, w * n) / np.maximum(np.bincount(place, w**2 * n), 1e-12)
    return pl.Series("even", np.where(told["coin"].to_numpy(), 1.0, w * worth[place]))


def even_weights(log: EventLog) -> pl.DataFrame:
    """user_id, weight of every new follower; those of ranked rows sum to as many as they are worth.

    Args:
        log: what happened.
    """
    day = pl.col("exposed_at").dt.date().alias("day")
    shown = log.exposures.filter((pl.col("placement") != CONTROL) & pl.col("at_risk")).with_columns(day)
    ranked = shown.filter(~pl.col("randomized").fill_null(False))
    people = not_fans(log)
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
