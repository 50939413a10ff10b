"""What an evaluation holds and says. Frames and text; nothing is computed here but totals of cells."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from targeting.evaluation.experiment import Experiment
from targeting.evaluation.plan_drift import summary
from targeting.plan.decided import DecidedPlan
from targeting.plan.promise import Interval

Z80 = 1.2815515655446004
RATIOS = ("cost_per_fan_cny", "cost_per_incremental_fan_cny", "roi")


@dataclass(frozen=True, repr=False)
class Evaluation:
    """Promised against realised.

    Attributes:
        source: `logs` (user by user) or `delivery` (a console's report).
        cells: one row per segment x placement: promised_* and realised_* spend, impressions, fans, GMV
            (what is known); cost_per_fan_cny; because_* columns, which add up to what came in the end less
            the promise.
        totals: name -> promised, low, high, realised, projected, chance (standard error of what came; each
            None where unknown), within (bool or None, see `total_of`).
        reasons: reason, change, unit, meaning: the because_* columns added up.
        windows: days, gmv_cny, roi, complete (share of new fans old enough for the window); empty without
            logs.
        retention: days, fans, retained, low, high, measured_days, why (`runoff.retention`); empty without
            logs.
        maturity: share of the horizon's projected GMV that is already observed, 0..1.
        drift: what has changed, kind, name, psi, noise, verdict, why (`plan_drift`): curves always,
            features and scores where they were compared.
        experiment: the plan judged by the campaign's randomised rows; None where there are too few.
        notes: what to know when reading it.
    """

    source: str
    cells: pl.DataFrame
    totals: Mapping[str, Mapping[str, Any]]
    reasons: pl.DataFrame
    windows: pl.DataFrame
    retention: pl.DataFrame
    maturity: float
    drift: pl.DataFrame
    experiment: Experiment | None
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON-able values, for `targeting evaluate --json`."""
        return {
            "source": self.source,
            "totals": {name: dict(total) for name, total in self.totals.items()},
            "reasons": self.reasons.to_dicts(),
            "maturity": self.maturity,
            "windows": self.windows.to_dicts(),
            "retention": self.retention.to_dicts(),
            "cells": self.cells.to_dicts(),
            "drift": self.drift.to_dicts(),
            "experiment": None if self.experiment is None else self.experiment.to_dict(),
            "notes": list(self.notes),
        }

    def files(self) -> dict[str, pl.DataFrame]:
        """Frames to write beside the plan; what there is nothing to say of is left out."""
        tables = {
            "cells": self.cells,
            "reasons": self.reasons,
            "windows": self.windows,
            "retention": self.retention,
            "drift": self.drift,
        }
        if self.experiment is not None:
            tables |= {
                "policies": self.experiment.values,
                "rankings": self.experiment.rankings.qini,
                "cost_curves": self.experiment.rankings.cost,
            }
        return {f"evaluation_{name}.csv": table for name, table in tables.items() if table.width}

    def sentences(self) -> tuple[str, ...]:
        """What it says, a line each: reasons, windows, retention, drift, the coin, the notes."""
        coin = () if self.experiment is None else self.experiment.sentences()
        said = (*_reasons(self.reasons), *_windows(self.windows), *_retained(self.retention))
        return (*said, *summary(self.drift), *coin, *self.notes)

    def __str__(self) -> str:
        """The totals, a line each, and the sentences."""
        lines = []
        for name, total in self.totals.items():
            band = (
                ""
                if total["low"] is None
                else f" (80 %: {_of(name, total['low'])} to {_of(name, total['high'])})"
            )
            later = total["projected"]
            final = "" if later is None else f", projected to the horizon {_of(name, later)}"
            error = total["chance"]
            chance = "" if error is None else f" (+- {_of(name, error)} by chance)"
            lines.append(
                f"{name}: promised {_of(name, total['promised'])}{band},"
                f" realised {_of(name, total['realised'])}{final}{chance}"
            )
        return "\n".join([*lines, *self.sentences()])

    __repr__ = __str__


def total_of(
    promised: Interval | float | None,
    realised: float | None,
    *,
    projected: float | None = None,
    error: float | None = None,
) -> dict[str, float | bool | None]:
    """One row of the totals.

    A promise is of an expectation; what came is one draw of it, which chance moves by `error`. `within`
    therefore asks whether the outcome is inside the 80 % interval with both: each end as far from the promise
    as the root of the squares of its own distance and of 1.28 errors.

    Args:
        promised: Interval, number or None.
        realised: What was seen.
        projected: What it will be in the end, where that is not yet seen.
        error: Standard error of what came, by chance alone; None where it is not known.
    """
    value, low, high = (
        (promised, None, None)
        if promised is None or isinstance(promised, float)
        else (promised.value, promised.low, promised.high)
    )
    outcome = realised if projected is None else projected
    within = None
    if value is not None and low is not None and high is not None and outcome is not None:
        reach = math.hypot(low - value if outcome < value else high - value, Z80 * (error or 0.0))
        within = abs(outcome - value) <= reach
    return {
        "promised": value, "low": low, "high": high,
        "realised": realised, "projected": projected, "chance": error, "within": within,
    }  # fmt: skip


def totals(
    plan: DecidedPlan,
    *,
    spend_cny: float,
    fans: float | None,
    gmv_cny: float | None,
    projected_gmv_cny: float | None = None,
    gmv_error_cny: float | None = None,
    incremental_fans: float | None = None,
    incremental_error: float = 0.0,
) -> dict[str, dict[str, Any]]:
    """Promised and realised totals, cost per fan and ROI; what neither side knows is left out.

    Args:
        plan: Whose promises.
        spend_cny: What was spent.
        fans: New fans; None where unknown. Their number is a count, so chance moves it by its root.
        gmv_cny: Their GMV so far; None where unknown.
        projected_gmv_cny: Their GMV in the end.
        gmv_error_cny: Standard error of the GMV in the end.
        incremental_fans: Fans that would not have followed anyway.
        incremental_error: Standard error of those who would.
    """
    promised_fans, promised_gmv = plan.expected.get("new_fans"), plan.expected.get("new_fan_gmv_cny")
    per_fan = None if promised_fans is None else _inverse(promised_fans, plan.spend_cny)
    roi = None if promised_gmv is None else _scaled(promised_gmv, plan.spend_cny)
    counted = math.sqrt(fans) if fans else None
    added = None if counted is None else math.hypot(counted, incremental_error)
    found = {
        "spend_cny": total_of(float(plan.spend_cny), spend_cny),
        "new_fans": total_of(promised_fans, fans, error=counted),
        "incremental_fans": total_of(promised_fans, incremental_fans, error=added),
        "new_fan_gmv_cny": total_of(promised_gmv, gmv_cny, projected=projected_gmv_cny, error=gmv_error_cny),
        "cost_per_fan_cny": _per(per_fan, spend_cny, fans, counted),
        "cost_per_incremental_fan_cny": _per(per_fan, spend_cny, incremental_fans, added),
        "roi": total_of(
            roi,
            _ratio(gmv_cny, spend_cny),
            projected=_ratio(projected_gmv_cny, spend_cny),
            error=_ratio(gmv_error_cny, spend_cny),
        ),
    }
    return {name: total for name, total in found.items() if total["realised"] is not None}


def _per(
    promised: Interval | None, spend_cny: float, fans: float | None, error: float | None
) -> dict[str, float | bool | None]:
    """Yuan per fan; its error is relative to it as that of the fans is to them (delta method)."""
    cost = _ratio(spend_cny, fans)
    relative = _ratio(error, fans)
    return total_of(promised, cost, error=None if cost is None or relative is None else cost * relative)


def _inverse(fans: Interval, spend_cny: float) -> Interval | None:
    """Yuan per fan: many fans make it low."""
    if fans.value <= 0 or spend_cny <= 0:
        return None
    low, high = (None if not end or end <= 0 else spend_cny / end for end in (fans.high, fans.low))
    return replace(fans, value=spend_cny / fans.value, low=low, high=high)


def _scaled(gmv: Interval, spend_cny: float) -> Interval | None:
    """Yuan per yuan spent."""
    if spend_cny <= 0:
        return None
    low, high = (None if end is None else end / spend_cny for end in (gmv.low, gmv.high))
    return replace(gmv, value=gmv.value / spend_cny, low=low, high=high)


def _ratio(above: float | None, below: float | None) -> float | None:
    return None if above is None or not below or below <= 0 else above / below


def _of(name: str, number: float | None) -> str:
    if number is None:
        return "unknown"
    return f"{number:,.2f}" if name in RATIOS else f"{number:,.0f}"


def _reasons(found: pl.DataFrame) -> tuple[str, ...]:
    if found.is_empty():
        return ()
    unit = {"cny": "yuan"}.get(found["unit"][0], found["unit"][0])
    parts = ", ".join(f"{row['reason']} {row['change']:+,.0f}" for row in found.iter_rows(named=True))
    return (f"the difference of {found['change'].sum():+,.0f} {unit} comes from: {parts}",)


def _windows(found: pl.DataFrame) -> tuple[str, ...]:
    if found.is_empty():
        return ()
    parts = [
        f"T{row['days']} {row['roi']:.2f}"
        + ("" if row["complete"] == 1 else f" ({100 * row['complete']:.0f} % over)")
        for row in found.filter(pl.col("roi").is_not_null()).iter_rows(named=True)
    ]
    return (f"ROI by attribution window: {', '.join(parts)}",) if parts else ()


def _retained(found: pl.DataFrame) -> tuple[str, ...]:
    if found.is_empty():
        return ()
    parts = [
        f"day {row['days']} {100 * row['retained']:.0f} % of {row['fans']:,}"
        if row["fans"]
        else f"day {row['days']} unknown"
        for row in found.iter_rows(named=True)
    ]
    unknown = found.filter(pl.col("fans") == 0)
    why = f" ({unknown['why'][0]})" if unknown.height else ""
    return (f"new fans still following: {', '.join(parts)}{why}",)
