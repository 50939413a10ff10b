"""What new fans bought: every order of a person from the follow on, with its age."""

from __future__ import annotations

import polars as pl

from models.events.event_log import DAY_US


def age_days(moment: pl.Expr, since: str) -> pl.Expr:
    """Days from a column of times to a moment, to the microsecond."""
    return (moment - pl.col(since)).dt.total_microseconds() / DAY_US


def orders_since_follow(
    fans: pl.DataFrame, orders: pl.DataFrame, *, key: str = "user_id", horizon_days: float | None = None
) -> pl.DataFrame:
    """Orders of new fans in [follow, follow + horizon), to the second.

    Args:
        fans: `key`, followed_at and whatever else is to be carried along; one row per fan.
        orders: `key`, ordered_at and amounts.
        key: What names a person in both.
        horizon_days: How long purchases count after the follow; None: however late.

    Returns:
        The columns of both and `age_days`, from the follow to the order.
    """
    age = pl.col("age_days")
    bought = orders.join(fans, on=key, how="inner").with_columns(
        age_days=age_days(pl.col("ordered_at"), "followed_at")
    )
    return bought.filter(age >= 0 if horizon_days is None else (age >= 0) & (age < horizon_days))
