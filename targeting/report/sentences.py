"""Numbers of a plan in a merchant's words. Text only: nothing is drawn, nothing recomputed.

English with the Chinese term beside the words a merchant knows from the console. It must not import anything
that decides.
"""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from models.escaping.media import for_html
from targeting.plan.curve_table import beyond_logs
from targeting.plan.decided import DecidedPlan
from targeting.plan.loosening import prices
from targeting.plan.promise import Interval
from targeting.report.report_settings import SETTINGS

PLACEMENT_TERMS = {"video": "video 短视频", "live": "live room 直播间"}
OBJECTIVE_TERMS = {
    "new_fan_gmv": "new-fan GMV",
    "new_fans": "new fans",
    "live_entries": "live entries",
    "profit": "profit",
}
MONEY = ("new_fan_gmv", "profit")
"""Objectives in yuan."""
_KIND_WORDS = {
    "total": "the budget",
    "bounds": "a spend limit",
    "ratio": "a spend ratio",
    "min_if_used": "a minimum ticket",
    "max_active": "the limit on active cells",
    "roi_floor": "the ROI floor",
    "marginal_floor": "the marginal-return floor",
    "live_capacity": "the live room's capacity",
    "change_limit": "the limit on change from the last plan",
    "fairness_floor": "the fairness floor",
    "frequency_cap": "the frequency cap",
    "risk": "the risk floor",
    "target": "the target",
    "trial": "the money for trials",
}


def yuan(amount: float | None) -> str:
    """A readable amount: ¥1,234 below a million, ¥1.23 million above; an en dash where unknown.

    >>> yuan(1234.4), yuan(2_345_678), yuan(-12), yuan(0.1234), yuan(None)
    ('¥1,234', '¥2.35 million', '−¥12', '¥0.12', '–')
    """
    if amount is None:
        return "–"
    size = abs(amount)
    sign = "−" if amount < 0 and size >= 0.005 else ""
    if size >= 1e6:
        return f"{sign}¥{size / 1e6:,.2f} million"
    return f"{sign}¥{size:,.0f}" if size >= 10 or size == 0 else f"{sign}¥{size:,.2f}"


def count(number: float | None) -> str:
    """A number of people: whole above ten, one decimal below; an en dash where unknown."""
    if number is None:
        return "–"
    return f"{number:,.0f}" if abs(number) >= 10 else f"{number:,.1f}"


def share(part: float) -> str:
    """A percentage with a decimal where it matters.

    >>> share(0.123), share(0.004), share(1.0)
    ('12 %', '0.4 %', '100 %')
    """
    return f"{100 * part:.0f} %" if part == 0 or abs(part) >= 0.0995 else f"{100 * part:.1f} %"


def amount_of(plan: DecidedPlan, amount: float) -> str:
    """So much of what the brief counts: yuan, or people."""
    return yuan(amount) if plan.campaign.objective in MONEY else count(amount)


def objective_axis(plan: DecidedPlan) -> str:
    """Title of an axis of what the brief counts."""
    objective = plan.campaign.objective
    return OBJECTIVE_TERMS[objective] + (", yuan" if objective in MONEY else "")


def certificate(plan: DecidedPlan) -> str:
    """How far from the best possible the plan is, on these curves."""
    cheapest = set(plan.problem.objective) == {"spend"}
    if plan.gap <= 1e-6 and cheapest:
        return "no cheaper plan does what the brief asks on these curves (certified to one part in a million)"
    if plan.gap <= 1e-6:
        return (
            "no other split of this budget can do better on these curves (certified to one part in a million)"
        )
    if plan.gap == float("inf"):
        return "no bound on the best possible could be computed"
    if cheapest:
        return f"certified within {100 * plan.gap:.2g} % of the cheapest that does what the brief asks"
    return f"certified within {100 * plan.gap:.2g} % of the best any split could do on these curves"


def range_of(interval: Interval, unit: str) -> str:
    """The 80 % interval in words, or why there is none."""
    if interval.low is None or interval.high is None:
        return "no interval: the curves came without uncertainty"
    show = yuan if unit == "yuan" else count
    return f"80 % interval {show(interval.low)} to {show(interval.high)}"


def headline(plan: DecidedPlan) -> str:
    """The plan in one sentence."""
    fans, gmv = plan.expected.get("new_fans"), plan.expected.get("new_fan_gmv_cny")
    promised = [f"{count(plan.value)} live entries"] if plan.campaign.objective == "live_entries" else []
    if fans is not None:
        band = "" if gmv is not None else f" ({range_of(fans, 'fans')})"
        promised.append(f"{count(fans.value)} new fans{band}")
    if gmv is not None:
        what = "of new-fan GMV" if fans is not None else "of value"
        promised.append(f"{yuan(gmv.value)} {what} ({range_of(gmv, 'yuan')})")
    expect = " and ".join(promised) or f"{count(plan.value)} {OBJECTIVE_TERMS[plan.campaign.objective]}"
    return f"Spend {yuan(plan.spend_cny)}, expect {expect}; {certificate(plan)}."


def placement_term(placement: str) -> str:
    """The placement with its Chinese name where it has one."""
    return PLACEMENT_TERMS.get(placement, placement)


def constraint_term(plan: DecidedPlan, name: str) -> str:
    """A constraint as the merchant knows it: its kind in words and its name in the brief."""
    kinds = {c.name: c.kind for c in plan.campaign.limits}
    words = _KIND_WORDS.get(kinds.get(name, name), name)
    return words if name == "total" else f"{words} “{name}”"


_STEPS = {
    "cells": "1 cell",
    "viewers": "1 viewer",
    "fans": "1 fan",
    "share": "1 percentage point",
    "return": "{:g} of the return",
    "ratio": "{:g} of the ratio",
    "impressions": "{:g} impressions a person",
}


def price_sentences(plan: DecidedPlan) -> list[tuple[str, str]]:
    """(constraint, what one round step of it brings) for every constraint with a price, dearest first."""
    found = []
    for name, unit, step, price, gain in prices(plan).iter_rows():
        said = amount_of(plan, step) if unit == "value" else _STEPS.get(unit, yuan(step)).format(step)
        change = f"another {said} of budget" if name == "total" else f"loosening it by {said}"
        found.append((constraint_term(plan, name), f"{change} would {_gain(plan, gain, price)}"))
    return found


def _gain(plan: DecidedPlan, gain: float | None, price: float) -> str:
    """What so much more of the objective is: `bring ¥140 of new-fan GMV`; about, where it is a slope."""
    about, amount = ("about ", price) if gain is None else ("", gain)
    if set(plan.problem.objective) == {"spend"}:
        return f"save {about}{yuan(amount)}"
    what = OBJECTIVE_TERMS[plan.campaign.objective]
    of = "of " if plan.campaign.objective in MONEY else ""
    return f"bring {about}{amount_of(plan, amount)} {of}{what}"


def claim_sentences(plan: DecidedPlan) -> list[Markup]:
    """What is assumed, as HTML: causal or observational, extrapolation, break-even."""
    claims = plan.claims
    lines = [
        Markup(
            "The effect is <b>causal</b> 因果: " if claims.get("kind") == "causal" else
            "The effect is <b>observational</b> 观察性, not proven to be caused by the advertising: "
        ) + for_html(claims.get("why", "no reason was given")) + "."
    ]  # fmt: skip
    beyond, most = extrapolated(plan), SETTINGS.extrapolated
    if beyond:
        cells = "; ".join(
            f"{s} in {placement_term(p)} ({yuan(x)} planned, {yuan(o)} seen)" for s, p, x, o in beyond[:most]
        )
        more = f" and {len(beyond) - most} more" if len(beyond) > most else ""
        lines.append(
            Markup("<b>Extrapolation</b> 外推: ")
            + f"{len(beyond)} of the funded cells get more than was ever spent there in a comparable period: "
            f"{cells}{more}. Raise these in steps and watch the first day."
        )
    economics = plan.campaign.economics
    if economics is not None:
        lines.append(_break_even(plan))
    return lines


def extrapolated(plan: DecidedPlan) -> list[tuple[str, str, float, float]]:
    """(segment, placement, planned yuan, observed yuan) of funded cells beyond what the logs have seen,
    worst first.
    """
    market, spend = plan.market, plan.solution.spend_cny
    where = np.flatnonzero(beyond_logs(market, spend))
    cells = market.cells[where].select("segment", "placement").rows()
    beyond = [
        (s, p, float(spend[i]), float(market.observed_max_cny[i]))
        for i, (s, p) in zip(where, cells, strict=True)
    ]
    return sorted(beyond, key=lambda cell: cell[3] - cell[2])


def _break_even(plan: DecidedPlan) -> Markup:
    economics = plan.campaign.economics
    assert economics is not None
    roi, gmv = economics.break_even_roi, plan.expected.get("new_fan_gmv_cny")
    kept = f"You keep {share(economics.kept_share)} of each yuan of GMV after goods and fees"
    if gmv is None or plan.spend_cny <= 0 or roi == float("inf"):
        return Markup(f"<b>Break-even</b> 保本: {kept}.")
    planned = gmv.value / plan.spend_cny
    verdict = "above" if planned > roi else "below"
    last = plan.shadow_prices.get("total", 0.0) if plan.campaign.objective == "new_fan_gmv" else roi
    beyond = (
        f" The last yuan returns only {last:.2f}, less than it costs: a smaller budget would leave more "
        f"profit (<code>objective: profit</code> finds it)."
        if 0.0 < last < roi
        else ""
    )
    return Markup(
        f"<b>Break-even ROI</b> 保本投产比: {kept}, so a campaign pays for itself at {roi:.2f} yuan of GMV "
        f"per yuan spent; this plan is at <b>{planned:.2f}</b>, {verdict} it, "
        f"within {plan.campaign.horizon_days} days.{beyond}"
    )
