"""The one function that every engine runs: raw users in, scores and quarantined rows out, Arrow to Arrow.

Pure, so that a local loop and a Spark worker give the same bits. It must not touch disk or MLflow.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import polars as pl
import pyarrow as pa

from models.audience.model import AudienceModel
from models.audience.score_table import SCORE_COLUMNS, score_schema
from models.contracts import REJECTED, conform
from models.contracts.features import Odd, add_up

PART_FORMAT = 2
"""Changes with what a part holds, so that no part of an older version is taken for finished."""
ODD = "odd"
"""Column of what was met in a feature of a part (JSON of an `Odd`); such a row holds nothing else."""


@dataclass(frozen=True)
class Scored:
    """What all parts together are.

    Attributes:
        scores: Columns of the scores.
        rejected: Quarantined rows, schema `REJECTED`.
        odd: What was met in the features, added up.
    """

    scores: pl.DataFrame
    rejected: pl.DataFrame
    odd: tuple[Odd, ...]


def part_schema() -> pa.Schema:
    """Columns of the scores, then those of a quarantined row, then `ODD`; a row fills one of the three."""
    fields = [(name, pa.int64() if kind == pl.Int64 else pa.string()) for name, kind in REJECTED.items()]
    return pa.schema(
        [*score_schema(), *(pa.field(name, kind) for name, kind in (*fields, (ODD, pa.string())))]
    )


def score_part(model: AudienceModel, raw: pl.DataFrame, *, source: str, first_row: int | None) -> pa.Table:
    """Scores of one part of the users, followed by its quarantined rows and what was odd in its features.

    Features are read by their kinds in the model, so that a person's score is the same in any part.

    Args:
        model: the fitted audience model.
        raw: part of the users table, as read; at least one row.
        source: name of the file, for messages.
        first_row: data rows before this part; None where an engine cannot know it (the row is then null).

    Returns:
        A table of `part_schema`.

    Raises:
        DataError: a required column or a feature of the model is missing.
    """
    conformed = conform(raw, "users", source=source, is_part=True, features=model.features)
    nobody = conformed.good.is_empty()  # every row of this part is bad; other parts may be fine
    scores = _no_scores() if nobody else model.score(conformed.good)
    shift = pl.lit(None, dtype=pl.Int64) if first_row is None else pl.col("row") + first_row
    rejected = conformed.rejected.with_columns(shift.alias("row")).cast(REJECTED)
    odd = pl.DataFrame({ODD: [json.dumps(asdict(found)) for found in conformed.odd]}, schema={ODD: pl.String})
    return pl.concat([scores, rejected, odd], how="diagonal").to_arrow().cast(part_schema())


def gather_parts(parts: pl.LazyFrame) -> Scored:
    """The parts' rows by what they are, scores in the order of the parts."""
    streamed = {
        name: parts.filter(pl.col(mark).is_not_null()).select(columns).collect(engine="streaming")
        for name, mark, columns in (
            ("scores", "placement", SCORE_COLUMNS),
            ("rejected", "reason", tuple(REJECTED)),
            (ODD, ODD, (ODD,)),
        )
    }
    odd = add_up([Odd(**json.loads(text)) for text in streamed[ODD][ODD]])
    return Scored(streamed["scores"], streamed["rejected"], odd)


def _no_scores() -> pl.DataFrame:
    empty = pl.from_arrow(score_schema().empty_table())
    assert isinstance(empty, pl.DataFrame)
    return empty
