"""Charts of a plan: its numbers in the shape that `charts` draws.

It recomputes nothing but other budgets.
"""

from __future__ import annotations

import logging

import polars as pl

from models.errors import TargetingError
from targeting.plan import questions
from targeting.plan.decided import DecidedPlan
from targeting.plan.usual_plans import worth
from targeting.report import charts
from targeting.report.report_settings import SETTINGS
from targeting.report.report_tables import measure_of
from targeting.report.sentences import amount_of, objective_axis, placement_term, share
from targeting.segments.diagnosis import Diagnosis

log = logging.getLogger("targeting.report")


def _placements(plan: DecidedPlan) -> list[str]:
    """Placements with their terms, in the brief's order: a placement keeps its colour from plan to plan."""
    found = plan.market.cells["placement"].unique(maintain_order=True).to_list()
    ordered = [p for p in plan.campaign.placements if p in found]
    return [placement_term(p) for p in (*ordered, *(p for p in found if p not in ordered))]


def _with_terms(frame: pl.DataFrame) -> pl.DataFrame:
    names = {p: placement_term(p) for p in frame["placement"].unique().to_list()}
    return frame.with_columns(pl.col("placement").replace(names))


def diagnosis_chart(diagnosis: Diagnosis) -> str:
    """Fans against money, for the two columns on which they differ most."""
    profile = diagnosis.profile
    if profile.is_empty() or profile["gmv"].null_count() == profile.height:
        return ""
    apart = profile.group_by("column").agg(gap=(pl.col("fans") - pl.col("gmv")).abs().sum())
    columns = apart.sort("gap", "column", descending=[True, False]).filter(pl.col("gap") > 0)["column"]
    shown = profile.filter(pl.col("column").is_in(columns.head(2).implode()))
    if shown.is_empty():
        return ""
    label = pl.concat_str("column", pl.lit(" = "), "level")
    return charts.fans_against_buyers(shown.select(label.alias("label"), "fans", "gmv"))


def money_chart(plan: DecidedPlan) -> str:
    """Money by segment and placement, beside what it is expected to earn."""
    allocation = _with_terms(plan.allocation)
    return charts.money_map(
        allocation, placements=_placements(plan), top=SETTINGS.money_rows, measure=measure_of(plan)
    )


def curve_chart(plan: DecidedPlan) -> str:
    """Small multiples of the cells with most money, the best unfunded ones after them."""
    keys = ("segment", "placement", "slot")
    funded = int((plan.allocation["spend_cny"] > 0).sum())
    ranked = plan.allocation.sort("spend_cny", *keys, descending=[True, False, False, False])
    fewest, most = SETTINGS.panels
    ranked = ranked.head(min(max(funded, fewest), most))
    seen = plan.market.cells.select(keys).with_columns(
        observed_max_cny=pl.Series(plan.market.observed_max_cny)
    )
    ranked = ranked.join(seen, on=keys, how="left", maintain_order="left")
    slots = plan.allocation["slot"].n_unique() > 1
    slot: list[pl.Expr] = [pl.lit(" · slot "), pl.col("slot").cast(pl.String)] if slots else []
    title = pl.concat_str("segment", pl.lit(" | "), "placement", *slot)
    curves = plan.curves.join(ranked.select(keys), on=keys, how="semi")
    if curves.is_empty():
        return ""
    return charts.response_curves(
        _with_terms(curves).with_columns(title=title),
        _with_terms(ranked).with_columns(title=title, value=pl.col(measure_of(plan))),
        placements=_placements(plan),
    )


def comparison_chart(plan: DecidedPlan) -> str:
    """The plan's value beside that of the usual plans."""
    if plan.baselines.is_empty():
        return ""
    rows = [("This plan", plan_worth(plan), True, "")]
    for row in plan.baselines.sort("value", descending=True).to_dicts():
        broken = "" if row["feasible"] else " (breaks the brief)"
        rows.append((f"{row['label'][:1].upper()}{row['label'][1:]}", row["value"], False, broken))
    table = pl.DataFrame(
        [(label, value, mine, amount_of(plan, value) + note) for label, value, mine, note in rows],
        schema=["label", "value", "is_plan", "text"],
        orient="row",
    )
    return charts.comparison(table, axis=objective_axis(plan))


def plan_worth(plan: DecidedPlan) -> float:
    """The plan in the units of the baselines: the brief's objective (a `target` plan maximises minus
    spend).
    """
    return worth(plan.problem, plan.campaign, plan.solution.spend_cny)


def comparison_words(plan: DecidedPlan) -> str:
    """How far ahead of the best of the usual plans, in a sentence."""
    rivals = [r for r in plan.baselines.to_dicts() if r["value"] > 0]
    if not rivals:
        return ""
    best = max(rivals, key=lambda r: r["value"])
    lead = plan_worth(plan) / best["value"] - 1.0
    words = "more" if lead >= 0 else "less"
    return f"{share(abs(lead))} {words} than the {best['label']} with the same money, on the same curves."


def frontier_chart(plan: DecidedPlan) -> str:
    """Best value at other budgets; nothing where that would take too long or a target sets the spend."""
    if len(plan.market) > SETTINGS.most_cells or any(c.kind == "target" for c in plan.campaign.constraints):
        return ""
    budgets = [plan.budget_cny * factor for factor in SETTINGS.frontier_budgets]
    try:
        points = questions.frontier(
            plan, budgets, gap_tol=SETTINGS.frontier_gap, time_limit_s=SETTINGS.frontier_seconds
        )
    except TargetingError as error:  # the plan stands without its neighbours
        log.warning("report: no frontier is shown: %s", error)
        return ""
    points = points.filter(pl.col("value").is_not_null())
    if points.height < 3:
        return ""
    return charts.frontier(points, budget_cny=plan.budget_cny, axis=objective_axis(plan))
