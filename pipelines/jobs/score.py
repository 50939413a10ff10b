"""Job `score`: every user for every placement, in parts that survive a kill.

Parts go to the work folder beside the output, each under a key made from the model and the very rows that
were scored; a job that is run again goes on where it was stopped. The output is replaced as a whole, and only
where every row that was read was scored or set aside.

The same users, logs, model and program again are "already done": nothing is written. Other inputs in the same
place replace it as a whole: a date and a campaign have a folder of their own (examples/schedulers), and what
lies in it is what the last run was given.

A part of a folder of users that cannot be read is taken whole or not at all: it is quarantined, the others
are scored and published, and the status is 1, as for every input that is wrong: a retry does not help, a part
that is written again does. The work folder stays, so that the next run scores the mended part alone.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from pydantic import ValidationError

from models import registry
from models.errors import DataError
from pipelines import tracking
from pipelines.config.job_settings import ScoreSettings, load
from pipelines.jobs.scored_users import NOBODY, model_print, score_users
from pipelines.shell import Tell, silent
from pipelines.store import Target, claim, find_table, read_conformed
from pipelines.store.reading import print_of
from pipelines.store.scores import SCORES_MANIFEST, ScoresManifest
from pipelines.store.streams import digests_of
from pipelines.tracking_store import connect
from targeting.plan.provenance import versions


@dataclass(frozen=True)
class ScoreResult:
    """What `targeting score` did.

    Attributes:
        missing: Parts of the users that could not be read, and why; the rest was scored.
        already_done: What lies there is what these inputs give; `run_id` is then empty.
    """

    out: str
    run_id: str
    model_uri: str
    engine: str
    users: int
    eligible: int
    rejected: int
    reused_parts: int
    warnings: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    already_done: bool = False


def run_score(
    *,
    data: Path,
    model: str,
    out: Path,
    engine: str | None = None,
    config: Path | None = None,
    tracking_uri: str | None = None,
    last: Path | None = None,
    tell: Tell = silent,
) -> ScoreResult:
    """Write `scores.parquet`, `manifest.json` and `rejected/` into `out`.

    Args:
        data: directory of the users, and of the logs where there are any.
        model: URI of the model.
        out: directory to write.
        engine: `local` or `spark`; None as the settings say.
        config: settings.
        tracking_uri: MLflow store.
        last: directory of scores of before (None: `out`), whose parts are taken over where their users, the
            model and the program are the same.
        tell: progress listener.

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
        tell("comparing with what is there")
        if (held := _held(target, data, users, bundle)) is not None:
            return _already(held, out=target.shown)
        inputs = {"data": data, "model_uri": bundle.uri, "settings": settings}
        with tracking.job_run("score", tracking_uri=tracking_uri, inputs=inputs, fingerprints={}) as run:
            run.tag(tracking.MODEL_TAG, bundle.uri)
            return _score(
                bundle, data, users, target=target, settings=settings, run=run, last=last, tell=tell
            )


def _held(target: Target, data: Path, users: Path, bundle: registry.Bundle) -> ScoresManifest | None:
    """The manifest of scores of these very inputs, where they are all there."""
    if (said := target.held(SCORES_MANIFEST)) is None:
        return None
    try:
        held = ScoresManifest.model_validate_json(said)
        now = {"users": print_of(digests_of(users)), **_logs_print(data)}
    except (OSError, ValidationError, DataError):
        return None
    now |= {"model": model_print(bundle.model)}
    is_same = (held.model_uri, held.code_version) == (bundle.uri, _code_version())
    return held if is_same and dict(held.fingerprints) == now else None


def _already(held: ScoresManifest, *, out: str | Path) -> ScoreResult:
    return ScoreResult(
        out=str(out),
        run_id="",
        model_uri=held.model_uri,
        engine=held.engine,
        users=held.users,
        eligible=held.eligible,
        rejected=held.rejected,
        reused_parts=0,
        already_done=True,
    )


def _code_version() -> str:
    return versions(("fan-targeting",)).get("fan-targeting", "unknown")


def _logs_print(data: Path) -> dict[str, str]:
    """Fingerprint of the logs as they lie there; none where there are none."""
    try:
        return {"exposures": print_of(digests_of(find_table(data, "exposures")))}
    except (OSError, DataError):
        return {}


def _score(
    bundle: registry.Bundle,
    data: Path,
    users: Path,
    *,
    target: Target,
    settings: ScoreSettings,
    run: tracking.JobRun,
    last: Path | None,
    tell: Tell,
) -> ScoreResult:
    started = time.perf_counter()
    logs = _logs(data)
    found = score_users(
        bundle.model,
        users=users,
        work=target.work,
        settings=settings,
        tell=tell,
        new_fans=logs.new_fans,
        last=last or target.path,
        code=_code_version(),
    )
    model = {"model": model_print(bundle.model)}
    made_by = {
        "model_uri": bundle.uri,
        "fingerprints": {"users": found.users_print, **logs.prints, **model},
        "engine": settings.engine,
        "code_version": _code_version(),
    }
    tell("writing")
    with target.replaced(keep_work=bool(found.missing)) as folder:
        manifest = found.write(folder, made_by)
    counts = {"users": manifest.users, "eligible": manifest.eligible, "rejected": manifest.rejected}
    run.fingerprints(manifest.fingerprints)
    seconds = max(time.perf_counter() - started, 1e-9)
    told = {"reused_parts": found.reused, "missing_parts": len(found.missing)}
    run.metrics({**counts, **told, "rows_per_second": manifest.users / seconds})
    run.mapping(manifest.model_dump(), SCORES_MANIFEST)
    return ScoreResult(
        out=str(target.shown),
        run_id=run.run_id,
        model_uri=bundle.uri,
        engine=settings.engine,
        users=manifest.users,
        eligible=manifest.eligible,
        rejected=manifest.rejected,
        reused_parts=found.reused,
        warnings=(*(f"{users}: {odd.line()}" for odd in found.odd), *logs.warnings),
        missing=tuple(found.missing.values()),
    )


@dataclass(frozen=True)
class _Logs:
    """Who followed in the logs beside the users and is no longer eligible, the fingerprint of what was read,
    and what to say.
    """

    new_fans: pl.Series
    prints: dict[str, str]
    warnings: tuple[str, ...] = ()


def _logs(data: Path) -> _Logs:
    try:
        found = read_conformed(find_table(data, "exposures"), "exposures")
    except DataError as error:
        # Users alone are enough to score; logs that cannot be read are not worth a lost night.
        return _Logs(NOBODY, {}, (f"is_fan is taken as it stands, new fans cannot be told: {error}",))
    return _Logs(found.good.filter(pl.col("followed"))["user_id"].unique(), {"exposures": found.digest})
