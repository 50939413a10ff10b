"""Hours of the day and days of the week. In: what was paid and got, hour by hour. Out: multipliers.

Three rates may depend on the part of the day or week: units per yuan, fans per unit, GMV per fan. A part's
multiplier is what came over what was to be expected of the same cell (on the same day, for hours), pooled
over cells: with O_u and E_u of the units u of part k - a cell's day for hours, a *day* for weekdays, because
all cells share a day's luck -

    m_k = sum O_u / sum E_u,     Var(m_k) = phi / sum E_u,     phi = sum (O_u - m_k E_u)^2 / (m_k E_u) / df

(quasi-likelihood; McCullagh & Nelder 1989, 4.5: one formula for counts, impressions, yuan). Parts differ if
Cochran's Q = sum (m_k - m)^2 / Var(m_k) is beyond what chance brings once in a hundred times (by F, because
phi is estimated); then each is drawn to the mean by tau^2 / (tau^2 + Var(m_k)), tau^2 by the method of
moments (DerSimonian & Laird 1986). Else all are 1, and the plan says so. A day of much money buys fewer units
a yuan whatever its name, so weekdays' units are held against E_u exp(a log S_u + b log^2 S_u), S_u the day's
money, a and b from days of the same weekday. A whole day, and a whole week, have a multiplier of 1: that is
how the daily curves were bought.

It must not import targeting.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np
import polars as pl

from models.arrays import FloatArray, IntArray
from models.stored import Array
from models.supply.settings import PARTS

Measure = Literal["units", "fans", "value"]
MEASURES: tuple[Measure, ...] = ("units", "fans", "value")
COLUMNS = ("spend", *MEASURES)
HOURS, WEEKDAYS = 24, 7


@dataclass(frozen=True)
class DayParts:
    """Multipliers by hour and weekday.

    Attributes:
        placements: their names, in the order of axis 1.
        hour: (3, n_placements, 24) of `MEASURES`; mean 1 over the day.
        weekday: (3, n_placements, 7), Monday first; mean 1 over the week.
    """

    placements: tuple[str, ...]
    hour: Array
    weekday: Array

    @property
    def hours_differ(self) -> bool:
        """Whether any hour differs from another by more than chance."""
        return bool((self.hour != 1.0).any())

    @property
    def weekdays_differ(self) -> bool:
        """The same of weekdays."""
        return bool((self.weekday != 1.0).any())

    def over(self, starts_at: datetime | None, *, days: float, slots: int) -> FloatArray:
        """(3, n_placements, slots) mean multipliers of `slots` equal parts of `days` from that moment on.

        Without a moment the campaign starts at midnight and has no weekday.
        """
        start = starts_at or datetime(2001, 1, 1)
        ticks = (np.arange(slots * PARTS.ticks) + 0.5) * days * HOURS / (slots * PARTS.ticks)
        at = start.hour + start.minute / 60.0 + ticks
        found = self.hour[:, :, (at % HOURS).astype(np.int64)]
        if starts_at is not None:
            weekday = (start.weekday() + (at // HOURS).astype(np.int64)) % WEEKDAYS
            found = found * self.weekday[:, :, weekday]
        return np.asarray(found.reshape(*found.shape[:2], slots, -1).mean(axis=3))


def fit_day_parts(rows: pl.DataFrame) -> DayParts:
    """The multipliers that these rows show.

    Args:
        rows: date, hour (0-23 or null), placement, cell (anything that tells audiences apart), and sums
            `spend`, `units`, `fans`, `value`; null where it is not known.
    """
    placements = tuple(rows["placement"].unique().sort().to_list())
    shape = (len(MEASURES), len(placements))
    hour, weekday = np.ones((*shape, HOURS)), np.ones((*shape, WEEKDAYS))
    days = pl.col("date").dt.weekday().cast(pl.Int64) - 1
    for j, name in enumerate(placements):
        mine = rows.filter(pl.col("placement") == name).with_columns(weekday=days)
        hourly = mine.filter(pl.col("hour").is_not_null())
        for m, measure in enumerate(MEASURES):
            base = COLUMNS[m]
            hour[m, j] = _multipliers(hourly, measure, base, part="hour", apart=("date", "cell"), n=HOURS)
            weekday[m, j] = _multipliers(mine, measure, base, part="weekday", apart=("cell",), n=WEEKDAYS)
    return DayParts(placements, hour, weekday)


def reported_rows(delivery: pl.DataFrame, *, units: str, fans: str | None) -> pl.DataFrame:
    """The rows of a console's report for `fit_day_parts`; its segments are the cells.

    Args:
        delivery: contract table `delivery`.
        units: the column that curves deliver; its fans and GMV count where they come after it.
        fans: the column that is counted as fans, if any.
    """
    known = set(delivery.columns)

    def told(name: str | None) -> pl.Expr:
        return pl.col(name).cast(pl.Float64) if name in known else pl.lit(None, dtype=pl.Float64)

    return delivery.select(
        "date",
        "placement",
        hour=pl.col("hour").cast(pl.Int64) if "hour" in known else pl.lit(None, dtype=pl.Int64),
        cell="segment",
        spend=told("cost_cny"),
        units=told(units),
        fans=told(fans if units == "impressions" else None),
        value=told(None if units == "gmv_cny" else "gmv_cny"),
    ).with_columns(fans=pl.col("fans") if units == "impressions" else pl.col("units"))


def _multipliers(
    rows: pl.DataFrame, measure: str, base: str, *, part: str, apart: tuple[str, ...], n: int
) -> FloatArray:
    """(n,) multipliers of measure per base; expectations from rows that agree in `apart`."""
    known = rows.filter(pl.col(measure).is_not_null() & (pl.col(base) > 0))
    rate = pl.col(measure).sum().over(apart) / pl.col(base).sum().over(apart)
    expected = (pl.col(base) * rate).alias("expected")
    shares = ("date",) if part == "weekday" else ("date", "cell")  # what the luck of a unit is shared by
    unit = known.with_columns(expected).group_by(*shares, part).agg(pl.sum(measure, "spend", "expected"))
    unit = unit.filter(pl.col("expected") > 0).sort(pl.all())
    seen = unit[part].n_unique()
    free = (
        unit.height
        - seen
        - (unit.select(apart).n_unique() - 1 if part == "hour" else 2 * (measure == "units"))
    )
    if seen < 2 or free < PARTS.freedom or (part == "weekday" and seen < WEEKDAYS):
        return np.ones(n)
    at, got = unit[part].cast(pl.Int64).to_numpy(), unit[measure].cast(pl.Float64).to_numpy()
    due = unit["expected"].to_numpy()
    if part == "weekday" and measure == "units":
        due = _at_its_money(at, got, due, spend_cny=unit["spend"].to_numpy())
    return _pooled(at, got, due, n=n, freedom=int(free))


def _at_its_money(part: IntArray, got: FloatArray, due: FloatArray, *, spend_cny: FloatArray) -> FloatArray:
    """What was due of each day for the money it had, a parabola of logs fitted within weekdays."""
    money = np.log(spend_cny / spend_cny.mean())
    columns = np.column_stack([money, money**2, np.log((got + 0.5) / (due + 0.5))])
    mean = (
        np.column_stack([np.bincount(part, due * x) for x in columns.T])
        / np.maximum(np.bincount(part, due), 1e-300)[:, None]
    )
    apart = (columns - mean[part]) * np.sqrt(due)[:, None]
    of_money = np.linalg.lstsq(apart[:, :2], apart[:, 2], rcond=1e-6)[0]
    return np.asarray(due * np.exp(columns[:, :2] @ of_money))


def _pooled(part: IntArray, got: FloatArray, expected: FloatArray, *, n: int, freedom: int) -> FloatArray:
    """Multipliers drawn to their mean as far as they differ beyond chance; 1 where nothing was seen."""
    from scipy.stats import f as ratio_of_variances

    due = np.bincount(part, expected, n)
    seen = due > 0
    raw = np.where(seen, np.bincount(part, got, n) / np.where(seen, due, 1.0), 1.0)
    fitted = raw[part] * expected
    pearson = float(((got - fitted) ** 2 / np.maximum(fitted, 1e-300))[fitted > 0].sum())
    variance = max(pearson / freedom, 1.0) / due[seen]
    weight = 1.0 / variance
    middle = float(np.average(raw[seen], weights=weight))
    q = float((weight * (raw[seen] - middle) ** 2).sum())
    kinds = int(seen.sum()) - 1
    if q <= kinds * ratio_of_variances.ppf(PARTS.certainty, kinds, freedom):
        return np.ones(n)
    tau2 = min((q - kinds) / (weight.sum() - (weight**2).sum() / weight.sum()), PARTS.most_sd**2)
    found = np.ones(n)
    found[seen] = (middle + (raw[seen] - middle) * tau2 / (tau2 + variance)) / middle
    found = np.maximum(found, PARTS.least)
    return np.asarray(found / found.mean())
