"""assignment.json: what was chosen, its certificate, and the prices for people who come later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import polars as pl
from pydantic import TypeAdapter

from models.stored import File, Rows

_LIMITS = {
    "name": pl.String,
    "where": pl.String,
    "lower": pl.Float64,
    "used": pl.Float64,
    "upper": pl.Float64,
    "price": pl.Float64,
    "unit": pl.String,
}


class AssignmentFile(File):
    """The file's content; `options` and `price_cny` are null where the table had offers of its own,
    `gap` where it is infinite.
    """

    campaign_id: str
    objective: str
    status: str
    people: int
    chosen: Mapping[str, int]
    value: float
    upper_bound: float
    gap: float | None
    budget_cny: float
    spend_cny: float
    prices: Mapping[str, float]
    limits: Annotated[pl.DataFrame, Rows(_LIMITS)]
    options: Mapping[str, Mapping[str, float]] | None
    price_cny: Mapping[str, float] | None
    fingerprints: Mapping[str, str]
    versions: Mapping[str, str]


ASSIGNMENT_FILE = TypeAdapter(AssignmentFile)


def with_open_ends(limits: pl.DataFrame) -> pl.DataFrame:
    """The limits with null where one has no lower or upper end: JSON has no word for infinity."""
    ends = (pl.col("lower"), pl.col("upper"))
    return limits.with_columns(pl.when(end.is_finite()).then(end) for end in ends)
