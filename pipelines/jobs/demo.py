"""Job `demo`: the whole chain on the simulated jewellery merchant, in one directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipelines.config.job_settings import DemoSettings, load
from pipelines.jobs.planning import PlanResult
from pipelines.jobs.run import run_all
from pipelines.jobs.simulate import BRIEF, run_simulate
from pipelines.shell import Tell, silent

DATA, PLAN = "data", "plan"


@dataclass(frozen=True)
class DemoResult:
    """Where the demo's data and report are, and what was decided."""

    data: str
    report: str
    plan: PlanResult


def run_demo(
    *,
    out: Path,
    config: Path | None = None,
    tracking_uri: str | None = None,
    language: str = "en",
    tell: Tell = silent,
) -> DemoResult:
    """Write `out/data` (the simulated merchant) and `out/plan` (the plan with its report).

    Raises:
        DataError: `out` cannot be written.
        CampaignError: a wrong setting.
    """
    settings = load(DemoSettings, config)
    data = out / DATA
    run_simulate(out=data, world=settings.world, users=settings.users, seed=settings.seed, tell=tell)
    made = run_all(
        data=data,
        campaign=data / BRIEF,
        out=out / PLAN,
        tracking_uri=tracking_uri,
        language=language,
        tell=tell,
    )
    return DemoResult(data=str(data), report=made.report, plan=made)
