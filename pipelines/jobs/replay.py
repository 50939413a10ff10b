"""Job `replay`: do a logged run again from what it recorded, and insist on the identical plan.

A run of `plan` is decided again from its sources, a run of `run` from its data with the model version that it
registered (learning is not repeated: the version is what the plan was made with). No MLflow run is made.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl
from pydantic import ValidationError

from models.errors import CampaignError, DataError, SolverError
from models.stored import File
from pipelines import tracking
from pipelines.config.briefs import Brief, read_brief
from pipelines.config.job_settings import PlanSettings
from pipelines.jobs.plan import Source, read_source
from pipelines.jobs.planning import Decided, PlanResult, result_of
from pipelines.jobs.programmes import with_programmes
from pipelines.jobs.run import decide_for
from pipelines.shell import Tell, silent
from pipelines.store import claim, find_table, read_dataset
from pipelines.store.plans import write_plan
from pipelines.store.tables import read_table
from targeting.planner import Planner

_CELL = ["segment", "placement", "slot"]


@dataclass(frozen=True)
class ReplayResult:
    """The repeated plan, and that it is the one that was logged."""

    out: str
    run_id: str
    job: str
    identical: bool
    cells: int
    plan: PlanResult


def run_replay(
    *, run_id: str, out: Path, tracking_uri: str | None = None, tell: Tell = silent
) -> ReplayResult:
    """Repeat run `run_id`, write its plan into `out`, and compare the spend of every cell to the last li.

    Raises:
        DataError: no such run, or an input is gone or has changed since.
        SolverError: the plan is not the same.
    """
    with claim(out) as target:
        with tempfile.TemporaryDirectory() as folder:
            tell("reading the run")
            record, logged = tracking.recorded(run_id, tracking_uri=tracking_uri, folder=Path(folder))
            if logged is None:
                raise DataError(
                    f"run {run_id}: a run of `{record.job}` made no plan; give a run of `plan` or `run`"
                )
            before = _cells(read_table(logged / "allocation.csv"), run_id=run_id)
        decided = _again(record, run_id=run_id, tell=tell)
        with target.replaced() as made:
            write_plan(decided.plan, made, rejected=decided.rejected)
    _compare(before, _cells(decided.plan.allocation, run_id=run_id), run_id=run_id)
    return ReplayResult(
        out=str(out),
        run_id=run_id,
        job=record.job,
        identical=True,
        cells=decided.plan.allocation.height,
        plan=result_of(decided, out=out, run_id=run_id),
    )


class _Inputs(File):
    """What `plan` and `run` record of what they were given."""

    campaign: str
    settings: dict[str, Any]
    data: str = ""
    sources: dict[Literal["data", "scores", "delivery", "curves"], str] | None = None


def _again(record: tracking.Record, *, run_id: str, tell: Tell) -> Decided:
    then = record.fingerprints
    try:
        inputs = _Inputs.model_validate(record.inputs)
        if record.job not in ("plan", "run") or (record.job == "plan") != bool(inputs.sources):
            raise ValueError(f"job {record.job!r} of other inputs")
    except ValueError as error:  # pydantic's is one
        said = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise DataError(
            f"run {run_id}: {tracking.REPLAY_FILE} was edited or is of another version ({said}); plan again"
        ) from error
    brief = read_brief(Path(inputs.campaign))
    tell("reading the input")
    if record.job == "plan":
        source = Source(**{name: Path(path) for name, path in (inputs.sources or {}).items()})
        read = read_source(source)
        _refuse_changed(then, {**read.prints, **brief.prints}, source.paths(), brief=brief, run_id=run_id)
        settings = _read_settings(inputs.settings)
        return with_programmes(brief, settings, lambda supported: read.decide(supported, settings, tell))
    data = Path(inputs.data)
    dataset = read_dataset(data, max_rejected_share=1.0)
    where = {name: find_table(data, name) for name in dataset.fingerprints}
    _refuse_changed(then, {**dataset.fingerprints, **brief.prints}, where, brief=brief, run_id=run_id)
    model_uri = tracking.tag_of(run_id, tracking.MODEL_TAG)
    if model_uri is None:
        raise DataError(f"run {run_id}: names no model version; it did not come as far as registering one")
    settings = _read_settings(inputs.settings.get("plan"))
    return decide_for(Planner.load(model_uri), dataset, brief=brief, settings=settings, tell=tell)


def _refuse_changed(
    then: Mapping[str, str], now: Mapping[str, str], where: Mapping[str, Path], *, brief: Brief, run_id: str
) -> None:
    """Refuse an input that is not what the run read."""
    if changed := sorted(name for name in {*now, *then} if now.get(name) != then.get(name)):
        raise DataError(
            f"run {run_id}: {changed[0]} ({where.get(changed[0], brief.path)}) has changed since; a replay "
            "needs the same input"
        )


def _cells(table: pl.DataFrame, *, run_id: str) -> pl.DataFrame:
    """Each cell's spend in whole li."""
    try:
        return table.select(
            pl.col("segment", "placement").cast(pl.String), pl.col("slot", "spend_li").cast(pl.Int64)
        )
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"run {run_id}: its logged allocation.csv was edited ({str(error).splitlines()[0]}); plan again"
        ) from error


def _compare(before: pl.DataFrame, now: pl.DataFrame, *, run_id: str) -> None:
    """Refuse a plan that differs in any cell's whole li."""
    both = before.join(now, on=_CELL, how="full", suffix="_now", coalesce=True)
    apart = both.filter(pl.col("spend_li").ne_missing(pl.col("spend_li_now")))
    if apart.height:
        first = apart.row(0, named=True)
        raise SolverError(
            f"run {run_id}: replayed, but {apart.height} cells differ, first {first['segment']} x "
            f"{first['placement']}: {first['spend_li']} li then, {first['spend_li_now']} now; "
            "compare the library versions in replay.json of the run"
        )


def _read_settings(values: object) -> PlanSettings:
    """Settings as a run recorded them.

    Raises:
        CampaignError: they are not settings of this version.
    """
    try:
        return PlanSettings.model_validate(values)
    except ValidationError as error:
        raise CampaignError(
            f"replay: the recorded settings do not fit this version: {error.errors()[0]['msg']}"
        ) from error
