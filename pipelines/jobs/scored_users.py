"""Everybody in a table of users through an engine, in parts: each person once, every row scored or set aside.

Nothing here grows with the people but their rejects and the hashes, eight bytes each, that tell who stands
twice. It must not write a result or log.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
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
from pipelines.engines.finished import Finished, ids_of, without
from pipelines.engines.part import refuse_lost
from pipelines.shell import Tell
from pipelines.store import is_parquet, read_users, write_table
from pipelines.store.reading import print_of
from pipelines.store.repeats import Hashes
from pipelines.store.scores import TABLE, ScoresManifest, write_scores

NOBODY = pl.Series("user_id", [], dtype=pl.String)


@dataclass(frozen=True)
class ScoredUsers:
    """All users after an engine, still in parts: nothing here grows with them but their rejects.

    Attributes:
        parts: On the disk, each person in one of them.
        rejected: Rows that were set aside, schema `REJECTED`.
        odd: What was met in the features, added up.
        users_print: fingerprint of the users' files as they were read.
        missing: by file that could not be read, why.
    """

    parts: Sequence[Finished]
    rejected: pl.DataFrame
    odd: tuple[Odd, ...]
    users_print: str
    missing: Mapping[str, str]

    @property
    def reused(self) -> int:
        """Parts that were found finished."""
        return sum(one.part.reused for one in self.parts)

    def write(self, folder: Path, made_by: Mapping[str, object]) -> ScoresManifest:
        """Publishes the parts and what was set aside into the folder of a `Target`."""
        told = {
            "users": sum(len(one.people) for one in self.parts),
            "eligible": sum(one.eligible for one in self.parts),
            "taken_over": self.reused,
        }
        return write_scores(
            [one.part for one in self.parts], folder, rejected=self.rejected, made_by={**made_by, **told}
        )


def score_users(
    model: AudienceModel,
    *,
    users: Path,
    work: Path,
    settings: ScoreSettings,
    tell: Tell,
    new_fans: pl.Series = NOBODY,
    last: Path | None = None,
    code: str = "",
) -> ScoredUsers:
    """Score the users table at `users` through an engine.

    Args:
        model: the fitted audience model.
        users: Parquet or CSV, a file or a folder of parts.
        work: folder for finished parts.
        settings: engine and part size.
        tell: progress listener.
        new_fans: ids of those who followed in the logs and can no longer be won.
        last: directory of scores of before, whose parts are taken over where their users have not changed.
        code: version of the program: parts of another are made again.

    Raises:
        DataError: no row is usable, or too few are.
    """
    source, before = _as_parquet(model, users, work)
    if settings.engine == "spark":
        tell(f"spark at {settings.spark_master}")
        read = spark.score(
            model.to_files(),
            users=source,
            work=work / "spark",
            part_users=settings.part_users,
            master=settings.spark_master,
            new_fans=new_fans,
        )
    else:
        read = local.score(
            model,
            made_by=f"{model_print(model)} {code}",
            users=source,
            work=work / "parts",
            last=None if last is None else last / TABLE,
            part_users=settings.part_users,
            new_fans=new_fans,
            tell=tell,
        )
    parts, repeated = _each_once(read.parts, work)
    rejects, odd = [one.rejected for one in read.parts], [odd for one in read.parts for odd in one.odd]
    people = sum(len(one.people) for one in read.parts)
    refuse_lost(read.rows, scored=people, rejected=sum(map(len, rejects)), source=str(users))
    if before is not None:
        rejects, odd = [before.rejected, *rejects], [*before.odd, *odd]
    rejected = pl.concat([no_rejects(), *rejects])
    if not people:
        [(reason, count)] = worst(rejected) or [("no data rows", 0)]
        raise DataError(f"{users}: no row of table users is usable; {count} of {rejected.height}: {reason}")
    refuse_many(str(users), people - len(repeated), rejected, ceiling=settings.max_rejected_share)
    return ScoredUsers(
        parts=parts,
        rejected=pl.concat([rejected, _told(repeated, source=str(users)), _unread(read.missing)]),
        odd=add_up(odd),
        users_print=print_of(read.digests) if before is None else before.digest,
        missing=read.missing,
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


def _each_once(parts: Sequence[Finished], work: Path) -> tuple[list[Finished], list[str]]:
    """The parts without who stands in an earlier one; and everybody who stands twice, in order."""
    hashes = Hashes(work / "hashes")
    for one in parts:
        hashes.add(one.people)
    if not len(repeated := hashes.repeated()):
        return list(parts), []
    kept, first, twice = [], set[str](), dict[str, None]()
    for one in parts:
        ids = ids_of(one.part.read(["user_id", "placement"]))
        here: set[str] = set()
        gone = []
        is_once = True
        for user in ids.filter(ids.hash().is_in(repeated.implode())):
            if user in first or user in here:
                twice[user], is_once = None, False
                gone += [user] if user in first else []
            here.add(user)
        first |= here
        kept.append(one if is_once else without(one, gone, work / "parts"))
    return kept, list(twice)


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
