"""Job `plan`: from scores, a console's report or supplied curves to the plan directory of DESIGN 3.3."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import polars as pl

from models.contracts import no_rejects
from models.errors import CampaignError, DataError
from pipelines.config.briefs import Brief, read_brief
from pipelines.config.job_settings import PlanSettings, load
from pipelines.jobs.planning import Decided, PlanResult, divide, each_once, planning_run, publish
from pipelines.shell import Tell, silent
from pipelines.store import check_writable, find_table, read_conformed, read_curves, read_scores, read_users
from pipelines.store.fingerprints import content_of
from pipelines.store.plans import SCORES_MANIFEST
from targeting.campaign import Campaign
from targeting.decision.delivery_plan import plan_delivery
from targeting.decision.supplied_curves import allocate
from targeting.planner import Planner


@dataclass(frozen=True)
class Source:
    """What a plan is made from: `data` with `scores`, `delivery`, or `curves`."""

    data: Path | None = None
    scores: Path | None = None
    delivery: Path | None = None
    curves: Path | None = None

    def paths(self) -> dict[str, Path]:
        """The given ones by name."""
        given = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: path for name, path in given if path is not None}


def run_plan(
    *,
    campaign: Path,
    source: Source,
    out: Path,
    config: Path | None = None,
    tracking_uri: str | None = None,
    language: str = "en",
    tell: Tell = silent,
) -> PlanResult:
    """Divide the brief's budget and write the plan directory.

    Raises:
        DataError, CampaignError: the input, the brief or a setting is wrong.
        InfeasibleError: no plan satisfies the brief.
    """
    settings = load(PlanSettings, config)
    brief = read_brief(campaign)
    paths = source.paths()
    check_writable(out.absolute(), shown=out, inputs=paths.values())
    tell("fingerprinting the input")
    with planning_run(
        "plan", brief, inputs={"sources": paths}, paths=paths, settings=settings, tracking_uri=tracking_uri
    ) as run:
        decided = decide_from(source, brief=brief, settings=settings, tell=tell)
        tell("writing the report")
        return publish(decided, out=out, run=run, language=language)


def decide_from(source: Source, *, brief: Brief, settings: PlanSettings, tell: Tell) -> Decided:
    """The plan from one source, nothing written and nothing logged."""
    if source.curves is not None:
        return _from_curves(source.curves, brief=brief, settings=settings, tell=tell)
    if source.delivery is not None:
        return _from_delivery(source.delivery, brief=brief, settings=settings, tell=tell)
    return _from_scores(source, brief=brief, settings=settings, tell=tell)


def _from_curves(path: Path, *, brief: Brief, settings: PlanSettings, tell: Tell) -> Decided:
    tell("dividing the budget")
    read = read_curves(path)
    curves, left_out = _of_placements(read.good, brief.campaign, source=path)
    plan = allocate(
        curves,
        budget_cny=brief.campaign.budget_cny,
        campaign=brief.campaign,
        last_plan=brief.last_plan,
        gap_tol=settings.gap_tol,
        time_limit_s=settings.time_limit_s,
    )
    return Decided(plan, no_rejects(), (*read.warnings, *left_out))


def _from_delivery(path: Path, *, brief: Brief, settings: PlanSettings, tell: Tell) -> Decided:
    report = read_conformed(path, "delivery")
    tell("learning the curves and dividing the budget")
    plan = plan_delivery(
        report,
        campaign=brief.campaign,
        last_plan=brief.last_plan,
        rng=np.random.default_rng(settings.seed),
        n_draws=settings.draws,
        max_rejected_share=settings.max_rejected_share,
        gap_tol=settings.gap_tol,
        time_limit_s=settings.time_limit_s,
    )
    return Decided(plan, report.rejected, each_once(report.warnings, plan.provenance.warnings))


def _of_placements(
    curves: pl.DataFrame, brief: Campaign, *, source: Path
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Curves in the placements that the brief names, and a word on the others; all where it names none."""
    if "placements" not in brief.model_fields_set:
        return curves, ()
    found = curves["placement"].unique().sort().to_list()
    others = [name for name in found if name not in brief.placements]
    if len(others) == len(found):
        raise CampaignError(
            f"placements: the brief names {', '.join(brief.placements)}, {source} has {', '.join(found)}; "
            "expected at least one in common"
        )
    if not others:
        return curves, ()
    left_out = f"{source}: curves of {', '.join(others)} left out, the brief does not name them"
    return curves.filter(pl.col("placement").is_in(list(brief.placements))), (left_out,)


def _from_scores(source: Source, *, brief: Brief, settings: PlanSettings, tell: Tell) -> Decided:
    assert source.data is not None
    assert source.scores is not None
    users = find_table(source.data, "users")
    planner = Planner.load(_model_of(source.scores, users=users))
    tell("segmenting")
    conformed = read_users(users, features=planner.model.features)
    audience = planner.audience_of_scores(read_scores(source.scores), conformed.good)
    tell("dividing the budget")
    plan = divide(planner, audience, brief=brief, settings=settings)
    return Decided(plan, conformed.rejected, each_once(planner.warnings, conformed.warnings))


def _model_of(scores: Path, *, users: Path) -> str:
    """The model version that made the scores, after checking that it made them from these users."""
    path = scores / SCORES_MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        uri, made_from = str(manifest["model_uri"]), manifest["fingerprints"]["users"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path}: missing or damaged; expected a directory written by `targeting score`: score again"
        ) from error
    if made_from != content_of(users):
        raise DataError(
            f"{scores}: was scored from other users than {users} holds now; run `targeting score` again"
        )
    return uri
