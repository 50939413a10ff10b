"""The windows of a backtest, and the data as they stood at the start of each.

The one place where a backtest cuts the future off. Frames in, frames out. It must not import the planner.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from models.contracts import Dataset
from models.errors import DataError
from models.events.event_log import FOLLOW_WINDOW, EventLog, known_exposures
from targeting.planning_state import last_moment


@dataclass(frozen=True)
class Window:
    """One step of the walk.

    Attributes:
        number: From 1.
        start: Nothing at or after this moment reaches the plan.
        stop: Rows from `start` up to here judge it.
        known_by: Purchases up to here count, at most the horizon after the follow: where the data go on, long
            enough for whoever follows last.
    """

    number: int
    start: datetime
    stop: datetime
    known_by: datetime


def walk_through(
    dataset: Dataset, *, horizon_days: int, windows: int, window_days: int, train_days: int
) -> tuple[tuple[Window, ...], int]:
    """The windows, and the horizon that lets the last of them ripen within the data."""
    first = dataset.exposures["exposed_at"].dt.truncate("1d").min()
    last_shown = dataset.exposures["exposed_at"].dt.truncate("1d").max()
    assert isinstance(first, datetime)
    assert isinstance(last_shown, datetime)
    end = last_moment(Dataset(dataset.users.clear(), dataset.exposures, dataset.orders))
    room = (end - first) / timedelta(days=1) - train_days - windows * window_days
    horizon = min(horizon_days, math.floor(room + 1e-6))
    stop = min(end - timedelta(days=horizon), last_shown + timedelta(days=1))
    stop = stop.replace(hour=0, minute=0, second=0, microsecond=0)
    # Windows start at midnight, which may cost the first one a part of its last day to learn from.
    if horizon < 1 or stop - first <= timedelta(days=train_days + windows * window_days - 1):
        wanted = "1 window" if windows == 1 else f"{windows} windows"
        raise DataError(
            f"data: cover {math.ceil((end - first) / timedelta(days=1))} days, exposures"
            f" {(last_shown - first).days + 1}; {wanted} of {window_days} days after {train_days}"
            " days to learn from, and a day to buy, do not fit: take fewer or shorter windows, or give more"
            " data"
        )
    walk = []
    for k in range(windows):
        start = stop - timedelta(days=window_days * (windows - k))
        until = start + timedelta(days=window_days)
        # A follow may come a day after its row, and its horizon is over that much later.
        ripe = until + FOLLOW_WINDOW + timedelta(days=horizon)
        walk.append(Window(k + 1, start, until, min(end, ripe)))
    return tuple(walk), horizon


def known_at(dataset: Dataset, moment: datetime) -> Dataset:
    """The data as they stood: no exposure, follow or order at or after `moment`, no later snapshot.

    Raises:
        DataError: Every snapshot is later, so no feature may be used.
    """
    users = dataset.users.filter(pl.col("snapshot_at") <= moment)
    if users.is_empty():
        first = dataset.users["snapshot_at"].min()
        raise DataError(
            f"users: every snapshot_at is after {moment:%Y-%m-%d} (the first is {first!s}): the features"
            " would know the days they are to predict; give a snapshot from before the windows"
        )
    return Dataset(
        users=users,
        exposures=known_exposures(dataset.exposures, moment),
        orders=dataset.orders.filter(pl.col("ordered_at") < moment),
    )


def rows_of(log: EventLog, window: Window) -> pl.DataFrame:
    """Exposures of a window."""
    at = pl.col("exposed_at")
    return log.exposures.filter((at >= window.start) & (at < window.stop))


def eligible_at(log: EventLog, window: Window) -> pl.DataFrame:
    """user_id of people known by the window's start who did not follow yet."""
    known = log.users.filter((pl.col("snapshot_at") <= window.start) & ~pl.col("is_fan"))
    fans = log.follows.filter(pl.col("followed_at") < window.start)
    return known.select("user_id").join(fans, on="user_id", how="anti")
