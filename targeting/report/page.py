"""Puts a plan's words, tables and charts on one page.

Exists to keep the template free of logic: everything the template prints is prepared in this room as text or
report_tables. It must not decide or recompute anything.
"""

from __future__ import annotations

from models.escaping.media import for_html
from targeting.plan.decided import DecidedPlan
from targeting.report import charts, next_steps, page_charts, report_tables, sentences
from targeting.report.promise_words import promise_sentences
from targeting.report.sentences import placement_term, yuan
from targeting.report.template import filled


def render(plan: DecidedPlan) -> str:
    """The merchant's report: one self-contained page."""
    return filled("targeting.report", _context(plan))


def notebook(plan: DecidedPlan) -> str:
    """Headline and funded cells, for a notebook."""
    lines = "".join(
        f"<tr><td>{for_html(r['segment'])}</td><td>{for_html(placement_term(r['placement']))}</td>"
        f"<td style='text-align:right'>{yuan(r['spend_cny'])}</td>"
        f"<td style='text-align:right'>{yuan(r['new_fan_gmv_cny'])}</td></tr>"
        for r in report_tables.funded(plan).head(20).to_dicts()
    )
    head = "<tr><th>segment</th><th>placement</th><th>spend</th><th>expected GMV</th></tr>"
    return f"<p>{for_html(sentences.headline(plan))}</p><table>{head}{lines}</table>"


def _context(plan: DecidedPlan) -> dict[str, object]:
    diagnosis = None if plan.audience is None else plan.audience.diagnosis
    information = next_steps.information_of(plan)
    return {
        "title": f"Targeting plan · {plan.campaign.campaign_id}",
        "campaign": plan.campaign,
        "period": _period(plan),
        "headline": sentences.headline(plan),
        "figures": report_tables.figures(plan),
        "diagnosis": () if diagnosis is None else diagnosis.sentences,
        "diagnosis_chart": "" if diagnosis is None else page_charts.diagnosis_chart(diagnosis),
        "money_chart": page_charts.money_chart(plan),
        "gmv_known": report_tables.measure_of(plan) == "new_fan_gmv_cny",
        "fans_known": "new_fans" not in plan.provenance.unknown,
        "measure": charts.MEASURES[report_tables.measure_of(plan)],
        "cells": report_tables.cell_rows(plan),
        "usual_reason": report_tables.usual_reason(plan),
        "idle": report_tables.idle(plan),
        "curve_chart": page_charts.curve_chart(plan),
        "comparison_chart": page_charts.comparison_chart(plan),
        "comparison_words": page_charts.comparison_words(plan),
        "frontier_chart": page_charts.frontier_chart(plan),
        "prices": sentences.price_sentences(plan),
        "binding": [sentences.constraint_term(plan, name) for name in plan.binding],
        "experiments": next_steps.experiments(plan, information),
        "exploration": next_steps.exploration(plan, information),
        "promises": promise_sentences(plan),
        "claims": sentences.claim_sentences(plan),
        "rules": report_tables.rules(plan),
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
