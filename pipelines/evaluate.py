"""Job `evaluate`: what a finished campaign really did, against what its plan promised."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines import config as settings_of
from pipelines.plan_directory import read_plan
from pipelines.shell import Tell, silent
from pipelines.store import read_dataset
from pipelines.tracking import job_run


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
    config: Path | None = None,
    tracking_uri: str | None = None,
    tell: Tell = silent,
) -> EvaluateResult:
    """Judge the plan in directory `plan` by the logs in `data`; nothing is written but the MLflow run.

    Raises:
        DataError: either directory is not what it should be, or the data hold no row of the campaign.
    """
    from targeting.evaluation import evaluate_campaign

    settings = settings_of.load(settings_of.EvaluateSettings, config)
    tell("reading")
    promised = read_plan(plan)
    dataset = read_dataset(data)
    tell("comparing")
    found = evaluate_campaign(
        promised,
        dataset,
        as_of=settings.as_of,
        horizon_days=settings.horizon_days,
        campaign_id=settings.campaign_id,
    )
    inputs = {
        "data": str(data.resolve()),
        "plan": str(plan.resolve()),
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
        run.metrics({"maturity": found.maturity})
        run.mapping(content, "evaluation.json")
    return EvaluateResult(headline=str(found), run_id=run.run_id, evaluation=content)
