"""The plan beside the ways in which the money would be split otherwise."""

from __future__ import annotations

from typing import Any

from targeting.plan.decided import DecidedPlan
from targeting.report.saying import amount_of, kept_share, objective_axis, profit_of
from targeting.report.section import Reader, Section
from targeting.report.verdict import plan_worth


def section(plan: DecidedPlan, reader: Reader) -> Section | None:
    """Value, fans, GMV and profit of each way, and whether it keeps the rules."""
    w, kept = reader.words, kept_share(plan)
    if plan.baselines.is_empty():
        return None
    fans, gmv = (plan.expected.get(name) for name in ("new_fans", "new_fan_gmv_cny"))
    own: dict[str, Any] = {
        "label": None,
        "value": plan_worth(plan),
        "spend_cny": plan.spend_cny,
        "new_fans": None if fans is None else fans.value,
        "new_fan_gmv_cny": None if gmv is None else gmv.value,
        "feasible": True,
    }
    ways = [own, *plan.baselines.sort("value", descending=True).to_dicts()]
    widest = max(max(way["value"] for way in ways), 1e-12)
    rows = [
        {
            "name": w.this_plan if way["label"] is None else w.rivals.get(way["label"], way["label"]),
            "own": way["label"] is None,
            "broken": not way["feasible"],
            "bar": round(max(100 * way["value"] / widest, 0.0), 1),
            "value": amount_of(plan, w, way["value"]),
            "fans": w.count(way["new_fans"]),
            "gmv": w.yuan(way["new_fan_gmv_cny"]),
            "profit": w.yuan(profit_of(way, kept)),
        }
        for way in ways
    ]
    known = {
        "fans_known": fans is not None and plan.campaign.objective != "new_fans",
        "gmv_known": gmv is not None and plan.campaign.objective != "new_fan_gmv",
        "profit_known": kept is not None and plan.campaign.objective != "profit",
    }
    return Section("rivals", {"rows": rows, "objective": objective_axis(plan, w), **known})
