"""The table of scores. In: numbers per user and placement. Out: one row each, as a frame or an Arrow batch.

Must not import anything above polars and pyarrow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from models.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

SCORE_COLUMNS = ("user_id", "placement", "p_follow", "gmv_per_fan_cny", "p_precise", "eligible", "p_enter")
NUMBERS = ("p_follow", "gmv_per_fan_cny", "p_precise", "p_enter")


def score_table(
    users: pl.DataFrame, *, placements: tuple[str, ...], scores: Mapping[str, np.ndarray]
) -> pl.DataFrame:
    """One row per user and placement, users in the given order; existing fans are not eligible.

    Args:
        users: user_id and, where known, is_fan (absent: nobody is a fan).
        placements: Placements.
        scores: Each of `NUMBERS`, (n_users, n_placements); NaN where there is no live step to enter.

    Raises:
        DataError: Another number is not finite.
    """
    n, k = users.height, len(placements)
    for name in NUMBERS[:3]:
        if not np.isfinite(scores[name]).all():
            raise DataError(
                f"model: {name} is no finite number for some people; the model is damaged: train again"
            )
    no_fans = pl.repeat(False, n, dtype=pl.Boolean, eager=True)
    fan = users["is_fan"].fill_null(False) if "is_fan" in users.columns else no_fans
    user = np.repeat(np.arange(n), k)
    return pl.DataFrame(
        {
            "user_id": users["user_id"].cast(pl.String).gather(user),
            "placement": pl.Series(placements, dtype=pl.String).gather(np.tile(np.arange(k), n)),
            "eligible": (~fan).gather(user),
            **{name: scores[name].reshape(-1) for name in NUMBERS},
        }
    ).select(
        pl.col("p_enter").fill_nan(None) if name == "p_enter" else pl.col(name) for name in SCORE_COLUMNS
    )


def score_schema() -> pa.Schema:
    """Arrow schema of a scored batch."""
    import pyarrow as pa

    kinds = {"user_id": pa.string(), "placement": pa.string(), "eligible": pa.bool_()}
    return pa.schema([(name, kinds.get(name, pa.float64())) for name in SCORE_COLUMNS])


def score_batch(scores: pl.DataFrame) -> pa.RecordBatch:
    """A score table as one Arrow batch."""
    import pyarrow as pa

    table = scores.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(score_schema()).combine_chunks()
    if table.num_rows == 0:
        return pa.RecordBatch.from_pylist([], schema=score_schema())
    return table.to_batches()[0]
