"""Categories with more levels than a line has columns for. In: rows, a line. Out: an effect of each level.

A city, a brand or a street has hundreds of levels with a few dozen people each: one column a level would cost
a fit the cube of their number, and what one bin of LightGBM holds of them says nothing. The curvature of
levels among themselves is diagonal, so on top of a line f

    v_l = -sum g / (sum I + lambda) over the rows of level l, repeated until it rests

(g, I gradient and information of the likelihood at f + v) is the posterior mode under v_l ~ N(0, 1 / lambda),
and lambda is that of most evidence, as in `linear`: levels that differ by chance stay nearly equal. Out of
fold they are fitted to the rows outside each fold. A level that training did not see, and a missing one, have
codes of their own. Must not import lightgbm, mlflow, targeting or pipelines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import FloatArray, IntArray
from models.rates.likelihood import Rows
from models.rates.settings import RATES


@dataclass(frozen=True)
class Levels:
    """Effects of one category.

    Attributes:
        feature: Its position among the features.
        effects: Of each code on the log rate, the last one of missing values.
    """

    feature: int
    effects: tuple[float, ...]

    def of(self, codes: FloatArray) -> FloatArray:
        """The effect of each code, NaN where missing, (n,)."""
        return np.asarray(self.effects).take(numbered(codes, len(self.effects) - 1))

    def times(self, slope: float) -> Levels:
        """All effects `slope` times as large."""
        return Levels(self.feature, tuple((slope * np.asarray(self.effects)).tolist()))


def numbered(codes: FloatArray, missing: int) -> IntArray:
    """Codes as whole numbers, `missing` where there is none, (n,)."""
    return np.where(np.isnan(codes), float(missing), codes).astype(np.int64)


def fit_levels(
    rows: Rows,
    code: IntArray,
    *,
    whole: FloatArray,
    apart: FloatArray,
    folds: Sequence[slice],
    size: int,
) -> tuple[FloatArray, FloatArray]:
    """Effects of the levels on top of a line.

    Args:
        rows: What is observed, the rows of a fold side by side.
        code: Level of each row, (n,).
        whole: Log rate of each row by the line, (n,).
        apart: The same by the rows outside each fold, (n, n_folds).
        folds: Rows of each fold.
        size: Number of codes.

    Returns:
        Effects by all rows (size,) and by the rows outside each fold (size, n_folds).
    """
    effects, penalty = _mode(rows, code, whole, size=size)
    outside = np.zeros((size, len(folds)))
    for k, fold in enumerate(folds):
        others = np.ones(len(code), bool)
        others[fold] = False
        outside[:, k], _ = _mode(
            rows.take(others), code[others], apart[others, k], size=size, penalty=penalty
        )
    return effects, outside


def _mode(
    rows: Rows, code: IntArray, line: FloatArray, *, size: int, penalty: float | None = None
) -> tuple[FloatArray, float]:
    """Posterior mode (size,) and its penalty, that of most evidence where none is given."""
    effects, weight = np.zeros(size), RATES.first_penalty if penalty is None else penalty
    for _ in range(RATES.linear_steps):
        gradient, information = rows.gradient(line + effects[code])
        pull, known = (np.bincount(code, x, size) for x in (gradient, information))
        step = np.clip((pull + weight * effects) / (known + weight), -1.0, 1.0)
        effects = effects - step
        before = weight
        if penalty is None:
            squares = max(float((effects**2).sum()), 1e-12)
            weight = float(np.clip((known / (known + weight)).sum() / squares, *RATES.penalty_limits))
        settled = abs(np.log(weight / before)) < RATES.penalty_tolerance
        if settled and float((known * step**2).sum()) < RATES.linear_tolerance_nats:
            break
    return effects, weight
