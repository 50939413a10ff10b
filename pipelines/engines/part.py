"""The one function that every engine runs: raw users in, scores and quarantined rows out, Arrow to Arrow.

Pure, so that a local loop and a Spark worker give the same bits. It must not touch disk or MLflow.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Protocol

import polars as pl
import pyarrow as pa

from models.audience.model import AudienceModel
from models.audience.score_table import SCORE_COLUMNS, score_schema
from models.contracts import REJECTED, conform
from models.contracts.features import Odd
from models.errors import SolverError

PART_FORMAT = 3
"""Changes with what a part holds, so that no part of an older version is taken for finished."""
ODD = "odd"
"""Column of what was met in a feature of a part (JSON of an `Odd`); such a row holds nothing else."""


class ReadPart(Protocol):
    """Reads one part, or some of its columns."""

    def __call__(self, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Its rows, in their order."""


@dataclass(frozen=True)
class Pass:
    """One pass of an engine over the users.

    Attributes:
        parts: Read a table of `part_schema` each, in the order of the users where the engine keeps it.
        rows: Of the users, as counted where they were read.
        digests: sha256 of each file of the users, as it was read.
        reused: How many parts an earlier, interrupted job had finished.
        missing: By file of the users that could not be read, why; nothing of it is in `parts` or `rows`.
    """

    parts: Sequence[ReadPart]
    rows: int
    digests: Mapping[str, str] = field(default_factory=dict)
    reused: int = 0
    missing: Mapping[str, str] = field(default_factory=dict)


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
        SolverError: a row would be lost or doubled.
    """
    conformed = conform(raw, "users", source=source, is_part=True, features=model.features)
    nobody = conformed.good.is_empty()  # every row of this part is bad; other parts may be fine
    scores = _no_scores() if nobody else model.score(conformed.good)
    refuse_lost(raw.height, scored=conformed.good.height, rejected=conformed.rejected.height, source=source)
    shift = pl.lit(None, dtype=pl.Int64) if first_row is None else pl.col("row") + first_row
    rejected = conformed.rejected.with_columns(shift.alias("row")).cast(REJECTED)
    odd = pl.DataFrame({ODD: [json.dumps(asdict(found)) for found in conformed.odd]}, schema={ODD: pl.String})
    return pl.concat([scores, rejected, odd], how="diagonal").to_arrow().cast(part_schema())


def refuse_lost(rows: int, *, scored: int, rejected: int, source: str) -> None:
    """Insist that every row of the users was scored or set aside, once."""
    if rows != scored + rejected:
        raise SolverError(
            f"{source}: of {rows:,} rows {scored:,} were scored and {rejected:,} set aside, which do not add "
            "up; nothing was written: please report it"
        )


def scores_of(part: pl.DataFrame) -> pl.DataFrame:
    """The rows of a part that are scores."""
    return part.filter(pl.col("placement").is_not_null()).select(SCORE_COLUMNS)


@dataclass(frozen=True)
class Beside:
    """What a part holds beside its scores.

    Attributes:
        people: Ids of those who were scored, in order.
        rejected: Quarantined rows, schema `REJECTED`.
        odd: What was met in the features.
    """

    people: pl.Series
    rejected: pl.DataFrame
    odd: tuple[Odd, ...]

    @classmethod
    def of(cls, read: ReadPart, *, placement: str) -> Beside:
        """Of a part, without its numbers; people are counted in one placement."""
        part = read(["user_id", "placement", *REJECTED, ODD])
        return cls(
            people=part.filter(pl.col("placement") == placement)["user_id"],
            rejected=part.filter(pl.col("reason").is_not_null()).select(*REJECTED),
            odd=tuple(Odd(**json.loads(text)) for text in part[ODD].drop_nulls()),
        )


def _no_scores() -> pl.DataFrame:
    empty = pl.from_arrow(score_schema().empty_table())
    assert isinstance(empty, pl.DataFrame)
    return empty
