"""New followers, existing fans and organic buyers as rows to learn from: who bought what, and when.

Orders count when something is left of them after refunds; refunds still to come are anticipated (see delay).
Must not import lightgbm, mlflow, targeting or pipelines.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from models.audience.delay import RefundMaturity, fit_refunds
from models.events.event_log import CONTROL, DAY_US, EventLog
from models.events.orders_since_follow import age_days, orders_since_follow
from models.rates.likelihood import HazardRows


@dataclass(frozen=True)
class Followers:
    """New followers and what they have bought so far; arrays of shape (n,).

    Attributes:
        user: Row of users.
        placement: Code of the placement followed through (the last code is organic).
        randomized: Shown by a coin.
        age_days: Follow age at `as_of`, at most the horizon.
        first_kept_days: Follow age of the first kept order, NaN where none.
        net_cny: Net GMV within min(age, horizon), young refunds anticipated.
        orders: Kept orders, (n,); the order of the next three.
        event_age_days: Follow age of every kept order, (n_orders,).
        event_net_cny: Its net amount, (n_orders,).
        order_age_days: Its age at `as_of`, (n_orders,).
        n_placements: Number of placements; this code is the organic one.
        horizon_days: H.
    """

    user: np.ndarray
    placement: np.ndarray
    randomized: np.ndarray
    age_days: np.ndarray
    first_kept_days: np.ndarray
    net_cny: np.ndarray
    orders: np.ndarray
    event_age_days: np.ndarray
    event_net_cny: np.ndarray
    order_age_days: np.ndarray
    n_placements: int
    horizon_days: float

    @property
    def bought(self) -> np.ndarray:
        """At least one kept order, (n,) of bool."""
        return np.asarray(~np.isnan(self.first_kept_days))


def fit_log_refunds(log: EventLog) -> RefundMaturity:
    """Refunds still to come, from all orders of a log."""
    ages = log.orders.select(age_days(pl.lit(log.as_of), "ordered_at")).to_series()
    return fit_refunds(
        age_days=ages.to_numpy(),
        gmv_cny=log.orders["gmv_cny"].to_numpy(),
        refund_cny=log.orders["refund_cny"].to_numpy(),
    )


def kept_orders(log: EventLog, refunds: RefundMaturity) -> pl.DataFrame:
    """Orders with something left after refunds: the log's columns, net_cny (young refunds anticipated) and
    order_age_days.
    """
    kept = log.orders.with_columns(
        order_age_days=age_days(pl.lit(log.as_of), "ordered_at"),
        net_cny=pl.col("gmv_cny") - pl.col("refund_cny"),
    ).filter(pl.col("net_cny") > 0)
    factor = refunds.amount_factor(kept["order_age_days"].to_numpy())
    return kept.with_columns(net_cny=pl.col("net_cny") * pl.Series(factor))


def read_followers(
    log: EventLog, kept: pl.DataFrame, *, placements: tuple[str, ...], horizon_days: float
) -> Followers:
    """Follow the followers: their kept orders from the follow to the horizon or `as_of`."""
    codes = {name: float(i) for i, name in enumerate(placements)} | {CONTROL: float(len(placements))}
    follows = log.follows.with_row_index("follow")
    mine = follows.select("follow", "user", "followed_at")
    orders = orders_since_follow(mine, kept, key="user", horizon_days=horizon_days).sort(
        "follow", "age_days", "net_cny"
    )
    per = orders.group_by("follow").agg(
        first_days=pl.col("age_days").min(), net_cny=pl.col("net_cny").sum(), orders=pl.len()
    )
    age = follows.select(age_days(pl.lit(log.as_of), "followed_at").clip(0.0, horizon_days)).to_series()
    table = follows.join(per, on="follow", how="left").sort("follow")
    return Followers(
        user=table["user"].to_numpy().astype(np.int64),
        placement=table["placement"].replace_strict(codes, return_dtype=pl.Float64).to_numpy(),
        randomized=table["randomized"].fill_null(False).to_numpy(),
        age_days=age.to_numpy(),
        first_kept_days=table["first_days"].fill_null(np.nan).to_numpy(),
        net_cny=table["net_cny"].fill_null(0.0).to_numpy(),
        orders=table["orders"].fill_null(0).to_numpy().astype(np.int64),
        event_age_days=orders["age_days"].to_numpy(),
        event_net_cny=orders["net_cny"].to_numpy(),
        order_age_days=orders["order_age_days"].to_numpy(),
        n_placements=len(placements),
        horizon_days=float(horizon_days),
    )


def later_orders(log: EventLog, kept: pl.DataFrame) -> pl.DataFrame:
    """Kept orders that the buyer's features cannot know: after the snapshot, or after the follow.

    An average order value that holds an order predicts that order; it says little of the next.
    """
    snapshots = log.users.with_row_index("user").select("user", "snapshot_at")
    follows = log.follows.group_by("user").agg(pl.col("followed_at").min())
    since = pl.min_horizontal("snapshot_at", "followed_at")
    return (
        kept.join(snapshots, on="user", how="inner", maintain_order="left")
        .join(follows, on="user", how="left", maintain_order="left")
        .filter(pl.col("ordered_at") >= since)
        .select(kept.columns)
    )


def read_fans(log: EventLog, kept: pl.DataFrame, *, anyway: np.ndarray) -> HazardRows:
    """First kept order of people who were fans at their snapshot, from the snapshot to `as_of`.

    They are evidence about who buys from this shop: their features are older than the orders, and none of
    them is a new follower.

    Args:
        log: Events known by `as_of`.
        kept: Orders with something left after refunds.
        anyway: Hazard per day of an order without following, (n_users,): the baseline.
    """
    fans = (
        log.users.with_row_index("user")
        .filter(pl.col("is_fan").fill_null(False) & (pl.col("snapshot_at") < log.as_of))
        .select(
            "user",
            start="snapshot_at",
            days=age_days(pl.lit(log.as_of), "snapshot_at"),
        )
    )
    bought = (
        kept.join(fans, on="user", how="inner")
        .filter(pl.col("ordered_at") >= pl.col("start"))
        .select(pl.col("user").unique(), bought=pl.lit(1.0))
    )
    table = fans.join(bought, on="user", how="left").sort("user")
    rows = _rows(table["user"], table["bought"].fill_null(0.0), table["days"])
    return replace(rows, b=rows.w * anyway[rows.user])


def _rows(user: pl.Series, y: pl.Series, w: pl.Series) -> HazardRows:
    n = len(user)
    return HazardRows(
        user.to_numpy().astype(np.int64),
        y.to_numpy().astype(np.float64),
        w.to_numpy(),
        np.zeros(n),
        np.ones(n),
    )


def read_organic(log: EventLog, kept: pl.DataFrame, *, horizon_days: float) -> tuple[HazardRows, float]:
    """Purchases of everybody who is not a fan, from the log's first day to the follow, `as_of` or H days.

    Returns:
        Rows of the first kept order with the share of the horizon as exposure, and the net GMV inside in CNY.
    """
    followed = log.exposures.group_by("user").agg(pl.col("followed_at").min())
    end = pl.min_horizontal(
        pl.col("followed_at").fill_null(log.as_of),
        pl.lit(log.as_of),
        pl.col("start") + pl.duration(microseconds=int(horizon_days * DAY_US)),
    )
    person = (
        log.users.with_row_index("user")
        .filter(~pl.col("is_fan").fill_null(False))
        .select("user", start=pl.max_horizontal("snapshot_at", pl.lit(log.exposures["exposed_at"].min())))
        .join(followed, on="user", how="left")
        .with_columns(end=end)
        .with_columns(share=age_days(pl.col("end"), "start") / horizon_days)
        .filter(pl.col("share") > 1e-6)
    )
    bought = (
        kept.join(person, on="user", how="inner")
        .filter((pl.col("ordered_at") >= pl.col("start")) & (pl.col("ordered_at") < pl.col("end")))
        .group_by("user")
        .agg(pl.col("net_cny").sum())
    )
    table = person.join(bought, on="user", how="left").sort("user")
    total = float(table["net_cny"].sum())
    return _rows(table["user"], table["net_cny"].is_not_null().cast(pl.Float64), table["share"]), total
