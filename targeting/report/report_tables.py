"""Tables of the report as rows of text, and what of the allocation they show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from targeting.plan.decided import DecidedPlan
from targeting.report.report_settings import SETTINGS
from targeting.report.sentences import count, placement_term, range_of, share, yuan


def measure_of(plan: DecidedPlan) -> str:
    """What the charts show as earned: GMV, or fans where the curves cannot speak of GMV."""
    return "new_fans" if "new_fan_gmv_cny" in plan.provenance.unknown else "new_fan_gmv_cny"


def funded(plan: DecidedPlan) -> pl.DataFrame:
    """The allocation's cells with money, richest first."""
    return plan.allocation.filter(pl.col("spend_cny") > 0).sort(
        "spend_cny", "segment", "placement", "slot", descending=[True, False, False, False]
    )


def figures(plan: DecidedPlan) -> list[tuple[str, str, str]]:
    """(label, figure, small print) of the row of key figures."""
    shown = [("Spend 花费", yuan(plan.spend_cny), f"of a budget of {yuan(plan.budget_cny)}")]
    fans, gmv, profit = (plan.expected.get(k) for k in ("new_fans", "new_fan_gmv_cny", "profit_cny"))
    if fans is not None:
        shown.append(("New fans 涨粉", count(fans.value), range_of(fans, "fans")))
    if gmv is not None:
        shown.append(("New-fan GMV 新粉成交", yuan(gmv.value), range_of(gmv, "yuan")))
    if fans is not None and fans.value > 0:
        shown.append(
            ("Cost per fan 涨粉成本", yuan(plan.spend_cny / fans.value), "spend divided by new fans")
        )
    if profit is not None and plan.campaign.economics is not None:
        shown.append(("Profit 利润", yuan(profit.value), range_of(profit, "yuan")))
    if gmv is not None and plan.spend_cny > 0:
        shown.append(("ROI 投产比", f"{gmv.value / plan.spend_cny:.2f}", "GMV per yuan spent"))
    return shown


def cell_rows(plan: DecidedPlan) -> list[dict[str, str]]:
    """Rows of the table of funded cells, richest first."""
    total = max(plan.spend_cny, 1e-12)
    gmv_known, usual = measure_of(plan) == "new_fan_gmv_cny", usual_reason(plan)
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
        for r in funded(plan).head(SETTINGS.rows).to_dicts()
    ]  # fmt: skip


def _place(plan: DecidedPlan, cell: Mapping[str, Any]) -> str:
    """The placement of a row of the allocation, with its slot where the plan has several."""
    slot = f" · slot {cell['slot']}" if plan.allocation["slot"].n_unique() > 1 else ""
    return placement_term(cell["placement"]) + slot


def usual_reason(plan: DecidedPlan) -> str:
    """The reason that more than half of the funded cells share, said once above the table; else nothing."""
    reasons = funded(plan)["reason"].value_counts(sort=True)
    if reasons.is_empty() or 2 * int(reasons["count"][0]) <= int(reasons["count"].sum()):
        return ""
    return str(reasons["reason"][0])


def idle(plan: DecidedPlan) -> dict[str, object]:
    """What got nothing, and what did not fit in the table."""
    left = plan.allocation.filter(pl.col("spend_cny") <= 0).sort(
        "marginal_gmv_per_cny", descending=True, nulls_last=True
    )
    return {
        "count": left.height,
        "more": max(funded(plan).height - SETTINGS.rows, 0),
        "cells": [
            (r["segment"], _place(plan, r), r["reason"]) for r in left.head(SETTINGS.idle_rows).to_dicts()
        ],
    }  # fmt: skip


def rules(plan: DecidedPlan) -> list[dict[str, str]]:
    """How to enter each funded segment in the platform."""
    if plan.audience is None:
        return []
    told = funded(plan).select("segment").unique(maintain_order=True)
    known = told.join(plan.audience.summary, on="segment", how="inner", maintain_order="left")
    return [
        {
            "segment": row["segment"],
            "users": count(row["users"]),
            "kind": row.get("fan_kind") or "",
            "rule": row.get("rule") or "upload the user list of segments.parquet",
            "precision": "–" if row.get("rule_precision") is None else share(row["rule_precision"]),
            "recall": "–" if row.get("rule_recall") is None else share(row["rule_recall"]),
        }
        for row in known.to_dicts()
    ]
