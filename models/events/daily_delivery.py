"""User-level logs summed to what was paid and delivered per campaign, day and cell, and how often to whom.

It must not import targeting or any estimator.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from models.arrays import totals
from models.events.event_log import CONTROL, DAYS, EventLog, where

DAILY_SCHEMA = {
    "date": pl.Date,
    "campaign_id": pl.String,
    "segment": pl.String,
    "placement": pl.String,
    "cost_cny": pl.Float64,
    "impressions": pl.Float64,
    "entries": pl.Float64,
    "new_fans": pl.Float64,
    "reached": pl.Float64,
    "pairs": pl.Float64,
    "crowd": pl.Float64,
    "ever": pl.Float64,
    "ever_pairs": pl.Float64,
    "most": pl.Float64,
    "randomized_share": pl.Float64,
}


def daily_delivery(log: EventLog, assignment: pl.DataFrame) -> pl.DataFrame:
    """What was paid and delivered per campaign, day and cell, from user-level logs.

    Everything that was shown counts, to people who follow already too: it was paid for.

    Args:
        log: what happened; held-out rows (placement `none` or no impressions) are left
            out.
        assignment: user_id, segment; users without a segment are left out (give `Segmenter.assign(scores,
            everyone=True)` so that users who have become fans since still count).

    Returns:
        `DAILY_SCHEMA`: sums per date x campaign x segment x placement, rows shown by a coin apart
        (`randomized_share` 1); `reached` different users, `pairs` the sum of n (n - 1) over rows of n
        impressions and `crowd` that of n (N - 1), N being all that the person saw in the placement that day;
        `most` the largest N;
        `ever` and `ever_pairs` are reached and pairs of the whole log for that campaign, segment, placement
        and coin, the same on all days. Ordered by date, campaign, segment, placement.
    """
    rows = _shown(log, assignment)
    entered = (
        pl.when(pl.col("entered_live").is_not_null().any()).then(
            pl.col("entered_live").cast(pl.Float64).sum()
        )
        if "entered_live" in rows.columns
        else pl.lit(None, dtype=pl.Float64)
    )
    n = pl.col("impressions").cast(pl.Float64)
    keys = ["campaign_id", "segment", "placement", "randomized_share"]
    counted = rows.select("user", "impressions", *keys)
    ever = pl.concat(  # part by part: everybody in all of them at once is a GB of a million people
        part.group_by("user")
        .agg(n.sum(), pl.col(keys).first())
        .group_by(keys)
        .agg(pl.len().cast(pl.Float64).alias("ever"), (n * (n - 1.0)).sum().alias("ever_pairs"))
        for part in counted.partition_by("campaign_id", "placement", "randomized_share") or [counted]
    )
    return (
        rows.group_by("date", *keys)
        .agg(
            pl.col("cost_cny").sum(),
            n.sum().alias("impressions"),
            entered.alias("entries"),
            pl.col("followed").cast(pl.Float64).sum().alias("new_fans"),
            pl.col("user").n_unique().cast(pl.Float64).alias("reached"),
            (n * (n - 1.0)).sum().alias("pairs"),
            (n * (pl.col("everything") - 1.0)).sum().alias("crowd"),
            pl.col("everything").max().alias("most"),
        )
        .join(ever, on=keys, how="left")
        .select([pl.col(name).cast(kind) for name, kind in DAILY_SCHEMA.items()])
        .sort("date", *keys)
    )


def _shown(log: EventLog, assignment: pl.DataFrame) -> pl.DataFrame:
    """Rows that were shown, with segment, date, randomized_share and `everything` the person saw that day."""
    campaign = pl.col("campaign_id") if "campaign_id" in log.exposures.columns else pl.lit("")
    entered = ["entered_live"] if "entered_live" in log.exposures.columns else []
    shown = log.exposures.lazy().filter((pl.col("placement") != CONTROL) & (pl.col("impressions") > 0))
    people = log.users.select("user_id").join(assignment, on="user_id", how="left", maintain_order="left")
    segments = people["segment"].cast(pl.Categorical)
    names = pl.col("placement", "campaign_id").cast(pl.Categorical)  # a quarter as large as strings
    rows = (
        shown.select(
            *("user", "impressions", "cost_cny", "followed", *entered, "placement"),
            campaign.fill_null("").alias("campaign_id"),
            date=pl.col("exposed_at").dt.date(),
            randomized_share=pl.col("randomized").fill_null(False).cast(pl.Float64),
        )
        .with_columns(names)
        .collect()
    )
    rows = rows.with_columns(segment=segments.gather(rows["user"]))
    rows = where(rows, pl.col("segment").is_not_null())
    everything, seen = np.zeros(rows.height), rows["impressions"].to_numpy().astype(np.float64)
    for name in rows["placement"].unique():
        at = np.flatnonzero((rows["placement"] == name).to_numpy())
        day = rows["date"].gather(at).cast(pl.Int32).to_numpy()
        everything[at] = totals(rows["user"].gather(at).to_numpy().astype(np.int64) * DAYS + day, seen[at])
    return rows.with_columns(everything=pl.Series(everything))
