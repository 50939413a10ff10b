"""An evaluation on one page: self-contained HTML, no script, no network.

Exists to keep the template free of logic: everything it prints is prepared here as text or rows. It must not
decide or recompute anything.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from targeting.evaluation.evaluation import RATIOS, Evaluation
from targeting.evaluation.evaluation_settings import SETTINGS
from targeting.evaluation.plan_drift import summary as drift_summary
from targeting.plan.decided import DecidedPlan
from targeting.report.template import filled

TERMS = {
    "spend_cny": "Spend 花费, yuan",
    "new_fans": "New fans 涨粉",
    "incremental_fans": "of them added by the campaign 增量涨粉",
    "new_fan_gmv_cny": "New-fan GMV 新粉成交, yuan",
    "cost_per_fan_cny": "Cost per fan 涨粉成本, yuan",
    "cost_per_incremental_fan_cny": "Cost per added fan 增量涨粉成本, yuan",
    "roi": "ROI 投产比",
}
UNITS = {"cny": "yuan", "fans": "fans", "impressions": "impressions"}
WIDEST = 100.0


def render(found: Evaluation, plan: DecidedPlan) -> str:
    """The evaluation as one HTML document that needs nothing else."""
    return filled("targeting.evaluation", _context(found, plan))


def _context(found: Evaluation, plan: DecidedPlan) -> dict[str, object]:
    coin = found.experiment
    return {
        "campaign_id": plan.campaign.campaign_id,
        "headline": _headline(found),
        "source": "user logs" if found.source == "logs" else "a console's delivery report",
        "totals": [_total(name, total) for name, total in found.totals.items()],
        "reasons": _reasons(found.reasons),
        "unit": UNITS.get(found.reasons["unit"][0], found.reasons["unit"][0]) if found.reasons.height else "",
        "cells": _cells(found.cells),
        "more_cells": max(found.cells.height - SETTINGS.page_rows, 0),
        "windows": found.windows.to_dicts(),
        "retention": found.retention.to_dicts(),
        "policies": () if coin is None else [_numbers(r) for r in coin.values.iter_rows(named=True)],
        "rankings": () if coin is None else [_numbers(r) for r in coin.rankings.qini.iter_rows(named=True)],
        "cost_curves": ()
        if coin is None
        else [_numbers(r) for r in coin.rankings.cost.iter_rows(named=True)],
        "coin_notes": () if coin is None else coin.notes,
        "drift_summary": drift_summary(found.drift),
        "drift": [
            {**r, "psi": _text(r["psi"])} for r in found.drift.head(SETTINGS.page_rows).iter_rows(named=True)
        ],
        "notes": found.notes,
    }


def _headline(found: Evaluation) -> str:
    """The outcome that was promised, and whether it came."""
    for name in ("new_fan_gmv_cny", "new_fans"):
        total = found.totals.get(name)
        if total is None or total["promised"] is None:
            continue
        outcome = total["realised"] if total["projected"] is None else total["projected"]
        what = "yuan of new-fan GMV" if name == "new_fan_gmv_cny" else "new fans"
        later = "" if total["projected"] is None else " by the end of the horizon"
        word = {
            True: "inside the 80\u00a0% interval, chance included",
            False: "outside the 80\u00a0% interval, chance included",
            None: "without an interval",
        }
        return (
            f"{outcome:,.0f} {what}{later}, where {total['promised']:,.0f} were promised:"
            f" {word[total['within']]}"
        )
    return "What the campaign did"


def _total(name: str, total: Any) -> dict[str, str]:
    digits = 2 if name in RATIOS else 0

    def text(number: float | None) -> str:
        return "–" if number is None else f"{number:,.{digits}f}"

    band = "" if total["low"] is None else f"{text(total['low'])} to {text(total['high'])}"
    return {
        "term": TERMS[name],
        "promised": text(total["promised"]),
        "band": band,
        "realised": text(total["realised"]),
        "chance": "" if total["chance"] is None else f"± {text(total['chance'])} by chance",
        "projected": "" if total["projected"] is None else text(total["projected"]),
        "within": {True: "inside", False: "outside", None: ""}[total["within"]],
    }


def _reasons(found: pl.DataFrame) -> list[dict[str, object]]:
    """Each reason with the width of its bar, per cent of half of the column."""
    largest = float(found["change"].abs().max() or 0.0) if found.height else 0.0  # type: ignore[arg-type]
    return [
        {
            **row,
            "text": f"{row['change']:+,.0f}",
            "width": 0.0 if largest <= 0 else WIDEST * abs(row["change"]) / largest,
            "up": row["change"] >= 0,
        }
        for row in found.iter_rows(named=True)
    ]


def _cells(cells: pl.DataFrame) -> list[dict[str, object]]:
    rows = []
    paid = cells.filter((pl.col("promised_spend_cny") > 0) | (pl.col("realised_spend_cny") > 0))
    for row in paid.head(SETTINGS.page_rows).iter_rows(named=True):
        because = {
            c.removeprefix("because_").split("_", 1)[0]: row[c] for c in row if c.startswith("because_")
        }
        last = "gmv_cny" if "realised_gmv_cny" in row else "fans" if "realised_fans" in row else "impressions"
        came = row.get("projected_gmv_cny") if last == "gmv_cny" else None
        rows.append(
            {
                "segment": row["segment"],
                "placement": row["placement"],
                "spend": (_whole(row["promised_spend_cny"]), _whole(row["realised_spend_cny"])),
                "outcome": (
                    _whole(row[f"promised_{last}"]),
                    _whole(row[f"realised_{last}"] if came is None else came),
                ),
                "per_fan": _text(row.get("cost_per_fan_cny")),
                "because": ", ".join(
                    f"{name} {change:+,.0f}" for name, change in because.items() if abs(change) >= 0.5
                ),
            }
        )
    return rows


def _numbers(row: dict[str, object]) -> dict[str, object]:
    return {k: _text(v) if isinstance(v, float) or v is None else v for k, v in row.items()}


def _whole(number: float) -> str:
    return f"{number:,.0f}"


def _text(number: float | None) -> str:
    return "–" if number is None or number != number else f"{number:,.4g}"
