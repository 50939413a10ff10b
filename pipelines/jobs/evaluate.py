"""Job `evaluate`: what a finished campaign really did, against what its plan promised."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import polars as pl

from models import registry
from models.contracts import Conformed, Dataset, fingerprint
from models.errors import DataError
from models.escaping.tables import for_cells
from pipelines.config.job_settings import EvaluateSettings, load
from pipelines.shell import Tell, silent
from pipelines.store import (
    Target,
    claim,
    find_table,
    has_table,
    read_dataset,
    read_report,
    read_users,
)
from pipelines.store.plans import read_plan, write_files
from pipelines.tracking import JobRun, job_run
from pipelines.tracking_store import connect
from targeting.decision.verbs import Plan
from targeting.evaluation import Evaluation, evaluate_campaign, evaluate_delivery
from targeting.evaluation.evaluation_page import render
from targeting.evaluation.experiment import PLAN
from targeting.evaluation.plan_drift import people_drift

PAGE, CONTENT = "evaluation.html", "evaluation.json"


@dataclass(frozen=True)
class EvaluateResult:
    """Promised against realised, where it was written, and the MLflow run that keeps it."""

    headline: str
    run_id: str
    out: str | None
    evaluation: dict[str, object]


def run_evaluate(
    *,
    data: Path,
    plan: Path,
    trained_on: Path | None = None,
    later: Sequence[Path] = (),
    out: Path | None = None,
    config: Path | None = None,
    tracking_uri: str | None = None,
    tell: Tell = silent,
) -> EvaluateResult:
    """Judge the plan in directory `plan` by the logs, or the delivery report, in `data`.

    Args:
        data: data directory that covers the campaign, or one that holds `delivery.csv` (or .parquet).
        plan: the plan's directory.
        trained_on: data directory the plan's model was trained on: features and scores are compared with it.
        later: users tables (or data directories) of later snapshots, to see who still follows.
        out: directory for the page, the JSON and the tables; nothing but the MLflow run is written without.
        config: settings.
        tracking_uri: MLflow store.
        tell: progress listener.

    Raises:
        DataError: either directory is not what it should be, or the data hold no row of the campaign.
    """
    settings = load(EvaluateSettings, config)
    given = (data, plan, *later, *(() if trained_on is None else (trained_on,)))
    with nullcontext() if out is None else claim(out, inputs=given) as target:
        return _evaluate(
            data,
            plan,
            trained_on,
            later,
            target=target,
            settings=settings,
            tracking_uri=tracking_uri,
            tell=tell,
        )


def _evaluate(
    data: Path,
    plan: Path,
    trained_on: Path | None,
    later: Sequence[Path],
    *,
    target: Target | None,
    settings: EvaluateSettings,
    tracking_uri: str | None,
    tell: Tell,
) -> EvaluateResult:
    tell("reading")
    promised = read_plan(plan)
    if _is_told_by_report(promised, data):
        _refuse_people(data, trained_on=trained_on, later=later)
        found, prints = _by_report(promised, data, settings=settings, tell=tell)
    else:
        found, prints = _by_people(
            promised, data, trained_on, later, tracking_uri=tracking_uri, settings=settings, tell=tell
        )
    content, page = found.to_dict(), render(found, promised)
    inputs = {"data": data, "plan": plan, "trained_on": trained_on, "later": later, "settings": settings}
    with job_run("evaluate", tracking_uri=tracking_uri, inputs=inputs, fingerprints=prints) as run:
        _log(found, content, page, run=run)
    if target is not None:
        written = json.dumps(content, ensure_ascii=False, indent=2, default=str)
        with target.replaced() as folder:
            write_files({PAGE: page, CONTENT: written, **found.files()}, folder)
    where = None if target is None else str(target.shown)
    return EvaluateResult(headline=str(found), run_id=run.run_id, out=where, evaluation=content)


def _log(found: Evaluation, content: Mapping[str, object], page: str, *, run: JobRun) -> None:
    run.metrics(promises(found) | {"maturity": found.maturity, **drift_and_coin(found)})
    run.mapping(content, CONTENT)
    run.text(page, PAGE)
    for name, table in found.files().items():
        run.text(for_cells(table).write_csv(), f"evaluation/{name}")


def _is_told_by_report(promised: Plan, data: Path) -> bool:
    """Whether `data` holds a console's report to judge by, rather than people."""
    if data.is_file():
        raise DataError(
            f"{data}: is a file; expected a data directory: put a console's report into one, as delivery.csv"
        )
    return has_table(data, "delivery") and (promised.audience is None or not has_table(data, "exposures"))


def _refuse_people(data: Path, *, trained_on: Path | None, later: Sequence[Path]) -> None:
    if trained_on is not None or later:
        raise DataError(
            f"{data}: is judged by its delivery report, which knows no people: leave out --trained-on and"
            " --later, or give a data directory with users, exposures and orders"
        )


def _by_report(
    promised: Plan, data: Path, *, settings: EvaluateSettings, tell: Tell
) -> tuple[Evaluation, Mapping[str, str]]:
    """The evaluation by a console's report, and its fingerprint."""
    report = read_report(find_table(data, "delivery"), max_rejected_share=settings.max_rejected_share)
    tell("comparing")
    found = evaluate_delivery(promised, report.good, campaign_id=settings.campaign_id, as_of=settings.as_of)
    return _with_notes(found, _left_out(report)), {"delivery": fingerprint(report.good)}


def _by_people(
    promised: Plan,
    data: Path,
    trained_on: Path | None,
    later: Sequence[Path],
    *,
    tracking_uri: str | None,
    settings: EvaluateSettings,
    tell: Tell,
) -> tuple[Evaluation, Mapping[str, str]]:
    """The evaluation by users, exposures and orders, and their fingerprints."""
    dataset = read_dataset(data, max_rejected_share=settings.max_rejected_share)
    past = None if trained_on is None else read_dataset(trained_on)
    snapshots = [read_users(path) for path in later]
    tell("comparing")
    found = evaluate_campaign(
        promised,
        dataset,
        as_of=settings.as_of,
        horizon_days=settings.horizon_days,
        campaign_id=settings.campaign_id,
        later=[one.good for one in snapshots],
    )
    found = _with_notes(found, dataset.warnings, *(_left_out(one) for one in snapshots))
    if past is not None:
        tell("looking for drift")
        connect(tracking_uri)
        found = with_people_drift(
            found, trained_on=past, now=dataset, model_uri=promised.provenance.model_uri
        )
    return found, dataset.fingerprints


def _with_notes(found: Evaluation, *notes: tuple[str, ...]) -> Evaluation:
    return replace(found, notes=(*found.notes, *chain.from_iterable(notes)))


def _left_out(read: Conformed) -> tuple[str, ...]:
    """What a reader must know of a table: its warnings, and the rows that break the contract."""
    if read.rejected.is_empty():
        return tuple(read.warnings)
    first = read.rejected.row(0, named=True)
    count = f"{read.rejected.height} rows of {first['source']} were left out"
    return (*read.warnings, f"{count}, the first (row {first['row']}) because {first['reason']}")


def promises(found: Evaluation) -> dict[str, float]:
    """What MLflow can plot of the totals: realised and promised of each that is known."""
    return {
        f"{name}.{side}": float(total[side])
        for name, total in found.totals.items()
        for side in ("promised", "realised", "projected")
        if total[side] is not None
    }


def with_people_drift(
    found: Evaluation, *, trained_on: Dataset, now: Dataset, model_uri: str | None
) -> Evaluation:
    """The evaluation with the drift of features, and of scores where the plan's model can score both.

    Args:
        found: Evaluation with the drift of curves.
        trained_on: What the plan's model was trained on.
        now: Data of the campaign.
        model_uri: The plan's model, or None.
    """
    scores: dict[str, pl.DataFrame] = {}
    notes = found.notes
    try:
        if model_uri is not None:
            model = registry.load(model_uri).model
            scores = {"scores_then": model.score(trained_on.users), "scores_now": model.score(now.users)}
    except DataError as error:
        notes = (*notes, f"scores were not compared: {error}")
    people = people_drift(trained_on=trained_on.users, now=now.users, **scores)
    return replace(found, drift=pl.concat([found.drift, people]), notes=notes)


def drift_and_coin(found: Evaluation) -> dict[str, float]:
    """What MLflow can plot: share of curves, features and scores to act on, and the plan's value by coin."""
    counted = found.drift.group_by("kind").agg((pl.col("verdict") == "act").mean().alias("act"))
    metrics = {f"drift.{kind}.act_share": float(share) for kind, share in counted.iter_rows()}
    if found.experiment is not None:
        for row in found.experiment.values.filter(pl.col("policy") == PLAN).iter_rows(named=True):
            for key in ("value", "low_80", "high_80"):
                metrics[f"coin.{row['outcome']}.{key}"] = row[key]
        for row in found.experiment.rankings.qini.iter_rows(named=True):
            metrics[f"coin.qini.{row['placement']}.{row['outcome']}"] = row["qini"]
    return metrics
