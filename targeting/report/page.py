"""Puts a plan's words, tables and charts on one page.

Exists to keep the template free of logic: everything the template prints is prepared here as text or rows.
jinja2 is imported on use. It must not decide or recompute anything.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from typing import Any

import polars as pl

from models.errors import TargetingError
from targeting.plan import questions
from targeting.plan.decided import DecidedPlan
from targeting.plan.usual_plans import worth
from targeting.report import charts, next_steps, sentences
from targeting.report.sentences import count, placement_term, share, yuan
from targeting.segments.diagnosis import Diagnosis

log = logging.getLogger(__name__)
FEWEST_PANELS, PANELS = 6, 9
ROWS = 60
FRONTIER_BUDGETS, FRONTIER_SECONDS = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0), 3.0


def render(plan: DecidedPlan) -> str:
    """The whole report as one HTML document that needs nothing else."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(
        files("targeting.report").joinpath("template.html.j2").read_text("utf-8")
    )
    return template.render(**_context(plan))


def notebook(plan: DecidedPlan) -> str:
    """Headline and funded cells, for a notebook."""
    rows = "".join(
        f"<tr><td>{escape(r['segment'])}</td><td>{escape(placement_term(r['placement']))}</td>"
        f"<td style='text-align:right'>{yuan(r['spend_cny'])}</td>"
        f"<td style='text-align:right'>{yuan(r['new_fan_gmv_cny'])}</td></tr>"
        for r in _funded(plan).head(20).to_dicts()
    )
    head = "<tr><th>segment</th><th>placement</th><th>spend</th><th>expected GMV</th></tr>"
    return f"<p>{escape(sentences.headline(plan))}</p><table>{head}{rows}</table>"


def _context(plan: DecidedPlan) -> dict[str, Any]:
    placements = _placements(plan)
    diagnosis = None if plan.audience is None else plan.audience.diagnosis
    information = next_steps.information_of(plan)
    return {
        "title": f"Targeting plan · {plan.campaign.campaign_id}",
        "campaign": plan.campaign,
        "period": _period(plan),
        "headline": sentences.headline(plan),
        "figures": _figures(plan),
        "diagnosis": () if diagnosis is None else diagnosis.sentences,
        "diagnosis_chart": "" if diagnosis is None else _diagnosis_chart(diagnosis),
        "money_chart": charts.money_map(
            _with_terms(plan.allocation), placements=placements, measure=_measure(plan)
        ),
        "gmv_known": _measure(plan) == "new_fan_gmv_cny",
        "fans_known": "new_fans" not in plan.provenance.unknown,
        "measure": charts.MEASURES[_measure(plan)],
        "cells": _cells(plan),
        "usual_reason": _usual_reason(plan),
        "idle": _idle(plan),
        "curve_chart": _curve_chart(plan, placements),
        "comparison_chart": _comparison_chart(plan),
        "comparison_words": _comparison_words(plan),
        "frontier_chart": _frontier_chart(plan),
        "prices": sentences.price_sentences(plan),
        "binding": [sentences.constraint_term(plan, name) for name in plan.binding],
        "experiments": next_steps.experiments(plan, information),
        "exploration": next_steps.exploration(plan, information),
        "claims": sentences.claim_sentences(plan),
        "rules": _rules(plan),
        "rejected_rows": plan.provenance.rejected_rows,
        "warnings": plan.provenance.warnings,
        "model_uri": plan.provenance.model_uri,
        "fingerprints": sorted(plan.provenance.fingerprints.items()),
        "versions": sorted(plan.provenance.versions.items()),
        "status": plan.status.replace("_", " "),
    }


def _period(plan: DecidedPlan) -> str:
    campaign = plan.campaign
    days = f"{campaign.days} day{'s' if campaign.days != 1 else ''}"
    start = "" if campaign.starts_at is None else f"from {campaign.starts_at:%Y-%m-%d %H:%M}, "
    return f"{start}{days}; what a new fan buys counts for {campaign.horizon_days} days"


def _figures(plan: DecidedPlan) -> list[tuple[str, str, str]]:
    """(label, figure, small print) of the row of key figures."""
    shown = [("Spend 花费", yuan(plan.spend_cny), f"of a budget of {yuan(plan.budget_cny)}")]
    fans, gmv, profit = (plan.expected.get(k) for k in ("new_fans", "new_fan_gmv_cny", "profit_cny"))
    if fans is not None:
        shown.append(("New fans 涨粉", count(fans.value), sentences.range_of(fans, "fans")))
    if gmv is not None:
        shown.append(("New-fan GMV 新粉成交", yuan(gmv.value), sentences.range_of(gmv, "yuan")))
    if fans is not None and fans.value > 0:
        shown.append(
            ("Cost per fan 涨粉成本", yuan(plan.spend_cny / fans.value), "spend divided by new fans")
        )
    if profit is not None and plan.campaign.economics is not None:
        shown.append(("Profit 利润", yuan(profit.value), sentences.range_of(profit, "yuan")))
    if gmv is not None and plan.spend_cny > 0:
        shown.append(("ROI 投产比", f"{gmv.value / plan.spend_cny:.2f}", "GMV per yuan spent"))
    return shown


def _diagnosis_chart(diagnosis: Diagnosis) -> str:
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


def _measure(plan: DecidedPlan) -> str:
    """What the charts show as earned: GMV, or fans where the curves cannot speak of GMV."""
    return "new_fans" if "new_fan_gmv_cny" in plan.provenance.unknown else "new_fan_gmv_cny"


def _placements(plan: DecidedPlan) -> list[str]:
    """Placements with their terms, in the brief's order: a placement keeps its colour from plan to plan."""
    found = plan.market.cells["placement"].unique(maintain_order=True).to_list()
    ordered = [p for p in plan.campaign.placements if p in found]
    return [placement_term(p) for p in (*ordered, *(p for p in found if p not in ordered))]


def _with_terms(frame: pl.DataFrame) -> pl.DataFrame:
    names = {p: placement_term(p) for p in frame["placement"].unique().to_list()}
    return frame.with_columns(pl.col("placement").replace(names))


def _funded(plan: DecidedPlan) -> pl.DataFrame:
    return plan.allocation.filter(pl.col("spend_cny") > 0).sort(
        "spend_cny", "segment", "placement", "slot", descending=[True, False, False, False]
    )


def _cells(plan: DecidedPlan) -> list[dict[str, str]]:
    """Rows of the table of funded cells, richest first."""
    total = max(plan.spend_cny, 1e-12)
    gmv_known, usual = _measure(plan) == "new_fan_gmv_cny", _usual_reason(plan)
    return [
        {
            "segment": r["segment"],
            "placement": _place(plan, r),
            "spend": yuan(r["spend_cny"]),
            "share": share(r["spend_cny"] / total),
            "fans": count(r["new_fans"]),
            "fans_band": "" if gmv_known or r["new_fans_low"] is None
            else f"{count(r['new_fans_low'])} – {count(r['new_fans_high'])}",
            "gmv": yuan(r["new_fan_gmv_cny"]),
            "band": "" if r["new_fan_gmv_cny_low"] is None
            else f"{yuan(r['new_fan_gmv_cny_low'])} – {yuan(r['new_fan_gmv_cny_high'])}",
            "marginal": "–" if r["marginal_gmv_per_cny"] is None else f"{r['marginal_gmv_per_cny']:.2f}",
            "reason": "" if r["reason"] == usual else r["reason"],
        }
        for r in _funded(plan).head(ROWS).to_dicts()
    ]  # fmt: skip


def _place(plan: DecidedPlan, cell: Mapping[str, Any]) -> str:
    """The placement of a row of the allocation, with its slot where the plan has several."""
    slot = f" · slot {cell['slot']}" if plan.allocation["slot"].n_unique() > 1 else ""
    return placement_term(cell["placement"]) + slot


def _usual_reason(plan: DecidedPlan) -> str:
    """The reason that more than half of the funded cells share, said once above the table; else nothing."""
    reasons = _funded(plan)["reason"].value_counts(sort=True)
    if reasons.is_empty() or 2 * int(reasons["count"][0]) <= int(reasons["count"].sum()):
        return ""
    return str(reasons["reason"][0])


def _idle(plan: DecidedPlan) -> dict[str, Any]:
    """What got nothing, and what did not fit in the table."""
    idle = plan.allocation.filter(pl.col("spend_cny") <= 0).sort(
        "marginal_gmv_per_cny", descending=True, nulls_last=True
    )
    return {
        "count": idle.height,
        "more": max(_funded(plan).height - ROWS, 0),
        "cells": [
            (r["segment"], _place(plan, r), r["reason"]) for r in idle.head(6).to_dicts()
        ],
    }  # fmt: skip


def _curve_chart(plan: DecidedPlan, placements: list[str]) -> str:
    """Small multiples of the cells with most money, the best unfunded ones after them."""
    keys = ("segment", "placement", "slot")
    funded = int((plan.allocation["spend_cny"] > 0).sum())
    ranked = plan.allocation.sort("spend_cny", *keys, descending=[True, False, False, False])
    ranked = ranked.head(min(max(funded, FEWEST_PANELS), PANELS))
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
        _with_terms(ranked).with_columns(title=title, value=pl.col(_measure(plan))),
        placements=placements,
    )


def _comparison_chart(plan: DecidedPlan) -> str:
    if plan.baselines.is_empty():
        return ""
    objective, money = plan.campaign.objective, plan.campaign.objective in ("new_fan_gmv", "profit")
    show = yuan if money else count
    value = plan_worth(plan)
    rows = [{"label": "This plan", "value": value, "is_plan": True, "text": show(value)}]
    for row in plan.baselines.sort("value", descending=True).to_dicts():
        broken = "" if row["feasible"] else " (breaks the brief)"
        label = f"{row['label'][:1].upper()}{row['label'][1:]}"
        rows.append(
            {"label": label, "value": row["value"], "is_plan": False, "text": show(row["value"]) + broken}
        )
    unit = ", yuan" if money else ""
    return charts.comparison(pl.DataFrame(rows), axis=f"{sentences.OBJECTIVE_TERMS[objective]}{unit}")


def plan_worth(plan: DecidedPlan) -> float:
    """The plan in the units of the baselines: the brief's objective (a `target` plan maximises minus
    spend).
    """
    return worth(plan.problem, plan.campaign, plan.solution.spend_cny)


def _comparison_words(plan: DecidedPlan) -> str:
    rivals = [r for r in plan.baselines.to_dicts() if r["value"] > 0]
    if not rivals:
        return ""
    best = max(rivals, key=lambda r: r["value"])
    lead = plan_worth(plan) / best["value"] - 1.0
    words = "more" if lead >= 0 else "less"
    return f"{share(abs(lead))} {words} than the {best['label']} with the same money, on the same curves."


def _frontier_chart(plan: DecidedPlan) -> str:
    if len(plan.market) > next_steps.MOST_CELLS or any(c.kind == "target" for c in plan.campaign.constraints):
        return ""
    budgets = [plan.budget_cny * factor for factor in FRONTIER_BUDGETS]
    try:
        points = questions.frontier(plan, budgets, gap_tol=1e-3, time_limit_s=FRONTIER_SECONDS)
    except TargetingError as error:  # the plan stands without its neighbours
        log.warning("report: no frontier is shown: %s", error)
        return ""
    points = points.filter(pl.col("value").is_not_null())
    if points.height < 3:
        return ""
    money = plan.campaign.objective in ("new_fan_gmv", "profit")
    axis = sentences.OBJECTIVE_TERMS[plan.campaign.objective] + (", yuan" if money else "")
    return charts.frontier(points, budget_cny=plan.budget_cny, axis=axis)


def _rules(plan: DecidedPlan) -> list[dict[str, str]]:
    """How to enter each funded segment in the platform."""
    if plan.audience is None:
        return []
    funded = _funded(plan)["segment"].unique(maintain_order=True).to_list()
    rows = {r["segment"]: r for r in plan.audience.summary.to_dicts()}
    shown = []
    for segment in (s for s in funded if s in rows):
        row = rows[segment]
        shown.append(
            {
                "segment": segment,
                "users": count(row["users"]),
                "kind": row.get("fan_kind") or "",
                "rule": row.get("rule") or "upload the user list of segments.parquet",
                "precision": "–" if row.get("rule_precision") is None else share(row["rule_precision"]),
                "recall": "–" if row.get("rule_recall") is None else share(row["rule_recall"]),
            }
        )
    return shown
