"""What a planner's scores expected of a window's people, and what happened, row by row.

Follows of randomised shown rows (a coin chose them, so nothing but the scores says who follows), and kept
orders of the window's new fans. Frames in, arrays out. It must not import the optimiser.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from models.audience.model import AudienceModel
from models.events.event_log import EventLog
from targeting.evaluation.backtest_windows import Window, eligible_at, rows_of
from targeting.evaluation.runoff import fan_orders

PredictedAgainstActual = tuple[np.ndarray, np.ndarray]
"""Predicted probability and 1.0 where it happened, each (n,)."""
_NOTHING = (np.zeros(0), np.zeros(0))


def follows(model: AudienceModel, log: EventLog, window: Window) -> PredictedAgainstActual:
    """Predicted probability of a follow and whether it came, of the window's randomised shown rows."""
    day_rows = pl.len().over("user_id", pl.col("exposed_at").dt.date())
    rows = (
        rows_of(log, window)
        .filter("at_risk")
        .with_columns(days=1.0 / day_rows)
        .filter(pl.col("randomized").fill_null(False) & pl.col("placement").is_in(list(model.placements)))
        .join(eligible_at(log, window), on="user_id", how="inner", maintain_order="left")
        .with_row_index("at")
    )
    if rows.is_empty():
        return _NOTHING
    people = log.users.join(rows.select("user_id").unique(), on="user_id", how="semi").sort("user_id")
    scores = model.score(people).select("user_id", "placement", "p_follow")
    organic = model.funnel.organic_hazard(model.encoder.encode(people), threads=model.threads)
    daily = pl.DataFrame({"user_id": people["user_id"], "organic": organic})
    rows = (
        rows.join(scores, on=["user_id", "placement"], how="left")
        .join(daily, on="user_id", how="left")
        .sort("at")
    )
    rate = (rows["organic"] * rows["days"] + rows["p_follow"] * rows["impressions"]).to_numpy()
    return -np.expm1(-rate), rows["followed"].fill_null(False).cast(pl.Float64).to_numpy()


def buyers(
    model: AudienceModel, log: EventLog, window: Window, *, horizon_days: int, randomised: bool
) -> PredictedAgainstActual:
    """Predicted probability of a kept order within the horizon, of the window's new fans, and what came.

    Args:
        model: Of the window's planner.
        log: All of it.
        window: Whose new fans.
        horizon_days: How long a purchase counts.
        randomised: Fans won by randomised rows, or those of ranked delivery: the platform picked the latter,
            so they may buy more than people like them, which is what the scores speak of.
    """
    fans = (
        rows_of(log, window)
        .filter("followed")
        .with_columns(segment=pl.lit(""))
        .filter(pl.col("placement").is_in(list(model.placements)))
        .join(eligible_at(log, window), on="user_id", how="inner", maintain_order="left")
        .filter(pl.col("randomized").fill_null(False) == randomised)
    )
    if fans.is_empty() or not model.value_known:
        return _NOTHING
    kept = log.orders.filter(pl.col("refund_cny").fill_null(0.0) < pl.col("gmv_cny"))
    bought = fan_orders(
        fans.select("user_id", "segment", "placement", "followed_at"), kept,
        horizon_days=horizon_days, known_by=window.known_by,
    )["user_id"].unique()  # fmt: skip
    people = log.users.join(fans.select("user_id"), on="user_id", how="semi")
    scores = model.score(people).select("user_id", "placement", "p_precise")
    fans = fans.join(scores, on=["user_id", "placement"], how="inner", maintain_order="left")
    happened = fans["user_id"].is_in(bought.implode()).cast(pl.Float64).to_numpy()
    return fans["p_precise"].to_numpy(), happened
