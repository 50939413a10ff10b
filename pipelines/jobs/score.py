"""Job `score`: every user for every placement, in parts that survive a kill.

Parts go to a work folder beside the output, under a key made from the model, the users and the part size; a
job that is run again with the same three goes on where it was stopped. The output is replaced as a whole.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
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
from pipelines.engines.part import PART_FORMAT, Scored, gather_parts
from pipelines.shell import Tell, silent
from pipelines.store import (
    atomic_directory,
    check_writable,
    find_table,
    is_parquet,
    read_conformed,
    read_users,
    write_table,
)
from pipelines.store.fingerprints import content_of
from pipelines.store.plans import SCORES_MANIFEST, write_rejected


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
    check_writable(out.absolute(), shown=out, inputs=(data,))
    users = find_table(data, "users")
    tracking.connect(tracking_uri)
    tell("loading the model")
    bundle = registry.load(model)
    tell("fingerprinting the users")
    prints = {"users": content_of(users), "model": _model_print(bundle.model)}
    inputs = {"data": data, "model_uri": bundle.uri, "settings": settings}
    with tracking.job_run("score", tracking_uri=tracking_uri, inputs=inputs, fingerprints=prints) as run:
        run.tag(tracking.MODEL_TAG, bundle.uri)
        key = hashlib.sha256(
            f"{prints} {settings.engine} {settings.part_users} {PART_FORMAT}".encode()
        ).hexdigest()[:16]
        work = out.absolute().with_name(f".{out.name}.work") / key
        found, reused = score_users(bundle.model, users=users, work=work, settings=settings, tell=tell)
        scores, warnings = _without_new_fans(found.scores, data)
        rejected, warnings = found.rejected, (*(f"{users}: {odd.line()}" for odd in found.odd), *warnings)
        tell("writing")
        manifest = {"model_uri": bundle.uri, "fingerprints": prints, "engine": settings.engine}
        _write(scores, rejected, manifest, out)
        shutil.rmtree(work.parent, ignore_errors=True)
        counts = {
            "users": scores["user_id"].n_unique(),
            "eligible": scores.filter("eligible")["user_id"].n_unique(),
            "rejected": rejected.height,
        }
        run.metrics(counts)
        run.mapping(manifest, SCORES_MANIFEST)
    return ScoreResult(
        str(out), run.run_id, bundle.uri, settings.engine, reused_parts=reused, warnings=warnings, **counts
    )


def _write(scores: pl.DataFrame, rejected: pl.DataFrame, manifest: Mapping[str, object], out: Path) -> None:
    with atomic_directory(out) as folder:
        write_table(scores, folder / "scores.parquet")
        write_rejected(rejected, folder)
        (folder / SCORES_MANIFEST).write_text(json.dumps(manifest, indent=2), encoding="utf-8")


def score_users(
    model: AudienceModel, *, users: Path, work: Path, settings: ScoreSettings, tell: Tell
) -> tuple[Scored, int]:
    """Score the users table at `users` through an engine.

    Args:
        model: the fitted audience model.
        users: Parquet or CSV, a file or a folder of parts.
        work: folder for finished parts, belonging to exactly this model, input and part size.
        settings: engine and part size.
        tell: progress listener.

    Returns:
        Scores, quarantined rows and what was met in the features; and the number of parts found finished.
    """
    source, before = _as_parquet(model, users, work)
    parts = work / "parts"
    reused = 0
    if settings.engine == "spark":
        tell(f"spark at {settings.spark_master}")
        spark.score(
            model.to_files(),
            users=source,
            work=parts,
            part_users=settings.part_users,
            master=settings.spark_master,
        )
    else:
        reused = local.score(model, users=source, work=parts, part_users=settings.part_users, tell=tell)
    found = gather_parts(pl.scan_parquet(parts / "*.parquet"))
    people = found.scores["user_id"].n_unique()
    if not people:
        [(reason, count)] = worst(found.rejected) or [("no data rows", 0)]
        raise DataError(
            f"{users}: no row of table users is usable; {count} of {found.rejected.height}: {reason}"
        )
    rejected = pl.concat([before.rejected, found.rejected])
    refuse_many(str(users), people, rejected, ceiling=settings.max_rejected_share)
    scores, repeated = _without_repeats(found.scores, source=str(users))
    odd = add_up([*before.odd, *found.odd])
    return Scored(scores, pl.concat([rejected, repeated]), odd), reused


def _without_new_fans(scores: pl.DataFrame, data: Path) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Scores in which whoever followed in the logs beside the users is no longer eligible; what to say."""
    try:
        exposures = read_conformed(find_table(data, "exposures"), "exposures").good
    except DataError as error:
        # Users alone are enough to score; logs that cannot be read are not worth a lost night.
        return scores, (f"is_fan is taken as it stands, new fans cannot be told: {error}",)
    followers = exposures.filter(pl.col("followed"))["user_id"].unique()
    return scores.with_columns(pl.col("eligible") & ~pl.col("user_id").is_in(followers.implode())), ()


def _as_parquet(model: AudienceModel, users: Path, work: Path) -> tuple[Path, Scored]:
    """The users as Parquet, and what the conversion quarantined and met: Parquet is streamed as it is."""
    if is_parquet(users):
        return users, Scored(pl.DataFrame(), no_rejects(), ())
    conformed = read_users(users, features=model.features)
    work.mkdir(parents=True, exist_ok=True)
    write_table(conformed.good, work / "users.parquet")
    return work / "users.parquet", Scored(pl.DataFrame(), conformed.rejected, conformed.odd)


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
