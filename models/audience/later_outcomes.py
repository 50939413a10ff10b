"""What people brought after a model last looked. In: its scores, later rows. Out: scores with what came.

The model of the earlier exposures scores everybody; the later exposures tell, per user and placement, how
much GMV came of how many impressions. Whoever has to decide how finely to tell people apart (the segments)
can so see which part of the promised differences is there.

Must not import lightgbm, mlflow, targeting or pipelines.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from models.audience.followers import kept_orders, read_followers
from models.audience.value import ValueModel
from models.events.event_log import CONTROL, DAY_US, EventLog


def add_outcomes(
    scores: pl.DataFrame, *, value: ValueModel, judged: EventLog, matrix: np.ndarray
) -> pl.DataFrame:
    """Scores with what came of them.

    Args:
        scores: Score table by the earlier model.
        value: Its value model: delays, refunds, organic GMV.
        judged: The later exposures and follows.
        matrix: User features, (n_users, p).

    Returns:
        `scores` with `matured_impressions` (impressions times the share of a fan's GMV over the horizon that
        has come by now) and `gmv_cny` (net GMV of the followers won so far, organic GMV taken off).
    """
    age = (pl.lit(judged.as_of) - pl.col("exposed_at")).dt.total_microseconds() / DAY_US
    shown = judged.exposures.filter(pl.col("placement") != CONTROL).select(
        "user", "placement", "impressions", age_days=age.clip(0.0, value.horizon_days)
    )
    matured = shown["impressions"].to_numpy() * value.gmv.at(shown["age_days"].to_numpy())
    impressions = (
        shown.with_columns(matured_impressions=pl.Series(matured))
        .group_by("user", "placement")
        .agg(pl.col("matured_impressions").sum())
        .with_columns(pl.col("placement").cast(pl.String))
    )
    came = impressions.join(_won(value, judged, matrix), on=["user", "placement"], how="full", coalesce=True)
    rows = judged.users.select("user_id").with_row_index("user")
    return scores.join(
        came.join(rows, on="user", how="left").drop("user"),
        on=["user_id", "placement"],
        how="left",
        maintain_order="left",
    ).with_columns(pl.col("matured_impressions", "gmv_cny").fill_null(0.0))


def without_outcomes(scores: pl.DataFrame) -> pl.DataFrame:
    """Scores of which nothing has come yet: a trial without evidence."""
    return scores.with_columns(matured_impressions=pl.lit(0.0), gmv_cny=pl.lit(0.0))


def _won(value: ValueModel, judged: EventLog, matrix: np.ndarray) -> pl.DataFrame:
    """user, placement, gmv_cny: net GMV of followers less what they would have bought anyway."""
    kept = kept_orders(judged, value.refunds)
    followers = read_followers(judged, kept, placements=value.placements, horizon_days=value.horizon_days)
    shown = followers.placement < len(value.placements)
    anyway = value.organic_gmv(matrix[followers.user]) * followers.age_days / value.horizon_days
    names = np.array(value.placements)[followers.placement[shown].astype(np.int64)]
    won = pl.DataFrame(
        {
            "user": pl.Series(followers.user[shown], dtype=judged.exposures.schema["user"]),
            "placement": pl.Series(names.tolist(), dtype=pl.String),
            "gmv_cny": (followers.net_cny - anyway)[shown],
        }
    )
    return won.group_by("user", "placement").agg(pl.col("gmv_cny").sum())
