"""How full a plan makes the live room. In: the market and the plan's spend. Out: viewers a day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.supply.curves import FloatArray
from targeting.allocation.outcomes import openness
from targeting.allocation.problem import Market
from targeting.allocation.rooms import arrivals


@dataclass(frozen=True)
class RoomFilled:
    """A day of the campaign.

    Attributes:
        places: viewers a day that the room holds; None where the logs show no limit.
        arrivals: who would enter an empty room.
        filled: places taken over places; None without a limit.
        let_in: share of the arrivals that gets in; over the draws where no limit was found.
    """

    places: float | None
    arrivals: float
    filled: float | None
    let_in: float


def room_filled(market: Market, spend_cny: FloatArray, *, days: float) -> RoomFilled | None:
    """The live room on an average day; None where the market knows of none.

    Args:
        spend_cny: (n_cells,).
        days: of the campaign.
    """
    if market.rooms is None:
        return None
    came, places = arrivals(market, spend_cny), market.rooms.places
    entries = (market.entry * market.supply.value(spend_cny)) * (market.rooms.of >= 0)
    if not came.sum() > 0:
        return None
    if np.isfinite(places).all():
        entered = float((places * -np.expm1(-came / places)).sum())
        return RoomFilled(
            places=float(places.sum() / days),
            arrivals=float(came.sum() / days),
            filled=entered / float(places.sum()),
            let_in=entered / float(came.sum()),
        )
    let_in = 1.0
    if market.rooms.draws is not None and market.draws is not None:
        shown = market.draws.supply.draws(slice(None)).value(spend_cny)
        let_in = float((openness(market, shown, slice(None)) @ entries).mean() / entries.sum())
    return RoomFilled(places=None, arrivals=float(came.sum() / days), filled=None, let_in=let_in)
