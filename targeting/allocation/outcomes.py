"""What a plan buys, from the true curves: the one place where reported numbers come from.

Shares nothing with the optimiser but the curves themselves, so that a mistake in the program cannot hide in
the report. It must not import any other module of the allocator but `problem`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from models.saturation import saturation
from models.supply.curves import FloatArray
from targeting.allocation.problem import Draws, Market, Metric


def outcomes(
    market: Market, spend_cny: FloatArray, draw: int | slice | None = None
) -> Mapping[Metric, FloatArray]:
    """Every metric of every cell at `spend_cny` (formulas in `targeting.allocation.problem`).

    Args:
        market: what money can buy.
        spend_cny: (..., n_cells).
        draw: None for the central curves, a number for one draw of `market.draws` (the same shape comes
            back) or a
            slice for several: shape (..., n_draws, n_cells).
    """
    spend = np.asarray(spend_cny, dtype=float)
    if isinstance(draw, slice):
        spend = spend[..., None, :]
    supply, hazard, gmv = _believed(market, draw)
    impressions = supply.value(spend)
    opened = openness(market, impressions, draw)
    hazard = hazard * opened
    with np.errstate(divide="ignore"):
        per_user = 1.0 / market.users
    z = _block_sum(market.block, hazard * impressions * per_user)
    pressure = _block_sum(market.block, impressions * per_user)
    fans = hazard * impressions * saturation(z)
    like = np.broadcast_shapes(spend.shape, impressions.shape)
    return {
        "spend": np.broadcast_to(spend, like),
        "impressions": impressions,
        "entries": market.entry * opened * impressions,
        "fans": fans,
        "gmv": gmv * fans,
        "reached": impressions * saturation(pressure),
        "active": np.broadcast_to((spend > 0).astype(float), like),
    }


def openness(market: Market, impressions: FloatArray, draw: int | slice | None = None) -> FloatArray:
    """(..., n_cells) share of the arrivals whom the cell's live room lets in at impressions (..., n_cells); 1
    outside of rooms. `draw` as of `outcomes`.
    """
    opened = np.ones(impressions.shape)
    if market.rooms is None:
        return opened
    places = market.rooms.places
    if draw is not None and market.rooms.draws is not None:
        places = market.rooms.draws[draw]
    for room in range(places.shape[-1]):
        inside = market.rooms.of == room
        arrivals = (market.entry * impressions)[..., inside].sum(axis=-1)
        opened[..., inside] = saturation(arrivals / places[..., room])[..., None]
    return opened


def total(coefficients: Mapping[Metric, FloatArray], metrics: Mapping[Metric, FloatArray]) -> FloatArray:
    """sum over metrics and cells of coefficient * metric; the leading axes of the metrics remain."""
    return sum((np.asarray(metrics[m] * c).sum(axis=-1) for m, c in coefficients.items()), np.asarray(0.0))


def _believed(market: Market, draw: int | slice | None):  # type: ignore[no-untyped-def]
    if draw is None:
        return market.supply, market.hazard, market.gmv_per_fan_cny
    draws: Draws | None = market.draws
    if draws is None:
        raise ValueError("the market has no draws")
    if isinstance(draw, slice):
        return draws.supply.draws(draw), draws.hazard[draw], draws.gmv_per_fan_cny[draw]
    return draws.supply.draw(draw), draws.hazard[draw], draws.gmv_per_fan_cny[draw]


def _block_sum(block: NDArray[np.int64], x: FloatArray) -> FloatArray:
    """(..., n_cells) sum over the cells of each cell's block."""
    order = np.argsort(block, kind="stable")
    ranked = block[order]
    starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])
    sums = np.add.reduceat(x[..., order], starts, axis=-1)
    number = np.empty(len(block), dtype=np.int64)
    number[order] = np.cumsum(np.r_[True, ranked[1:] != ranked[:-1]]) - 1
    return sums[..., number]
