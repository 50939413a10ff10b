"""Follows of shown rows beside the follows that their scores expect, as if everybody had been shown alike.

It must not import targeting, and it draws nothing at random.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from models.audience.cells.tables import CellTable, by_coin, summed
from models.audience.evenly import even_rows, not_fans
from models.events.event_log import CONTROL, FOLLOW_WINDOW, EventLog
from models.events.orders_since_follow import age_days
from models.rates.trend import Trend

_PLACEMENT = pl.col("placement").cast(pl.Categorical)  # names are four times as large as their numbers


def follow_table(
    log: EventLog, scored: pl.DataFrame, *, keys: pl.DataFrame, trends: Mapping[str, Trend]
) -> CellTable:
    """Follows of shown rows against 1 - exp(-n h), the organic follows of held-out rows taken off.

    Scores speak of `as_of`; a row of an earlier day is expected at the hazard of its day. Follows of the last
    day may still come: its rows are left out.
    """
    # Only what is counted: everything else of the logs would be copied with every filter and join.
    counted = pl.col("user", "exposed_at", "impressions", "followed", "randomized")
    closed = pl.col("at_risk") & (pl.col("exposed_at") <= log.as_of - FOLLOW_WINDOW)
    rows = log.exposures.lazy().filter(closed).select(counted, _PLACEMENT).collect()
    people = log.users.select("user_id").with_row_index("user")
    scored = people.join(scored.select("user_id", "placement", "segment", "p_follow"), on="user_id")
    held_out = rows.filter(pl.col("placement") == CONTROL)
    overall = float(held_out["followed"].sum()) / max(held_out.height, 1)
    organic = _organic_follow(held_out.join(scored.select("user", "segment").unique(), on="user"))
    score = (
        scored.join(keys.with_row_index("cell"), on=["segment", "placement"])
        .join(organic, on="segment", how="left")
        .select("user", _PLACEMENT, "p_follow", "cell", pl.col("organic").fill_null(overall))
    )
    paid = _paid_rows(rows.with_columns(_drifted(log, rows, trends)), score)
    del rows, score, scored
    raw = {name: by_coin(paid, keys, name) for name in ("won", "expected")}
    weight = even_rows(paid, people=not_fans(log))
    incremental, expected = (
        by_coin(paid.select("cell", "randomized", pl.col(name) * weight), keys, name)
        for name in ("won", "expected")
    )
    follows = float(paid.select(pl.col("observed") * weight)["observed"].sum())
    return CellTable(
        columns={
            "impressions": summed(paid, keys, "impressions"),
            "predicted_follows": raw["expected"].sum(axis=0),
            "observed_follows": raw["won"].sum(axis=0),
            "randomized_follows": raw["expected"][0],
        },
        observed=incremental,
        expected=expected,
        # Organic follows are noise on top of the incremental ones.
        unit=float(np.clip(follows / max(incremental.sum(), 1.0), 1.0, 20.0)),
        diagnostics={
            "held_out_rows": float(held_out.height),
            "organic_follows_per_user_day": overall,
            "randomized_rows": float(paid["randomized"].fill_null(False).sum()),
            "shown_rows": float(paid.height),
        },
    )


def _paid_rows(rows: pl.DataFrame, score: pl.DataFrame) -> pl.DataFrame:
    """Shown rows of scored people with their cell, the follows expected of them, those observed, and what of
    these nobody but the showing has won.
    """
    likely = pl.col("impressions") * pl.col("p_follow").clip(0.0) * pl.col("drifted")
    observed = pl.col("followed").cast(pl.Float64)
    return (
        rows.lazy()
        .filter(pl.col("placement") != CONTROL)
        .join(score.lazy(), on=["user", "placement"], how="inner", maintain_order="left")
        .with_columns(expected=1.0 - (-likely).exp(), observed=observed, won=observed - pl.col("organic"))
        .drop("p_follow", "drifted", "organic", "followed")
        .collect()
    )


def _drifted(log: EventLog, rows: pl.DataFrame, trends: Mapping[str, Trend]) -> pl.Series:
    """Hazard of each row's day over that of `as_of`, along the placement's trend."""
    age = rows.select(age_days(pl.lit(log.as_of), "exposed_at")).to_series().to_numpy()
    factor = np.ones(rows.height)
    for name, trend in trends.items():
        mine = (rows["placement"] == name).to_numpy()
        factor[mine] = np.exp(trend.at(age[mine]))
    return pl.Series("drifted", factor)


def _organic_follow(held_out: pl.DataFrame) -> pl.DataFrame:
    """Organic follows per held-out row and segment, shrunk to the overall rate (worth 5 follows)."""
    if held_out.height == 0:
        return pl.DataFrame(
            {"segment": [], "organic": []}, schema={"segment": pl.String, "organic": pl.Float64}
        )
    overall = float(held_out["followed"].sum()) / held_out.height
    prior = 5.0 / overall if overall > 0 else float(held_out.height)
    return held_out.group_by("segment").agg(
        ((pl.col("followed").sum() + overall * prior) / (pl.len() + prior)).alias("organic")
    )
