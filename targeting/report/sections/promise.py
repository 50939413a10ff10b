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
    return Section("promise", {"claims": [claim for claim in claims if claim is not None]})


def _claim(plan: DecidedPlan, w: Words) -> tuple[str, str]:
    causal = plan.claims.get("kind") == "causal"
    return w.causal if causal else w.observational, plan.claims.get("why", w.no_reason) + "."


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
