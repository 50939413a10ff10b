"""What more money would buy in the units that matter."""

from __future__ import annotations

import polars as pl

from targeting.plan.decided import DecidedPlan
from targeting.report import charts
from targeting.report.drawing import svg_of
from targeting.report.report_settings import SETTINGS
from targeting.report.saying import measure_of, place
from targeting.report.section import Reader, Section

_KEYS = ("segment", "placement", "slot")


def section(plan: DecidedPlan, reader: Reader) -> Section | None:
    """A small picture of each unit with much money, the best without any after them."""
    w, fans = reader.words, measure_of(plan) == "new_fans"
    if plan.curves.is_empty():
        return None
    shades = charts.shades_of((*plan.campaign.placements, *plan.market.cells["placement"]))
    panels = []
    for unit in shown(plan).to_dicts():
        curve = plan.curves.filter(pl.all_horizontal(pl.col(k) == unit[k] for k in _KEYS))
        if curve.is_empty():
            continue
        panels.append(
            {
                "segment": w.segment(unit["segment"]),
                "placement": place(plan, w, unit),
                "spend": w.yuan(unit["spend_cny"]),
                "svg": svg_of(charts.response_curve(curve, unit, w, shade=shades[unit["placement"]])),
            }
        )
    measure = w.measure_fans if fans else w.measure_gmv
    return (
        Section("curves", {"panels": panels, "lead": w.curves_lead.format(what=measure)}) if panels else None
    )


def shown(plan: DecidedPlan) -> pl.DataFrame:
    """The units that are drawn: segment, placement, slot, spend_cny, value, observed_max_cny, a row each."""
    funded = int((plan.allocation["spend_cny"] > 0).sum())
    fewest, most = SETTINGS.panels
    ranked = plan.allocation.sort("spend_cny", *_KEYS, descending=[True, False, False, False])
    seen = plan.market.cells.select(_KEYS).with_columns(
        observed_max_cny=pl.Series(plan.market.observed_max_cny)
    )
    return (
        ranked.head(min(max(funded, fewest), most))
        .with_columns(value=pl.col(measure_of(plan)))
        .join(seen, on=_KEYS, how="left", maintain_order="left")
    )
