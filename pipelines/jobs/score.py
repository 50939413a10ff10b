"""Job `score`: every user for every placement, in parts that survive a kill.

Parts go to the work folder beside the output, each under a key made from the model and the very rows that
were scored; a job that is run again goes on where it was stopped. The output is replaced as a whole, and only
where every row that was read was scored or set aside.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from models import registry
from models.audience.model import AudienceModel
from models.contracts import REJECTED, no_rejects
from models.contracts.features import add_up
from models.contracts.quarantine import refuse_many, worst
from models.errors import DataError
from pipelines import tracking
from pipelines.config.job_settings import ScoreSettings, load
from pipelines.engines import local, spark
from pipelines.engines.part import Pass, Scored, gather_parts, refuse_lost
from pipelines.shell import Tell, silent
from pipelines.store import Target, claim, find_table, is_parquet, read_conformed, read_users, write_table
from pipelines.store.reading import print_of
from pipelines.store.scores import SCORES_MANIFEST, write_scores
from pipelines.tracking_store import connect
from targeting.plan.provenance import versions


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
    found = score_users(bundle.model, users=users, work=target.work, settings=settings, tell=tell)
    scores, warnings = _without_new_fans(found.scores, data)
    made_by = {
        "model_uri": bundle.uri,
        "fingerprints": {"users": found.users_print, "model": _model_print(bundle.model)},
        "engine": settings.engine,
        "code_version": versions(("fan-targeting",)).get("fan-targeting", "unknown"),
    }
    tell("writing")
    with target.replaced() as folder:
        manifest = write_scores(scores, folder, rejected=found.rejected, made_by=made_by)
    counts = {
        "users": manifest.users,
        "eligible": scores.filter("eligible")["user_id"].n_unique(),
        "rejected": manifest.rejected,
    }
    run.fingerprints(manifest.fingerprints)
    run.metrics(counts)
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
class ScoredUsers(Scored):
    """All users after an engine: their scores, with what was read.

    Attributes:
        users_print: fingerprint of the users' files as they were read.
        reused: parts that were found finished.
    """

    users_print: str
    reused: int


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
    source, before, users_print = _as_parquet(model, users, work)
    read = _by_engine(model, users=source, work=work, settings=settings, tell=tell)
    found = gather_parts(read.parts)
    scored = found.scores.height // len(model.placements)
    refuse_lost(read.rows, scored=scored, rejected=found.rejected.height, source=str(users))
    if not scored:
        [(reason, count)] = worst(found.rejected) or [("no data rows", 0)]
        raise DataError(
            f"{users}: no row of table users is usable; {count} of {found.rejected.height}: {reason}"
        )
    rejected = pl.concat([before.rejected, found.rejected])
    people = found.scores["user_id"].n_unique()
    refuse_many(str(users), people, rejected, ceiling=settings.max_rejected_share)
    scores, repeated = _without_repeats(found.scores, source=str(users))
    return ScoredUsers(
        scores,
        pl.concat([rejected, repeated]),
        add_up([*before.odd, *found.odd]),
        users_print=users_print or print_of(read.digests),
        reused=read.reused,
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


def _without_new_fans(scores: pl.DataFrame, data: Path) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Scores in which whoever followed in the logs beside the users is no longer eligible; what to say."""
    try:
        exposures = read_conformed(find_table(data, "exposures"), "exposures").good
    except DataError as error:
        # Users alone are enough to score; logs that cannot be read are not worth a lost night.
        return scores, (f"is_fan is taken as it stands, new fans cannot be told: {error}",)
    followers = exposures.filter(pl.col("followed"))["user_id"].unique()
    return scores.with_columns(pl.col("eligible") & ~pl.col("user_id").is_in(followers.implode())), ()


def _as_parquet(model: AudienceModel, users: Path, work: Path) -> tuple[Path, Scored, str]:
    """The users as Parquet, what the conversion quarantined and met, and the fingerprint of what it read:
    Parquet is streamed as it is, and hashed on the way.
    """
    if is_parquet(users):
        return users, Scored(pl.DataFrame(), no_rejects(), ()), ""
    conformed = read_users(users, features=model.features)
    work.mkdir(parents=True, exist_ok=True)
    write_table(conformed.good, work / "users.parquet")
    return work / "users.parquet", Scored(pl.DataFrame(), conformed.rejected, conformed.odd), conformed.digest


def _without_repeats(scores: pl.DataFrame, *, source: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Scores with each user once; a user who is in two parts is quarantined the second time."""
    first = scores.select(pl.struct("user_id", "placement").is_first_distinct()).to_series()
    if first.all():
        return scores, no_rejects()
    twice = scores.filter(~first)["user_id"].unique(maintain_order=True)
    rejected = pl.DataFrame({"user_id": twice}).select(
        table=pl.lit("users"),
        source=pl.lit(source),
        row=pl.lit(None, dtype=pl.Int64),
        reason=pl.lit("user_id: appears again in another part of the table; the first row was kept"),
        raw=pl.struct("user_id").struct.json_encode(),
    )
    return scores.filter(first), rejected.cast(REJECTED)


def _model_print(model: AudienceModel) -> str:
    return hashlib.sha256(json.dumps(model.to_files(), sort_keys=True).encode()).hexdigest()[:32]
