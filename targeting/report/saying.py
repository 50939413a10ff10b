"""A plan's own things in words: its units, what it counts, why a unit got its money. Nothing is computed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from targeting.allocation.explain.words import REASONS
from targeting.plan.curve_table import beyond_logs
from targeting.plan.decided import DecidedPlan
from targeting.words import Words

MONEY = ("new_fan_gmv", "profit")
"""Objectives in yuan."""
_NAMED = re.compile(r" \((.*)\)$", re.S)


def measure_of(plan: DecidedPlan) -> str:
    """What the charts show as earned: GMV, or fans where the curves cannot speak of GMV."""
    return "new_fans" if "new_fan_gmv_cny" in plan.provenance.unknown else "new_fan_gmv_cny"


def kept_share(plan: DecidedPlan) -> float | None:
    """Yuan kept of a yuan of GMV; None where the brief or the curves cannot say."""
    economics = plan.campaign.economics
    known = economics is not None and "new_fan_gmv_cny" not in plan.provenance.unknown
    return economics.kept_share if known and economics is not None else None


def profit_of(way: Mapping[str, Any], kept: float | None) -> float | None:
    """Profit of another split of the money, yuan; None where the brief or the curves cannot say."""
    gmv = way["new_fan_gmv_cny"]
    return None if kept is None or gmv is None else kept * gmv - way["spend_cny"]


def funded(plan: DecidedPlan) -> pl.DataFrame:
    """The allocation's units with money, richest first."""
    return plan.allocation.filter(pl.col("spend_cny") > 0).sort(
        "spend_cny", "segment", "placement", "slot", descending=[True, False, False, False]
    )


def place(plan: DecidedPlan, words: Words, unit: Mapping[str, Any]) -> str:
    """The placement of a row of the allocation, with its slot and campaign where the plan has several."""
    said = words.placement(unit["placement"])
    if plan.allocation["slot"].n_unique() > 1:
        said += " · " + words.slot.format(number=unit["slot"])
    return f"{said} · {unit['campaign_id']}" if unit.get("campaign_id") else said


def unit_name(plan: DecidedPlan, words: Words, unit: Mapping[str, Any]) -> str:
    """`precise · likely, live room`."""
    segment = words.segment(unit["segment"])
    return words.in_placement.format(segment=segment, placement=place(plan, words, unit))


def reason(words: Words, text: str) -> str:
    """The allocation's column `reason` in the reader's language."""
    named = _NAMED.search(text)
    bare = text[: named.start()] if named and text[: named.start()] in REASONS.values() else text
    code = next((code for code, said in REASONS.items() if said == bare), None)
    if code is None:
        return text
    said = words.reasons[code]
    return said if bare == text or named is None else words.named_reason.format(reason=said, names=named[1])


def usual_reason(plan: DecidedPlan) -> str:
    """The reason that more than half of the funded units share, said once above the table; else nothing."""
    reasons = funded(plan)["reason"].value_counts(sort=True)
    if reasons.is_empty() or 2 * int(reasons["count"][0]) <= int(reasons["count"].sum()):
        return ""
    return str(reasons["reason"][0])


def amount_of(plan: DecidedPlan, words: Words, amount: float) -> str:
    """So much of what the brief counts: yuan, or people."""
    return words.yuan(amount) if plan.campaign.objective in MONEY else words.count(amount)


def objective_axis(plan: DecidedPlan, words: Words) -> str:
    """Title of an axis of what the brief counts."""
    objective = plan.campaign.objective
    axis = words.objective_axis_yuan if objective in MONEY else words.objective_axis
    said = axis.format(what=words.objectives[objective])
    return said[:1].upper() + said[1:]


def prolonged(plan: DecidedPlan) -> list[tuple[Mapping[str, Any], float, float]]:
    """(unit, planned yuan, most yuan ever seen) of funded units beyond what was seen, worst first."""
    market, spend = plan.market, plan.solution.spend_cny
    beyond = beyond_logs(market, spend)
    rows = plan.market.cells.to_dicts()
    several = plan.market.cells["campaign_id"].n_unique() > 1
    found = [
        ({**rows[i], "campaign_id": rows[i]["campaign_id"] if several else None}, float(spend[i]),
         float(market.observed_max_cny[i]))
        for i in np.flatnonzero(beyond)
    ]  # fmt: skip
    return sorted(found, key=lambda unit: unit[2] - unit[1])
