"""Support programmes around a plan: the brief gets what is granted, the plan says why, and for how much."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pipelines.config.briefs import Brief
from pipelines.config.job_settings import PlanSettings, ProgrammesSettings, load
from pipelines.jobs.planning import Decided
from targeting.decision.support_worth import outlook, with_worth
from targeting.programmes.support import supported
from targeting.programmes.verdicts import judged
from targeting.words import LANGUAGES

PACKAGED = "packaged"


def with_programmes(brief: Brief, settings: PlanSettings, decide: Callable[[Brief], Decided]) -> Decided:
    """What `decide` makes of the brief after its programmes; of the brief itself where none are asked for.

    Raises:
        CampaignError: the rules' file is wrong, or a fact is of another kind than its condition.
    """
    if settings.programmes is None:
        return decide(brief)
    path = None if settings.programmes == PACKAGED else Path(settings.programmes)
    rules = load(ProgrammesSettings, path)
    verdicts = judged(rules.programmes, brief.campaign)
    campaign = supported(brief.campaign, rules.programmes, verdicts)
    decided = decide(replace(brief, campaign=campaign))
    plan = decided.plan
    worth = with_worth(plan, brief.campaign, rules.programmes, verdicts)
    boards = outlook(plan, rules.boards)
    told = {
        code: (*(verdict.said(w) for verdict in worth), *(board.said(w) for board in boards))
        for code, w in LANGUAGES.items()
    }
    known = replace(plan.provenance, programmes=told.pop("en"), programmes_in=told)
    return replace(decided, plan=replace(plan, provenance=known))
