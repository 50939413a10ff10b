"""Job `run`: train, score, plan and report in one go, one MLflow run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from models.contracts import Dataset
from pipelines.config.briefs import Brief, read_brief
from pipelines.config.job_settings import PlanSettings, RunSettings, load
from pipelines.jobs.planning import Decided, PlanResult, divide, planning_run, publish
from pipelines.jobs.programmes import with_programmes
from pipelines.jobs.promotion import promote
from pipelines.jobs.train import learn, register
from pipelines.shell import Tell, silent
from pipelines.store import claim, read_dataset
from targeting.planner import Planner
from targeting.planning_state import present_users


def run_all(
    *,
    data: Path,
    campaign: Path,
    out: Path,
    config: Path | None = None,
    tracking_uri: str | None = None,
    language: str = "en",
    tell: Tell = silent,
) -> PlanResult:
    """Learn from the logs in `data`, plan the brief for the same people, write the plan directory.

    Raises:
        DataError, CampaignError: the data, the brief or a setting is wrong.
        InfeasibleError: no plan satisfies the brief.
    """
    settings = load(RunSettings, config)
    brief = read_brief(campaign)
    with claim(out, inputs=(data,)) as target:
        tell("reading")
        dataset = read_dataset(data, max_rejected_share=settings.train.max_rejected_share)
        with planning_run(
            "run",
            brief,
            inputs={"data": data},
            prints=dataset.fingerprints,
            settings=settings,
            tracking_uri=tracking_uri,
        ) as run:
            learned = learn(dataset, settings=settings.train, campaign=brief.campaign, run=run, tell=tell)
            decided = decide_for(learned.planner, dataset, brief=brief, settings=settings.plan, tell=tell)
            name = settings.train.model_name
            planner = register(learned, name=name, run=run, tell=tell)
            tell("writing the report")
            # A version without an alias goes with a dead run: no plan that is published may name one.
            said: list[str] = []
            result = publish(
                decided.by_model(planner.model_uri),
                target=target,
                run=run,
                language=language,
                before=lambda: said.append(
                    promote(learned.verdict, uri=planner.model_uri or "", run=run).why
                ),
            )
            return replace(result, promotion=said[0])


def decide_for(
    planner: Planner, dataset: Dataset, *, brief: Brief, settings: PlanSettings, tell: Tell
) -> Decided:
    """The plan of a brief for the people in the dataset; nothing is written or logged."""
    tell("scoring and segmenting")
    users = present_users(dataset)
    audience = planner.audience_of_scores(planner.model.score(users), users)
    tell("dividing the budget")

    def divided(supported: Brief) -> Decided:
        plan = divide(planner, audience, brief=supported, settings=settings)
        return Decided(plan, dataset.rejected, plan.provenance.warnings)

    return with_programmes(brief, settings, divided)
