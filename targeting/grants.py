"""Granted impressions in a market: what cells get for no money, a(0).

A grant is shared over the people of the cells it is for; where nobody counted them, over the cells alike. It
must not import anything that decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from models.errors import CampaignError
from models.supply.curves import FloatArray
from targeting.allocation.problem import Market
from targeting.campaign.brief import Grant


def with_grants(market: Market, grants: Sequence[Grant], *, sign: float = 1.0) -> Market:
    """The market with grants on top of what money buys; `sign` -1 takes them away again.

    Raises:
        CampaignError: a grant is for no cell, or the market's curves know no impressions.
    """
    if not grants:
        return market
    given = sign * np.sum([_shared(market, grant, number) for number, grant in enumerate(grants)], axis=0)
    supply = replace(market.supply, base=np.maximum(market.supply.base + given, 0.0))
    draws = market.draws
    if draws is not None:
        base = np.maximum(draws.supply.base + given, 0.0)
        draws = replace(draws, supply=replace(draws.supply, base=base))
    return replace(market, supply=supply, draws=draws)


def _shared(market: Market, grant: Grant, number: int) -> FloatArray:
    """(n_cells,) impressions of one grant."""
    chosen = pl.lit(True)
    for key, values in (("placement", grant.placement), ("segment", grant.segment)):
        if values is not None:
            chosen = chosen & pl.col(key).is_in(list(values))
    here = market.cells.select(chosen.alias("here"))["here"]
    inside = np.broadcast_to(here.to_numpy(), (len(market),))
    if not inside.any():
        raise CampaignError(f"grants[{number}]: selects no cell; name a placement or segment of the plan")
    if (market.hazard[inside] == 1.0).all() and (market.gmv_per_fan_cny[inside] == 1.0).all():
        raise CampaignError(
            f"grants[{number}]: these curves say what money is worth and know no impressions; leave "
            "grants out, or plan from logs or a console's report"
        )
    # A console's report knows no people: its cells share alike.
    weight = np.where(np.isfinite(market.users), market.users, 1.0) * inside
    return np.asarray(grant.impressions * weight / weight.sum())
