"""What an advertising console's report teaches. In: its rows. Out: supply, hazard and value per cell.

Impressions, fans and GMV per cell and day become the same three pieces that user logs give: a one-day supply
curve, follows per impression and GMV per fan, each pooled across cells with draws. Where a report has no
impressions the curve goes straight from yuan to fans (or orders, or GMV). Where reach is reported, pressure
is how often each person reached was shown. A report with one row per cell says nothing about diminishing
returns within a cell: they then come from rows of different scale and a stated prior.

It must not import targeting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from models.arrays import FloatArray, IntArray
from models.chance import Chance
from models.rates.pooling import Pooled, pool_rates
from models.supply.live_room import LiveRoom, days_of_report, fit_room
from models.supply.misfit import misfit_warnings
from models.supply.report_rows import basis_of, daily_sums, is_known, normal_rows, numbered, with_pressure
from models.supply.response import ResponseModel, fit_response
from models.supply.settings import SUPPLY

BLIND = (
    "delivery: column reach (触达人数) is missing, so nothing tells how often each person was shown; how "
    "much more a day can hold is a guess from the money of different days, and intervals are wider for it"
)


@dataclass(frozen=True)
class DeliveryModel:
    """Pieces of a `Market` learned from a report; arrays are in the order of `response.cells`.

    Attributes:
        response: curves from yuan of one day to `basis`.
        basis: what the curves deliver, one of `BASES`.
        fan_measure: what is counted as a fan: new_fans, else orders; None where only GMV or impressions
            exist.
        has_gmv: whether GMV was reported (else gmv_per_fan_cny is 1 and no GMV may be claimed).
        hazard: (n_cells,) fans per unit of `basis` (1 where the basis is the outcome itself).
        gmv_per_fan_cny: (n_cells,).
        entry: (n_cells,) live entries per unit of `basis`, 0 where never reported.
        hazard_draws, gmv_draws: (n_draws, n_cells).
        claims: `causal` only where spend itself was randomised; `why` says it in a sentence.
        apart: whether rows of one day stand for days (cells have too few).
        chance: how a day's outcomes scatter around the curves.
        warnings: where the curves do not tell what the report itself says, one line each.
        room: how many the live room holds; None where nothing tells.
    """

    response: ResponseModel
    basis: str
    fan_measure: str | None
    has_gmv: bool
    hazard: FloatArray
    gmv_per_fan_cny: FloatArray
    entry: FloatArray
    hazard_draws: FloatArray
    gmv_draws: FloatArray
    claims: Literal["causal", "observational"]
    why: str
    apart: bool
    chance: Chance
    warnings: tuple[str, ...] = ()
    room: LiveRoom | None = None


def fit_delivery(delivery: pl.DataFrame, *, rng: np.random.Generator, n_draws: int = 200) -> DeliveryModel:
    """Learn supply, hazard and value of every cell of a report.

    Args:
        delivery: contract table `delivery` (date, segment, placement, cost_cny and at least one outcome).
        n_draws: joint draws.

    Raises:
        DataError: no outcome column has a positive number, or nothing was paid.
    """
    rows = normal_rows(delivery)
    daily = daily_sums(rows)
    basis = basis_of(daily)
    paid_days = daily.filter(pl.col("cost_cny") > 0).group_by("segment", "placement").len()["len"].to_numpy()
    pressed = with_pressure(rows) if basis == "impressions" else None
    apart = pressed is None and bool(np.median(paid_days) < SUPPLY.few_days)
    bought = pressed if pressed is not None else numbered(rows) if apart else daily
    response = fit_response(
        bought, users_by_segment=None, rng=rng, n_draws=n_draws, outcome=basis, apart=apart
    )
    fans = next((name for name in ("new_fans", "orders") if is_known(daily, name)), None)
    cells = response.cells.select("segment", "placement")
    group = _group(cells)
    ones = np.ones(cells.height)
    hazard = _rate(
        daily, fans if basis == "impressions" else None, basis, cells, group, rng=rng, n_draws=n_draws
    )
    unit = fans if fans is not None else (None if basis == "gmv_cny" else basis)
    has_gmv = is_known(daily, "gmv_cny")
    gmv = _rate(daily, "gmv_cny" if has_gmv else None, unit, cells, group, rng=rng, n_draws=n_draws)
    entry = _rate(daily, "live_entries", basis, cells, group, rng=rng, n_draws=1, absent=0.0)
    claims, why = _claims(daily)
    shown = entry if basis == "impressions" else None
    rates = None if shown is None else cells.with_columns(entry=pl.Series(shown.mean))
    return DeliveryModel(
        response=response,
        basis=basis,
        fan_measure=fans,
        has_gmv=has_gmv,
        hazard=ones if hazard is None else hazard.mean,
        gmv_per_fan_cny=ones if gmv is None else gmv.mean,
        entry=ones if basis == "live_entries" else np.zeros(cells.height) if entry is None else entry.mean,
        hazard_draws=np.ones((n_draws, cells.height)) if hazard is None else hazard.draws,
        gmv_draws=np.ones((n_draws, cells.height)) if gmv is None else gmv.draws,
        claims=claims,
        why=why,
        apart=apart,
        chance=_chance(daily, response, basis=basis, fans=fans, unit=unit),
        warnings=(
            *misfit_warnings(response, daily, outcome=basis),
            *(() if pressed is not None else (BLIND,)),
        ),
        room=None if rates is None else fit_room(days_of_report(daily, rates), rng=rng, n_draws=n_draws),
    )


def _chance(
    daily: pl.DataFrame, response: ResponseModel, *, basis: str, fans: str | None, unit: str | None
) -> Chance:
    """Counts scatter as the report's own days do: so many fans, so much money, come as one event.

    How single buyers differ a report does not show: variance over mean stands for E[x^2] / E[x]. That of
    money given the fans and that of the fans add up, each fan being worth the mean.
    """
    of_curve = float(response.diagnostics.get("dispersion", 1.0))
    fan_unit = 1.0
    if fans is not None:
        told = of_curve if fans == basis else _dispersion(_both(daily, fans, basis), fans, basis)
        fan_unit = max(told, 1.0)
    money = np.zeros(0)
    if is_known(daily, "gmv_cny"):
        yuan = of_curve
        if unit is not None:
            both = _both(daily, "gmv_cny", unit)
            worth = float(both["gmv_cny"].sum()) / max(float(both[unit].sum()), 1.0)
            yuan = _dispersion(both, "gmv_cny", unit) + worth * (fan_unit if unit == fans else 1.0)
        money = np.array([yuan])
    return Chance(money, np.ones_like(money), *response.day_scatter, fan_unit=fan_unit)


def _both(daily: pl.DataFrame, top: str, bottom: str) -> pl.DataFrame:
    """Rows that report both."""
    return daily.filter(pl.col(top).is_not_null() & pl.col(bottom).is_not_null())


def _group(cells: pl.DataFrame) -> IntArray:
    return cells["placement"].rank("dense").to_numpy().astype(np.int64) - 1


def _rate(
    daily: pl.DataFrame,
    top: str | None,
    bottom: str | None,
    cells: pl.DataFrame,
    group: IntArray,
    *,
    rng: np.random.Generator,
    n_draws: int,
    absent: float | None = None,
) -> Pooled | None:
    """Pooled `top` per `bottom` of every cell from the rows that report both; None where there are none."""
    if top is None or bottom is None or top == bottom:
        return None
    both = _both(daily, top, bottom)
    if both.height == 0 or float(both[bottom].sum()) <= 0 or float(both[top].sum()) <= 0:
        return None
    summed = both.group_by("segment", "placement").agg(pl.col(top, bottom).sum())
    table = cells.join(summed, on=["segment", "placement"], how="left", maintain_order="left").fill_null(0.0)
    events, exposure = table[top].to_numpy(), table[bottom].to_numpy()
    pooled = pool_rates(
        events=events,
        exposure=exposure,
        group=group,
        rng=rng,
        n_draws=n_draws,
        dispersion=_dispersion(both, top, bottom),
    )
    if absent is None:
        return pooled
    # A placement without the step (video has no live entries) has none, not the pooled few.
    reported = np.bincount(group, events)[group] > 0
    return Pooled(np.where(reported, pooled.mean, absent), pooled.draws, pooled.group_mean, pooled.cv)


def _dispersion(both: pl.DataFrame, top: str, bottom: str) -> float:
    """Variance over mean of `top` given `bottom` from day to day: 1 for counts, yuan per sale for money."""
    rate = (pl.col(top).sum() / pl.col(bottom).sum()).over("segment", "placement")
    days = pl.len().over("segment", "placement")
    expected = (rate * pl.col(bottom)).alias("expected")
    # A cell without any of `bottom` has no rate (0/0), and NaN counts as larger than 0.
    told = both.filter(pl.col(bottom).sum().over("segment", "placement") > 0)
    table = told.with_columns(expected, days.alias("days")).filter(
        (pl.col("days") > 1) & (pl.col("expected") > 0)
    )
    money = top == "gmv_cny"
    # Without repeated days an order of typical size with the spread of a heavy tail: twice the mean per unit.
    fallback = 2.0 * float(both[top].sum()) / max(float(both[bottom].sum()), 1.0) if money else 1.0
    if table.height < 5:
        return max(fallback, 1e-9)
    squared = (
        (pl.col(top) - pl.col("expected")) ** 2 / pl.col("expected") * pl.col("days") / (pl.col("days") - 1)
    ).mean()
    found = float(table.select(squared).item())
    return max(found, fallback / 2.0 if money else 1.0)


def _claims(daily: pl.DataFrame) -> tuple[Literal["causal", "observational"], str]:
    random = daily.filter((pl.col("randomized_share") >= 0.5) & (pl.col("cost_cny") > 0)).height
    if random >= 10:
        return (
            "causal",
            f"{random} cell-days of the report had their spend set at random; the curves rest on these",
        )
    return (
        "observational",
        "a console report without randomised spend: buyers who would have come anyway are counted, and spend "
        "may have followed demand",
    )
