"""Job `register`: a plan's planner in the MLflow registry, to be asked over HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipelines import planner_service, tracking
from pipelines.shell import Tell, silent, unheard
from pipelines.store.plans import read_plan


@dataclass(frozen=True)
class RegisterResult:
    """The registered version, and how to serve it."""

    model_uri: str
    run_id: str
    serve: str


def run_register(
    *, plan: Path, name: str = planner_service.NAME, tracking_uri: str | None = None, tell: Tell = silent
) -> RegisterResult:
    """Register the planner of a plan directory as a version of `name`.

    Raises:
        DataError: `plan` is no plan, or the tracking store cannot be reached.
    """
    tell("reading")
    decided = read_plan(plan)
    prints = dict(decided.provenance.fingerprints)
    inputs = {"plan": plan, "name": name}
    with tracking.job_run("register", tracking_uri=tracking_uri, inputs=inputs, fingerprints=prints) as run:
        tell("registering")
        with unheard():
            uri = planner_service.save(decided, name=name)
    serve = f"mlflow models serve -m {uri} --env-manager local --port 5001"
    return RegisterResult(model_uri=uri, run_id=run.run_id, serve=serve)
