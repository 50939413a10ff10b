"""Job `score`: every user for every placement, in parts that survive a kill.

Parts go to the work folder beside the output, each under a key made from the model and the very rows that
were scored; a job that is run again goes on where it was stopped. The output is replaced as a whole, and only
where every row that was read was scored or set aside.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from models import registry
from models.audience.model import AudienceModel
from models.contracts import REJECTED, Conformed, no_rejects
from models.contracts.features import Odd, add_up
from models.contracts.quarantine import refuse_many, worst
from models.errors import DataError
from pipelines import tracking
from pipelines.config.job_settings import ScoreSettings, load
from pipelines.engines import local, spark
from pipelines.engines.part import Beside, Pass, ReadPart, refuse_lost, scores_of
from pipelines.shell import Tell, silent
from pipelines.store import Target, claim, find_table, is_parquet, read_conformed, read_users, write_table
from pipelines.store.reading import print_of
from pipelines.store.repeats import Hashes
from pipelines.store.scores import SCORES_MANIFEST, write_scores
from pipelines.store.streams import count_rows
from pipelines.store.target import refuse_unfit
from pipelines.tracking_store import connect
from targeting.plan.provenance import versions


@dataclass(frozen=True)
class ScoreIntent:
    """What `targeting score --dry-run` says: nothing was written, locked or logged."""

    out: str
    would_replace: bool
    model_uri: str
    engine: str
    users: str
    rows: int | None
    parts: int | None


@dataclass(frozen=True)
class ScoreResult:
    """What `targeting score` did."""

    out: str
    run_id: str
    model_uri: str
    engine: str
    users: int
    eligible: int
    rejected: int
    reused_parts: int
    warnings: tuple[str, ...] = ()


def run_score(
    *,
    data: Path,
    model: str,
    out: Path,
    engine: str | None = None,
    config: Path | None = None,
    tracking_uri: str | None = None,
    tell: Tell = silent,
) -> ScoreResult:
    """Write `scores.parquet`, `manifest.json` and `rejected/` into `out`.

    Raises:
        DataError: the users or the model cannot be used, or `out` cannot be written.
        CampaignError: a wrong setting.
    """
    settings = load(ScoreSettings, config, engine=engine)
    with claim(out, inputs=(data,)) as target:
        users = find_table(data, "users")
        connect(tracking_uri)
        tell("loading the model")
        bundle = registry.load(model)
        inputs = {"data": data, "model_uri": bundle.uri, "settings": settings}
        with tracking.job_run("score", tracking_uri=tracking_uri, inputs=inputs, fingerprints={}) as run:
            run.tag(tracking.MODEL_TAG, bundle.uri)
            return _score(bundle, data, users, target=target, settings=settings, run=run, tell=tell)


def intend_score(
    *,
    data: Path,
    model: str,
    out: Path,
    engine: str | None = None,
    config: Path | None = None,
    tracking_uri: str | None = None,
) -> ScoreIntent:
    """What `run_score` would do with the same arguments, after the checks that need no pass over the users.

    Raises:
        DataError: the users or the model cannot be found, or `out` is none that may be replaced.
        CampaignError: a wrong setting.
    """
    settings = load(ScoreSettings, config, engine=engine)
    refuse_unfit(out, inputs=(data,))
    users = find_table(data, "users")
    connect(tracking_uri)
    bundle = registry.load(model)
    rows = count_rows(users) if is_parquet(users) else None  # of text only a pass over it knows
    return ScoreIntent(
        out=str(out),
        would_replace=out.exists(),
        model_uri=bundle.uri,
        engine=settings.engine,
        users=str(users),
        rows=rows,
        parts=None if rows is None else -(-rows // settings.part_users),
    )


def _score(
    bundle: registry.Bundle,
    data: Path,
    users: Path,
    *,
    target: Target,
    settings: ScoreSettings,
    run: tracking.JobRun,
    tell: Tell,
) -> ScoreResult:
    started = time.perf_counter()
    found = score_users(bundle.model, users=users, work=target.work, settings=settings, tell=tell)
    followers, warnings = _new_fans(data)
    eligible: list[int] = []

    def scores() -> Iterator[pl.DataFrame]:
        for part in found.scores():
            told = part.with_columns(pl.col("eligible") & ~pl.col("user_id").is_in(followers.implode()))
            eligible.append(told.filter("eligible")["user_id"].n_unique())
            yield told

    made_by = {
        "model_uri": bundle.uri,
        "fingerprints": {"users": found.users_print, "model": _model_print(bundle.model)},
        "engine": settings.engine,
        "code_version": versions(("fan-targeting",)).get("fan-targeting", "unknown"),
    }
    tell("writing")
    with target.replaced() as folder:
        manifest = write_scores(scores(), folder, rejected=found.rejected, made_by=made_by)
    counts = {
        "users": manifest.users,
        "eligible": sum(eligible),
        "rejected": manifest.rejected,
    }
    run.fingerprints(manifest.fingerprints)
    seconds = max(time.perf_counter() - started, 1e-9)
    run.metrics({**counts, "reused_parts": found.reused, "rows_per_second": manifest.users / seconds})
    run.mapping(manifest.model_dump(), SCORES_MANIFEST)
    return ScoreResult(
        str(target.shown),
        run.run_id,
        bundle.uri,
        settings.engine,
        reused_parts=found.reused,
        warnings=(*(f"{users}: {odd.line()}" for odd in found.odd), *warnings),
        **counts,
    )


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
    """

    parts: Sequence[ReadPart]
    rejected: pl.DataFrame
    odd: tuple[Odd, ...]
    users_print: str
    reused: int
    gone: Mapping[int, Sequence[str]]

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
        rejected=pl.concat([rejected, _told(repeated, source=str(users))]),
        odd=add_up(odd),
        users_print=print_of(read.digests) if before is None else before.digest,
        reused=read.reused,
        gone=gone,
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
        model_print=_model_print(model),
        users=users,
        work=work / "parts",
        part_users=settings.part_users,
        tell=tell,
    )


def _new_fans(data: Path) -> tuple[pl.Series, tuple[str, ...]]:
    """Who followed in the logs beside the users and is no longer eligible; what to say."""
    try:
        exposures = read_conformed(find_table(data, "exposures"), "exposures").good
    except DataError as error:
        # Users alone are enough to score; logs that cannot be read are not worth a lost night.
        nobody = pl.Series("user_id", [], dtype=pl.String)
        return nobody, (f"is_fan is taken as it stands, new fans cannot be told: {error}",)
    return exposures.filter(pl.col("followed"))["user_id"].unique(), ()


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


def _model_print(model: AudienceModel) -> str:
    return hashlib.sha256(json.dumps(model.to_files(), sort_keys=True).encode()).hexdigest()[:32]
