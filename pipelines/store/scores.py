"""Scores on disk: the table, and a manifest that says what made it, of whom, and how much there must be."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.contracts.headers import missing_message
from models.errors import DataError
from pipelines.store import disk
from pipelines.store.parts import Part
from pipelines.store.reading import print_of
from pipelines.store.rejects import write_rejected
from pipelines.store.streams import digests_of
from pipelines.store.tables import RawTable, read_raw

SCORES = {
    "user_id": pl.String,
    "placement": pl.String,
    "p_follow": pl.Float64,
    "gmv_per_fan_cny": pl.Float64,
    "p_precise": pl.Float64,
    "eligible": pl.Boolean,
}
SCORES_MANIFEST = "manifest.json"
TABLE = "scores.parquet"
_SHARES = ("p_follow", "p_precise")


class ScoresManifest(BaseModel):
    """What `targeting score` says of a table of scores.

    Attributes:
        model_uri: The model version.
        fingerprints: Of the users' files and of the model's.
        engine: Where it ran.
        code_version: Of this program.
        users: Distinct people in the table.
        eligible: Of these, who can still be won (0 in a manifest of before).
        rejected: Rows of the users table that were set aside.
        rows: Of the table: one per person and placement.
        parts: Of the table (1 in a manifest of before).
        taken_over: How many of them an earlier job had made of the same users by the same model and program.
        sha256: Of the table's bytes; of a folder, the fingerprint of those of its files.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", protected_namespaces=())

    model_uri: str
    fingerprints: Mapping[str, str]
    engine: str
    code_version: str
    users: int = Field(ge=0)
    eligible: int = Field(default=0, ge=0)
    rejected: int = Field(ge=0)
    rows: int = Field(ge=0)
    parts: int = Field(default=1, ge=0)
    taken_over: int = Field(default=0, ge=0)
    sha256: str


@dataclass(frozen=True)
class Scored:
    """A table of scores that is whole.

    Attributes:
        scores: One row per person and placement.
        manifest: What made it.
        digest: Fingerprint of what was read.
    """

    scores: pl.DataFrame
    manifest: ScoresManifest
    digest: str


def write_scores(
    parts: Sequence[Part], folder: Path, *, rejected: pl.DataFrame, made_by: Mapping[str, object]
) -> ScoresManifest:
    """Publish finished parts as `scores.parquet` (a file where there is one part, else a folder of them, in
    their order), and write `manifest.json` and `rejected/`.

    Args:
        parts: One row per person and placement, a person's rows in one part, each person once.
        folder: Of a `Target`.
        rejected: Rows of the users that were set aside.
        made_by: What else the manifest says.

    Raises:
        DataError: A part was changed since it was made.
    """
    table = folder / TABLE
    if len(parts) > 1:
        disk.make(table)
        paths = [part.linked(table / part.named(number)) for number, part in enumerate(parts)]
    else:
        paths = [part.linked(table) for part in parts]
    digests = {
        "" if path == table else path.name: part.sha256 for path, part in zip(paths, parts, strict=True)
    }
    write_rejected(rejected, folder)
    told = {
        "rejected": rejected.height,
        "rows": sum(part.rows for part in parts),
        "parts": len(parts),
        "sha256": _table_print(digests),
    }
    manifest = ScoresManifest.model_validate({**made_by, **told})
    text = json.dumps(manifest.model_dump(), indent=2) + "\n"
    disk.put(folder / SCORES_MANIFEST, text.encode())
    return manifest


def _table_print(digests: Mapping[str, str]) -> str:
    """Of a file its sha256, of a folder the fingerprint of its files'."""
    return digests[""] if list(digests) == [""] else print_of(digests)


def read_scored(folder: Path) -> Scored:
    """The scores in an output directory of `targeting score`, after a check that they are all there.

    Raises:
        DataError: No such directory, or not the table that its manifest tells of.
    """
    path = folder / SCORES_MANIFEST
    try:
        manifest = ScoresManifest.model_validate_json(disk.read(path))
    except (OSError, ValidationError) as error:
        raise _damaged(path) from error
    raw = _raw(folder)
    scores = as_scores(raw.frame, source=raw.source)
    held = {"rows": scores.height, "users": scores["user_id"].n_unique(), "sha256": _table_print(raw.digests)}
    wrong = [name for name, value in held.items() if value != getattr(manifest, name)]
    if wrong:
        raise DataError(
            f"{raw.source}: is not the table that `targeting score` wrote ({wrong[0]} {held[wrong[0]]}, "
            f"expected {getattr(manifest, wrong[0])}); remove {folder} and score again"
        )
    return Scored(scores, manifest, print_of(raw.digests))


def read_scores(folder: str | Path) -> pl.DataFrame:
    """Stored scores: `scores.parquet` (file or folder of parts) of an output directory, or that file itself.

    Raises:
        DataError: Not there, a column of DESIGN 3.3 is missing or of another type, or a number is none.
    """
    raw = _raw(Path(folder))
    return as_scores(raw.frame, source=raw.source)


def scored_digest(table: Path, files: Sequence[Path] | None = None) -> str:
    """Fingerprint of scores that an engine streams by itself, after a comparison with their manifest.

    Args:
        table: In an output directory of `targeting score`, or in another one.
        files: Of it that are read; None: all.

    Raises:
        DataError: The table is not the one that the manifest tells of.
    """
    digests = digests_of(table, files)
    try:
        manifest = ScoresManifest.model_validate_json(disk.read(table.parent / SCORES_MANIFEST))
    except FileNotFoundError:  # somebody else's scores
        return print_of(digests)
    except (OSError, ValidationError) as error:
        raise _damaged(table.parent / SCORES_MANIFEST) from error
    if _table_print(digests) != manifest.sha256:
        raise DataError(f"{table}: is not the table that `targeting score` wrote; score again")
    return print_of(digests)


def _damaged(path: Path) -> DataError:
    return DataError(
        f"{path}: missing or damaged; expected a directory written by `targeting score`: score again"
    )


def _raw(folder: Path) -> RawTable:
    path = folder / TABLE if (folder / TABLE).exists() else folder
    if path.is_dir() and path == folder and not any(folder.glob("*.parquet")):
        raise DataError(f"{folder}: no scores.parquet; expected the output directory of `targeting score`")
    return read_raw(path)


def as_scores(table: pl.DataFrame, *, source: str) -> pl.DataFrame:
    """A table, or a part of one, as scores.

    Raises:
        DataError: A column of DESIGN 3.3 is missing or of another type, or a number is none.
    """
    if missing := [name for name in SCORES if name not in table.columns]:
        raise DataError(missing_message(missing, table.columns, source=source, table="scores"))
    try:
        scores = table.with_columns(pl.col(name).cast(dtype) for name, dtype in SCORES.items())
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{source}: a score column has another type: {reason}") from error
    fits = {name: pl.col(name).is_between(0, 1) for name in _SHARES}
    fits["gmv_per_fan_cny"] = pl.col("gmv_per_fan_cny").is_finite()
    for name, fit in fits.items():
        if not scores.select(fit.fill_null(False).all()).item():
            row = scores.select((~fit.fill_null(False)).arg_max()).item()
            raise DataError(
                f"{source}: row {row + 1}: {name} is {scores[name][row]}, expected "
                f"{'a number from 0 to 1' if name in _SHARES else 'a finite number'}; score again"
            )
    return scores
