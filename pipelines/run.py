"""Job `run`: train, score, plan and report in one go, one MLflow run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl

from models.contracts import Dataset
from pipelines import config as settings_of
from pipelines import tracking
from pipelines.briefs import read_brief, read_last_plan
from pipelines.config import PlanSettings
from pipelines.plan import Decided, PlanResult, input_prints, publish
from pipelines.shell import Tell, silent
from pipelines.store import check_writable, find_table, read_dataset
from pipelines.train import learn
from targeting.campaign import Campaign
from targeting.learning import present_users
from targeting.planner import Planner

TABLES = ("users", "exposures", "orders")


def run_all(
    *,
    data: Path,
    campaign: Path,
    out: Path,
    config: Path | None = None,
    tracking_uri: str | None = None,
    tell: Tell = silent,
) -> PlanResult:
    """Learn from the logs in `data`, plan the brief for the same people, write the plan directory.

    Raises:
        DataError, CampaignError: the data, the brief or a setting is wrong.
        InfeasibleError: no plan satisfies the brief.
    """
    settings = settings_of.load(settings_of.RunSettings, config)
    brief = read_brief(campaign)
    last_plan = read_last_plan(brief, brief=campaign)
    check_writable(out.absolute(), shown=out, inputs=(data,))
    tell("reading")
    dataset = read_dataset(data)
    inputs = {
        "data": str(data.resolve()),
        "campaign": str(campaign.resolve()),
        "settings": settings.model_dump(mode="json"),
    }
    prints = input_prints({name: find_table(data, name) for name in TABLES}, campaign=campaign, brief=brief)
    with tracking.job_run("run", tracking_uri=tracking_uri, inputs=inputs, fingerprints=prints) as run:
        learned = learn(dataset, settings=settings.train, campaign=brief, run=run, tell=tell)
        decided = decide_for(
            learned.planner, dataset, brief=brief, last_plan=last_plan, settings=settings.plan, tell=tell
        )
        tell("writing the report")
        return replace(publish(decided, out=out, run=run), promotion=learned.promotion.why)


def decide_for(
    planner: Planner,
    dataset: Dataset,
    *,
    brief: Campaign,
    last_plan: pl.DataFrame | None,
    settings: PlanSettings,
    tell: Tell,
) -> Decided:
    """The plan of a brief for the people in the dataset; nothing is written or logged."""
    tell("scoring and segmenting")
    users = present_users(dataset)
    audience = planner.audience_of_scores(planner.model.score(users), users)
    tell("dividing the budget")
    plan = planner.plan(
        brief,
        audience,
        last_plan=last_plan,
        gap_tol=settings.gap_tol,
        time_limit_s=settings.time_limit_s,
    )
    return Decided(plan, dataset.rejected, planner.warnings)
