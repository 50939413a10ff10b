"""The fitted curves as points, for curves.csv and the report's charts.

Each cell is moved over a grid of spends while all others stay as planned, so the plan's own point lies on
its curve and competition for the same people is in it. `value` is the cell's new-fan GMV in yuan, which
makes the file a valid `--curves` input again. It must not import the optimiser.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.supply.curves import FloatArray
from targeting.allocation.moves import Neighbours
from targeting.allocation.outcomes import outcomes
from targeting.allocation.problem import Market, Metric
from targeting.plan.plan_settings import SETTINGS
from targeting.plan.promise import HIGH, LOW


def curve_table(
    *, market: Market, spend_cny: FloatArray, budget_cny: float, metric: Metric = "gmv"
) -> pl.DataFrame:
    """segment, placement, slot, spend_cny, impressions, value, value_low, value_high, observed.

    Args:
        market: what money buys.
        spend_cny: (n_cells,) the plan.
        metric: what `value` is: gmv, or fans where GMV is unknown.
        budget_cny: sets the range of cells that have neither spend nor history.

    Returns:
        `curve_points` rows per cell, spend increasing from 0; `observed` is False beyond the largest logged
        spend; `value_low` and `value_high` (80 %) are null where the market has no draws.
    """
    n, points = len(market), SETTINGS.curve_points
    grid = np.linspace(0.0, 1.0, points)[:, None] * _range(market, spend_cny, budget_cny)[None, :]
    seat = Neighbours.of(market).seat
    columns = ("impressions", "value", "value_low", "value_high")
    found = {name: np.full((points, n), np.nan) for name in columns}
    for position in range(int(seat.max(initial=-1)) + 1):
        moved = seat == position
        spends = np.where(moved[None, :], grid, spend_cny[None, :])
        point = outcomes(market, spends)
        found["impressions"][:, moved] = point["impressions"][:, moved]
        found["value"][:, moved] = point[metric][:, moved]
        if market.draws is not None:
            for row, spend in enumerate(spends):
                drawn = outcomes(market, spend, draw=slice(None))[metric][:, moved]
                low, high = np.quantile(drawn, [LOW, HIGH], axis=0)
                found["value_low"][row, moved], found["value_high"][row, moved] = low, high
    cells = market.cells.select("segment", "placement", "slot")[np.repeat(np.arange(n), points)]
    return cells.with_columns(
        pl.Series("spend_cny", grid.T.ravel()),
        *(pl.Series(name, values.T.ravel()).fill_nan(None) for name, values in found.items()),
        pl.Series("observed", ~beyond_logs(market, grid).T.ravel()),
    )


def beyond_logs(market: Market, spend_cny: FloatArray) -> NDArray[np.bool_]:
    """Whether spends, (..., n_cells), are more than was ever spent in a comparable period."""
    return spend_cny > market.observed_max_cny * (1.0 + SETTINGS.beyond_share) + SETTINGS.beyond_cny


def _range(market: Market, spend_cny: FloatArray, budget_cny: float) -> FloatArray:
    """(n_cells,) the largest spend shown: half as much again as the plan, and what the logs have seen."""
    seen = np.where(np.isfinite(market.observed_max_cny), SETTINGS.curve_seen * market.observed_max_cny, 0.0)
    shown = np.maximum(SETTINGS.curve_range * spend_cny, seen)
    return np.where(shown > 0, shown, 2.0 * budget_cny / max(len(market), 1))
