"""Everybody in a table of users through an engine, in parts: each person once, every row scored or set aside.

Nothing here grows with the people but their rejects and the hashes that tell who stands twice. It must not
write a result or log.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from models.audience.model import AudienceModel
from models.contracts import REJECTED, Conformed, no_rejects
from models.contracts.features import Odd, add_up
from models.contracts.quarantine import refuse_many, worst
from models.errors import DataError
from pipelines.config.job_settings import ScoreSettings
from pipelines.engines import local, spark
from pipelines.engines.part import Beside, Pass, ReadPart, refuse_lost, scores_of
from pipelines.shell import Tell
from pipelines.store import is_parquet, read_users, write_table
from pipelines.store.reading import print_of
from pipelines.store.repeats import Hashes


@dataclass(frozen=True)
class ScoredUsers:
    """All users after an engine, still in parts: nothing here grows with them but their rejects.

    Attributes:
        parts: Read one part of the scores each.
        rejected: Rows that were set aside, schema `REJECTED`.
        odd: What was met in the features, added up.
        users_print: fingerprint of the users' files as they were read.
        reused: parts that were found finished.
        gone: by part, who stands in an earlier part already.
        missing: by file that could not be read, why.
    """

    parts: Sequence[ReadPart]
    rejected: pl.DataFrame
    odd: tuple[Odd, ...]
    users_print: str
    reused: int
    gone: Mapping[int, Sequence[str]]
    missing: Mapping[str, str]

    def scores(self) -> Iterator[pl.DataFrame]:
        """The scores part by part, each person once."""
        for number, read in enumerate(self.parts):
            scores = scores_of(read())
            if number in self.gone:
                gone = pl.Series(self.gone[number], dtype=pl.String)
                first = pl.struct("user_id", "placement").is_first_distinct()
                known = pl.col("user_id").is_in(gone.implode())
                scores = scores.filter(~known & first)
            yield scores


def score_users(
    model: AudienceModel, *, users: Path, work: Path, settings: ScoreSettings, tell: Tell
) -> ScoredUsers:
    """Score the users table at `users` through an engine.

    Args:
        model: the fitted audience model.
        users: Parquet or CSV, a file or a folder of parts.
        work: folder for finished parts.
        settings: engine and part size.
        tell: progress listener.

    Raises:
        DataError: no row is usable, or too few are.
    """
    source, before = _as_parquet(model, users, work)
    read = _by_engine(model, users=source, work=work, settings=settings, tell=tell)
    people, hashes = 0, Hashes(work / "hashes")
    rejects = [no_rejects()]
    odd: list[Odd] = []
    for part in read.parts:
        beside = Beside.of(part, placement=model.placements[0])
        hashes.add(beside.people)
        people += len(beside.people)
        rejects.append(beside.rejected)
        odd += beside.odd
    refuse_lost(read.rows, scored=people, rejected=sum(map(len, rejects)), source=str(users))
    if before is not None:
        rejects, odd = [before.rejected, *rejects], [*before.odd, *odd]
    rejected = pl.concat(rejects)
    if not people:
        [(reason, count)] = worst(rejected) or [("no data rows", 0)]
        raise DataError(f"{users}: no row of table users is usable; {count} of {rejected.height}: {reason}")
    gone, repeated = _repeats(read.parts, hashes.repeated(), placement=model.placements[0])
    refuse_many(str(users), people - len(repeated), rejected, ceiling=settings.max_rejected_share)
    return ScoredUsers(
        parts=read.parts,
        rejected=pl.concat([rejected, _told(repeated, source=str(users)), _unread(read.missing)]),
        odd=add_up(odd),
        users_print=print_of(read.digests) if before is None else before.digest,
        reused=read.reused,
        gone=gone,
        missing=read.missing,
    )


def _by_engine(model: AudienceModel, *, users: Path, work: Path, settings: ScoreSettings, tell: Tell) -> Pass:
    """Every part of the users, scored on Spark or here."""
    if settings.engine == "spark":
        tell(f"spark at {settings.spark_master}")
        return spark.score(
            model.to_files(),
            users=users,
            work=work / "spark",
            part_users=settings.part_users,
            master=settings.spark_master,
        )
    return local.score(
        model,
        model_print=model_print(model),
        users=users,
        work=work / "parts",
        part_users=settings.part_users,
        tell=tell,
    )


def _as_parquet(model: AudienceModel, users: Path, work: Path) -> tuple[Path, Conformed | None]:
    """The users as Parquet, and the conversion where there was one: Parquet is streamed as it is, and hashed
    on the way.
    """
    if is_parquet(users):
        return users, None
    conformed = read_users(users, features=model.features)
    work.mkdir(parents=True, exist_ok=True)
    write_table(conformed.good, work / "users.parquet")
    return work / "users.parquet", conformed


def _repeats(
    parts: Sequence[ReadPart], hashes: pl.Series, *, placement: str
) -> tuple[dict[int, list[str]], list[str]]:
    """By part, who stands in an earlier one; and everybody who stands twice, in order."""
    gone: dict[int, list[str]] = {}
    first: set[str] = set()
    twice: dict[str, None] = {}
    for number, read in enumerate(parts if len(hashes) else ()):
        ids = Beside.of(read, placement=placement).people
        here: set[str] = set()
        for user in ids.filter(ids.hash().is_in(hashes.implode())):
            if user in first or user in here:
                twice[user] = None
                gone.setdefault(number, []).extend([user] if user in first else [])
            here.add(user)
        first |= here
    return gone, list(twice)


def _told(twice: Sequence[str], *, source: str) -> pl.DataFrame:
    """Quarantined rows of users whose first row was kept."""
    rejected = pl.DataFrame({"user_id": twice}, schema={"user_id": pl.String}).select(
        table=pl.lit("users"),
        source=pl.lit(source),
        row=pl.lit(None, dtype=pl.Int64),
        reason=pl.lit("user_id: appears again in another part of the table; the first row was kept"),
        raw=pl.struct("user_id").struct.json_encode(),
    )
    return rejected.cast(REJECTED)


def _unread(missing: Mapping[str, str]) -> pl.DataFrame:
    """A quarantined row for each file that could not be read."""
    rows = [("users", source, None, reason, None) for source, reason in missing.items()]
    return pl.DataFrame(rows, schema=REJECTED, orient="row")


def model_print(model: AudienceModel) -> str:
    """Fingerprint of a model's files."""
    return hashlib.sha256(json.dumps(model.to_files(), sort_keys=True).encode()).hexdigest()[:32]
