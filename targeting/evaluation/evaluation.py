"""What an evaluation holds and says. Frames and text; nothing is computed here but totals of cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from targeting.evaluation.experiment import Experiment
from targeting.evaluation.plan_drift import summary

RATIOS = ("cost_per_fan_cny", "cost_per_incremental_fan_cny", "roi")


@dataclass(frozen=True, repr=False)
class Evaluation:
    """Promised against realised.

    Attributes:
        source: `logs` (user by user) or `delivery` (a console's report).
        cells: one row per segment x placement: promised_* and realised_* spend, impressions, fans, GMV
            (what is known); cost_per_fan_cny; because_* columns, which add up to what came in the end less
            the promise.
        totals: name -> promised, low, high (80 % of what was to come), realised, projected, chance (standard
            error of what came; each None where unknown), within (bool or None, see `total_of`).
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

    def to_dict(self) -> dict[str, object]:
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
