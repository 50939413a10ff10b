"""Job `plan`: from scores, a console's report or supplied curves to the plan directory of DESIGN 3.3."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from models.contracts import Conformed, no_rejects
from models.errors import CampaignError, DataError
from pipelines.config.briefs import Brief, read_brief
from pipelines.config.job_settings import PlanSettings, load
from pipelines.jobs.planning import Decided, PlanResult, divide, each_once, planning_run, publish
from pipelines.jobs.programmes import with_programmes
from pipelines.shell import Tell, silent
from pipelines.store import claim, find_table, read_conformed, read_curves, read_scored, read_users
from pipelines.store.scores import Scored
from pipelines.tracking_store import connect
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
    with claim(out, inputs=paths.values()) as target:
        connect(tracking_uri)
        tell("reading")
        read = read_source(source)
        with planning_run(
            "plan",
            brief,
            inputs={"sources": paths},
            prints=read.prints,
            settings=settings,
            tracking_uri=tracking_uri,
        ) as run:
            decided = with_programmes(
                brief, settings, lambda supported: read.decide(supported, settings, tell)
            )
            tell("writing the report")
            return publish(decided, target=target, run=run, language=language)


@dataclass(frozen=True)
class SourceRead:
    """A source in memory.

    Attributes:
        prints: fingerprint of each input, as it was read.
        decide: the plan from it, nothing written and nothing logged.
    """

    prints: Mapping[str, str]
    decide: Callable[[Brief, PlanSettings, Tell], Decided]


def read_source(source: Source) -> SourceRead:
    """Whatever a plan is made from, read once.

    Raises:
        DataError: it is not what it should be.
    """
    if source.curves is not None:
        curves = read_curves(source.curves)
        return SourceRead({"curves": curves.digest}, partial(_from_curves, curves))
    if source.delivery is not None:
        report = read_conformed(source.delivery, "delivery")
        return SourceRead({"delivery": report.digest}, partial(_from_delivery, report))
    assert source.data is not None
    assert source.scores is not None
    users, scored = find_table(source.data, "users"), read_scored(source.scores)
    planner = Planner.load(scored.manifest.model_uri)
    people = read_users(users, features=planner.model.features)
    _refuse_others(scored, people, users=users, scores=source.scores)
    prints = {"data": people.digest, "scores": scored.digest}
    return SourceRead(prints, partial(_from_scores, planner, people, scored.scores))


def _from_curves(read: Conformed, brief: Brief, settings: PlanSettings, tell: Tell) -> Decided:
    tell("dividing the budget")
    curves, left_out = _of_placements(read.good, brief.campaign, source=read.origin.source)
    plan = allocate(
        curves,
        budget_cny=brief.campaign.budget_cny,
        campaign=brief.campaign,
        last_plan=brief.last_plan,
        gap_tol=settings.gap_tol,
        time_limit_s=settings.time_limit_s,
    )
    return Decided(plan, no_rejects(), (*read.warnings, *left_out))


def _from_delivery(report: Conformed, brief: Brief, settings: PlanSettings, tell: Tell) -> Decided:
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
    curves: pl.DataFrame, brief: Campaign, *, source: str
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


def _from_scores(
    planner: Planner,
    people: Conformed,
    scores: pl.DataFrame,
    brief: Brief,
    settings: PlanSettings,
    tell: Tell,
) -> Decided:
    tell("segmenting")
    audience = planner.audience_of_scores(scores, people.good)
    tell("dividing the budget")
    plan = divide(planner, audience, brief=brief, settings=settings)
    return Decided(plan, people.rejected, each_once(plan.provenance.warnings, people.warnings))


def _refuse_others(scored: Scored, people: Conformed, *, users: Path, scores: Path) -> None:
    """Refuse scores that were not made from these users, or not of all of them."""
    if scored.manifest.fingerprints.get("users") != people.digest:
        raise DataError(
            f"{scores}: was scored from other users than {users} holds now; run `targeting score` again"
        )
    missing = people.good.join(scored.scores, on="user_id", how="anti")
    if missing.height:
        raise DataError(
            f"{scores}: {missing.height:,} of {people.good.height:,} users of {users} have no scores, first "
            f"{missing['user_id'][0]}; run `targeting score` again"
        )
