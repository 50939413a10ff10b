"""Promised beside realised, per segment x placement, cells that only one side has included."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from targeting.plan.decided import DecidedPlan
from targeting.plan.person_offers import CELL

FIGURES = {
    "spend_cny": "spend_cny", "impressions": "impressions", "fans": "new_fans", "gmv_cny": "new_fan_gmv_cny",
}  # fmt: skip
"""Link of the chain -> figure of a plan."""


def promised_cells(plan: DecidedPlan, chain: Sequence[str]) -> pl.DataFrame:
    """segment, placement, promised_<link>."""
    return plan.allocation.group_by(CELL, maintain_order=True).agg(
        pl.col(FIGURES[link]).sum().alias(f"promised_{link}") for link in chain
    )


def beside(promised: pl.DataFrame, paid: pl.DataFrame, *more: pl.DataFrame) -> pl.DataFrame:
    """All columns, 0 where a side has nothing, most money first.

    Args:
        promised: from `promised_cells`.
        paid: segment, placement, realised_spend_cny and what else came; its cells count beside the promised.
        more: further columns of the same cells.
    """
    cells = promised.join(paid, on=CELL, how="full", coalesce=True)
    for frame in more:
        cells = cells.join(frame, on=CELL, how="left")
    return cells.with_columns(pl.selectors.numeric().fill_null(0.0)).sort(
        "promised_spend_cny", "realised_spend_cny", *CELL, descending=[True, True, False, False]
    )


def with_cost_per_fan(cells: pl.DataFrame) -> pl.DataFrame:
    """Adds cost_per_fan_cny, null where nobody was won; nothing where fans are not known."""
    if "realised_fans" not in cells.columns:
        return cells
    fans = pl.when(pl.col("realised_fans") > 0).then(pl.col("realised_fans"))
    return cells.with_columns(cost_per_fan_cny=pl.col("realised_spend_cny") / fans)
