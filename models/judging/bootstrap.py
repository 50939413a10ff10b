"""A bootstrap over people. In: a statistic of weighted rows. Out: its resamples, intervals, a p-value.

Source: Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, ch. 13 (percentile intervals).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Interval:
    """An estimate with its bootstrap interval.

    Attributes:
        value: Estimate on the rows as they are.
        low: Lower end.
        high: Upper end.
    """

    value: float
    low: float
    high: float

    def __contains__(self, number: float) -> bool:
        """Whether the interval covers a number."""
        return self.low <= number <= self.high


def resample(
    statistic: Callable[[np.ndarray], tuple[float, ...]],
    *,
    weight: np.ndarray,
    cluster: np.ndarray | None,
    rng: np.random.Generator,
    draws: int,
) -> np.ndarray:
    """A bootstrap over clusters by weights, so that nothing is sorted twice.

    Args:
        statistic: From weights (n,) to numbers.
        weight: Weights of the rows as they are, (n,).
        cluster: Cluster number of each row, (n,), or None for each row alone.
        rng: Source of the resamples.
        draws: Resamples.

    Returns:
        (draws, numbers).
    """
    codes = np.arange(weight.size) if cluster is None else np.unique(cluster, return_inverse=True)[1]
    size = int(codes.max()) + 1
    rows = []
    for _ in range(draws):
        counts = np.bincount(rng.integers(0, size, size), minlength=size)
        rows.append(statistic(weight * counts[codes]))
    return np.asarray(rows, dtype=float)


def percentile_intervals(value: tuple[float, ...], resampled: np.ndarray, level: float) -> list[Interval]:
    """Percentile intervals of each figure; unknown where more than half of the resamples are."""
    found = []
    for point, column in zip(value, resampled.T, strict=True):
        known = column[np.isfinite(column)]
        if known.size < column.size / 2:
            found.append(Interval(float(point), np.nan, np.nan))
            continue
        low, high = np.percentile(known, [50 * (1 - level), 100 - 50 * (1 - level)])
        found.append(Interval(float(point), float(low), float(high)))
    return found


def one_sided_p_value(value: float, resampled: np.ndarray) -> float:
    """P(a standard normal > value / deviation of the resamples); NaN where that is unknown."""
    from scipy.stats import norm

    known = resampled[np.isfinite(resampled)]
    spread = float(known.std(ddof=1)) if known.size > resampled.size / 2 else 0.0
    return float(norm.sf(value / spread)) if spread > 0 else float("nan")
