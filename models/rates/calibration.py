"""Whether rates mean what they say. In: predicted and observed events. Out: reliability tables.

Must not import lightgbm, mlflow, targeting or pipelines.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Reliability:
    """Predicted against observed in groups of equal expected events, for a chart and two numbers.

    Attributes:
        predicted: Expected events per group, (n_groups,).
        actual: Observed events per group.
        rows: Rows per group.
        ece: Expected calibration error of the event probability: mean |predicted - actual| weighted by rows.
    """

    predicted: tuple[float, ...]
    actual: tuple[float, ...]
    rows: tuple[int, ...]
    ece: float

    @property
    def ratios(self) -> np.ndarray:
        """Predicted / actual per group (infinite where nothing happened)."""
        actual = np.array(self.actual)
        return np.where(actual > 0, np.array(self.predicted) / np.maximum(actual, 1e-12), np.inf)


def reliability(
    *, probability: np.ndarray, y: np.ndarray, score: np.ndarray, groups: int = 10
) -> Reliability:
    """Group rows by score into `groups` groups of equal expected events and compare with what happened.

    Args:
        probability: Predicted event probability of each row, (n,).
        y: 1.0 where the event happened.
        score: What the rows are sorted by (the rate per unit of exposure).
        groups: Number of groups; fewer when fewer than five events are expected in each.

    >>> half, turns = np.full(100, 0.5), np.tile([0.0, 1.0], 50)
    >>> table = reliability(probability=half, y=turns, score=np.arange(100.0), groups=5)
    >>> table.predicted, table.actual, table.ece
    ((10.0, 10.0, 10.0, 10.0, 10.0), (10.0, 10.0, 10.0, 10.0, 10.0), 0.0)
    """
    groups = max(1, min(groups, int(probability.sum() // 5)))
    order = np.argsort(score, kind="stable")
    cumulative = np.cumsum(probability[order])
    total = max(float(cumulative[-1]) if cumulative.size else 0.0, 1e-12)
    label = np.minimum(np.ceil(cumulative / total * groups - 1e-9).astype(int) - 1, groups - 1).clip(0)
    predicted = np.bincount(label, probability[order], groups)
    actual = np.bincount(label, y[order], groups)
    size = np.bincount(label, minlength=groups)
    ece = float(np.abs(predicted - actual).sum() / max(size.sum(), 1))
    return Reliability(tuple(predicted.tolist()), tuple(actual.tolist()), tuple(size.tolist()), ece)
