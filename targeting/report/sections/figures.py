"""The key figures."""

from __future__ import annotations

from targeting.plan.decided import DecidedPlan
from targeting.plan.promise import Interval
from targeting.plan.realised import Range
from targeting.report.section import Reader, Section
from targeting.words import Words


def section(plan: DecidedPlan, reader: Reader) -> Section | None:
    """Profit, fans, GMV, spend, cost per fan and ROI."""
    return Section("figures", {"figures": figures(plan, reader)})


def figures(plan: DecidedPlan, reader: Reader) -> list[tuple[str, str, list[str]]]:
    """(label, figure, small print) of the row of key figures."""
    w, economics = reader.words, plan.campaign.economics
    names = ("new_fans", "new_fan_gmv_cny", "profit_cny")
    fans, gmv, profit = (plan.expected.get(name) for name in names)
    come = {name: plan.realised.get(name) for name in names}
    shown = []
    if profit is not None and economics is not None:
        shown.append((w.profit, w.yuan(profit.value), _ranges(w, profit, come["profit_cny"], money=True)))
    if fans is not None:
        shown.append((w.new_fans, w.count(fans.value), _ranges(w, fans, come["new_fans"], money=False)))
    if gmv is not None:
        shown.append((w.gmv, w.yuan(gmv.value), _ranges(w, gmv, come["new_fan_gmv_cny"], money=True)))
    shown.append((w.spend, w.yuan(plan.spend_cny), [w.of_budget_of.format(budget=w.yuan(plan.budget_cny))]))
    if fans is not None and fans.value > 0:
        shown.append((w.cost_per_fan, w.yuan(plan.spend_cny / fans.value), [w.spend_by_fans]))
    if gmv is not None and plan.spend_cny > 0:
        roi = float("inf") if economics is None else economics.break_even_roi
        note = w.gmv_per_yuan if roi == float("inf") else w.pays_from.format(roi=f"{roi:.2f}")
        shown.append((w.roi, f"{gmv.value / plan.spend_cny:.2f}", [note]))
    return shown


def _ranges(w: Words, expected: Interval, came: Range | None, *, money: bool) -> list[str]:
    """The interval of the expectation, and that of what will really come."""
    told = [w.expected_range.format(range=w.span(expected, money=money))] if expected.low is not None else []
    if came is not None:
        told.append(w.realised_range.format(range=w.span(came, money=money)))
    return told or [w.no_interval]
