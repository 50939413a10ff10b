"""Job `plan`: from scores, a console's report or supplied curves to the plan directory of DESIGN 3.3."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import polars as pl

from models.contracts import no_rejects
from models.errors import CampaignError, DataError
from pipelines import config as settings_of
from pipelines import tracking
from pipelines.briefs import Brief, read_brief
from pipelines.config import PlanSettings
from pipelines.fingerprints import content_of
from pipelines.plan_directory import REPORT, SCORES_MANIFEST, rejected_counts, write_plan
from pipelines.plan_run import log_plan, planning_run
from pipelines.shell import Tell, silent
from pipelines.store import (
    atomic_directory,
    check_writable,
    find_table,
    read_curves,
    read_report,
    read_scores,
    read_users,
)
from targeting.campaign import Campaign
from targeting.plan.verbs import Plan


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


@dataclass(frozen=True)
class PlanResult:
    """What was decided, and where it is; `promotion` says what became of a version trained on the way."""

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
    binding: list[str]
    shadow_prices: dict[str, float]
    claims: dict[str, str]
    model_uri: str | None
    rejected: dict[str, int]
    seconds: float
    warnings: tuple[str, ...] = ()
    promotion: str | None = None

    def price_of(self, constraint: str) -> str:
        """A constraint with what one more unit of its limit is worth: `total (1.41)`."""
        price = self.shadow_prices.get(constraint)
        return f"{constraint} ({price:.3g} per unit)" if price else constraint


@dataclass(frozen=True)
class Decided:
    """A plan, the input rows that were quarantined on the way to it, and what had to be assumed."""

    plan: Plan
    rejected: pl.DataFrame
    warnings: tuple[str, ...] = ()


def run_plan(
    *,
    campaign: Path,
    source: Source,
    out: Path,
    config: Path | None = None,
    tracking_uri: str | None = None,
    tell: Tell = silent,
) -> PlanResult:
    """Divide the brief's budget and write the plan directory.

    Raises:
        DataError, CampaignError: the input, the brief or a setting is wrong.
        InfeasibleError: no plan satisfies the brief.
    """
    settings = settings_of.load(settings_of.PlanSettings, config)
    brief = read_brief(campaign)
    paths = source.paths()
    check_writable(out.absolute(), shown=out, inputs=paths.values())
    inputs = {"sources": {name: str(path.resolve()) for name, path in paths.items()}}
    tell("fingerprinting the input")
    with planning_run(
        "plan", brief, inputs=inputs, paths=paths, settings=settings, tracking_uri=tracking_uri
    ) as run:
        decided = decide_from(source, brief=brief, settings=settings, tell=tell)
        tell("writing the report")
        return publish(decided, out=out, run=run)


def decide_from(source: Source, *, brief: Brief, settings: PlanSettings, tell: Tell) -> Decided:
    """The plan from one source, nothing written and nothing logged."""
    campaign, last_plan = brief.campaign, brief.last_plan
    gap_tol, time_limit_s = settings.gap_tol, settings.time_limit_s
    if source.curves is not None:
        from targeting.plan.supplied_curves import allocate

        tell("dividing the budget")
        read = read_curves(source.curves)
        curves, left_out = _of_placements(read.good, campaign, source=source.curves)
        plan = allocate(
            curves,
            budget_cny=campaign.budget_cny,
            campaign=campaign,
            last_plan=last_plan,
            gap_tol=gap_tol,
            time_limit_s=time_limit_s,
        )
        return Decided(plan, no_rejects(), (*read.warnings, *left_out))
    if source.delivery is not None:
        import numpy as np

        from targeting.delivery import plan_delivery

        report = read_report(source.delivery, max_rejected_share=settings.max_rejected_share)
        tell("learning the curves and dividing the budget")
        plan = plan_delivery(
            report.good,
            campaign=campaign,
            last_plan=last_plan,
            rng=np.random.default_rng(settings.seed),
            n_draws=settings.draws,
            rejected_rows=report.rejected.height,
            gap_tol=gap_tol,
            time_limit_s=time_limit_s,
        )
        return Decided(plan, report.rejected, report.warnings)
    return _from_scores(source, brief=brief, settings=settings, tell=tell)


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
    from targeting.planner import Planner

    assert source.data is not None
    assert source.scores is not None
    users = find_table(source.data, "users")
    planner = Planner.load(_model_of(source.scores, users=users))
    tell("segmenting")
    conformed = read_users(users, features=planner.model.features)
    audience = planner.audience_of_scores(read_scores(source.scores), conformed.good)
    tell("dividing the budget")
    plan = planner.plan(
        brief.campaign,
        audience,
        last_plan=brief.last_plan,
        gap_tol=settings.gap_tol,
        time_limit_s=settings.time_limit_s,
    )
    return Decided(plan, conformed.rejected, _each_once(planner.warnings, conformed.warnings))


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


def publish(decided: Decided, *, out: Path, run: tracking.JobRun) -> PlanResult:
    """Write the plan directory, log the plan in the open run, and say what it is."""
    with atomic_directory(out) as folder:
        write_plan(decided.plan, folder, rejected=decided.rejected)
        log_plan(decided.plan, folder, run=run)
    return result_of(decided, out=out, run_id=run.run_id)


def result_of(decided: Decided, *, out: Path, run_id: str) -> PlanResult:
    """What a written plan is, in numbers and names."""
    plan = decided.plan
    return PlanResult(
        out=str(out),
        report=str(out / REPORT),
        run_id=run_id,
        status=plan.status,
        objective=plan.campaign.objective,
        value=plan.value,
        upper_bound=plan.upper_bound,
        gap=plan.gap,
        budget_cny=plan.budget_cny,
        spend_cny=plan.spend_cny,
        expected=plan.to_dict()["expected"],
        binding=list(plan.binding),
        shadow_prices=dict(plan.shadow_prices),
        claims=dict(plan.claims),
        model_uri=plan.provenance.model_uri,
        rejected=rejected_counts(decided.rejected),
        seconds=plan.solution.seconds,
        warnings=decided.warnings,
    )


def _each_once(*lines: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(line for group in lines for line in group))
