"""What a section of the report is, and what every section may know."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from models.errors import TargetingError
from targeting.plan.budgets import Budgets, budgets_of
from targeting.plan.decided import DecidedPlan
from targeting.report.report_settings import SETTINGS
from targeting.words import Words

log = logging.getLogger("targeting.report")


@dataclass(frozen=True)
class Section:
    """A part of the page: `sections/<name>.html.j2` filled with `data` (as `d`) and the words (as `w`)."""

    name: str
    data: Mapping[str, object]

    @property
    def template(self) -> str:
        """Path in the package."""
        return f"sections/{self.name}.html.j2"


@dataclass(frozen=True)
class Reader:
    """For whom a plan is told.

    Attributes:
        words: in the reader's language.
        budgets: the plan's other budgets; None where a target sets the spend, where that would take too
            long, or where it failed.
    """

    words: Words
    budgets: Budgets | None


def other_budgets(plan: DecidedPlan, *, before: Callable[[], object] = lambda: None) -> Budgets | None:
    """The plan's other budgets, where they are cheap to know and the brief does not set its own spend.

    Args:
        plan: this one.
        before: called before each budget is solved.
    """
    cheapest = any(c.kind == "target" for c in plan.campaign.constraints)
    if cheapest or len(plan.market) > SETTINGS.most_cells:
        return None
    try:
        return budgets_of(plan, before=before)
    except TargetingError as error:  # the plan stands without its neighbours
        log.warning("report: no frontier is shown: %s", error)
        return None
