"""Ridge-penalised linear log rates: what a few hundred events can support, and where the trees start from.

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

PENALTIES = (50.0, 10.0, 2.0)
"""Candidate penalties in events: the prior deviation of a standardised effect is 1/sqrt(penalty)."""
KNOTS = 33
CLIP = 4.0
MAX_STEPS = 25
FRESH_STEPS = 4
TOLERANCE_NATS = 1e-3
"""A step that improves the log posterior by less than a thousandth cannot matter to any decision."""
F_LIMIT = 40.0


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

        missing = np.isnan(x)
        z = np.clip((x - self.centre) / self.spread, -CLIP, CLIP)
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
                knots = np.unique(np.quantile(known, np.linspace(0, 1, KNOTS)))
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
        return self.intercept + np.einsum("ij,j->i", expanded, np.asarray(self.coefficients))


def fit_linear(
    *, expanded: np.ndarray, rows: Rows, penalty: float, start: np.ndarray | None = None
) -> np.ndarray:
    """Maximum a posteriori intercept and coefficients by damped Fisher scoring.

    The information is computed anew for the first steps only: near the optimum it hardly moves, and it is
    what costs.

    Args:
        expanded: Design of each row, (n, q).
        rows: What is observed.
        penalty: Ridge penalty on the coefficients (events).
        start: Where to start, (q + 1,), for example the solution under another penalty.

    Returns:
        (q + 1,), the intercept first.
    """
    design = np.column_stack([np.ones(expanded.shape[0]), expanded])
    ridge = np.full(design.shape[1], penalty)
    ridge[0] = 1e-6
    centre = np.zeros(design.shape[1])
    centre[0] = rows.constant()
    beta = centre.copy() if start is None else start

    def objective(b: np.ndarray, f: np.ndarray) -> float:
        return float(rows.loss(f).sum() + 0.5 * (ridge * (b - centre) ** 2).sum())

    f = np.clip(design @ beta, -F_LIMIT, F_LIMIT)
    value = objective(beta, f)
    hessian = np.diag(ridge)
    for step_number in range(MAX_STEPS):
        gradient, information = rows.gradient(f)
        g = design.T @ gradient + ridge * (beta - centre)
        if step_number < FRESH_STEPS:
            hessian = (design * information[:, None]).T @ design + np.diag(ridge)
        step = np.linalg.solve(hessian, g)
        factor = 1.0
        while factor > 1e-3:
            trial = beta - factor * step
            trial_f = np.clip(design @ trial, -F_LIMIT, F_LIMIT)
            trial_value = objective(trial, trial_f)
            if trial_value <= value:
                break
            factor /= 2
        if factor <= 1e-3:
            break
        improved, beta, f, value = value - trial_value, trial, trial_f, trial_value
        if improved < TOLERANCE_NATS:
            break
    return beta
