"""How the GMV of new fans comes in after the follow: attribution windows, projection, retention.

A fan who followed yesterday has had one day to buy. The expected GMV by an age t is therefore the mean
cumulative function M(t) = sum over orders at ages s <= t of net amount(s) / (fans at least s old), which is
how training counts it (`models.audience.delay`; Nelson 1988): unbiased where old and young fans are alike.
Purchases count in [follow, follow + horizon), to the second, also as in training; only the attribution
windows are calendar days, as the field's T0 is. Frames in, frames out.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from models.events.orders_since_follow import orders_since_follow
from models.judging.policy_value import Z80
from targeting.evaluation.evaluation_settings import SETTINGS

ATTRIBUTION_DAYS = (0, 1, 3, 7, 15, 30)
RETENTION_DAYS = (1, 7, 15, 30)
RETENTION = {
    "days": pl.Int64, "fans": pl.Int64, "retained": pl.Float64, "low": pl.Float64, "high": pl.Float64,
    "measured_days": pl.Float64, "why": pl.String,
}  # fmt: skip
_CELL = ["segment", "placement"]
_DAY = timedelta(days=1)


def fan_orders(
    fans: pl.DataFrame, orders: pl.DataFrame, *, horizon_days: int, known_by: datetime
) -> pl.DataFrame:
    """Orders of new fans in [follow, follow + horizon): user_id, segment, placement, followed_at, age_days,
    net_cny.

    `age_days` is the time since the follow; `net_cny` is net of refunds.
    """
    return _since_follow(fans, orders, known_by=known_by).filter(pl.col("age_days") < horizon_days)


def _since_follow(fans: pl.DataFrame, orders: pl.DataFrame, *, known_by: datetime) -> pl.DataFrame:
    """Orders of new fans from the follow on, however late; `lag_days` counts midnights in between."""
    day = pl.col("ordered_at").dt.date() - pl.col("followed_at").dt.date()
    return orders_since_follow(fans, orders.filter(pl.col("ordered_at") <= known_by)).select(
        "user_id",
        *_CELL,
        "followed_at",
        "age_days",
        lag_days=day.dt.total_days(),
        net_cny=pl.col("gmv_cny") - pl.col("refund_cny").fill_null(0.0),
    )


def project_gmv(
    fans: pl.DataFrame,
    orders: pl.DataFrame,
    *,
    older: tuple[pl.DataFrame, pl.DataFrame] | None = None,
    horizon_days: int,
    known_by: datetime,
) -> pl.DataFrame:
    """segment, placement, projected_gmv_cny: observed GMV plus what young fans are expected to add up to the
    horizon.

    The run-off is pooled over all cells (lags need many fans) and scaled to each cell: what cell c is still
    to get is its rest in the run-off times its level, (sold + k L) / (seen + k), where seen is what fans of
    its ages should have bought by now, L is the level of all cells together and k the worth of
    `level_orders` orders: a cell with few orders yet has hardly a level of its own.

    Args:
        fans: user_id, segment, placement, followed_at of the campaign's fans.
        orders: Theirs, from `fan_orders`.
        older: Fans, and their `fan_orders`, that the run-off is learned from; default: the campaign's own.
        horizon_days: How long purchases count.
        known_by: Later is not known.
    """
    if fans.is_empty():
        return pl.DataFrame(
            schema={"segment": pl.String, "placement": pl.String, "projected_gmv_cny": pl.Float64}
        )
    known, known_orders = (fans, orders) if older is None else older
    at = np.append(_ages(fans, known_by), horizon_days)
    done = _mean_gmv_by(at, ages=_ages(known, known_by), orders=known_orders)
    seen, rest = done[:-1], done[-1] - done[:-1]
    expected = fans.select(*_CELL).with_columns(seen=pl.Series(seen), rest=pl.Series(rest))
    sold = orders.group_by(_CELL).agg(pl.col("net_cny").sum().alias("sold"))
    cells = (
        expected.group_by(_CELL, maintain_order=True)
        .agg(pl.col("seen", "rest").sum())
        .join(sold, on=_CELL, how="left")
        .with_columns(pl.col("sold").fill_null(0.0))
    )
    total = float(cells["seen"].sum())
    common = float(cells["sold"].sum()) / total if total > 0 else 1.0
    prior = (
        SETTINGS.level_orders * float(known_orders["net_cny"].to_numpy().mean())
        if known_orders.height
        else 1.0
    )
    prior = max(prior, 1e-9)
    level = (pl.col("sold") + prior * common) / (pl.col("seen") + prior)
    return cells.select(*_CELL, (pl.col("sold") + level * pl.col("rest")).alias("projected_gmv_cny"))


def projected_days(fans: pl.DataFrame, *, horizon_days: int, known_by: datetime) -> int:
    """Days after the follow that the run-off of these fans reaches: none of them is older."""
    age = _ages(fans, known_by)
    return min(horizon_days, int(age.max())) if age.size else 0


def attribution(
    fans: pl.DataFrame, orders: pl.DataFrame, *, spend_cny: float, known_by: datetime, days: Sequence[int]
) -> pl.DataFrame:
    """GMV and ROI of the new fans within each window after the follow, whatever the horizon.

    Windows are calendar days: T0 is the day of the follow, T30 ends with the 30th day after it, up to a day
    later than a horizon of 30 days.

    Args:
        fans: user_id, segment, placement, followed_at.
        orders: Orders of everybody.
        spend_cny: What the fans cost.
        known_by: Later is not known.
        days: Windows.

    Returns:
        days, gmv_cny, roi (null without spend), complete: share of the new fans whose window is over.
    """
    age = (pl.lit(known_by).dt.date() - pl.col("followed_at").dt.date()).dt.total_days()
    midnights = fans.select(age.alias("age"))["age"].to_numpy()
    bought = _since_follow(fans, orders, known_by=known_by)
    rows = []
    for window in days:
        gmv = float(bought.filter(pl.col("lag_days") <= window)["net_cny"].sum())
        complete = float((midnights >= window).mean()) if midnights.size else 0.0
        rows.append((window, gmv, gmv / spend_cny if spend_cny > 0 else None, complete))
    schema = {"days": pl.Int64, "gmv_cny": pl.Float64, "roi": pl.Float64, "complete": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def retention(fans: pl.DataFrame, snapshots: Sequence[pl.DataFrame], *, days: Sequence[int]) -> pl.DataFrame:
    """Share of new fans still following each window after the follow, from `is_fan` of later snapshots.

    A fan counts for window d by the first snapshot that is at least d days after the follow and younger than
    the next window (the last window lasts twice its length): a snapshot of day 40 says nothing of day 1.
    A fan who left and came back in between counts as one who stayed.

    Args:
        fans: user_id, followed_at.
        snapshots: Tables with user_id, snapshot_at, is_fan; each may hold any of the fans.
        days: Windows, rising.

    Returns:
        days, fans (seen in the window), retained with its 80 % interval low, high (Wilson), measured_days
        (mean age at the snapshot), why (what is missing where no fan was seen); one row per window.
    """
    taken = [s.select("user_id", "snapshot_at", "is_fan") for s in snapshots]
    age = (pl.col("snapshot_at") - pl.col("followed_at")).dt.total_seconds() / 86_400
    seen = fans.join(pl.concat(taken), on="user_id", how="inner").with_columns(age=age).sort("age")
    rows: list[tuple[object, ...]] = []
    for window, upto in zip(days, [*days[1:], 2 * days[-1]], strict=True):
        mine = seen.filter((pl.col("age") >= window) & (pl.col("age") < upto)).unique(
            "user_id", keep="first", maintain_order=True
        )
        n = mine.height
        if not n:
            why = f"no snapshot of a new fan between {window} and {upto} days after the follow"
            rows.append((window, 0, None, None, None, None, why))
            continue
        kept = int(mine["is_fan"].fill_null(False).sum())
        low, high = _wilson(kept, n)
        rows.append((window, n, kept / n, low, high, float(mine["age"].to_numpy().mean()), ""))
    return pl.DataFrame(rows, schema=RETENTION, orient="row")


def _wilson(kept: int, n: int, z: float = Z80) -> tuple[float, float]:
    """80 % score interval of a share, sensible at 0 and 1 and for few fans (Wilson, JASA 1927)."""
    share, scale = kept / n, 1 + z**2 / n
    middle = (share + z**2 / (2 * n)) / scale
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / scale
    return float(max(0.0, middle - half)), float(min(1.0, middle + half))


def _ages(fans: pl.DataFrame, known_by: datetime) -> np.ndarray:
    """Days since the follow, (n_fans,)."""
    return fans.select(age=(known_by - pl.col("followed_at")) / _DAY)["age"].to_numpy()


def _mean_gmv_by(at: np.ndarray, *, ages: np.ndarray, orders: pl.DataFrame) -> np.ndarray:
    """M(t) of the module's formula at each age of `at`, (n,).

    Args:
        at: Ages asked for.
        ages: Of the fans it is learned from.
        orders: age_days and net_cny of theirs.
    """
    bought = orders.sort("age_days")
    when = bought["age_days"].to_numpy()
    old_enough = ages.size - np.searchsorted(np.sort(ages), when, side="left")
    # An order is of a fan who is old enough for it, so nobody divides by zero.
    done = np.concatenate([[0.0], np.cumsum(bought["net_cny"].to_numpy() / old_enough)])
    return done[np.searchsorted(when, at, side="right")]
