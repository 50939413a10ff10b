"""The one function that every engine runs: raw users in, scores and quarantined rows out, Arrow to Arrow.

Pure, so that a local loop and a Spark worker give the same bits. It must not touch disk or MLflow.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

import polars as pl
import pyarrow as pa

from models.audience.model import AudienceModel
from models.audience.score_table import SCORE_COLUMNS, score_schema
from models.contracts import REJECTED, conform, no_rejects
from models.contracts.features import Odd, add_up
from models.errors import SolverError

PART_FORMAT = 3
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


@dataclass(frozen=True)
class Pass:
    """One pass of an engine over the users.

    Attributes:
        parts: Tables of `part_schema`, in the order of the users where the engine keeps it.
        rows: Of the users, as counted where they were read.
        digests: sha256 of each file of the users, as it was read.
        reused: How many parts an earlier, interrupted job had finished.
    """

    parts: Iterable[pl.DataFrame]
    rows: int
    digests: Mapping[str, str] = field(default_factory=dict)
    reused: int = 0


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


def gather_parts(parts: Iterable[pl.DataFrame]) -> Scored:
    """The parts' rows by what they are, scores in the order of the parts."""
    scores, rejected, odd = [_no_scores()], [no_rejects()], []
    for part in parts:
        scores.append(part.filter(pl.col("placement").is_not_null()).select(SCORE_COLUMNS))
        rejected.append(part.filter(pl.col("reason").is_not_null()).select(*REJECTED))
        odd += part[ODD].drop_nulls().to_list()
    found = add_up([Odd(**json.loads(text)) for text in odd])
    return Scored(pl.concat(scores), pl.concat(rejected), found)


def _no_scores() -> pl.DataFrame:
    empty = pl.from_arrow(score_schema().empty_table())
    assert isinstance(empty, pl.DataFrame)
    return empty
