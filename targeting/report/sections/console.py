"""How to enter each funded segment in the console, or why only its list will do."""

from __future__ import annotations

from typing import Any

from targeting.plan.decided import DecidedPlan
from targeting.report.console_terms import console_rule
from targeting.report.report_settings import SETTINGS
from targeting.report.saying import funded
from targeting.report.section import Reader, Section
from targeting.segments.rules import WHOLE_AUDIENCE
from targeting.words import Words


def section(plan: DecidedPlan, reader: Reader) -> Section | None:
    """A line for each funded segment."""
    if plan.audience is None:
        return None
    told = funded(plan).select("segment").unique(maintain_order=True)
    known = told.join(plan.audience.summary, on="segment", how="inner", maintain_order="left")
    rows = [_row(reader.words, row) for row in known.to_dicts()]
    return Section("console", {"rows": rows}) if rows else None


def _row(w: Words, row: dict[str, Any]) -> dict[str, object]:
    rule = console_rule(row.get("rule"), w)
    precision, recall = row.get("rule_precision"), row.get("rule_recall")
    fit = "" if precision is None or recall is None else w.fit.format(
        precision=w.share(precision), recall=w.share(recall)
    )  # fmt: skip
    advice = ""
    if rule.only_lists:
        advice = w.list_only.format(what=w.comma.join(rule.only_lists))
    elif precision is not None and precision < SETTINGS.rule_precision:
        advice = w.list_better
    return {
        "segment": w.segment(row["segment"]),
        "kind": w.kinds.get(row.get("fan_kind") or "", row.get("fan_kind") or ""),
        "people": w.count(row["users"]),
        "conditions": w.everyone_rule if row.get("rule") == WHOLE_AUDIENCE else w.comma.join(rule.conditions),
        "fit": fit,
        "advice": advice,
    }
