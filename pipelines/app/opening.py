"""Makes a plan of the files that somebody gives the page: a plan's own files, a console's report, or curves.

A brief beside them (YAML) is used; without one the report's own spend a day is the budget. It needs no page.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from models.contracts import Conformed
from models.errors import DataError, TargetingError
from pipelines.config.briefs import read_brief
from pipelines.store import disk, read_curves, read_report
from pipelines.store.plans import read_plan
from targeting.campaign import Campaign, parse_campaign
from targeting.decision.again import TEXTS
from targeting.decision.delivery_plan import plan_delivery
from targeting.decision.supplied_curves import allocate
from targeting.decision.verbs import Plan

_TABLES = (".csv", ".xlsx", ".xls", ".parquet", ".tsv", ".txt")
_BRIEFS = (".yaml", ".yml")
_DRAWS = 200
_SEED = 7
_USUAL_BUDGET_CNY = 1000.0
"""Of curves without a brief: any amount; the page is there to change it."""


@dataclass(frozen=True)
class Opened:
    """What the page works on.

    Attributes:
        plan: to start from.
        report: the console's report that it was learned from; None for a plan or curves: their days are
            fixed.
    """

    plan: Plan
    report: Conformed | None = None

    def over(self, days: int, slots: int) -> Opened:
        """The same report planned for another number of days, or of parts of them.

        Raises:
            CampaignError, DataError: the report does not tell that much.
        """
        own = self.plan.campaign
        if self.report is None or (days, slots) == (own.days, own.slots.count):
            return self
        brief = own.model_dump(mode="json", exclude_none=True)
        brief |= {"days": days, "slots": {"count": slots}, "budget_cny": own.budget_cny * days / own.days}
        return Opened(_of_report(self.report, parse_campaign(brief, "brief")), self.report)


def opened(files: Mapping[str, bytes]) -> Opened:
    """A plan from uploaded files.

    Args:
        files: content by name, the folder left off.

    Raises:
        TargetingError: they are none of what is expected, or hold mistakes.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, content in files.items():
            disk.put(folder / _plain(file), content)
        try:
            return _by_name(_opened(folder), folder)
        except TargetingError as error:  # the person knows the file's name, not where we put it
            raise type(error)(str(error).replace(f"{folder}/", "")) from error


def _by_name(found: Opened, folder: Path) -> Opened:
    """Warnings that name the uploaded file, not where it was read."""

    def named(warnings: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(line.replace(f"{folder}/", "") for line in warnings)

    origin = found.plan.provenance
    plan = replace(found.plan, provenance=replace(origin, warnings=named(origin.warnings)))
    report = found.report and replace(found.report, warnings=named(found.report.warnings))
    return Opened(plan, report)


def _plain(file: str) -> str:
    """The file's own name; a browser sends no other."""
    name = Path(file).name
    if not name.strip(".") or "\0" in name:
        raise DataError(f"{file!r} is no name of a file; rename it")
    return name


def _opened(folder: Path) -> Opened:
    names = sorted(folder.iterdir())
    if (folder / "plan.json").exists():
        if missing := [name for name in TEXTS if not (folder / name).exists()]:
            raise DataError(
                f"{', '.join(missing)}: not uploaded; give all files of the plan's directory together"
            )
        return Opened(read_plan(folder))
    briefs = [path for path in names if path.suffix.lower() in _BRIEFS]
    tables = [path for path in names if path.suffix.lower() in _TABLES]
    if len(tables) != 1 or len(briefs) > 1:
        raise DataError(
            "expected the files of a plan, or one table (a console's report or curves) and at most one brief,"
            f" got {', '.join(path.name for path in names) or 'nothing'}"
        )
    brief = read_brief(briefs[0]).campaign if briefs else None
    try:
        report = read_report(tables[0])
    except DataError:
        curves = _curves_of(tables[0])
        if curves is None:
            raise
        return Opened(_of_curves(curves, brief))
    return Opened(_of_report(report, brief or usual_brief(report.good, tables[0].stem)), report)


def _curves_of(path: Path) -> pl.DataFrame | None:
    """The table as curves; None where it holds none."""
    try:
        return read_curves(path).good
    except DataError:
        return None


def _of_curves(curves: pl.DataFrame, brief: Campaign | None) -> Plan:
    if brief is None:
        placements = curves["placement"].unique(maintain_order=True).to_list()
        told = {"campaign_id": "curves", "budget_cny": _USUAL_BUDGET_CNY, "placements": placements}
        brief = parse_campaign(told, "brief")
    return allocate(curves, budget_cny=brief.budget_cny, campaign=brief)


def _of_report(report: Conformed, brief: Campaign) -> Plan:
    rng = np.random.default_rng(_SEED)
    return plan_delivery(report, campaign=brief, rng=rng, n_draws=_DRAWS)


def usual_brief(report: pl.DataFrame, name: str) -> Campaign:
    """A brief for a report that came without one: a day's spend, and the most telling figure it has."""
    spent = report.filter(pl.col("cost_cny") > 0)
    if spent.is_empty():
        raise DataError("report: no row has spend; expected cost_cny (花费) above 0")
    days = max(spent["date"].n_unique(), 1)
    counted = (("gmv_cny", "new_fan_gmv"), ("new_fans", "new_fans"), ("live_entries", "live_entries"))
    has = [goal for column, goal in counted if column in report.columns and (report[column].sum() or 0) > 0]
    budget = float(spent["cost_cny"].sum()) / days
    return parse_campaign(
        {
            "campaign_id": name,
            "objective": has[0] if has else "new_fans",
            "budget_cny": float(f"{budget:.2g}"),
            "placements": spent["placement"].unique().sort().to_list(),
        },
        "brief",
    )
