"""What happened, as of a moment: the one place that turns logs into events, so that no later fact can slip
into a label and nobody learns from other events than those they are judged by.

Nothing at or after `as_of` is used: no exposure, follow or order. A follow counts once per person. Where
several rows claim it, the last one that was shown before it has it (last-touch attribution), and the other
claims say nothing: they were neither a follow nor a miss. A person who has followed is no longer at risk.
Refund times are not logged: a refund in the table is taken as known.

Learning, correction factors, supply, diagnosis and evaluation all read this log.
Must not import anything above polars and `models.errors`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import polars as pl

CONTROL = "none"
DAY_US = 86_400e6
DAYS = 1 << 22
"""More than the days that dates have: user * DAYS + day is one number for a person's day."""
FOLLOW_WINDOW = timedelta(hours=24)
_SETTLED_BY = ("user_id", "exposure_id", "placement", "exposed_at", "followed", "followed_at")
_ORDER = ("exposed_at", "placement", "exposure_id")
_REACHED = ((pl.col("impressions") > 0) | (pl.col("placement") == CONTROL)).alias("reached")


class Tables(Protocol):
    """What is needed of a dataset: the three normalised tables."""

    @property
    def users(self) -> pl.DataFrame:
        """Users."""

    @property
    def exposures(self) -> pl.DataFrame:
        """Exposures."""

    @property
    def orders(self) -> pl.DataFrame:
        """Orders."""


@dataclass(frozen=True)
class EventLog:
    """Everything that happened before `as_of`, each follow settled.

    Attributes:
        users: One row per user, sorted by user_id (results do not depend on the file's order).
        exposures: The contract's columns, and user (row of users), `at_risk` (the row could win its person:
            not a fan yet, shown or held out, not after the follow, no losing claim); `followed` and
            `followed_at` only at the row that won the follow.
        follows: user, user_id, placement, followed_at, randomized, exposure_id. One row per new follower.
        orders: user, user_id, ordered_at, gmv_cny, refund_cny.
        as_of: Nothing at or after this moment is inside.
        warnings: What had to be assumed, in words.
    """

    users: pl.DataFrame
    exposures: pl.DataFrame
    follows: pl.DataFrame
    orders: pl.DataFrame
    as_of: datetime
    warnings: tuple[str, ...] = ()

    def before(self, cut: datetime) -> EventLog:
        """The log as it stood at an earlier moment (for held-out time)."""
        return EventLog(
            self.users,
            self.exposures.filter(pl.col("exposed_at") < cut),
            self.follows.filter(pl.col("followed_at") < cut),
            self.orders.filter(pl.col("ordered_at") < cut),
            min(cut, self.as_of),
            self.warnings,
        )


def read_events(tables: Tables, *, as_of: datetime) -> EventLog:
    """Build the event log as of a moment; a log of that very moment is given back as it is.

    Args:
        tables: Normalised users, exposures and orders. Rows of people who are not in `users` are left out.
        as_of: Now.
    """
    if isinstance(tables, EventLog) and tables.as_of == as_of:
        return tables
    users = tables.users
    if not (users["user_id"] > users["user_id"].shift()).fill_null(True).all():
        users = users.unique("user_id", keep="first", maintain_order=True).sort("user_id")
    numbered = users.with_row_index("user").select("user", "user_id", "is_fan", "snapshot_at")
    exposures = _sorted_exposures(known_exposures(tables.exposures, as_of), numbered)
    orders = (
        tables.orders.filter(pl.col("ordered_at") < as_of)
        .join(numbered, on="user_id", how="inner")
        .select("user", "user_id", "ordered_at", "gmv_cny", pl.col("refund_cny").fill_null(0.0))
        .sort("user", "ordered_at", "gmv_cny", "refund_cny")
    )
    return EventLog(users, exposures, follows_of(exposures), orders, as_of)


def in_order(exposures: pl.DataFrame) -> pl.DataFrame:
    """Exposures in the order of every event log, so that each of them shares their columns: else a log of
    millions copies the table by which it was read.
    """
    return exposures[exposures.select(pl.arg_sort_by("user_id", *_ORDER)).to_series()]


def _sorted_exposures(shown: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """The exposures of people, settled and in order.

    What settles them is worked on apart, and all columns are copied once, by the final order, and not at all
    where they have it (`in_order`): a join, an expression or a sort of the whole would take its memory again
    each.
    """
    rows = _beside(shown.select(*_SETTLED_BY, _REACHED), people, on="user_id").drop("user_id")
    known = rows["user"].is_not_null()
    if not known.all():
        shown, rows = shown.filter(known), rows.filter(known)
    rows = _settled(rows)
    own = [name for name in rows.columns if name not in ("exposure_id", "placement", "exposed_at")]
    parts = (shown.drop("followed", "followed_at"), rows.select(own))
    if not rows.select(_follow_each_other("user", *_ORDER).all()).item():
        order = rows.select(pl.arg_sort_by("user", *_ORDER)).to_series()
        parts = (parts[0][order], parts[1][order])
    return pl.concat(parts, how="horizontal").select(*shown.columns, "user", "snapshot_at", "at_risk")


def _follow_each_other(first: str, *others: str) -> pl.Expr:
    """Whether each row does not come before the one above it in this order."""
    here, above = pl.col(first), pl.col(first).shift()
    if not others:
        return (here >= above).fill_null(True)
    return ((here > above) | ((here == above) & _follow_each_other(*others))).fill_null(True)


def known_exposures(exposures: pl.DataFrame, as_of: datetime) -> pl.DataFrame:
    """Exposures before a moment; a follow that came later had not happened yet, one without a time is of its
    exposure.
    """
    at = pl.coalesce("followed_at", "exposed_at")
    followed = pl.col("followed").fill_null(False) & (at < as_of)
    return where(exposures, pl.col("exposed_at") < as_of).with_columns(
        followed=followed, followed_at=pl.when(followed).then(at)
    )


def where(rows: pl.DataFrame, keep: pl.Expr) -> pl.DataFrame:
    """The rows that a condition keeps; themselves where it keeps all, as a filter copies what it keeps."""
    kept = rows.select(keep.fill_null(False)).to_series()
    return rows if kept.all() else rows.filter(kept)


def _beside(rows: pl.DataFrame, known: pl.DataFrame, *, on: str) -> pl.DataFrame:
    """The rows with what is known of each `on`, once in `known`, as further columns: a join of one column,
    which does not copy all the others.
    """
    found = rows.select(on).join(known, on=on, how="left", maintain_order="left")
    return rows.with_columns(found.drop(on))


def follows_of(exposures: pl.DataFrame) -> pl.DataFrame:
    """One row per new follower of settled exposures, in their order (see `EventLog.follows`)."""
    return exposures.filter("followed").select(
        "user", "user_id", "placement", "followed_at", "randomized", "exposure_id"
    )


def _settled(rows: pl.DataFrame) -> pl.DataFrame:
    """Who could still be won by which row, and the one row that won each person."""
    fan_before = (pl.col("is_fan") & (pl.col("exposed_at") >= pl.col("snapshot_at"))).fill_null(False)
    rows = rows.with_columns(at_risk=~fan_before & pl.col("reached"))
    won = (
        rows.lazy()
        .filter(pl.col("followed") & pl.col("at_risk"))
        .select("user", "followed_at", "exposed_at", "exposure_id")
        .collect()
        .sort("user", "followed_at", "exposed_at", "exposure_id", descending=[False, False, True, False])
        .unique("user", keep="first", maintain_order=True)
        .select("user", won_at="followed_at", winner="exposure_id")
    )
    has_it = (pl.col("exposure_id") == pl.col("winner")).fill_null(False)
    in_time = pl.col("won_at").is_null() | (pl.col("exposed_at") <= pl.col("won_at"))
    return (
        _beside(rows, won, on="user")
        .with_columns(
            followed=has_it,
            followed_at=pl.when(has_it).then("followed_at"),
            at_risk=pl.col("at_risk") & in_time & (~pl.col("followed") | has_it),
        )
        .drop("won_at", "winner", "is_fan", "reached")
    )
