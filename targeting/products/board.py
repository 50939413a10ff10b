"""The TOP board: the products that bring most, with what came of promoting them before."""

from __future__ import annotations

import polars as pl

from models.contracts.frames import as_frame
from models.errors import DataError
from targeting.products.ratings import in_numbers

_HISTORY = ("promotions", "last_promoted_on", "gmv_per_promotion_cny")


def top_board(rated: pl.DataFrame, promotions: object = None, *, top: int = 20) -> pl.DataFrame:
    """The first `top` products of each segment, each with its promotions.

    Args:
        rated: from `rate_products`.
        promotions: product_id, promoted_on (a date) and, where known, gmv_cny, a row a promotion; without, no
            history is known.
        top: products a segment.

    Returns:
        The columns of `rated`, then promotions (how often), last_promoted_on, gmv_per_promotion_cny (mean,
        null where unknown).

    Raises:
        DataError: a column of promotions is missing or holds what it cannot.
    """
    board = rated.filter(pl.col("rank") <= top).sort("segment", "rank")
    if promotions is None:
        return board.with_columns(pl.lit(None).alias(name) for name in _HISTORY)
    return board.join(_history(as_frame(promotions)), on="product_id", how="left").with_columns(
        pl.col("promotions").fill_null(0)
    )


def _history(table: pl.DataFrame) -> pl.DataFrame:
    missing = [name for name in ("product_id", "promoted_on") if name not in table.columns]
    if missing:
        raise DataError(f"promotions: column {missing[0]!r} is missing; expected product_id, promoted_on")
    day = pl.col("promoted_on")
    if table.schema["promoted_on"] == pl.String:
        day = day.str.to_date(strict=False)
    table = in_numbers(table, ("gmv_cny",), source="promotions")
    earned = pl.col("gmv_cny") if "gmv_cny" in table.columns else pl.lit(None, pl.Float64)
    dated = table.select(pl.col("product_id").cast(pl.String), promoted_on=day.cast(pl.Date), earned=earned)
    if dated["promoted_on"].null_count():
        wrong = table["promoted_on"][int(dated["promoted_on"].is_null().arg_max() or 0)]
        raise DataError(f"promotions: promoted_on is {wrong!r}; expected a date like 2020-11-01")
    return dated.group_by("product_id").agg(
        promotions=pl.len().cast(pl.Int64),
        last_promoted_on=pl.col("promoted_on").max(),
        gmv_per_promotion_cny=pl.col("earned").mean(),
    )
