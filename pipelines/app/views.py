"""The right side of the page: the answer, beside the plan that was opened. Nothing is computed here.

Its words and figures are those of the report (`targeting.report`), so that page and report never differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl
import streamlit as st
from markupsafe import Markup

from models.escaping.media import for_chart, for_html, for_markdown
from pipelines.jobs.export import launch_sheet
from targeting.decision.verbs import Plan
from targeting.plan.budgets import Budgets
from targeting.plan.rules import Rule
from targeting.report import charts, verdict
from targeting.report.drawing import Spec
from targeting.report.saying import measure_of, objective_axis, reason
from targeting.report.section import Reader
from targeting.report.sections import budget, curves, money, programmes, rules
from targeting.report.tables import allocation_in, sheet_text
from targeting.words import Words

_FIGURES = (("profit_cny", "profit"), ("new_fans", "new_fans"), ("new_fan_gmv_cny", "gmv"))
_CURVES = 6


def answer(w: Words, opened: Plan, tried: Plan) -> None:
    """Profit, fans, GMV, ROI and spend, each with its range and its difference from the opened plan."""
    st.header(for_markdown(verdict.headline(tried, w)))
    shown = [pair for pair in _FIGURES if tried.expected.get(pair[0]) is not None]
    columns = st.columns(len(shown) + 2)
    for column, (name, word) in zip(columns, shown, strict=False):
        _figure(column, w, opened, tried, name=name, label=getattr(w, word))
    roi, before = _roi(tried), _roi(opened)
    change = None if roi is None or before is None or abs(roi - before) < 0.005 else f"{roi - before:+.2f}"
    columns[-2].metric(w.roi, "–" if roi is None else f"{roi:.2f}", change)
    spent = _change(w, tried.spend_cny - opened.spend_cny)
    columns[-1].metric(w.spend, w.yuan(tried.spend_cny), spent, delta_color="off")  # neither good nor bad
    st.caption(w.desk_against)
    for line in [verdict.certificate(tried, w), *map(w.told, tried.provenance.warnings)]:
        st.caption(for_markdown(line))


def _figure(column: Any, w: Words, opened: Plan, tried: Plan, *, name: str, label: str) -> None:
    now, before, money_ = tried.expected[name], opened.expected.get(name), name != "new_fans"
    assert now is not None
    show = w.yuan if money_ else w.count
    change = None if before is None else _change(w, now.value - before.value, money=money_)
    column.metric(label, show(now.value), change)
    told = [w.expected_range.format(range=w.span(now, money=money_))] if now.low is not None else []
    came = tried.realised.get(name)
    told += [w.realised_range.format(range=w.span(came, money=money_))] if came is not None else []
    column.caption("  \n".join(map(for_markdown, told)))


def _change(w: Words, difference: float, *, money: bool = True) -> str | None:
    """A difference with the sign by which Streamlit chooses arrow and colour; nothing where there is none."""
    said = w.difference(difference, money=money)
    return None if said == "±0" else said.replace("−", "-")


def _roi(plan: Plan) -> float | None:
    gmv = plan.expected.get("new_fan_gmv_cny")
    return None if gmv is None or plan.spend_cny <= 0 else gmv.value / plan.spend_cny


def where_the_money_goes(w: Words, tried: Plan) -> None:
    """Old and new money by segment, and the table of all units."""
    st.header(w.money_head)
    _chart(charts.old_and_new(money.side_by_side(tried), w))
    told = tried.allocation.filter(pl.col("spend_cny") > 0).sort("spend_cny", descending=True)
    names = [
        "segment",
        "placement",
        "spend_cny",
        "new_fans",
        "new_fan_gmv_cny",
        "marginal_gmv_per_cny",
        "reason",
    ]
    said = told.select(names).with_columns(
        pl.col("segment").map_elements(w.segment, return_dtype=pl.String),
        pl.col("placement").map_elements(w.placement, return_dtype=pl.String),
        pl.col("reason").map_elements(lambda text: reason(w, text), return_dtype=pl.String),
        *(_readable(told[name]) for name in ("spend_cny", "new_fans", "new_fan_gmv_cny")),
        pl.col("marginal_gmv_per_cny").round(2),
    )
    known = [n for n in names if said[n].null_count() < max(said.height, 1)]
    with st.expander(w.desk_table, expanded=True):
        figures = {w.columns[n]: st.column_config.NumberColumn(format="localized") for n in known}
        named = said.select(known).rename({n: w.columns[n] for n in known})
        shown = {name: figure for name, figure in figures.items() if named[name].dtype.is_numeric()}
        st.dataframe(named.to_pandas(), hide_index=True, column_config=shown)


def _readable(column: pl.Series) -> pl.Series:
    """Whole numbers where they are large: nobody reads the tenth of a yuan of thousands."""
    return column.round(0 if (column.max() or 0) >= 100 else 1)  # type: ignore[operator]


def curves_of(w: Words, tried: Plan) -> None:
    """The curves of the units with most money, the chosen points on them."""
    st.header(w.curves_head)
    fans = measure_of(tried) == "new_fans"
    st.caption(w.curves_lead.format(what=w.measure_fans if fans else w.measure_gmv))
    panels, shades = (
        curves.shown(tried).head(_CURVES).to_dicts(),
        charts.shades_of(list(tried.campaign.placements)),
    )
    columns = st.columns(3)
    for i, unit in enumerate(panels):
        here = pl.all_horizontal(pl.col(k) == unit[k] for k in ("segment", "placement", "slot"))
        curve = tried.curves.filter(here)
        if curve.height:
            with columns[i % 3]:
                name = f"{w.segment(unit['segment'])} · {w.placement(unit['placement'])}"
                st.markdown(f"**{for_markdown(name)}**")
                _chart(charts.response_curve(curve, unit, w, shade=shades.get(unit["placement"], "#0f6b6b")))


def budgets_of(w: Words, tried: Plan, budgets: Budgets | None) -> None:
    """What other budgets leave, the best of them marked, in words and as a curve."""
    if budgets is None or budgets.points.height < 3:
        return
    st.header(w.budget_head)
    for line in verdict.rest(tried, w, budgets)[:-1]:
        st.markdown(for_markdown(line))
    axis = objective_axis(tried, w) if budgets.best is None else w.profit_axis
    marks = budget.marks_of(tried, Reader(w, budgets), budgets)
    _chart(charts.budget_curve(budget.curve_of(tried, budgets), marks, w, axis=axis, width=700))


def rules_of(w: Words, tried: Plan, found: Sequence[Rule]) -> None:
    """What each rule asks, whether there is room in it, and what it costs."""
    st.header(w.rules_head)
    heads = {"name": w.rule, "asks": w.rule_asks_head, "state": w.rule_state, "cost": w.rule_cost}
    # Not st.table: it makes a link of every name that looks like an address.
    rows = [[str(row[key]) for key in heads] for row in rules.rows(tried, w, found)]
    head = Markup("").join(
        Markup('<th style="text-align:left">{}</th>').format(name) for name in heads.values()
    )
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(
            Markup("").join(Markup("<td>{}</td>").format(for_html(text)) for text in row)
        )
        for row in rows
    )
    table = Markup('<table style="width:100%"><thead><tr>{}</tr></thead><tbody>{}</tbody></table>')
    st.html(table.format(head, body))


def programmes_of(w: Words, tried: Plan) -> None:
    """The platform's support: every verdict with its reason; nothing where no programmes were looked at."""
    told = programmes.lines(tried, w)
    if told:
        st.header(w.programmes_head)
        st.markdown("\n".join(f"- {for_markdown(line)}" for line in told))


def scenarios(w: Words, kept: dict[str, Plan]) -> None:
    """Up to three kept plans side by side."""
    picked = st.multiselect(w.desk_compare, list(kept), default=list(kept)[-3:], max_selections=3)
    rows = []
    for name in picked:
        plan = kept[name]
        figures = {
            getattr(w, word): (w.yuan if key != "new_fans" else w.count)(found.value)
            for key, word in _FIGURES
            if (found := plan.expected.get(key)) is not None
        }
        roi = _roi(plan)
        spend = {w.spend: w.yuan(plan.spend_cny), w.roi: "–" if roi is None else f"{roi:.2f}"}
        rows.append({w.desk_scenario: for_markdown(name), **figures, **spend})
    if rows:
        st.table(rows)


def downloads(w: Words, tried: Plan, budgets: Budgets | None) -> None:
    """Launch sheet, allocation and report, each made when it is asked for."""
    name = "".join(c if c.isalnum() or c in "-_" else "_" for c in tried.campaign.campaign_id)
    st.header(w.desk_downloads)
    made: dict[str, tuple[Any, str, str]] = {
        w.desk_report: (lambda: tried.to_html(w.language, budgets=budgets), f"{name}.html", "text/html"),
        w.desk_sheet: (lambda: sheet_text(allocation_in(tried, w)), f"{name}.csv", "text/csv"),
        w.desk_kuaishou: (
            lambda: sheet_text(launch_sheet(tried, "kuaishou")),
            f"{name}-kuaishou.csv",
            "text/csv",
        ),
        w.desk_ocean: (
            lambda: sheet_text(launch_sheet(tried, "oceanengine")),
            f"{name}-ocean.csv",
            "text/csv",
        ),
    }
    for column, (label, (make, file, mime)) in zip(st.columns(len(made)), made.items(), strict=True):
        column.download_button(label, make, file_name=file, mime=mime, on_click="ignore")


def _chart(spec: Spec) -> None:
    st.vega_lite_chart(spec=for_chart(spec), width="stretch")
