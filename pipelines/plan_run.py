"""The MLflow run of a job that plans: what went in, so that `replay` can read it again, and the plan.

It must not import a job.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from models.errors import DataError
from pipelines import tracking
from pipelines.briefs import Brief
from pipelines.fingerprints import content_of
from targeting.plan.verbs import Plan

# Large and made again from the inputs: not worth a copy in the tracking store.
NOT_LOGGED = ("scores.parquet", "segments.parquet", "rejected")


@contextmanager
def planning_run(
    job: str,
    brief: Brief,
    *,
    inputs: Mapping[str, Any],
    paths: Mapping[str, Path],
    settings: BaseModel,
    tracking_uri: str | None,
) -> Iterator[tracking.JobRun]:
    """The MLflow run of a job that plans a brief, with all that a replay of it reads.

    Args:
        job: `plan` or `run`.
        brief: what is planned.
        inputs: where the job's own inputs are.
        paths: the same by table or source, for their fingerprints.
        settings: of the job.
        tracking_uri: MLflow store.
    """
    recorded = {
        **inputs,
        "campaign": str(brief.path.resolve()),
        "settings": settings.model_dump(mode="json"),
    }
    prints = input_prints(paths, brief=brief)
    with tracking.job_run(job, tracking_uri=tracking_uri, inputs=recorded, fingerprints=prints) as run:
        yield run


def input_prints(paths: Mapping[str, Path], *, brief: Brief) -> dict[str, str]:
    """Fingerprints of every input of a plan: sources, brief and last plan, compared again by a replay."""
    missing = [path for path in paths.values() if not path.exists()]
    if missing:
        raise DataError(f"{missing[0]}: no such file or directory; check the path")
    return {name: content_of(path) for name, path in {**paths, **brief.files()}.items()}


def log_plan(plan: Plan, folder: Path, *, run: tracking.JobRun) -> None:
    """Metrics, the model version used, the chart and the plan's files into the open run."""
    from targeting.report.charts import money_map

    numbers = {
        "value": plan.value,
        "upper_bound": plan.upper_bound,
        "gap": plan.gap,
        "budget_cny": plan.budget_cny,
        "spend_cny": plan.spend_cny,
        "solver_seconds": plan.solution.seconds,
    }
    prices = {f"shadow_price.{name}": price for name, price in plan.shadow_prices.items()}
    run.metrics({**numbers, **prices})
    run.parameters({"brief": plan.campaign.model_dump(mode="json", exclude_none=True)})
    if plan.provenance.model_uri:
        run.tag(tracking.MODEL_TAG, plan.provenance.model_uri)
    run.text(money_map(plan.allocation, placements=list(plan.campaign.placements)), "charts/allocation.svg")
    for path in sorted(folder.iterdir()):
        if path.name not in NOT_LOGGED:
            run.file(path, "plan")
