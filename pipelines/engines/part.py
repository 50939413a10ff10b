"""The one function that every engine runs: raw users in, scores and quarantined rows out, Arrow to Arrow.

Pure, so that a local loop and a Spark worker give the same bits. It must not touch disk or MLflow.
"""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from models.audience.model import AudienceModel
from models.audience.score_table import score_schema
from models.contracts import REJECTED, conform


def part_schema() -> pa.Schema:
    """Columns of the scores, then those of a quarantined row (null `reason`: a scored row)."""
    fields = [(name, pa.int64() if kind == pl.Int64 else pa.string()) for name, kind in REJECTED.items()]
    return pa.schema([*score_schema(), *(pa.field(name, kind) for name, kind in fields)])


def score_part(model: AudienceModel, raw: pl.DataFrame, *, source: str, first_row: int | None) -> pa.Table:
    """Scores of one part of the users, followed by its quarantined rows.

    Args:
        model: the fitted audience model.
        raw: part of the users table, as read; at least one row.
        source: name of the file, for messages.
        first_row: data rows before this part; None where an engine cannot know it (the row is then null).

    Returns:
        A table of `part_schema`. A scored row has a null `reason`; a quarantined one has null scores.

    Raises:
        DataError: a required column or a feature of the model is missing.
    """
    conformed = conform(raw, "users", source=source, is_part=True)
    nobody = conformed.good.is_empty()  # every row of this part is bad; other parts may be fine
    scores = _no_scores() if nobody else model.score(conformed.good)
    shift = pl.lit(None, dtype=pl.Int64) if first_row is None else pl.col("row") + first_row
    rejected = conformed.rejected.select(
        *[pl.lit(None, dtype=kind).alias(name) for name, kind in scores.schema.items()],
        *[shift.alias(name) if name == "row" else pl.col(name) for name in REJECTED],
    )
    scored = scores.with_columns(pl.lit(None, dtype=kind).alias(name) for name, kind in REJECTED.items())
    return pl.concat([scored, rejected]).to_arrow().cast(part_schema())


def _no_scores() -> pl.DataFrame:
    empty = pl.from_arrow(score_schema().empty_table())
    assert isinstance(empty, pl.DataFrame)
    return empty
