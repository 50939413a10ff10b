"""Linear log rates whose prior the rows choose. In: rows, a matrix. Out: coefficients.

Trees need many events to draw a smooth trend; a linear term draws it with one number. All coefficients of the
features' columns (`design`) are N(0, 1 / lambda), and lambda, a number of pseudo-events, is that of most
evidence (MacKay, "Bayesian Interpolation", 1992):

    lambda = gamma / sum beta^2,   gamma = sum (1 - lambda Sigma_kk),   Sigma = posterior covariance,

so few events give nearly the constant, many give the trend, and nothing is tried twice. What is known
from elsewhere (the rate of a related event, a level of its own per placement) enters as columns with a
stated prior (`Known`).

Must not import lightgbm, mlflow, targeting or pipelines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from models.arrays import FloatArray
from models.rates.batch import Batch
from models.rates.design import Design
from models.rates.likelihood import Rows
from models.rates.scoring import Regression, Stepped, weighted_squares
from models.rates.settings import RATES, TREES


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


@dataclass(frozen=True)
class LinearTerm:
    """intercept + known . slopes + design(x) . coefficients, products of two columns among the latter.

    Attributes:
        design: Columns.
        intercept: Unpenalised.
        slopes: Of the known columns, (k,).
        coefficients: Of the columns and of the products, (q + n_pairs,).
        pairs: Columns that are multiplied.
    """

    design: Design
    intercept: float
    slopes: tuple[float, ...]
    coefficients: tuple[float, ...]
    pairs: tuple[tuple[int, int], ...] = ()

    def value(self, batch: Batch, known: np.ndarray) -> np.ndarray:
        """Linear predictor of each row, (n,), from features and known columns (n, k)."""
        # column by column: BLAS and einsum may change the last digit with the number of rows in a batch
        effect, part = np.zeros(len(batch)), np.empty(len(batch))
        columns = self.design.of(batch)
        products = (columns[i] * columns[j] for i, j in self.pairs)
        for coefficient, column in zip(self.coefficients, chain(columns, products), strict=True):
            effect += np.multiply(column, coefficient, out=part)
        return self._with_known(effect, known)

    def of(self, expanded: np.ndarray, known: np.ndarray) -> np.ndarray:
        """The same from expanded features (n, q)."""
        own, joint = np.split(np.asarray(self.coefficients), [expanded.shape[1]])
        effect = np.einsum("ij,j->i", expanded, own)
        for coefficient, (i, j) in zip(joint, self.pairs, strict=True):
            effect = effect + coefficient * expanded[:, i] * expanded[:, j]
        return self._with_known(effect, known)

    def _with_known(self, effect: np.ndarray, known: np.ndarray) -> np.ndarray:
        return np.asarray(self.intercept + np.einsum("ij,j->i", known, np.asarray(self.slopes)) + effect)


@dataclass(frozen=True)
class LinearFit:
    """A fitted line.

    Attributes:
        beta: Coefficients (intercept, known, features), (1 + k + q,).
        whole: Log rate of each row, (n,).
        apart: The same by the coefficients of the rows outside each fold, (n, n_folds).
    """

    beta: FloatArray
    whole: FloatArray
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
    return LinearFit(at.theta, at.log_rate, _apart(problem, at, parts, folds))


def missed_pairs(
    expanded: FloatArray, rows: Rows, log_rate: FloatArray, column_of: np.ndarray
) -> tuple[tuple[int, int], ...]:
    """Pairs of columns (or squares) whose product the line misses, most telling first.

    Neither a line nor the first split of a tree sees an effect that only two columns together have. What the
    likelihood would gain from a product is z^2 / 2, z its score over the root of its information; two matrix
    products give z of every pair. Taken are those that the largest of as many normal numbers would hardly
    reach, once for two features, where as many events are behind them as behind a leaf of a tree.

    Args:
        expanded: Design of each row, (n, q).
        rows: What is observed.
        log_rate: The line, (n,).
        column_of: Feature of each column, (q,).
    """
    gradient, information = rows.gradient(log_rate)
    score = weighted_squares(expanded, gradient)
    behind = weighted_squares(expanded**2, information)
    z = np.triu(
        np.where(behind >= TREES.min_sum_hessian_in_leaf, np.abs(score) / np.sqrt(behind + 1e-12), 0.0)
    )
    least = np.sqrt(2.0 * np.log(max(z.size / 2.0, 1.0))) + RATES.pair_margin
    found: dict[tuple[int, int], tuple[int, int]] = {}
    for place in np.argsort(-z, axis=None)[: (z > least).sum()]:
        i, j = divmod(int(place), z.shape[1])
        found.setdefault((int(column_of[i]), int(column_of[j])), (i, j))
    return tuple(found.values())[: RATES.most_pairs]


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
