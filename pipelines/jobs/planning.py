"""What every job that plans shares: the result, its MLflow run and how the plan gets into directory and run.

It must not import a job.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from pipelines import tracking
from pipelines.config.briefs import Brief
from pipelines.config.job_settings import PlanSettings, Settings
from pipelines.store import MANIFEST, Target
from pipelines.store.plans import REPORT, write_plan
from pipelines.store.rejects import rejected_counts
from targeting.audience import Audience
from targeting.decision.verbs import Plan
from targeting.plan.budgets import Budgets
from targeting.planner import Planner
from targeting.report import verdict
from targeting.report.charts import money_map
from targeting.report.drawing import svg_of
from targeting.report.saying import measure_of
from targeting.report.section import other_budgets
from targeting.words import Words, words_in

_METRICS = ("value", "upper_bound", "gap", "budget_cny", "spend_cny")
# Large and made again from the inputs: not worth a copy in the tracking store.
NOT_LOGGED = ("scores.parquet", "segments.parquet", "rejected")


@dataclass(frozen=True)
class Decided:
    """A plan, the input rows that were quarantined on the way to it, and what had to be assumed."""

    plan: Plan
    rejected: pl.DataFrame
    warnings: tuple[str, ...] = ()

    def by_model(self, uri: str | None) -> Decided:
        """The same with the version that the model was registered as since."""
        known = replace(self.plan.provenance, model_uri=uri)
        return replace(self, plan=replace(self.plan, provenance=known))


@dataclass(frozen=True)
class PlanResult:
    """What was decided, and where it is.

    `promotion` says what became of a version trained on the way, `verdict` what the plan leaves, in sentences
    of the `language`.
    """

    out: str
    report: str
    run_id: str
    status: str
    objective: str
    value: float
    upper_bound: float
    gap: float
    budget_cny: float
    spend_cny: float
    expected: dict[str, Any]
    realised: dict[str, Any]
    binding: list[str]
    shadow_prices: dict[str, float]
    claims: dict[str, str]
    model_uri: str | None
    rejected: dict[str, int]
    seconds: float
    warnings: tuple[str, ...] = ()
    promotion: str | None = None
    verdict: tuple[str, ...] = ()
    language: str = "en"


def each_once(*lines: tuple[str, ...]) -> tuple[str, ...]:
    """Warnings of several steps, none repeated."""
    return tuple(dict.fromkeys(line for group in lines for line in group))


def divide(planner: Planner, audience: Audience, *, brief: Brief, settings: PlanSettings) -> Plan:
    """The plan of a brief for an audience; nothing is written or logged."""
    return planner.plan(
        brief.campaign,
        audience,
        last_plan=brief.last_plan,
        gap_tol=settings.gap_tol,
        time_limit_s=settings.time_limit_s,
    )


@contextmanager
def planning_run(
    job: str,
    brief: Brief,
    *,
    inputs: Mapping[str, object],
    prints: Mapping[str, str],
    settings: Settings,
    tracking_uri: str | None,
) -> Iterator[tracking.JobRun]:
    """The MLflow run of a job that plans a brief, with all that a replay of it reads.

    Args:
        job: `plan` or `run`.
        brief: what is planned.
        inputs: where the job's own inputs are.
        prints: fingerprint of each of them, as it was read.
        settings: of the job.
        tracking_uri: MLflow store.
    """
    recorded = {**inputs, "campaign": brief.path, "settings": settings}
    prints = {**prints, **brief.prints}
    with tracking.job_run(job, tracking_uri=tracking_uri, inputs=recorded, fingerprints=prints) as run:
        yield run


def publish(
    decided: Decided,
    *,
    target: Target,
    run: tracking.JobRun,
    language: str = "en",
    before: Callable[[], object] | None = None,
) -> PlanResult:
    """Write the plan directory, log the plan in the open run, and say what it is.

    Args:
        decided: the plan.
        target: where it goes.
        run: the job's MLflow run.
        language: of the report.
        before: done when all is written, and nobody sees it yet: what the plan refers to must be there for
            good before the plan is.
    """
    budgets = other_budgets(decided.plan)
    with target.replaced() as folder:
        write_plan(decided.plan, folder, rejected=decided.rejected, language=language, budgets=budgets)
        if before is not None:
            before()
    _log(decided.plan, target.path, run=run, words=words_in(language))
    shown = Path(target.shown)
    return result_of(decided, out=shown, run_id=run.run_id, language=language, budgets=budgets)


def _log(plan: Plan, folder: Path, *, run: tracking.JobRun, words: Words) -> None:
    """Metrics, the model version used, the chart and the plan's files into the open run."""
    numbers = {name: getattr(plan, name) for name in _METRICS}
    prices = {f"shadow_price.{name}": price for name, price in plan.shadow_prices.items()}
    run.metrics({**numbers, "solver_seconds": plan.solution.seconds, **prices})
    run.parameters({"brief": plan.campaign.model_dump(mode="json", exclude_none=True)})
    if plan.provenance.model_uri:
        run.tag(tracking.MODEL_TAG, plan.provenance.model_uri)
    placements = list(plan.campaign.placements)
    chart = money_map(plan.allocation, words, placements=placements, measure=measure_of(plan))
    run.text(svg_of(chart), "charts/allocation.svg")
    for path in sorted(folder.iterdir()):
        if path.name not in NOT_LOGGED and path.name != MANIFEST:
            run.file(path, "plan")


def result_of(
    decided: Decided, *, out: Path, run_id: str, language: str = "en", budgets: Budgets | None = None
) -> PlanResult:
    """What a written plan is, in numbers, names and sentences."""
    plan, words = decided.plan, words_in(language)
    told = plan.to_dict()
    numbers = {name: getattr(plan, name) for name in _METRICS}
    return PlanResult(
        out=str(out),
        report=str(out / REPORT),
        run_id=run_id,
        status=plan.status,
        objective=plan.campaign.objective,
        **numbers,
        expected=told["expected"],
        realised=told["realised"],
        binding=list(plan.binding),
        shadow_prices=dict(plan.shadow_prices),
        claims=dict(plan.claims),
        model_uri=plan.provenance.model_uri,
        rejected=rejected_counts(decided.rejected),
        seconds=plan.solution.seconds,
        warnings=decided.warnings,
        verdict=(verdict.headline(plan, words), *verdict.rest(plan, words, budgets)),
        language=language,
    )
