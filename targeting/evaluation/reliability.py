"""Predicted against actual in groups, with intervals: so that a ratio on few buyers is not over-read.

Rows are grouped by prediction into groups of equal expected events (`models.rates.calibration`), at least
`events_each` in each: ten deciles of a hundred buyers would be ten numbers of chance. Each ratio carries the
exact Poisson interval of its count, and the calibration error stands beside what chance alone would make of a
perfect model. Frames out. It must not import the optimiser or the planner.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import polars as pl

from models.rates.calibration import reliability
from models.stored import Rows
from targeting.evaluation.evaluation_settings import SETTINGS

LEVEL = 0.95
SCHEMA = {
    "group": pl.Int64, "rows": pl.Int64, "predicted": pl.Float64, "actual": pl.Float64, "ratio": pl.Float64,
    "low_95": pl.Float64, "high_95": pl.Float64, "consistent": pl.Boolean,
}  # fmt: skip


@dataclass(frozen=True)
class Calibration:
    """How far predicted probabilities are right.

    Attributes:
        outcome: What was predicted.
        groups: `SCHEMA`, low predictions first: predicted and actual events, actual / predicted with its 95 %
            interval, and whether that covers 1.
        ratio, low_95, high_95: The same of all rows together.
        ece: Mean |predicted - actual| probability over the groups, weighted by rows.
        ece_of_chance: What a perfectly calibrated model would show on as many rows, on average.
        events: Events that happened.
    """

    outcome: str
    events: int
    ratio: float
    low_95: float
    high_95: float
    ece: float
    ece_of_chance: float
    groups: Annotated[pl.DataFrame, Rows(SCHEMA)]

    @property
    def consistent(self) -> bool:
        """Whether the ratio of all rows together could be 1."""
        return self.low_95 <= 1.0 <= self.high_95

    def __str__(self) -> str:
        """One sentence."""
        off = self.groups.filter(~pl.col("consistent")).height
        return (
            f"{self.outcome}: {self.events:,} came where {self.groups['predicted'].sum():,.0f} were"
            f" predicted, ratio {self.ratio:.2f} (95 %: {self.low_95:.2f} to {self.high_95:.2f});"
            f" {off} of {self.groups.height} groups are off by more than chance;"
            f" calibration error {self.ece:.4f}, by chance alone {self.ece_of_chance:.4f}"
        )


def calibration(outcome: str, *, probability: np.ndarray, happened: np.ndarray) -> Calibration | None:
    """Group and compare; None where fewer than `events_each` events were predicted and none happened.

    Args:
        outcome: Its name.
        probability: Predicted, (n,).
        happened: 1.0 where it happened, (n,).
    """
    expected = float(probability.sum())
    if expected < SETTINGS.events_each and not happened.any():
        return None
    wanted = max(1, min(SETTINGS.calibration_groups, int(expected // SETTINGS.events_each)))
    table = reliability(probability=probability, y=happened, score=probability, groups=wanted)
    predicted, actual = np.array(table.predicted), np.array(table.actual)
    rows = np.array(table.rows)
    kept = rows > 0
    predicted, actual, rows = predicted[kept], actual[kept], rows[kept]
    ratio, low, high = _ratios(actual, predicted)
    mean = predicted / rows
    # |a normal error| is 0.8 of its deviation on average
    chance = float(np.sqrt(2 / np.pi) * np.sqrt(rows * mean * (1 - mean)).sum() / rows.sum())
    groups = pl.DataFrame(
        {
            "group": np.arange(1, rows.size + 1),
            "rows": rows,
            "predicted": predicted,
            "actual": actual,
            "ratio": ratio,
            "low_95": low,
            "high_95": high,
            "consistent": (low <= 1) & (high >= 1),
        },
        schema=SCHEMA,
    )
    whole = _ratios(np.array([actual.sum()]), np.array([predicted.sum()]))
    return Calibration(
        outcome=outcome,
        groups=groups,
        ratio=float(whole[0][0]),
        low_95=float(whole[1][0]),
        high_95=float(whole[2][0]),
        ece=table.ece,
        ece_of_chance=chance,
        events=int(happened.sum()),
    )


def _ratios(actual: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """actual / predicted with the exact Poisson interval of the count (Garwood 1936), each (n,)."""
    from scipy.stats import chi2

    tail = (1 - LEVEL) / 2
    low = np.where(actual > 0, chi2.ppf(tail, 2 * np.maximum(actual, 1)) / 2, 0.0)
    high = chi2.ppf(1 - tail, 2 * (actual + 1)) / 2
    base = np.maximum(predicted, 1e-12)
    return actual / base, low / base, high / base
