"""What is promised and what is assumed: causality, money beyond experience, break-even."""

from __future__ import annotations

from targeting.plan.decided import DecidedPlan
from targeting.report.report_settings import SETTINGS
from targeting.report.saying import prolonged, unit_name
from targeting.report.section import Reader, Section
from targeting.words import Words


def section(plan: DecidedPlan, reader: Reader) -> Section | None:
    """(label, sentence) pairs."""
    w = reader.words
    claims = [_claim(plan, w), _beyond(plan, w), _break_even(plan, w)]
    told = [claim for claim in claims if claim is not None]
    return Section("promise", {"promises": promises(plan, w), "claims": told})


def promises(plan: DecidedPlan, w: Words) -> list[str]:
    """The expectation and what will really come, told apart; or why there is only one or none."""
    known = plan.expected.get("new_fan_gmv_cny") is not None
    name, what = ("new_fan_gmv_cny", "new_fan_gmv") if known else ("new_fans", "new_fans")
    expected, came = plan.expected.get(name), plan.realised.get(name)
    if expected is None or expected.low is None or expected.high is None:
        return [w.no_uncertainty]
    average = w.on_average.format(what=w.objectives[what], range=w.span(expected, money=known))
    if came is not None:
        luck = w.this_time.format(range=w.span(came, money=known))
    else:
        luck = w.this_time_unknown if plan.realised else w.this_time_old
    return [average, luck, w.market_change]


def _claim(plan: DecidedPlan, w: Words) -> tuple[str, str]:
    causal = plan.claims.get("kind") == "causal"
    return w.causal if causal else w.observational, w.told(plan.claims.get("why", w.no_reason)) + w.stop


def _beyond(plan: DecidedPlan, w: Words) -> tuple[str, str] | None:
    beyond, most = prolonged(plan), SETTINGS.extrapolated
    if not beyond:
        return None
    units = [
        w.prolonged_unit.format(unit=unit_name(plan, w, unit), planned=w.yuan(spend), seen=w.yuan(seen))
        for unit, spend, seen in beyond[:most]
    ]
    more = w.and_more.format(count=len(beyond) - most) if len(beyond) > most else ""
    said = w.prolonged_text.format(count=len(beyond), units=w.semicolon.join(units), more=more)
    return w.prolonged_label, said


def _break_even(plan: DecidedPlan, w: Words) -> tuple[str, str] | None:
    economics, gmv = plan.campaign.economics, plan.expected.get("new_fan_gmv_cny")
    if economics is None:
        return None
    roi, kept = economics.break_even_roi, w.break_even_kept.format(share=w.share(economics.kept_share))
    if gmv is None or plan.spend_cny <= 0 or roi == float("inf"):
        return w.break_even_label, w.break_even_only.format(kept=kept)
    planned = gmv.value / plan.spend_cny
    said = w.break_even_above if planned > roi else w.break_even_below
    days = plan.campaign.horizon_days
    return w.break_even_label, said.format(kept=kept, roi=f"{roi:.2f}", planned=f"{planned:.2f}", days=days)
