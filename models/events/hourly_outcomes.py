"""User-level logs summed hour by hour, for what depends on the hour and the weekday.

It must not import targeting or any estimator.
"""

from __future__ import annotations

import polars as pl

from models.events.event_log import CONTROL, EventLog
from models.events.orders_since_follow import orders_since_follow


def hourly_outcomes(log: EventLog, *, horizon_days: int) -> pl.DataFrame:
    """date, hour, placement, cell (the campaign), spend, units (impressions), fans, value (net CNY of new
    fans so far, within the horizon); each row counted at the hour of its first impression.
    """
    fans = log.follows.select("user_id", "followed_at", "exposure_id")
    bought = orders_since_follow(fans, log.orders, horizon_days=horizon_days)
    net = (pl.col("gmv_cny") - pl.col("refund_cny")).sum()
    value = bought.group_by("exposure_id").agg(value=net)
    at = pl.col("exposed_at")
    when = [at.dt.date().alias("date"), at.dt.hour().alias("hour")]
    keys = ["date", "hour", "placement", "cell"]
    names = pl.col("placement", "cell").cast(pl.Categorical)  # a quarter as large as strings
    amounts = pl.col("cost_cny", "impressions", "followed")
    shown = (
        log.exposures.lazy()
        .filter((pl.col("placement") != CONTROL) & (pl.col("impressions") > 0))
        .select(*when, "placement", amounts, "exposure_id", cell="campaign_id")
        .with_columns(names)
    )
    # in one order and at once: parts summed apart differ from run to run
    sums = (
        shown.drop("exposure_id")
        .collect()
        .group_by(keys)
        .agg(
            spend=pl.col("cost_cny").sum(),
            units=pl.col("impressions").cast(pl.Float64).sum(),
            fans=pl.col("followed").cast(pl.Float64).sum(),
        )
    )
    won = shown.filter("followed").collect().join(value, on="exposure_id", maintain_order="left")
    found = sums.join(won.group_by(keys).agg(pl.col("value").sum()), on=keys, how="left", nulls_equal=True)
    found = found.with_columns(names.cast(pl.String), pl.col("hour").cast(pl.Int64))
    return found.with_columns(pl.col("value").fill_null(0.0)).sort(keys)
