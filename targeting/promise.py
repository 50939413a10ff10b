"""What a spend vector promises: per-cell numbers and 80 % intervals, recomputed from the true curves.

Nothing here reads a solver's answer: every figure is `outcomes(market, spend)` at the given spend, for the point
estimate and for each joint draw of the market. The low and high of a figure are the 10th and 90th percentile of the
draws *at the chosen spend*; a total's interval is taken over the draws of the total, because cells err together.

The winner's curse. An optimised plan buys the cells whose estimates are luckiest. Two things stand against it: the
market's hazard and value are the pooled (shrunk) evidence of RESPONSE, for which the expected value at the chosen
plan is not inflated by choosing; and `Interval.low` widens where the spend leaves the observed range, because the
draws carry the extrapolation. What is *not* done is a bootstrap of the whole chain.

It must not import cvxpy, the planner or anything above.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.curves import FloatArray
from targeting.allocation.outcomes import outcomes
from targeting.allocation.problem import Market, Metric

LOW, HIGH = 0.1, 0.9
_METRICS: dict[str, Metric] = {"impressions": "impressions", "new_fans": "fans", "new_fan_gmv_cny": "gmv"}


@dataclass(frozen=True)
class Interval:
    """An expected value with its 80 % interval; low and high are None where the market has no draws."""

    value: float
    low: float | None = None
    high: float | None = None

    def to_dict(self) -> dict[str, float | None]:
        """{value, low, high}, as in plan.json."""
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True)
class Promise:
    """The numbers of one spend vector.

    Attributes:
        cells: one row per market cell: `impressions`, `new_fans`, `new_fan_gmv_cny`, each with `_low`, `_high`
            (null where unknown).
        new_fans, new_fan_gmv_cny, profit_cny, live_entries: totals; None where the market cannot know them.
    """

    cells: pl.DataFrame
    new_fans: Interval | None
    new_fan_gmv_cny: Interval | None
    profit_cny: Interval | None
    live_entries: Interval | None


def pays_value_directly(market: Market) -> NDArray[np.bool_]:
    """(n_cells,) True where a curve turns yuan straight into value, so that impressions and fans are unknown."""
    return np.isinf(market.users) & (market.hazard == 1.0) & (market.gmv_per_fan_cny == 1.0)


def promise(*, market: Market, spend_cny: FloatArray, kept_share: float | None) -> Promise:
    """Evaluate `spend_cny` (n_cells,) on the market's true curves.

    Args:
        market: what money buys.
        spend_cny: (n_cells,) yuan.
        kept_share: share of GMV left after cost of goods and platform fee; None where the brief has no economics.
    """
    point = outcomes(market, spend_cny)
    draws = _draw_outcomes(market, spend_cny)
    direct = pays_value_directly(market)
    columns: dict[str, FloatArray] = {}
    for column, metric in _METRICS.items():
        hidden = direct if column != "new_fan_gmv_cny" else np.zeros_like(direct)
        columns[column] = np.where(hidden, np.nan, point[metric])
        low, high = _band(draws.get(metric), point[metric])
        columns[f"{column}_low"] = np.where(hidden, np.nan, low)
        columns[f"{column}_high"] = np.where(hidden, np.nan, high)
    order = [*_METRICS, *(f"{c}_{end}" for c in _METRICS for end in ("low", "high"))]
    cells = pl.DataFrame({c: columns[c] for c in order}).with_columns(pl.all().fill_nan(None))
    spent = float(np.sum(spend_cny))
    gmv = _total(point["gmv"], draws.get("gmv"))
    return Promise(
        cells=cells,
        new_fans=None if direct.any() else _total(point["fans"], draws.get("fans")),
        new_fan_gmv_cny=gmv,
        profit_cny=None if gmv is None or kept_share is None else _profit(gmv, kept_share, spent),
        live_entries=None if direct.any() else _total(point["entries"], draws.get("entries")),
    )


def marginal_gmv_per_cny(market: Market, spend_cny: FloatArray) -> FloatArray:
    """(n_cells,) GMV that one more yuan in the cell adds to the whole plan, others' losses to competition included.

    A central difference of the true curves (forward at zero spend) rather than a formula: it stays right for every
    curve family and for carry-over between slots. Segments of one campaign do not touch each other, so one cell of
    each is moved at a time: the cost is (placements x slots) evaluations, not one per cell.
    """
    group, rank = groups(market)
    step = np.maximum(1e-4 * spend_cny, 1e-2)
    down = np.minimum(step, spend_cny)
    marginal = np.empty(len(market))
    for position in range(int(rank.max(initial=-1)) + 1):
        moved = rank == position
        up = outcomes(market, spend_cny + np.where(moved, step, 0.0))["gmv"]
        below = outcomes(market, spend_cny - np.where(moved, down, 0.0))["gmv"]
        change = np.bincount(group, weights=up - below)
        marginal[moved] = change[group[moved]] / (step + down)[moved]
    return marginal


def groups(market: Market) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which campaign-segment each cell belongs to, and its position there."""
    keys = market.cells.select("campaign_id", "merchant_id", "segment")
    numbered = keys.with_columns(
        group=pl.struct(pl.all()).rank("dense").cast(pl.Int64) - 1,
        rank=pl.int_range(pl.len()).over("campaign_id", "merchant_id", "segment"),
    )
    return numbered["group"].to_numpy(), numbered["rank"].to_numpy()


def _draw_outcomes(market: Market, spend_cny: FloatArray) -> Mapping[Metric, FloatArray]:
    """metric -> (n_draws, n_cells) at the chosen spend; empty where the market carries no draws."""
    return {} if market.draws is None else outcomes(market, spend_cny, draw=slice(None))


def _band(draws: FloatArray | None, like: FloatArray) -> tuple[FloatArray, FloatArray]:
    if draws is None:
        nothing = np.full(like.shape, np.nan)
        return nothing, nothing
    low, high = np.quantile(draws, [LOW, HIGH], axis=0)
    return low, high


def _total(point: FloatArray, draws: FloatArray | None) -> Interval | None:
    value = float(point.sum())
    if not np.isfinite(value):
        return None
    if draws is None:
        return Interval(value)
    low, high = np.quantile(draws.sum(axis=1), [LOW, HIGH])
    return Interval(value, float(low), float(high))


def _profit(gmv: Interval, kept_share: float, spent: float) -> Interval:
    def profit(value: float | None) -> float | None:
        return None if value is None else kept_share * value - spent

    return Interval(kept_share * gmv.value - spent, profit(gmv.low), profit(gmv.high))


def known(expected: Mapping[str, Interval | None]) -> dict[str, dict[str, float | None] | None]:
    """plan.json's `expected`: each total as {value, low, high}, null where it cannot be known."""
    return {name: None if interval is None else interval.to_dict() for name, interval in expected.items()}
