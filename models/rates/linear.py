"""Linear log rates whose prior the rows choose. In: rows, a matrix. Out: coefficients.

Trees need many events to draw a smooth trend; a linear term draws it with one number. Every numeric column
enters twice (standardised, and as a normal score of its rank, so that a heavy tail does not decide), with a
flag for missing; a category enters as one column per level. All of these coefficients are N(0, 1 / lambda),
and lambda, a number of pseudo-events, is that of most evidence (MacKay, "Bayesian Interpolation", 1992):

    lambda = gamma / sum beta^2,   gamma = sum (1 - lambda Sigma_kk),   Sigma = posterior covariance,

so few events give nearly the constant, many give the trend, and nothing is tried twice. What is known
from elsewhere (the rate of a related event, a level of its own per placement) enters as columns with a
stated prior (`Known`).

Must not import lightgbm, mlflow, targeting or pipelines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from models.arrays import FloatArray
from models.rates.batch import Batch
from models.rates.forest import filled_up, places_among
from models.rates.likelihood import Rows
from models.rates.scoring import Regression, Stepped, weighted_squares
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

    @cached_property
    def _lines(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Knots, and where between them the line of normal scores starts, its height there and its slope."""
        from scipy.special import ndtri

        scores = ndtri(np.linspace(0.02, 0.98, len(self.knots)))
        knots, start = np.asarray(self.knots), np.r_[0, : len(self.knots)]
        slopes = np.concatenate([[0.0], np.diff(scores) / np.diff(knots), [0.0]])
        return filled_up(knots), knots[start], scores[start], slopes

    def expand(self, x: np.ndarray) -> list[np.ndarray]:
        """Standardised value, normal score of the rank and flag for missing, each (n,)."""
        missing, limit = np.isnan(x), RATES.standardised_limit
        if missing.any():
            x = np.where(missing, self.centre, x)
        z = np.clip((x - self.centre) / self.spread, -limit, limit)
        knots, start, height, slope = self._lines
        place = places_among(knots, x)
        rank = slope.take(place) * (x - start.take(place)) + height.take(place)
        if missing.any():
            z[missing] = rank[missing] = 0.0
        return [z, rank, missing.astype(float)]


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

    def expand(self, matrix: np.ndarray, kind: type = np.float64) -> np.ndarray:
        """Design matrix (n, q) without intercept; missing values are zeros and a flag."""
        columns: list[np.ndarray] = [one.astype(kind) for one in self._columns(matrix.T)]
        return np.column_stack(columns) if columns else np.zeros((matrix.shape[0], 0))

    def _columns(self, features: np.ndarray) -> Iterator[np.ndarray]:
        """Each column of the design, from features (p, n)."""
        for j, x in enumerate(features):
            if j in self.categorical:
                yield from (x == level for level in range(self.categorical[j]))
            elif j in self.numeric:
                yield from self.numeric[j].expand(x)

    def of(self, batch: Batch) -> FloatArray:
        """The columns for a batch, (q, n), made once for all rates of one design."""
        made: list[tuple[Design, FloatArray]] = batch.once(Design, list)
        for design, columns in made:
            if design is self or design == self:
                return columns
        found: FloatArray = np.array([*self._columns(batch.columns)], dtype=np.float64)
        made.append((self, found.reshape(-1, len(batch))))
        return made[-1][1]


@dataclass(frozen=True)
class Known:
    """Columns with a prior of their own, beside the features.

    Attributes:
        columns: (n, k).
        mean: Prior means of their coefficients, (k,).
        sd: Prior deviations, (k,).
    """

    columns: FloatArray
    mean: tuple[float, ...] = ()
    sd: tuple[float, ...] = ()

    @classmethod
    def nothing(cls, n: int) -> Known:
        """No such column, for n rows."""
        return cls(np.zeros((n, 0)))


@dataclass(frozen=True)
class LinearTerm:
    """intercept + known . slopes + design(x) . coefficients.

    Attributes:
        design: Columns.
        intercept: Unpenalised.
        slopes: Of the known columns, (k,).
        coefficients: (q,).
    """

    design: Design
    intercept: float
    slopes: tuple[float, ...]
    coefficients: tuple[float, ...]

    def value(self, batch: Batch, known: np.ndarray) -> np.ndarray:
        """Linear predictor of each row, (n,), from features and known columns (n, k)."""
        # column by column: BLAS and einsum may change the last digit with the number of rows in a batch
        effect, part = np.zeros(len(batch)), np.empty(len(batch))
        for coefficient, column in zip(self.coefficients, self.design.of(batch), strict=True):
            effect += np.multiply(column, coefficient, out=part)
        return self._with_known(effect, known)

    def of(self, expanded: np.ndarray, known: np.ndarray) -> np.ndarray:
        """The same from expanded features (n, q)."""
        return self._with_known(np.einsum("ij,j->i", expanded, np.asarray(self.coefficients)), known)

    def _with_known(self, effect: np.ndarray, known: np.ndarray) -> np.ndarray:
        return np.asarray(self.intercept + np.einsum("ij,j->i", known, np.asarray(self.slopes)) + effect)


@dataclass(frozen=True)
class LinearFit:
    """A fitted line.

    Attributes:
        beta: Coefficients (intercept, known, features), (1 + k + q,).
        apart: Log rate of each row by the coefficients of the rows outside each fold, (n, n_folds).
    """

    beta: FloatArray
    apart: FloatArray


def fit_linear(*, expanded: FloatArray, rows: Rows, known: Known, folds: Sequence[slice]) -> LinearFit:
    """Coefficients of most posterior density, of all rows and of the rows outside each fold.

    Damped Fisher scoring; the penalty of most evidence is found between the steps, where the log likelihood
    is a parabola and rows need not be looked at.

    Args:
        expanded: Design of each row, (n, q).
        rows: What is observed, the rows of a fold side by side.
        known: Further columns of each row, with their priors.
        folds: Rows of each fold.
    """
    k, q = known.columns.shape[1], expanded.shape[1]
    design = np.column_stack([np.ones(rows.y.size), known.columns, expanded])
    level = rows.constant() - float((known.columns @ np.asarray(known.mean)).mean()) if k else rows.constant()
    mean = np.concatenate([[level], known.mean, np.zeros(q)])
    stated = np.concatenate([[1e-6], np.asarray(known.sd) ** -2.0, np.zeros(q)])
    chosen = np.arange(mean.size) > k
    penalty, problem = RATES.first_penalty, Regression(rows, design, mean, np.zeros((0, 0)))
    at = Stepped(mean, problem.log_rate(mean), np.inf)
    for _ in range(RATES.linear_steps):
        gradient, information = rows.gradient(at.log_rate)
        pull = design.T @ gradient
        if at.gained > RATES.fresh_nats:  # near the optimum the curvature hardly moves, and it is what costs
            parts = [weighted_squares(design[fold], information[fold]) for fold in folds]
            curvature = np.sum(parts, axis=0)
        before = penalty
        if q:
            penalty = _penalty_of_most_evidence(
                curvature, curvature @ at.theta - pull, mean, stated, chosen, penalty
            )
        problem = replace(problem, precision=np.diag(stated + penalty * chosen))
        step = np.linalg.solve(curvature + problem.precision, pull + problem.precision @ (at.theta - mean))
        at = problem.towards(at.theta, step, at.log_rate)
        settled = abs(np.log(penalty / before)) < RATES.penalty_tolerance
        if settled and at.gained < RATES.linear_tolerance_nats:
            break
    return LinearFit(at.theta, _apart(problem, at, parts, folds))


def _penalty_of_most_evidence(
    curvature: FloatArray,
    target: FloatArray,
    mean: FloatArray,
    stated: FloatArray,
    chosen: np.ndarray,
    penalty: float,
) -> float:
    """MacKay's fixed point on the parabola beta' curvature beta / 2 - target' beta."""
    for _ in range(RATES.penalty_rounds):
        precision = stated + penalty * chosen
        covariance = np.linalg.inv(curvature + np.diag(precision))
        beta = covariance @ (target + precision * mean)
        effective = float((1.0 - penalty * np.diag(covariance)[chosen]).sum())
        size = max(float((beta[chosen] ** 2).sum()), 1e-12)
        better = float(np.clip(effective / size, *RATES.penalty_limits))
        done = abs(np.log(better / penalty)) < RATES.penalty_tolerance
        penalty = better
        if done:
            break
    return penalty


def _apart(
    problem: Regression, at: Stepped, parts: Sequence[FloatArray], folds: Sequence[slice]
) -> FloatArray:
    """Log rate of each row by the rows outside each fold: all folds at once, from the
    coefficients of all rows, with the curvature there (nine tenths of the work of a step).
    """
    whole = np.sum(parts, axis=0) + problem.precision
    inverse = [np.linalg.inv(whole - part) for part in parts]
    beta = np.repeat(at.theta[:, None], len(folds), axis=1)
    for _ in range(RATES.fold_steps):
        f = np.clip(problem.design @ beta, -RATES.rate_limit, RATES.rate_limit)
        gradient = np.column_stack([problem.rows.gradient(f[:, k])[0] for k in range(len(folds))])
        for k, fold in enumerate(folds):
            gradient[fold, k] = 0.0
        pull = problem.design.T @ gradient + problem.precision @ (beta - problem.mean[:, None])
        step = np.column_stack([one @ pull[:, k] for k, one in enumerate(inverse)])
        beta = beta - step
        if 0.5 * float((step * pull).sum(axis=0).max()) < RATES.linear_tolerance_nats:
            break
    return np.asarray(problem.design @ beta)
