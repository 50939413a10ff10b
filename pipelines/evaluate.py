"""Job `evaluate`: what a finished campaign really did, against what its plan promised."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from models.contracts import Conformed, Dataset, fingerprint
from models.errors import DataError
from pipelines import config as settings_of
from pipelines.plan_directory import read_plan, write_files
from pipelines.shell import Tell, silent
from pipelines.store import (
    atomic_directory,
    check_writable,
    find_table,
    has_table,
    read_dataset,
    read_report,
    read_users,
)
from pipelines.tracking import connect, job_run

if TYPE_CHECKING:
    from targeting.evaluation import Evaluation
    from targeting.plan.verbs import Plan

PAGE, CONTENT = "evaluation.html", "evaluation.json"


@dataclass(frozen=True)
class EvaluateResult:
    """Promised against realised, where it was written, and the MLflow run that keeps it."""

    headline: str
    run_id: str
    out: str | None
    evaluation: dict[str, Any]


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
    from targeting.evaluation.evaluation_page import render

    settings = settings_of.load(settings_of.EvaluateSettings, config)
    if out is not None:
        given = (data, plan, *later, *(() if trained_on is None else (trained_on,)))
        check_writable(out.absolute(), shown=out, inputs=given)
    tell("reading")
    promised = read_plan(plan)
    found, fingerprints = _judged(
        promised,
        data,
        trained_on=trained_on,
        later=later,
        settings=settings,
        tracking_uri=tracking_uri,
        tell=tell,
    )
    inputs = {
        "data": str(data.resolve()),
        "plan": str(plan.resolve()),
        "trained_on": None if trained_on is None else str(trained_on.resolve()),
        "later": [str(path.resolve()) for path in later],
        "settings": settings.model_dump(mode="json"),
    }
    content = found.to_dict()
    page = render(found, promised)
    with job_run("evaluate", tracking_uri=tracking_uri, inputs=inputs, fingerprints=fingerprints) as run:
        run.metrics(promises(found) | {"maturity": found.maturity, **drift_and_coin(found)})
        run.mapping(content, CONTENT)
        run.text(page, PAGE)
        for name, table in found.files().items():
            run.text(table.write_csv(), f"evaluation/{name}")
    if out is not None:
        written = json.dumps(content, ensure_ascii=False, indent=2, default=str)
        with atomic_directory(out) as folder:
            write_files({PAGE: page, CONTENT: written, **found.files()}, folder)
    where = None if out is None else str(out)
    return EvaluateResult(headline=str(found), run_id=run.run_id, out=where, evaluation=content)


def _judged(
    promised: Plan,
    data: Path,
    *,
    trained_on: Path | None,
    later: Sequence[Path],
    settings: settings_of.EvaluateSettings,
    tracking_uri: str | None,
    tell: Tell,
) -> tuple[Evaluation, Mapping[str, str]]:
    """The evaluation by what `data` holds, and the fingerprints of its tables."""
    from targeting.evaluation import evaluate_campaign, evaluate_delivery

    if data.is_file():
        raise DataError(
            f"{data}: is a file; expected a data directory: put a console's report into one, as delivery.csv"
        )
    if has_table(data, "delivery") and (promised.audience is None or not has_table(data, "exposures")):
        if trained_on is not None or later:
            raise DataError(
                f"{data}: is judged by its delivery report, which knows no people: leave out --trained-on and"
                " --later, or give a data directory with users, exposures and orders"
            )
        report = read_report(find_table(data, "delivery"), max_rejected_share=settings.max_rejected_share)
        tell("comparing")
        found = evaluate_delivery(
            promised, report.good, campaign_id=settings.campaign_id, as_of=settings.as_of
        )
        return _with_notes(found, _left_out(report)), {"delivery": fingerprint(report.good)}
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
    from models import registry
    from targeting.evaluation.plan_drift import people_drift

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
        from targeting.evaluation.experiment import PLAN

        for row in found.experiment.values.filter(pl.col("policy") == PLAN).iter_rows(named=True):
            for key in ("value", "low_80", "high_80"):
                metrics[f"coin.{row['outcome']}.{key}"] = row[key]
        for row in found.experiment.rankings.qini.iter_rows(named=True):
            metrics[f"coin.qini.{row['placement']}.{row['outcome']}"] = row["qini"]
    return metrics
