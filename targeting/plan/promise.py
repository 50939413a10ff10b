"""What a spend vector promises: per-cell numbers and 80 % intervals, recomputed from the true curves.

Nothing here reads a solver's answer: every figure is `outcomes(market, spend)` at the given spend, for the
point estimate and for each joint draw of the market. The low and high of a figure are the 10th and 90th
percentile of the draws *at the chosen spend*; a total's interval is taken over the draws of the total,
because cells err together.

The winner's curse. An optimised plan buys the cells whose estimates are luckiest. What stands against it is
that every estimate is calibrated out of fold and shrunk by its evidence before the plan looks at it
(`models.rates.calibration`, `models.audience.cells`): of posterior means, the chosen ones are not inflated
by choosing. `benchmarks.decisions` measures what is left, as `curse`. `Interval.low` widens where the spend
leaves the observed range, because the draws carry the extrapolation. The whole chain is not bootstrapped.

It must not import cvxpy, the planner or anything above.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from models.supply.curves import FloatArray
from targeting.allocation.outcomes import outcomes
from targeting.allocation.problem import Market, Metric
from targeting.plan.realised import Range, realised

LOW, HIGH = 0.1, 0.9
EXPECTED = ("new_fans", "new_fan_gmv_cny", "profit_cny")
METRICS: dict[str, Metric] = {"impressions": "impressions", "new_fans": "fans", "new_fan_gmv_cny": "gmv"}


@dataclass(frozen=True)
class Interval:
    """An expected value with its 80 % interval; low and high are None where the market has no draws."""

    value: float
    low: float | None = None
    high: float | None = None

    def through(self, rising: Callable[[float], float]) -> Interval:
        """The interval of a rising function of it."""
        low, high = (None if end is None else rising(end) for end in (self.low, self.high))
        return Interval(rising(self.value), low, high)


@dataclass(frozen=True)
class Promise:
    """The numbers of one spend vector.

    Attributes:
        cells: one row per market cell: `impressions`, `new_fans`, `new_fan_gmv_cny`, each with `_low`,
            `_high` (null where unknown).
        new_fans, new_fan_gmv_cny, profit_cny: expected totals; None where they cannot be known.
        realised: by the same names, between what the campaign's own totals will lie, chance included; None
            where chance is not known.
    """

    cells: pl.DataFrame
    new_fans: Interval | None
    new_fan_gmv_cny: Interval | None
    profit_cny: Interval | None
    realised: Mapping[str, Range | None]


def promise(
    *,
    market: Market,
    spend_cny: FloatArray,
    kept_share: float | None,
    unknown: Collection[str] = (),
) -> Promise:
    """Evaluate `spend_cny` (n_cells,) on the market's true curves.

    Args:
        market: what money buys.
        spend_cny: (n_cells,) yuan.
        kept_share: share of GMV left after cost of goods and platform fee; None where the brief has no
            economics.
        unknown: figures that this market's curves cannot speak of (keys of `METRICS`): they become null.
    """
    point = outcomes(market, spend_cny)
    drawn = None if market.draws is None else outcomes(market, spend_cny, draw=slice(None))
    columns: dict[str, FloatArray] = dict.fromkeys(METRICS, np.full(len(market), np.nan))
    totals: dict[str, Interval | None] = dict.fromkeys(METRICS)
    for column, metric in METRICS.items():
        known, draws = column not in unknown, None if drawn is None else drawn[metric]
        low, high = _band(draws) if known and draws is not None else np.full((2, len(market)), np.nan)
        columns |= {f"{column}_low": low, f"{column}_high": high}
        if known:
            columns[column] = point[metric]
            totals[column] = _total(point[metric], draws)
    gmv, spent = totals["new_fan_gmv_cny"], float(np.sum(spend_cny))
    kept = None if gmv is None else kept_share

    def profit(yuan: float) -> float:
        return (kept or 0.0) * yuan - spent

    came = realised(market, drawn, unknown=unknown, levels=(LOW, HIGH))
    sold = came["new_fan_gmv_cny"]
    return Promise(
        cells=pl.DataFrame(columns).with_columns(pl.all().fill_nan(None)),
        new_fans=totals["new_fans"],
        new_fan_gmv_cny=gmv,
        profit_cny=None if gmv is None or kept is None else gmv.through(profit),
        realised={**came, "profit_cny": None if sold is None or kept is None else sold.through(profit)},
    )


def _band(draws: FloatArray) -> FloatArray:
    """(2, ...): the ends of the 80 % interval over the draws, axis 0."""
    return np.quantile(draws, [LOW, HIGH], axis=0)


def _total(point: FloatArray, draws: FloatArray | None) -> Interval | None:
    value = float(point.sum())
    if not np.isfinite(value):
        return None
    return Interval(value, *(() if draws is None else map(float, _band(draws.sum(axis=1)))))
