"""Job `evaluate`: what a finished campaign really did, against what its plan promised."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from models.contracts import Dataset
from models.errors import DataError
from pipelines import config as settings_of
from pipelines.plan_directory import read_plan
from pipelines.shell import Tell, silent
from pipelines.store import read_dataset
from pipelines.tracking import connect, job_run

if TYPE_CHECKING:
    from targeting.evaluation import Evaluation


@dataclass(frozen=True)
class EvaluateResult:
    """Promised against realised, and the MLflow run that keeps it."""

    headline: str
    run_id: str
    evaluation: dict[str, Any]


def run_evaluate(
    *,
    data: Path,
    plan: Path,
    trained_on: Path | None = None,
    config: Path | None = None,
    tracking_uri: str | None = None,
    tell: Tell = silent,
) -> EvaluateResult:
    """Judge the plan in directory `plan` by the logs in `data`; nothing is written but the MLflow run.

    Args:
        data: data directory that covers the campaign.
        plan: the plan's directory.
        trained_on: data directory the plan's model was trained on: features and scores are compared with it.
        config: settings.
        tracking_uri: MLflow store.
        tell: progress listener.

    Raises:
        DataError: either directory is not what it should be, or the data hold no row of the campaign.
    """
    from targeting.evaluation import evaluate_campaign

    settings = settings_of.load(settings_of.EvaluateSettings, config)
    tell("reading")
    promised = read_plan(plan)
    dataset = read_dataset(data)
    past = None if trained_on is None else read_dataset(trained_on)
    tell("comparing")
    found = evaluate_campaign(
        promised,
        dataset,
        as_of=settings.as_of,
        horizon_days=settings.horizon_days,
        campaign_id=settings.campaign_id,
    )
    if past is not None:
        tell("looking for drift")
        connect(tracking_uri)
        found = with_people_drift(
            found, trained_on=past, now=dataset, model_uri=promised.provenance.model_uri
        )
    inputs = {
        "data": str(data.resolve()),
        "plan": str(plan.resolve()),
        "trained_on": None if trained_on is None else str(trained_on.resolve()),
        "settings": settings.model_dump(mode="json"),
    }
    content = found.to_dict()
    with job_run(
        "evaluate", tracking_uri=tracking_uri, inputs=inputs, fingerprints=dataset.fingerprints
    ) as run:
        run.metrics({f"{name}.realised": total["realised"] for name, total in content["totals"].items()})
        run.metrics(
            {f"{name}.promised": total["promised"] or 0.0 for name, total in content["totals"].items()}
        )
        run.metrics({"maturity": found.maturity, **drift_and_coin(found)})
        run.mapping(content, "evaluation.json")
        for name, table in found.files().items():
            run.text(table.write_csv(), f"evaluation/{name}")
    return EvaluateResult(headline=str(found), run_id=run.run_id, evaluation=content)


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
    from targeting.evaluation.change import people_drift

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
