"""How the GMV of new fans comes in after the follow: attribution windows, projection, retention.

A fan who followed yesterday has had one day to buy. The expected GMV up to the horizon is therefore the sum
over lags of (GMV at that lag) / (fans old enough to show that lag), the run-off estimator of insurance:
unbiased where old and young fans are alike. Frames in, frames out.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import polars as pl

ATTRIBUTION_DAYS = (0, 1, 3, 7, 15, 30)
RETENTION_DAYS = (1, 7, 15, 30)
RETENTION = {
    "days": pl.Int64, "fans": pl.Int64, "retained": pl.Float64, "low": pl.Float64, "high": pl.Float64,
    "measured_days": pl.Float64, "why": pl.String,
}  # fmt: skip
LEVEL_ORDERS = 10.0
"""Orders that a cell's own level must outweigh: with as many it is half its own, half that of all cells."""
_CELL = ["segment", "placement"]


def fan_orders(
    fans: pl.DataFrame, orders: pl.DataFrame, *, horizon_days: int, known_by: datetime
) -> pl.DataFrame:
    """Orders of new fans from the follow to the horizon: user_id, segment, placement, followed_at, lag_days,
    net_cny.

    `lag_days` is the calendar distance (0 = the day of the follow); `net_cny` is net of refunds.
    """
    day = pl.col("ordered_at").dt.date() - pl.col("followed_at").dt.date()
    return (
        orders.filter(pl.col("ordered_at") <= known_by)
        .join(fans, on="user_id", how="inner")
        .filter(pl.col("ordered_at") >= pl.col("followed_at"))
        .with_columns(
            lag_days=day.dt.total_days(),
            net_cny=pl.col("gmv_cny") - pl.col("refund_cny").fill_null(0.0),
        )
        .filter(pl.col("lag_days") <= horizon_days)
        .select("user_id", *_CELL, "followed_at", "lag_days", "net_cny")
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
    `LEVEL_ORDERS` orders: a cell with few orders yet has hardly a level of its own.

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
    done = np.cumsum(_gmv_per_fan_at_lag(_ages(known, known_by), known_orders, horizon_days))
    seen = done[np.clip(_ages(fans, known_by), 0, horizon_days)]
    expected = fans.select(*_CELL).with_columns(seen=pl.Series(seen), rest=pl.Series(done[-1] - seen))
    sold = orders.group_by(_CELL).agg(pl.col("net_cny").sum().alias("sold"))
    cells = (
        expected.group_by(_CELL, maintain_order=True)
        .agg(pl.col("seen", "rest").sum())
        .join(sold, on=_CELL, how="left")
        .with_columns(pl.col("sold").fill_null(0.0))
    )
    total = float(cells["seen"].sum())
    common = float(cells["sold"].sum()) / total if total > 0 else 1.0
    prior = LEVEL_ORDERS * float(known_orders["net_cny"].to_numpy().mean()) if known_orders.height else 1.0
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
    """GMV and ROI of the new fans within each window after the follow (T0 is the day of the follow).

    Returns:
        days, gmv_cny, roi (null without spend), complete: share of the new fans whose window is over.
    """
    age = _ages(fans, known_by)
    rows = []
    for window in days:
        gmv = float(orders.filter(pl.col("lag_days") <= window)["net_cny"].sum())
        complete = float((age >= window).mean()) if len(age) else 0.0
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


def _wilson(kept: int, n: int, z: float = 1.2815515655446004) -> tuple[float, float]:
    """80 % score interval of a share, sensible at 0 and 1 and for few fans (Wilson, JASA 1927)."""
    share, scale = kept / n, 1 + z**2 / n
    middle = (share + z**2 / (2 * n)) / scale
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / scale
    return float(max(0.0, middle - half)), float(min(1.0, middle + half))


def _ages(fans: pl.DataFrame, known_by: datetime) -> np.ndarray:
    """Whole calendar days since the follow, (n_fans,)."""
    days = (pl.lit(known_by).dt.date() - pl.col("followed_at").dt.date()).dt.total_days()
    return fans.select(days.alias("age"))["age"].to_numpy()


def _gmv_per_fan_at_lag(age: np.ndarray, orders: pl.DataFrame, horizon_days: int) -> np.ndarray:
    """(horizon + 1,) pooled GMV at each lag over the fans old enough for it; 0 where nobody is."""
    at_risk = (age[:, None] >= np.arange(horizon_days + 1)[None, :]).sum(axis=0)
    lags = orders["lag_days"].to_numpy()
    gmv = np.bincount(lags, weights=orders["net_cny"].to_numpy(), minlength=horizon_days + 1)[
        : horizon_days + 1
    ]
    return np.divide(gmv, at_risk, out=np.zeros(horizon_days + 1), where=at_risk > 0)
