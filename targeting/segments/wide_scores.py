"""The score table as the segments see it: checked, one row per user, worth of every placement.

It must not import anything above `models.errors`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.errors import DataError

FloatArray = NDArray[np.float64]
SCORE_COLUMNS = ("user_id", "placement", "p_follow", "gmv_per_fan_cny", "p_precise", "eligible")


def widen(scores: pl.DataFrame, *, placements: Sequence[str], everyone: bool = False) -> pl.DataFrame:
    """One row per user with h, g, p of every placement as columns `h:<placement>` etc.; checks the scores."""
    absent = [name for name in SCORE_COLUMNS if name not in scores.columns]
    if absent:
        raise DataError(f"scores: column {absent[0]!r} is missing; expected {', '.join(SCORE_COLUMNS)}")
    numbers = ("p_follow", "gmv_per_fan_cny", "p_precise")
    for name in numbers:
        bad = scores.filter(pl.col(name).is_null() | ~pl.col(name).cast(pl.Float64).is_finite())
        if bad.height:
            where = bad.row(0, named=True)
            raise DataError(
                f"scores: {name} of user {where['user_id']!r} for {where['placement']!r} is {where[name]}; "
                f"expected a finite number ({bad.height} such rows); score these users again"
            )
    wide = scores.select("user_id").unique(maintain_order=True)
    if not everyone:
        wide = scores.filter(pl.col("eligible")).select("user_id").unique(maintain_order=True)
    for placement in placements:
        part = scores.filter(pl.col("placement") == placement)
        if part["user_id"].n_unique() != part.height:
            raise DataError(f"scores: a user has two rows for placement {placement!r}; expected one")
        renamed = part.select(
            "user_id", *(pl.col(n).cast(pl.Float64).alias(f"{n}:{placement}") for n in numbers)
        )
        wide = wide.join(renamed, on="user_id", how="left", maintain_order="left")
        if wide[f"p_follow:{placement}"].null_count():
            raise DataError(
                f"scores: some users have no row for placement {placement!r}; score every placement"
            )
    return wide


def tree_features(wide: pl.DataFrame, placements: Sequence[str]) -> FloatArray:
    """Features of the tree, (n_users, 3 + n_placements): p_precise, worth of each placement, their sum,
    follows.

    Worth is p_follow * gmv_per_fan_cny (yuan an impression), negative values count as 0; follows is the sum
    of p_follow.
    """
    hazard = np.stack([wide[f"p_follow:{p}"].to_numpy() for p in placements], axis=1)
    gmv = np.stack([wide[f"gmv_per_fan_cny:{p}"].to_numpy() for p in placements], axis=1)
    precise = np.stack([wide[f"p_precise:{p}"].to_numpy() for p in placements], axis=1)
    weight = np.maximum(hazard, 0.0)
    total = weight.sum(axis=1)
    mean = np.where(
        total > 0, (weight * precise).sum(axis=1) / np.where(total > 0, total, 1.0), precise.mean(axis=1)
    )
    worth = np.maximum(hazard * gmv, 0.0)
    return np.column_stack([mean, worth, worth.sum(axis=1), total])
