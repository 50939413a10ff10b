"""Live rooms at the load of one plan: what the plan's own crowd does to rates, and what one more arrival
costs.

A market with `rooms` is not separable. Held at a load it is an ordinary market again, with the rates of that
load; a price on arrivals then says what each of them takes from the others (an externality), so that
first-order questions - marginals, the last 厘, reasons - have the answers of the market with rooms. It must
not import the solver.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from models.saturation import saturation
from models.supply.curves import FloatArray
from targeting.allocation.outcomes import openness, outcomes, total
from targeting.allocation.problem import Market, Metric

STEP = 1e-5  # relative, of openness: central differences


def fills(market: Market) -> bool:
    """Whether a limited room is in the market."""
    return market.rooms is not None and bool(np.isfinite(market.rooms.places).any())


def arrivals(market: Market, spend_cny: FloatArray) -> FloatArray:
    """(n_rooms,) arrivals at spend (n_cells,), let in or not."""
    assert market.rooms is not None
    came = market.entry * market.supply.value(spend_cny)
    return np.bincount(market.rooms.of + 1, came, len(market.rooms.places) + 1)[1:].astype(float)


def held(market: Market, opened: FloatArray, spend_cny: FloatArray | None = None) -> Market:
    """The market without rooms, at the rates of openness (n_cells,); draws at those of their own load at
    spend.
    """
    draws = market.draws
    if draws is not None and spend_cny is not None and market.rooms is not None:
        shown = draws.supply.draws(slice(None)).value(spend_cny)
        own = openness(market, shown, slice(None))
        draws = replace(draws, hazard=draws.hazard * own)
    return replace(
        market, hazard=market.hazard * opened, entry=market.entry * opened, draws=draws, rooms=None
    )


def crowding(
    market: Market,
    coefficients: Mapping[Metric, FloatArray],
    spend_cny: FloatArray,
    came: FloatArray | None = None,
) -> FloatArray:
    """(n_rooms,) what one more arrival in each room takes from the sum of coefficient x metric, >= 0 as a
    rule: - d sum / d openness x d openness / d arrivals, at spend (n_cells,) where `came` arrive (default:
        its own).
    """
    assert market.rooms is not None
    load = (arrivals(market, spend_cny) if came is None else came) / market.rooms.places
    opened = np.append(saturation(load), 1.0)[market.rooms.of]
    price = np.zeros(len(load))
    for room in np.flatnonzero(load > 0):
        inside = market.rooms.of == room
        ends = [
            total(coefficients, outcomes(held(market, opened * np.where(inside, 1.0 + h, 1.0)), spend_cny))
            for h in (STEP, -STEP)
        ]
        gained = float(ends[0] - ends[1]) / (2.0 * STEP)  # per log of openness
        price[room] = gained * -log_slope(load[room]) / (load[room] * market.rooms.places[room])
    return price


def log_slope(load: float) -> float:
    """d log phi / d log load of phi = (1 - exp(-x)) / x: x / (e^x - 1) - 1."""
    return float(load / np.expm1(load) - 1.0) if load > 1e-8 else -0.5 * float(load)


def linearised(
    market: Market, coefficients: Mapping[Metric, FloatArray], spend_cny: FloatArray
) -> tuple[Market, Mapping[Metric, FloatArray]]:
    """The market held at the load of spend (n_cells,), and coefficients that also pay for crowding."""
    if not fills(market):
        return market, coefficients
    assert market.rooms is not None
    opened = openness(market, market.supply.value(spend_cny))
    price = np.append(crowding(market, coefficients, spend_cny), 0.0)[market.rooms.of]
    return held(market, opened), charged(coefficients, price / opened)


def charged(coefficients: Mapping[Metric, FloatArray], price: FloatArray) -> Mapping[Metric, FloatArray]:
    """The coefficients less a price (n_cells,) an entry."""
    return {**coefficients, "entries": coefficients.get("entries", 0.0) - price}
