"""The last plan's spend, cell by cell, for change_limit and for comparisons.

Exists because last plans come as files with fewer keys than the market has. It must not read files.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from models.contracts.words import respelt
from models.errors import CampaignError
from models.supply.curves import FloatArray
from targeting.allocation.problem import Market
from targeting.campaign.messages import listed


def last_spend(
    market: Market, last_plan: pl.DataFrame | FloatArray, *, source: str = "last_plan"
) -> FloatArray:
    """(n_cells,) yuan of the last plan; 0 for a cell that it did not have.

    A frame is matched on segment, placement and, where it has them, campaign_id and slot. Spend of a key that
    several cells share (a last plan without slots) is split evenly over them. `source` starts every message.

    Raises:
        CampaignError: missing columns, a spend that is no finite number >= 0, or no cell in common.
    """
    if not isinstance(last_plan, pl.DataFrame):
        spend = np.asarray(last_plan, dtype=float)
        if spend.shape != (len(market),):
            raise CampaignError(
                f"{source}: expected {len(market)} spends, one per cell, got shape {spend.shape}"
            )
        return _refuse_bad(spend, source)
    missing = [c for c in ("segment", "placement", "spend_cny") if c not in last_plan.columns]
    if missing:
        raise CampaignError(
            f"{source}: column {missing[0]!r} is missing; columns found: {', '.join(last_plan.columns)}"
        )
    keys = ["segment", "placement", *(k for k in ("campaign_id", "slot") if k in last_plan.columns)]
    text = [pl.col(key).cast(pl.String) for key in keys]
    _refuse_bad(last_plan["spend_cny"].cast(pl.Float64).fill_null(np.nan).to_numpy(), source)
    spelt = [
        respelt(last_plan[key].cast(pl.String), market.cells[key].cast(pl.String).unique())
        for key in ("segment", "placement")
    ]
    last = (
        last_plan.with_columns(spelt)
        .select(*text, pl.col("spend_cny").cast(pl.Float64))
        .group_by(keys)
        .agg(pl.sum("spend_cny"))
    )
    cells = market.cells.select(*text)
    joined = cells.join(last, on=keys, how="left", maintain_order="left")["spend_cny"]
    if joined.is_null().all():
        raise CampaignError(
            f"{source}: none of its segments x placements exists now; it has segments "
            f"{listed(sorted(last['segment'].unique().to_list()))}, now there are "
            f"{listed(sorted(cells['segment'].unique().to_list()))}"
        )
    shared = cells.select(pl.len().over(keys).alias("n"))["n"].to_numpy()
    return np.asarray(joined.fill_null(0.0).to_numpy() / shared)


def _refuse_bad(spend_cny: FloatArray, source: str) -> FloatArray:
    bad = np.flatnonzero(~(np.isfinite(spend_cny) & (spend_cny >= 0)))
    if bad.size:
        raise CampaignError(
            f"{source}: spend_cny of row {bad[0] + 1} is {spend_cny[bad[0]]}; expected a finite number >= 0"
        )
    return spend_cny
