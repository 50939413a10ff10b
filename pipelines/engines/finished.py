"""Scored parts on the disk, each in the form in which it is published: nothing is written a second time.

A part's file holds its scores; what was set aside and what was odd travels in the file's metadata, with who
is not eligible because of the logs alone: logs change every night, and a part of users that did not is then
taken over as it is, or with another column `eligible`. It must not import mlflow.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from models.audience.score_table import score_schema
from models.contracts import REJECTED
from models.contracts.features import Odd
from pipelines.engines.part import ScoredPart
from pipelines.store.parts import Part, written_part

FORMAT = 4
"""Changes with what a part holds, so that no part of an older version is taken for finished."""
_SAID = b"targeting.part"
_OF_ROW = [name for name in REJECTED if name != "source"]
"""The file may have been moved since."""

_OF_EACH = pl.col("placement") == pl.col("placement").first()
"""One row a person."""


@dataclass(frozen=True)
class Finished:
    """A part on the disk, and what is known of it without reading it again.

    Attributes:
        part: Its file.
        people: Hashes of the ids of those who were scored, in order, (n,).
        eligible: How many of them can still be won.
        rejected, odd: As of `ScoredPart`.
    """

    part: Part
    people: np.ndarray
    eligible: int
    rejected: pl.DataFrame
    odd: tuple[Odd, ...]

    @property
    def rows(self) -> int:
        """Of the users that it was made of."""
        return len(self.people) + self.rejected.height


@dataclass(frozen=True)
class Pass:
    """One pass of an engine over the users.

    Attributes:
        parts: In the order of the users where the engine keeps it.
        rows: Of the users, as counted where they were read.
        digests: sha256 of each file of the users, as it was read.
        missing: By file of the users that could not be read, why; nothing of it is in `parts` or `rows`.
    """

    parts: Sequence[Finished]
    rows: int
    digests: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)


def finish(made: ScoredPart, folder: Path, key: str, *, new_fans: pl.Series) -> Finished:
    """A part that was scored now, on the disk.

    Args:
        made: What came of its rows.
        folder: Of parts.
        key: What it was made of.
        new_fans: Ids of those who followed in the logs.
    """
    known = ids_of(made.scores)
    scores, won = _won(made.scores, new_fans)
    said = {
        "rejected": made.rejected.select(_OF_ROW).rows(),
        "odd": [asdict(odd) for odd in made.odd],
        "won": won.to_list(),
    }
    part = written_part(folder, key, _with_said(scores, said))
    return Finished(part, known.hash().to_numpy(), _eligible(scores), made.rejected, made.odd)


def again(part: Part, folder: Path, key: str, *, source: str, new_fans: pl.Series) -> Finished:
    """A part that was found, written anew only where the logs have changed who can still be won.

    Args:
        part: As it was found.
        folder, key, new_fans: As of `finish`.
        source: Where its rows are now.
    """
    table = part.table(["user_id", "placement", "eligible"])
    said = json.loads(zlib.decompress(base64.b64decode(table.schema.metadata[_SAID])))
    had = pl.from_arrow(table)
    assert isinstance(had, pl.DataFrame)
    before = pl.Series(said["won"], dtype=pl.String).implode()
    scores, won = _won(had.with_columns(pl.col("eligible") | pl.col("user_id").is_in(before)), new_fans)
    if not scores["eligible"].equals(had["eligible"]):
        told = {**said, "won": won.to_list()}
        table = _with_said(part.read().with_columns(scores["eligible"]), told)
        part = replace(written_part(folder, key, table), reused=True)
    rejected = pl.DataFrame(said["rejected"], schema={n: REJECTED[n] for n in _OF_ROW}, orient="row")
    return Finished(
        part=part,
        people=ids_of(scores).hash().to_numpy(),
        eligible=_eligible(scores),
        rejected=rejected.with_columns(source=pl.lit(source)).select(*REJECTED),
        odd=tuple(Odd(**one) for one in said["odd"]),
    )


def without(one: Finished, gone: Sequence[str], folder: Path) -> Finished:
    """A part without the people who stand in an earlier one, and without the second rows of the others."""
    first = pl.struct("user_id", "placement").is_first_distinct()
    known = pl.col("user_id").is_in(pl.Series(gone, dtype=pl.String).implode())
    scores = one.part.read().filter(~known & first)
    part = written_part(folder, one.part.sha256[:16], _with_said(scores, {}))
    return replace(one, part=part, people=ids_of(scores).hash().to_numpy(), eligible=_eligible(scores))


def ids_of(scores: pl.DataFrame) -> pl.Series:
    """Ids of the people of a part, in order: those of its first placement."""
    return scores.filter(_OF_EACH)["user_id"]


def _won(scores: pl.DataFrame, new_fans: pl.Series) -> tuple[pl.DataFrame, pl.Series]:
    """Scores of which new fans are not eligible, and who would be without the logs."""
    if new_fans.is_empty():
        return scores, new_fans
    won = scores.filter(pl.col("eligible") & pl.col("user_id").is_in(new_fans.implode()))["user_id"]
    still = pl.col("eligible") & ~pl.col("user_id").is_in(won.implode())
    return scores.with_columns(still), won.unique(maintain_order=True)


def _eligible(scores: pl.DataFrame) -> int:
    return int(scores.filter(_OF_EACH)["eligible"].sum())


def _with_said(scores: pl.DataFrame, said: Mapping[str, object]) -> pa.Table:
    text = base64.b64encode(zlib.compress(json.dumps(said).encode(), 1))
    table = scores.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(score_schema())
    return table.replace_schema_metadata({_SAID: text})
