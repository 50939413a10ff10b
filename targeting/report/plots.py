"""A plan's charts for a notebook: `plan.plot()`, `plan.plot_frontier()`, `plan.plot_curves()`."""

from __future__ import annotations

from typing import Any

import polars as pl

from targeting.plan.budgets import budgets_of
from targeting.plan.decided import DecidedPlan
from targeting.report import charts
from targeting.report.drawing import Drawing, Spec
from targeting.report.saying import measure_of, objective_axis, place
from targeting.report.section import Reader
from targeting.report.sections import budget, curves
from targeting.words import words_in


def plot(plan: DecidedPlan, language: str = "en") -> Any:
    """Money by segment and placement beside what it earns, as an altair chart."""
    placements = list(plan.campaign.placements)
    words = words_in(language)
    drawn = charts.money_map(plan.allocation, words, placements=placements, measure=measure_of(plan))
    return _interactive(drawn)


def plot_frontier(plan: DecidedPlan, language: str = "en") -> Any:
    """What each budget leaves (or brings, where profit cannot be told), as an altair chart.

    Raises:
        CampaignError, SolverError: no other budget can be solved.
    """
    words, budgets = words_in(language), budgets_of(plan)
    axis = objective_axis(plan, words) if budgets.best is None else words.profit_axis
    marks = budget.marks_of(plan, Reader(words, budgets), budgets)
    curve = budget.curve_of(plan, budgets)
    return _interactive(charts.budget_curve(curve, marks, words, axis=axis, width=700))


def plot_curves(plan: DecidedPlan, language: str = "en") -> Any:
    """The response curves of the units that matter, with the plan on them, as an altair chart."""
    words = words_in(language)
    drawing = Drawing(words.curves_head)
    shades = charts.shades_of((*plan.campaign.placements, *plan.market.cells["placement"]))
    panels = []
    for unit in curves.shown(plan).to_dicts():
        here = pl.all_horizontal(pl.col(key) == unit[key] for key in ("segment", "placement", "slot"))
        panel = charts.response_panel(
            drawing, plan.curves.filter(here), unit, words, shade=shades[unit["placement"]]
        )
        title = {"text": words.segment(unit["segment"]), "subtitle": place(plan, words, unit)}
        panels.append({**panel, "title": title})
    return _interactive(drawing.finished({"concat": panels, "columns": 3}))


def _interactive(spec: Spec) -> Any:
    """The picture as an altair chart, which shows itself in a notebook."""
    import altair as alt

    return alt.Chart.from_dict(spec)
