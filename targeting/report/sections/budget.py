"""Which budget leaves most: the curve of budgets with this plan and the best one on it."""

from __future__ import annotations

import polars as pl

from targeting.plan.budgets import Budgets
from targeting.plan.decided import DecidedPlan
from targeting.plan.plan_settings import SETTINGS as PLAN_SETTINGS
from targeting.report import charts
from targeting.report.drawing import svg_of
from targeting.report.saying import amount_of, objective_axis
from targeting.report.section import Reader, Section


def section(plan: DecidedPlan, reader: Reader) -> Section | None:
    """Chart and table of the budgets that were tried."""
    budgets, w = reader.budgets, reader.words
    if budgets is None or budgets.points.height < 3:
        return None
    by_profit = budgets.best is not None
    points, axis = curve_of(plan, budgets), w.profit_axis if by_profit else objective_axis(plan, w)
    marks = marks_of(plan, reader, budgets)
    drawn = [svg_of(charts.budget_curve(points, marks, w, axis=axis, width=width)) for width in (700, 300)]
    return Section(
        "budget",
        {
            "wide": drawn[0],
            "narrow": drawn[1],
            "objective": objective_axis(plan, w),
            "profit_known": by_profit,
            "rows": _rows(plan, reader, budgets),
        },
    )


def curve_of(plan: DecidedPlan, budgets: Budgets) -> pl.DataFrame:
    """budget_cny, value: profit where it is known, else what the brief counts."""
    column = "value" if budgets.best is None else "profit_cny"
    return budgets.points.select("budget_cny", value=pl.col(column))


def marks_of(plan: DecidedPlan, reader: Reader, budgets: Budgets) -> pl.DataFrame:
    """budget_cny, value, label of this plan and of the budget that leaves most."""
    curve, w = curve_of(plan, budgets), reader.words
    near = (pl.col("budget_cny") - plan.budget_cny).abs()
    marked = [(curve.sort(near).row(0, named=True), w.mark_plan)]
    if budgets.best is not None and abs(budgets.best["budget_cny"] / plan.budget_cny - 1) > 0.02:
        best = curve.filter(pl.col("budget_cny") == budgets.best["budget_cny"]).row(0, named=True)
        marked.append((best, w.mark_best))
    rows = [
        {**row, "label": f"{name} {w.yuan(row['budget_cny'])}", "is_plan": name == w.mark_plan}
        for row, name in marked
    ]
    return pl.DataFrame(rows)


def _rows(plan: DecidedPlan, reader: Reader, budgets: Budgets) -> list[dict[str, object]]:
    """A line for each budget of the grid, for this plan's and for the best one."""
    w, best = reader.words, budgets.best
    shown = [] if best is None else [best["budget_cny"]]
    shares = PLAN_SETTINGS.budget_shares
    shown += [plan.budget_cny * share for share in shares]
    kept = budgets.points.filter(pl.col("budget_cny").round(6).is_in([round(b, 6) for b in shown]))
    return [
        {
            "budget": w.yuan(row["budget_cny"]),
            "value": amount_of(plan, w, row["value"]),
            "fans": None if "new_fans" in plan.provenance.unknown else w.count(row["new_fans"]),
            "profit": w.yuan(row["profit_cny"]),
            "mark": w.mark_plan
            if abs(row["budget_cny"] - plan.budget_cny) < 1e-6 * plan.budget_cny
            else w.mark_best
            if best is not None and row["budget_cny"] == best["budget_cny"]
            else "",
        }
        for row in kept.to_dicts()
    ]
