"""The one function that every engine runs: raw users in, scores and quarantined rows out, Arrow to Arrow.

Pure, so that a local loop and a Spark worker give the same bits. It must not touch disk or MLflow.
"""

from __future__ import annotations

from typing import Any

import polars as pl
import pyarrow as pa

from models.audience import AudienceModel
from models.contracts import conform

SCORE_TYPES = {
    "user_id": pl.String,
    "placement": pl.String,
    "p_follow": pl.Float64,
    "gmv_per_fan_cny": pl.Float64,
    "p_precise": pl.Float64,
    "eligible": pl.Boolean,
    "p_enter": pl.Float64,
}
REJECT_TYPES = {"source": pl.String, "row": pl.Int64, "reason": pl.String, "raw": pl.String}
PART_ARROW = pa.schema(
    [
        *[(name, {pl.String: pa.string(), pl.Boolean: pa.bool_()}.get(kind, pa.float64()))
          for name, kind in SCORE_TYPES.items()],
        ("source", pa.string()),
        ("row", pa.int64()),
        ("reason", pa.string()),
        ("raw", pa.string()),
    ]
)  # fmt: skip


def score_part(model: AudienceModel, raw: pl.DataFrame, *, source: str, first_row: int | None) -> pa.Table:
    """Scores of one part of the users, followed by its quarantined rows.

    Args:
        model: the fitted audience model.
        raw: part of the users table, as read.
        source: name of the file, for messages.
        first_row: number of data rows before this part; None where an engine cannot know it (row is then null).

    Returns:
        A table of schema `PART_ARROW`. A scored row has a null `reason`; a quarantined one has null scores.
    """
    conformed = conform(raw, "users", source=source)
    scores = model.score(conformed.good).select(
        *[pl.col(name).cast(kind) for name, kind in SCORE_TYPES.items()],
        *[pl.lit(None, dtype=kind).alias(name) for name, kind in REJECT_TYPES.items()],
    )
    row: Any = pl.lit(None) if first_row is None else pl.col("row") + first_row
    rejected = conformed.rejected.select(
        *[pl.lit(None, dtype=kind).alias(name) for name, kind in SCORE_TYPES.items()],
        pl.col("source").cast(pl.String),
        row.cast(pl.Int64).alias("row"),
        pl.col("reason").cast(pl.String),
        pl.col("raw").cast(pl.String),
    )
    return pl.concat([scores, rejected]).to_arrow().cast(PART_ARROW)
