"""Net GMV of the fans that the logs won beside what their scores expect, as far as their horizon is over.

It must not import targeting, and it draws nothing at random.
"""

from __future__ import annotations

from datetime import datetime

import numpy as np
import polars as pl

from models.arrays import FloatArray
from models.audience.cells.tables import CellTable, by_coin, summed
from models.audience.delay import DelayCurve, fit_curve
from models.audience.evenly import even_weights
from models.audience.followers import fit_log_refunds, kept_orders
from models.audience.horizon import horizon_sd
from models.events.event_log import CONTROL, EventLog
from models.events.orders_since_follow import age_days, orders_since_follow
from models.rates.pooling import dispersion_of, size_factor


def fan_table(
    log: EventLog, scored: pl.DataFrame, *, keys: pl.DataFrame, horizon_days: int, keener: float = 1.0
) -> CellTable:
    """Net GMV of fans won in the logs, from the follow to now or the horizon, against gmv_per_fan_cny; each
    fan stands for as many as `even_weights` says.

    Predictions are scaled by the share of GMV that arrives by a fan's age; organic purchases of the same
    segment are taken off what is observed, because gmv_per_fan_cny is incremental; `keener` times as many,
    where followers were that much keener to buy before they followed (`models.audience.buy`).
    """
    kept = kept_orders(log, fit_log_refunds(log))
    fans = _fans(log, scored, keys, horizon_days=horizon_days)
    bought = orders_since_follow(fans.select("user_id", "followed_at"), kept, horizon_days=horizon_days).sort(
        "user_id", "age_days", "net_cny"
    )
    # The scores were fitted to sizes drawn towards the usual; judged by others they would be corrected back.
    others = kept.join(fans.select("user_id"), on="user_id", how="anti")["net_cny"].to_numpy()
    usual = size_factor(bought["net_cny"].to_numpy(), others)
    bought = bought.with_columns(pl.col("net_cny") * usual)
    firsts = bought.group_by("user_id").agg(pl.col("age_days").min(), pl.col("net_cny").sum().alias("net"))
    leave = fans["age"].to_numpy()
    curve = _delay(bought["age_days"], bought["net_cny"].to_numpy(), leave, horizon_days)
    first = _delay(firsts["age_days"], np.ones(firsts.height), leave, horizon_days)
    table = (
        fans.join(firsts.select("user_id", "net"), on="user_id", how="left", maintain_order="left")
        .join(_organic_gmv(log, kept, scored), on="segment", how="left", maintain_order="left")
        .with_columns(
            observed=pl.col("net").fill_null(0.0)
            - keener * pl.col("organic_day").fill_null(0.0) * pl.col("age"),
            predicted=pl.col("gmv_per_fan_cny").clip(0.0) * pl.Series(curve.at(leave), dtype=pl.Float64),
            likely=pl.col("p_precise") * pl.Series(first.at(leave), dtype=pl.Float64),
            buyer=pl.col("net").is_not_null().cast(pl.Float64),
        )
    )
    return _fan_sums(table, keys, seen=curve.at(leave), level_sd=horizon_sd(curve) if table.height else 0.0)


def _delay(age: pl.Series, amount: FloatArray, leave: FloatArray, horizon_days: int) -> DelayCurve:
    """Share of the horizon's total that has arrived by an age."""
    return fit_curve(
        event_age_days=age.to_numpy(),
        amount=amount,
        leave_age_days=leave,
        horizon_days=float(horizon_days),
    )


def _fan_sums(table: pl.DataFrame, keys: pl.DataFrame, *, seen: FloatArray, level_sd: float) -> CellTable:
    names = {"fans": "one", "predicted_buyers": "likely", "observed_buyers": "buyer"}
    table = table.with_columns(one=pl.lit(1.0))
    names |= {"predicted_gmv_cny": "predicted", "observed_gmv_cny": "observed"}
    even = table.with_columns(pl.col("observed", "predicted") * pl.col("weight"))
    observed, expected = by_coin(even, keys, "observed"), by_coin(even, keys, "predicted")
    return CellTable(
        columns={column: summed(table, keys, name) for column, name in names.items()},
        observed=observed,
        expected=expected,
        unit=max(dispersion_of(table["observed"].to_numpy()), 1e-9),
        level_sd=level_sd,
        diagnostics={
            "fans_in_logs": float(table.height),
            "buyers_in_logs": float(table["buyer"].sum()),
            "share_of_horizon_seen": float(np.mean(seen)) if len(seen) else 0.0,
        },
    )


def _fans(log: EventLog, scored: pl.DataFrame, keys: pl.DataFrame, *, horizon_days: int) -> pl.DataFrame:
    """One row per fan won through a placement: cell, age in days (at most the horizon), scores."""
    return (
        log.follows.filter(pl.col("placement") != CONTROL)
        .join(
            scored.select("user_id", "placement", "segment", "gmv_per_fan_cny", "p_precise"),
            on=["user_id", "placement"],
            how="inner",
            maintain_order="left",
        )
        .join(keys.with_row_index("cell"), on=["segment", "placement"], how="inner", maintain_order="left")
        .join(even_weights(log), on="user_id", how="left", maintain_order="left")
        .with_columns(age=age_days(pl.lit(log.as_of), "followed_at").clip(0.0, float(horizon_days)))
    )


def _organic_gmv(log: EventLog, kept: pl.DataFrame, scored: pl.DataFrame) -> pl.DataFrame:
    """Net GMV per day of users who do not follow, per segment, shrunk to the overall mean."""
    since = log.exposures["exposed_at"].min()
    if not isinstance(since, datetime):
        return pl.DataFrame(schema={"segment": pl.String, "organic_day": pl.Float64})
    days = (log.as_of - since).total_seconds() / 86_400
    others = (
        log.users.filter(~pl.col("is_fan").fill_null(False))
        .select("user_id")
        .join(log.follows.select("user_id"), on="user_id", how="anti", maintain_order="left")
        .join(
            scored.select("user_id", "segment").unique(),
            on="user_id",
            how="inner",
            maintain_order="left",
        )
    )
    spent = (
        kept.filter(pl.col("ordered_at") >= since)
        .group_by("user_id", maintain_order=True)
        .agg(pl.col("net_cny").sum())
    )
    each = others.join(spent, on="user_id", how="left", maintain_order="left").with_columns(
        pl.col("net_cny").fill_null(0.0)
    )
    overall = float(each["net_cny"].sum()) / max(each.height, 1)
    prior = 200.0  # users' worth of the overall mean: organic orders are rare and heavy-tailed
    return each.group_by("segment", maintain_order=True).agg(
        ((pl.col("net_cny").sum() + prior * overall) / ((pl.len() + prior) * days)).alias("organic_day")
    )
