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
from models.contracts.features import Odd
from models.errors import SolverError

ODD = "odd"
"""Column of what was met in a feature of a part (JSON of an `Odd`); such a row holds nothing else."""


@dataclass(frozen=True)
class ScoredPart:
    """What came of some rows of the users.

    Attributes:
        scores: One row per person and placement.
        rejected: Quarantined rows, schema `REJECTED`.
        odd: What was met in the features.
    """

    scores: pl.DataFrame
    rejected: pl.DataFrame
    odd: tuple[Odd, ...]

    def merged(self) -> pa.Table:
        """As one table of `part_schema`, which is all that Spark carries."""
        odd = pl.DataFrame({ODD: [json.dumps(asdict(one)) for one in self.odd]}, schema={ODD: pl.String})
        merged = pl.concat([self.scores, self.rejected, odd], how="diagonal")
        return merged.to_arrow().cast(part_schema())

    @classmethod
    def of_merged(cls, part: pl.DataFrame) -> ScoredPart:
        """Inverse of `merged`, of one part or of several below each other."""
        return cls(
            scores=part.filter(pl.col("placement").is_not_null()).select(SCORE_COLUMNS),
            rejected=part.filter(pl.col("reason").is_not_null()).select(*REJECTED),
            odd=tuple(Odd(**json.loads(text)) for text in part[ODD].drop_nulls()),
        )


def part_schema() -> pa.Schema:
    """Columns of the scores, then those of a quarantined row, then `ODD`; a row fills one of the three."""
    fields = [(name, pa.int64() if kind == pl.Int64 else pa.string()) for name, kind in REJECTED.items()]
    return pa.schema(
        [*score_schema(), *(pa.field(name, kind) for name, kind in (*fields, (ODD, pa.string())))]
    )


def score_part(model: AudienceModel, raw: pl.DataFrame, *, source: str, first_row: int | None) -> ScoredPart:
    """Scores of one part of the users, its quarantined rows and what was odd in its features.

    Features are read by their kinds in the model, so that a person's score is the same in any part.

    Args:
        model: the fitted audience model.
        raw: part of the users table, as read; at least one row.
        source: name of the file, for messages.
        first_row: data rows before this part; None where an engine cannot know it (the row is then null).

    Raises:
        DataError: a required column or a feature of the model is missing.
        SolverError: a row would be lost or doubled.
    """
    conformed = conform(raw, "users", source=source, is_part=True, features=model.features)
    nobody = conformed.good.is_empty()  # every row of this part is bad; other parts may be fine
    scores = _no_scores() if nobody else model.score(conformed.good, is_read=True)
    refuse_lost(raw.height, scored=conformed.good.height, rejected=conformed.rejected.height, source=source)
    shift = pl.lit(None, dtype=pl.Int64) if first_row is None else pl.col("row") + first_row
    rejected = conformed.rejected.with_columns(shift.alias("row")).cast(REJECTED)
    return ScoredPart(scores, rejected, conformed.odd)


def refuse_lost(rows: int, *, scored: int, rejected: int, source: str) -> None:
    """Insist that every row of the users was scored or set aside, once."""
    if rows != scored + rejected:
        raise SolverError(
            f"{source}: of {rows:,} rows {scored:,} were scored and {rejected:,} set aside, which do not add "
            "up; nothing was written: please report it"
        )


def _no_scores() -> pl.DataFrame:
    empty = pl.from_arrow(score_schema().empty_table())
    assert isinstance(empty, pl.DataFrame)
    return empty
