"""What happened, as of a moment: the only place that turns logs into events, so that no later fact can
slip into a label.

Nothing at or after `as_of` is used: no exposure, follow or order. A follow counts once per person, and a
person who has followed is no longer at risk. Rows of the last day, whose 24-hour follow window is still
open, are left out while there are enough others. Refund times are not logged: a refund in the table is
taken as known.

Must not import lightgbm, mlflow, targeting or pipelines.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import numpy as np
import polars as pl

from models.errors import DataError
from models.rates.likelihood import HazardRows

CONTROL = "none"
DAY_US = 86_400e6
FOLLOW_WINDOW = timedelta(hours=24)
MIN_SHOWN_ROWS = 50
"""Shown rows below which nothing can be learned."""
MIN_FOLLOWS = 10
"""Follows below which nothing can be learned."""
ENOUGH_FOLLOWS = 100
"""Follows that make a cleaner subset of the rows (after the snapshot, window closed) good enough to stand
alone."""


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
    """Everything the models learn from, known by `as_of`.

    Attributes:
        users: One row per user, sorted by user_id (results do not depend on the file's order).
        exposures: user(row of users), placement, exposed_at, impressions, entered_live, followed,
        followed_at, randomized, propensity,
            organic_days (share of the user-day this row stands for). Rows of people still at risk only.
        follows: user, placement, followed_at, randomized. One row per new follower.
        orders: user, ordered_at, gmv_cny, refund_cny.
        as_of: Nothing at or after this moment is inside.
        warnings: What had to be assumed, in words.
    """

    users: pl.DataFrame
    exposures: pl.DataFrame
    follows: pl.DataFrame
    orders: pl.DataFrame
    as_of: datetime
    warnings: tuple[str, ...]

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


def read_log(tables: Tables, *, placements: tuple[str, ...], as_of: datetime) -> EventLog:
    """Build the event log as of a moment.

    Args:
        tables: Normalised users, exposures and orders.
        placements: Placements of the brief; rows of other placements (but `none`) are not used.
        as_of: Now, for the model.

    Raises:
        DataError: No usable rows, a placement of the brief without rows, or too few follows.
    """
    users = (
        tables.users.unique("user_id", keep="first", maintain_order=True)
        .sort("user_id")
        .with_row_index("user")
    )
    known = tables.exposures.filter(pl.col("exposed_at") < as_of)
    rows = known.filter(pl.col("placement").is_in([*placements, CONTROL])).join(
        users.select("user", "user_id", "snapshot_at", "is_fan"), on="user_id", how="inner"
    )
    _require_placements(rows, known, placements, as_of)
    before = rows.height
    rows = _at_risk(rows, as_of)
    _require_some_at_risk(rows, before)
    warnings: list[str] = []
    rows = _after_snapshot(rows, placements, warnings)
    rows = _window_closed(rows, placements, as_of, warnings)
    _require_follows(rows)
    day_rows = pl.len().over("user", pl.col("exposed_at").dt.date())
    rows = rows.with_columns((1.0 / day_rows).alias("organic_days")).sort(
        "user", "exposed_at", "placement", "exposure_id"
    )
    follows = rows.filter(pl.col("followed")).select("user", "placement", "followed_at", "randomized")
    orders = (
        tables.orders.filter(pl.col("ordered_at") < as_of)
        .join(users.select("user", "user_id"), on="user_id", how="inner")
        .select("user", "ordered_at", "gmv_cny", pl.col("refund_cny").fill_null(0.0))
        .sort("user", "ordered_at", "gmv_cny", "refund_cny")
    )
    return EventLog(users.drop("user"), rows, follows, orders, as_of, tuple(warnings))


def _require_placements(
    rows: pl.DataFrame, known: pl.DataFrame, placements: tuple[str, ...], as_of: datetime
) -> None:
    counts = dict(known.group_by("placement").len().iter_rows())
    seen = ", ".join(f"{name}={n}" for name, n in sorted(counts.items())) or "no rows"
    shown = rows.filter((pl.col("placement") != CONTROL) & (pl.col("impressions") > 0))
    have = set(shown["placement"].unique().to_list())
    for placement in placements:
        if placement not in have:
            raise DataError(
                f"exposures: placement {placement} has no shown rows before {as_of:%Y-%m-%d %H:%M}"
                f" (found {seen}); expected some of every placement of the brief;"
                " add its logs or remove it from the brief"
            )
    if shown.height < MIN_SHOWN_ROWS:
        raise DataError(
            f"exposures: {shown.height} shown rows before {as_of:%Y-%m-%d %H:%M},"
            f" expected at least {MIN_SHOWN_ROWS}; add more days of logs"
        )


def _require_some_at_risk(rows: pl.DataFrame, before: int) -> None:
    if rows.is_empty():
        raise DataError(
            f"exposures: all {before} rows are of people who followed already (is_fan of users, at or before"
            " the exposure): nobody could be won; expected is_fan as of snapshot_at, before the exposures"
        )


def _require_follows(rows: pl.DataFrame) -> None:
    follows = rows.filter(pl.col("followed") & (pl.col("placement") != CONTROL)).height
    if follows < MIN_FOLLOWS:
        raise DataError(
            f"exposures: {follows} follows in {rows.height} rows,"
            f" expected at least {MIN_FOLLOWS} to learn who follows;"
            " add more days of logs or check column followed"
        )


def _at_risk(rows: pl.DataFrame, as_of: datetime) -> pl.DataFrame:
    """Rows of people who do not follow yet, each follow counted once, at its first row."""
    at = pl.coalesce("followed_at", "exposed_at")
    followed = pl.col("followed").fill_null(False) & (at < as_of)
    rows = rows.with_columns(followed.alias("followed")).with_columns(
        pl.when("followed").then(at).otherwise(None).alias("followed_at")
    )
    already_fan = pl.col("is_fan") & (pl.col("exposed_at") >= pl.col("snapshot_at"))
    rows = rows.filter(
        ~already_fan.fill_null(False) & ((pl.col("impressions") > 0) | (pl.col("placement") == CONTROL))
    )
    first = pl.col("followed_at").min().over("user")
    rows = rows.filter(first.is_null() | (pl.col("exposed_at") <= first))
    # two rows of one person may claim the same follow: the later exposure keeps it, the others say nothing
    claim = rows.filter("followed").sort(
        "user", "followed_at", "exposed_at", "exposure_id", descending=[False, False, True, False]
    )
    winners = claim.unique("user", keep="first", maintain_order=True).select(
        "exposure_id", winner=pl.lit(True)
    )
    return (
        rows.join(winners, on="exposure_id", how="left")
        .filter(~pl.col("followed") | pl.col("winner"))
        .drop("winner")
    )


def _follows_each(rows: pl.DataFrame, placements: tuple[str, ...]) -> int:
    """Follows of the placement that has fewest."""
    counts = dict(rows.filter("followed").group_by("placement").len().iter_rows())
    return min(counts.get(placement, 0) for placement in placements)


def _after_snapshot(rows: pl.DataFrame, placements: tuple[str, ...], warnings: list[str]) -> pl.DataFrame:
    after = rows.filter(pl.col("exposed_at") >= pl.col("snapshot_at"))
    if after.height == rows.height:
        return rows
    if _follows_each(after, placements) >= ENOUGH_FOLLOWS:
        warnings.append(
            f"{rows.height - after.height} exposures before their user's snapshot_at were left out"
            " (features could know the outcome)"
        )
        return after
    warnings.append(
        f"{rows.height - after.height} of {rows.height} exposures happened before their user's snapshot_at:"
        " the features may know the outcome, scores may be too optimistic;"
        " take the snapshot before the campaign"
    )
    return rows


def _window_closed(
    rows: pl.DataFrame, placements: tuple[str, ...], as_of: datetime, warnings: list[str]
) -> pl.DataFrame:
    closed = rows.filter(pl.col("exposed_at") <= as_of - FOLLOW_WINDOW)
    if closed.height == rows.height:
        return rows
    if _follows_each(closed, placements) >= ENOUGH_FOLLOWS:
        return closed
    warnings.append(
        f"{rows.height - closed.height} of {rows.height} exposures are younger than 24 h:"
        " their follows may still come, rates may be low"
    )
    return rows


def hazard_rows(
    rows: pl.DataFrame,
    *,
    event: str,
    exposure: str,
    baseline: np.ndarray | None,
    weight: np.ndarray | None = None,
) -> HazardRows:
    """Sum the eventless rows of each user: the likelihood is the same to the last digit, with 5-10 times
    fewer rows.

    For rows without the event the loss is the sum of b + w exp(f(x)) and x is the user's, so exposures and
    baselines add up; rows with an event stay apart.

    Args:
        rows: Columns user, `event` (bool), `exposure` (> 0).
        event: Name of the event column.
        exposure: Name of the exposure column.
        baseline: Baseline hazard per row, or None for zero.
        weight: Likelihood weight per row, or None for one.
    """
    frame = rows.select(
        "user",
        pl.col(event).fill_null(False).alias("y"),
        pl.col(exposure).cast(pl.Float64).alias("w"),
        pl.Series("b", baseline if baseline is not None else np.zeros(rows.height)),
        pl.Series("weight", weight if weight is not None else np.ones(rows.height)),
    )
    quiet = (
        frame.filter(~pl.col("y"))
        .group_by("user", maintain_order=True)
        .agg(
            (pl.col("w") * pl.col("weight")).sum() / pl.col("weight").sum() * pl.len(),
            (pl.col("b") * pl.col("weight")).sum() / pl.col("weight").sum() * pl.len(),
            pl.col("weight").sum() / pl.len(),
        )
        .with_columns(y=pl.lit(False))
        .select(frame.columns)
    )
    both = pl.concat([quiet, frame.filter("y")]).sort("user", "y", "w")
    return HazardRows(
        both["user"].to_numpy().astype(np.int64),
        both["y"].to_numpy().astype(np.float64),
        both["w"].to_numpy(),
        both["b"].to_numpy(),
        both["weight"].to_numpy(),
    )
