"""Small markets with every feature that constraints can speak of, for the tests of the allocation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from models.supply.curves import FAMILIES, CurveSet
from targeting.allocation.problem import Draws, Market


def market(
    *,
    segments: int = 3,
    slots: int = 1,
    campaigns: int = 1,
    seed: int = 0,
    family: str = "log",
    users: float = 1e4,
    draws: int = 0,
) -> Market:
    """Campaigns x segments x slots x (video, live); one campaign and segment are one block."""
    rng = np.random.default_rng(seed)
    keys = [
        {
            "campaign_id": f"c{k}",
            "merchant_id": f"m{k}",
            "segment": f"s{i}",
            "placement": placement,
            "slot": slot,
            "fan_kind": "content" if i == 0 else "precise",
        }
        for k in range(campaigns)
        for i in range(segments)
        for slot in range(slots)
        for placement in ("video", "live")
    ]
    cells = pl.DataFrame(keys)
    n = len(cells)
    live = (cells["placement"] == "live").to_numpy()
    supply = CurveSet(
        family=np.full(n, FAMILIES.index(family), dtype=np.int8),
        top=rng.uniform(5e3, 2e4, n),
        scale_cny=rng.uniform(1e2, 1e3, n),
        shape=np.full(n, 2.5 if family == "hill" else 1.0),
        base=np.zeros(n),
    )
    small = Market(
        cells=cells,
        block=np.repeat(np.arange(campaigns * segments), 2 * slots),
        supply=supply,
        users=np.full(n, users),
        hazard=rng.uniform(0.005, 0.05, n),
        entry=np.where(live, 0.1, 0.0),
        gmv_per_fan_cny=rng.uniform(5, 60, n),
        observed_max_cny=np.full(n, np.inf),
    )
    return replace(small, draws=_draws(small, draws, rng)) if draws else small


def _draws(small: Market, count: int, rng: np.random.Generator) -> Draws:
    n = len(small)

    def noisy(x: np.ndarray) -> np.ndarray:
        return x * np.exp(rng.normal(0.0, 0.3, (count, n)) - 0.045)

    one = np.ones((count, n))
    supply = replace(
        small.supply,
        top=noisy(small.supply.top),
        scale_cny=noisy(small.supply.scale_cny),
        shape=one * small.supply.shape,
        base=0.0 * one,
    )
    return Draws(supply=supply, hazard=noisy(small.hazard), gmv_per_fan_cny=noisy(small.gmv_per_fan_cny))
