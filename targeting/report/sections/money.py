"""Where the money goes: old, new and change of every unit, with the fans, GMV and profit of both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from targeting.allocation.outcomes import outcomes
from targeting.plan.decided import DecidedPlan
from targeting.report.report_settings import SETTINGS
from targeting.report.saying import funded, kept_share, place, reason, usual_reason
from targeting.report.section import Reader, Section
from targeting.words import Words

_COLUMNS = ("spend_cny", "new_fans", "new_fan_gmv_cny", "profit_cny")


def section(plan: DecidedPlan, reader: Reader) -> Section | None:
    """The table of units, and what gets nothing."""
    w, units = reader.words, side_by_side(plan)
    shown = units.filter((pl.col("spend_cny") > 0) | (pl.col("old_spend_cny") > SETTINGS.least_old_cny))
    usual = usual_reason(plan)
    columns = [name for name in _COLUMNS if shown[name].null_count() < shown.height or name == "spend_cny"]
    widest = max(
        float(shown.select(pl.max_horizontal(pl.col("spend_cny", "old_spend_cny").max())).item() or 0), 1e-9
    )
    has_old = plan.past_spend_cny is not None
    return Section(
        "money",
        {
            "has_old": has_old,
            "lead": w.money_lead.format(
                old=w.money_old if has_old else "",
                usual=w.money_usual.format(reason=reason(w, usual)) if usual else "",
            ),
            "heads": [(name, _HEADS[name](w)) for name in columns],
            "rows": [
                _row(plan, w, unit, columns=columns, widest=widest, usual=usual)
                for unit in shown.head(SETTINGS.rows).to_dicts()
            ],
            "total": _row(plan, w, _total(units), columns=columns, widest=np.inf, usual=""),
            "marginal_known": "new_fan_gmv_cny" not in plan.provenance.unknown,
            "more": max(shown.height - SETTINGS.rows, 0),
            "idle": _idle(plan, w, units.join(shown, on=["segment", "placement", "slot"], how="anti")),
        },
    )


_HEADS = {
    "spend_cny": lambda w: w.spend,
    "new_fans": lambda w: w.new_fans,
    "new_fan_gmv_cny": lambda w: w.gmv,
    "profit_cny": lambda w: w.profit,
}


def side_by_side(plan: DecidedPlan) -> pl.DataFrame:
    """The allocation with profit_cny and, with the prefix `old_`, the same figures of the former split.

    The former split has the same money: what differs is where it goes. Richest unit first.
    """
    kept, past = kept_share(plan), plan.past_spend_cny
    old = np.zeros(len(plan.market)) if past is None else past * (plan.spend_cny / max(past.sum(), 1e-12))
    found = outcomes(plan.market, old)
    unknown = plan.provenance.unknown
    known = {
        "old_spend_cny": old,
        "old_new_fans": np.full(len(old), np.nan) if "new_fans" in unknown else found["fans"],
        "old_new_fan_gmv_cny": np.full(len(old), np.nan) if "new_fan_gmv_cny" in unknown else found["gmv"],
    }
    profit = [
        (pl.lit(kept, dtype=pl.Float64) * pl.col(f"{p}new_fan_gmv_cny") - pl.col(f"{p}spend_cny")).alias(
            f"{p}profit_cny"
        )
        for p in ("", "old_")
    ]
    return (
        plan.allocation.with_columns(pl.Series(name, held).fill_nan(None) for name, held in known.items())
        .with_columns(profit)
        .sort("spend_cny", "old_spend_cny", "segment", "placement", descending=[True, True, False, False])
    )


def _total(units: pl.DataFrame) -> dict[str, Any]:
    """Sums of all units; null where a figure is unknown."""
    names = [f"{p}{name}" for p in ("", "old_") for name in _COLUMNS]
    known = [n for n in names if units[n].null_count() < units.height]
    return {**dict.fromkeys(names), **units.select(pl.col(known).sum()).row(0, named=True), "segment": None}


def _row(
    plan: DecidedPlan, w: Words, unit: Mapping[str, Any], *, columns: list[str], widest: float, usual: str
) -> dict[str, object]:
    """One unit as text."""
    figures = []
    for name in columns:
        new, old, money = unit[name], unit[f"old_{name}"], name != "new_fans"
        show = w.yuan if money else w.count
        difference = None if new is None or old is None else new - old
        low, high = unit.get(f"{name}_low"), unit.get(f"{name}_high")
        figures.append(
            {
                "name": _HEADS[name](w),
                "new": show(new),
                "old": show(old),
                "change": w.difference(difference, money=money),
                "span": ""
                if low is None or high is None
                else w.between.format(low=show(low), high=show(high)),
            }
        )
    marginal = unit.get("marginal_gmv_per_cny")
    return {
        "segment": w.total if unit["segment"] is None else w.segment(unit["segment"]),
        "placement": "" if unit["segment"] is None else place(plan, w, unit),
        "figures": figures,
        "new_bar": round(100 * (unit["spend_cny"] or 0) / widest, 1),
        "old_bar": round(100 * (unit["old_spend_cny"] or 0) / widest, 1),
        "marginal": "–" if marginal is None else f"{marginal:.2f}",
        "reason": "" if unit.get("reason") in (usual, None) else reason(w, unit["reason"]),
    }


def _idle(plan: DecidedPlan, w: Words, left: pl.DataFrame) -> dict[str, object]:
    """What gets nothing and is not in the table, and why."""
    left = left.sort("marginal_gmv_per_cny", descending=True, nulls_last=True)
    return {
        "count": left.height,
        "head": w.idle_head_one if left.height == 1 else w.idle_head.format(count=left.height),
        "more": max(left.height - SETTINGS.idle_rows, 0),
        "units": [
            (w.segment(r["segment"]), place(plan, w, r), reason(w, r["reason"]))
            for r in left.head(SETTINGS.idle_rows).to_dicts()
        ],
    }


def notebook_rows(plan: DecidedPlan, w: Words) -> list[tuple[str, str, str, str]]:
    """(segment, placement, spend, GMV) of the funded units, for a notebook."""
    return [
        (w.segment(r["segment"]), place(plan, w, r), w.yuan(r["spend_cny"]), w.yuan(r["new_fan_gmv_cny"]))
        for r in funded(plan).head(SETTINGS.notebook_rows).to_dicts()
    ]
