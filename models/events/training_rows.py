"""The part of the event log that a model may learn from, or the one line that says why there is none.

Only people at risk, the placements asked for, and the held-out rows. Rows before their user's snapshot (whose
features could know the outcome) and rows of the last day (whose 24-hour follow window is still open) are left
out while there are enough others.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import numpy as np
import polars as pl

from models.arrays import totals
from models.errors import DataError
from models.events.event_log import CONTROL, DAYS, FOLLOW_WINDOW, EventLog, where

MIN_SHOWN_ROWS = 50
"""Shown rows below which nothing can be learned."""
MIN_FOLLOWS = 10
"""Follows below which nothing can be learned."""
USABLE_BY = ("placement", "impressions", "at_risk", "followed", "exposed_at", "snapshot_at")
"""Columns that tell whether a row is usable."""
LEARNED_BY = ("user", *USABLE_BY, "followed_at", "entered_live", "randomized", "propensity")
"""Columns that training and its judges read: what is beside them is a third of the logs' memory."""
ENOUGH_FOLLOWS = 100
"""Follows that make a cleaner subset of the rows (after the snapshot, window closed) good enough to stand
alone."""


def training_log(log: EventLog, *, placements: tuple[str, ...]) -> EventLog:
    """The log cut down to what can be learned from.

    Args:
        log: Of `read_events`.
        placements: Placements of the brief; rows of other placements (but `none`) are not used.

    Returns:
        Its exposures have what is read of `LEARNED_BY` (names as numbers, a quarter as large) and
        `organic_days`: the share of the user-day that the row stands for.

    Raises:
        DataError: No usable rows, a placement of the brief without rows, or too few follows.
    """
    shown = log.exposures.select(LEARNED_BY).with_columns(pl.col("placement").cast(pl.Categorical))
    rows, warnings = usable_rows(shown, as_of=log.as_of, placements=placements)
    day = rows.select(pl.col("user").cast(pl.Int64) * DAYS + pl.col("exposed_at").dt.date().cast(pl.Int32))
    day_rows = pl.Series(totals(day.to_series().to_numpy(), np.ones(rows.height)))
    rows = rows.drop("snapshot_at", "at_risk").with_columns((1.0 / day_rows).alias("organic_days"))
    won = rows.filter("followed").select("user")
    follows = log.follows.join(won, on="user", how="semi", maintain_order="left")
    return replace(log, exposures=rows, follows=follows, warnings=(*log.warnings, *warnings))


def usable_rows(
    exposures: pl.DataFrame, *, as_of: datetime, placements: tuple[str, ...]
) -> tuple[pl.DataFrame, list[str]]:
    """The rows of `training_log`, and what had to be assumed.

    Args:
        exposures: Of an event log; the columns of `USABLE_BY` are enough.
        as_of: Of the log.
        placements: As for `training_log`.
    """
    rows = where(exposures, pl.col("placement").is_in([*placements, CONTROL]))
    _require_placements(rows, exposures, placements, as_of)
    before, rows = rows.height, where(rows, pl.col("at_risk"))
    _require_some_at_risk(rows, before)
    warnings: list[str] = []
    rows = _after_snapshot(rows, placements, warnings)
    rows = _window_closed(rows, placements, as_of, warnings)
    _require_follows(rows)
    return rows, warnings


def _require_placements(
    rows: pl.DataFrame, exposures: pl.DataFrame, placements: tuple[str, ...], as_of: datetime
) -> None:
    counts = dict(exposures.group_by("placement").len().iter_rows())
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


def _follows_each(rows: pl.DataFrame, placements: tuple[str, ...]) -> int:
    """Follows of the placement that has fewest."""
    counts: dict[str, int] = dict(rows.filter("followed").group_by("placement").len().iter_rows())
    return min(counts.get(placement, 0) for placement in placements)


def _after_snapshot(rows: pl.DataFrame, placements: tuple[str, ...], warnings: list[str]) -> pl.DataFrame:
    after = where(rows, pl.col("exposed_at") >= pl.col("snapshot_at"))
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
