"""User-level logs summed to what was paid and delivered per day and cell.

It must not import targeting or any estimator.
"""

from __future__ import annotations

import polars as pl

from models.events.event_log import CONTROL, EventLog

DAILY_SCHEMA = {
    "date": pl.Date,
    "segment": pl.String,
    "placement": pl.String,
    "cost_cny": pl.Float64,
    "impressions": pl.Float64,
    "entries": pl.Float64,
    "new_fans": pl.Float64,
    "reached": pl.Float64,
    "randomized_share": pl.Float64,
}


def daily_delivery(log: EventLog, assignment: pl.DataFrame) -> pl.DataFrame:
    """What was paid and delivered per day and cell, from user-level logs.

    Everything that was shown counts, to people who follow already too: it was paid for.

    Args:
        log: what happened; held-out rows (placement `none` or no impressions) are left
            out.
        assignment: user_id, segment; users without a segment are left out (give `Segmenter.assign(scores,
            everyone=True)` so that users who have become fans since still count).

    Returns:
        `DAILY_SCHEMA`: sums per date x segment x placement; `randomized_share` of the cost (of the
        impressions where the cost is 0), `reached` different users. Ordered by date, segment, placement.
    """
    exposures = log.exposures
    shown = exposures.filter((pl.col("placement") != CONTROL) & (pl.col("impressions") > 0))
    coin = pl.col("randomized").fill_null(False).cast(pl.Float64)
    entered = (
        pl.when(pl.col("entered_live").is_not_null().any()).then(
            pl.col("entered_live").cast(pl.Float64).sum()
        )
        if "entered_live" in exposures.columns
        else pl.lit(None, dtype=pl.Float64)
    )
    cost, impressions = pl.col("cost_cny").sum(), pl.col("impressions").cast(pl.Float64).sum()
    return (
        shown.join(assignment.select("user_id", "segment"), on="user_id", how="inner")
        .group_by(pl.col("exposed_at").dt.date().alias("date"), "segment", "placement")
        .agg(
            cost.alias("cost_cny"),
            impressions.alias("impressions"),
            entered.alias("entries"),
            pl.col("followed").cast(pl.Float64).sum().alias("new_fans"),
            pl.col("user_id").n_unique().cast(pl.Float64).alias("reached"),
            pl.when(cost > 0)
            .then((coin * pl.col("cost_cny")).sum() / cost)
            .otherwise((coin * pl.col("impressions")).sum() / impressions)
            .alias("randomized_share"),
        )
        .select([pl.col(name).cast(kind) for name, kind in DAILY_SCHEMA.items()])
        .sort("date", "segment", "placement")
    )
