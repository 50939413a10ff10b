"""Ridge-penalised linear log rates. In: rows, a matrix. Out: coefficients; where the trees start from.

Trees need many events to draw a smooth trend; a linear term draws it with one number. Every numeric column
enters twice (standardised, and as a normal score of its rank, so that a heavy tail does not decide), with a
flag for missing; a category enters as one column per level. The penalty is a number of pseudo-events,
chosen by cross-validation in `boosting`.

Must not import lightgbm, mlflow, targeting or pipelines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models.rates.likelihood import Rows
from models.rates.scoring import Regression, scoring_steps
from models.rates.settings import RATES


@dataclass(frozen=True)
class Scale:
    """How a numeric column is standardised and ranked.

    Attributes:
        centre: Mean.
        spread: Standard deviation.
        knots: Quantiles on which ranks are read off.
    """

    centre: float
    spread: float
    knots: tuple[float, ...]

    def expand(self, x: np.ndarray) -> list[np.ndarray]:
        """Standardised value, normal score of the rank and flag for missing, each (n,)."""
        from scipy.special import ndtri

        missing, limit = np.isnan(x), RATES.standardised_limit
        z = np.clip((x - self.centre) / self.spread, -limit, limit)
        rank = np.interp(x, np.asarray(self.knots), np.linspace(0.02, 0.98, len(self.knots)))
        return [np.where(missing, 0.0, z), np.where(missing, 0.0, ndtri(rank)), missing.astype(float)]


@dataclass(frozen=True)
class Design:
    """Columns of a linear model, from a coded feature matrix.

    Attributes:
        categorical: Number of levels of each category column, by position (text codes 0..n-1).
        numeric: Scale of each numeric column that varies, by position.
    """

    categorical: Mapping[int, int]
    numeric: Mapping[int, Scale]

    @classmethod
    def fit(cls, matrix: np.ndarray, categorical: tuple[int, ...]) -> Design:
        """Learn centres, spreads, quantiles and numbers of levels from a matrix (n, p)."""
        levels, numeric = {}, {}
        for j in range(matrix.shape[1]):
            known = matrix[~np.isnan(matrix[:, j]), j]
            if j in categorical:
                levels[j] = int(known.max(initial=0.0)) + 1
            elif known.size and np.ptp(known) > 0:
                knots = np.unique(np.quantile(known, np.linspace(0, 1, RATES.rank_knots)))
                numeric[j] = Scale(float(known.mean()), float(known.std()), tuple(knots.tolist()))
        return cls(levels, numeric)

    def expand(self, matrix: np.ndarray) -> np.ndarray:
        """Design matrix (n, q) without intercept; missing values are zeros and a flag."""
        columns: list[np.ndarray] = []
        for j in range(matrix.shape[1]):
            x = matrix[:, j]
            if j in self.categorical:
                columns += [(x == level).astype(float) for level in range(self.categorical[j])]
            elif j in self.numeric:
                columns += self.numeric[j].expand(x)
        return np.column_stack(columns) if columns else np.zeros((matrix.shape[0], 0))


@dataclass(frozen=True)
class LinearTerm:
    """intercept + design(x) . coefficients.

    Attributes:
        design: Columns.
        intercept: Unpenalised.
        coefficients: (q,).
    """

    design: Design
    intercept: float
    coefficients: tuple[float, ...]

    def value(self, matrix: np.ndarray) -> np.ndarray:
        """Linear predictor of each row, (n,)."""
        expanded = self.design.expand(matrix)
        # a plain sum per row: BLAS may change the last digit with the number of rows in a batch
        effect = np.einsum("ij,j->i", expanded, np.asarray(self.coefficients))
        return np.asarray(self.intercept + effect)


def fit_linear(
    *, expanded: np.ndarray, rows: Rows, penalty: float, start: np.ndarray | None = None
) -> np.ndarray:
    """Maximum a posteriori intercept and coefficients by damped Fisher scoring.

    Args:
        expanded: Design of each row, (n, q).
        rows: What is observed.
        penalty: Ridge penalty on the coefficients (events).
        start: Where to start, (q + 1,), for example the solution under another penalty.

    Returns:
        (q + 1,), the intercept first.
    """
    design = np.column_stack([np.ones(expanded.shape[0]), expanded])
    precision = np.full(design.shape[1], penalty)
    precision[0] = 1e-6
    mean = np.zeros(design.shape[1])
    mean[0] = rows.constant()
    problem = Regression(rows, design, mean, precision)
    beta = mean if start is None else start
    steps = scoring_steps(
        problem, beta, most=RATES.linear_steps, fresh=RATES.linear_fresh_steps, shortest=1e-3
    )
    for stepped, gained in steps:
        beta = stepped
        if gained < RATES.linear_tolerance_nats:
            break
    return beta
