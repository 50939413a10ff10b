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

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain

import numpy as np

from models.arrays import FloatArray
from models.rates.batch import Batch
from models.rates.compiled import compiled, line_effects
from models.rates.design import Design
from models.rates.likelihood import Rows
from models.rates.scoring import Regression, Stepped, solver_of, weighted_squares
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
        if batch.is_of_many and compiled(line_effects):
            return self._with_known(self._of_many(batch), known)
        # column by column: BLAS and einsum may change the last digit with the number of rows in a batch
        effect, columns = np.zeros(len(batch)), self.design.of(batch)
        part = np.empty(len(batch))
        products = (columns[i] * columns[j] for i, j in self.pairs)
        for coefficient, column in zip(self.coefficients, chain(columns, products), strict=True):
            effect += np.multiply(column, coefficient, out=part)
        return self._with_known(effect, known)

    @cached_property
    def key(self) -> str:
        """Its content, short."""
        own = (self.intercept, self.slopes, self.coefficients, self.pairs, self.design.key)
        return hashlib.sha256(repr(own).encode()).hexdigest()

    def _of_many(self, batch: Batch) -> FloatArray:
        """Its effect on each row, (n,), made with those of the batch's other lines of its design."""
        design = self.design.key
        lines = {one.key: one for one in (self, *batch.lines) if one.design.key == design}

        def effects() -> dict[str, FloatArray]:
            columns = self.design.of(batch)
            made = np.zeros((len(lines), len(batch)))
            own = np.array([one.coefficients[: len(columns)] for one in lines.values()])
            pairs = [(number, *pair) for number, one in enumerate(lines.values()) for pair in one.pairs]
            joint = [by for one in lines.values() for by in one.coefficients[len(columns) :]]
            loop = compiled(line_effects) or line_effects
            loop(columns, own, np.array(pairs, dtype=np.int64).reshape(-1, 3), np.array(joint), made)
            return dict(zip(lines, made, strict=True))

        found = batch.once((design, "lines"), effects)
        return found[self.key] if self.key in found else effects()[self.key]

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
            spectrum = _Spectrum.of(curvature, stated, k)
        before = penalty
        if q:
            penalty = spectrum.penalty(curvature @ at.theta - pull + stated * mean, penalty)
        problem = replace(problem, precision=np.diag(stated + penalty * chosen))
        towards = pull + problem.precision @ (at.theta - mean)
        step = solver_of(curvature + problem.precision)(towards)
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


@dataclass(frozen=True)
class _Spectrum:
    """The features' part of a curvature by its own axes, the other coefficients fitted for each of them.

    Attributes:
        values: Curvature along each axis, (q,).
        axes: Each a column, (q, q).
        across: What a pull on the other coefficients does to these, (q, k + 1).
    """

    values: FloatArray
    axes: FloatArray
    across: FloatArray

    @classmethod
    def of(cls, curvature: FloatArray, stated: FloatArray, k: int) -> _Spectrum:
        """Axes of a curvature whose first k + 1 coefficients have precisions of their own."""
        other, mine = slice(0, k + 1), slice(k + 1, None)
        across = np.linalg.solve(curvature[other, other] + np.diag(stated[other]), curvature[other, mine]).T
        values, axes = np.linalg.eigh(curvature[mine, mine] - across @ curvature[other, mine])
        return cls(np.maximum(values, 0.0), np.asarray(axes), np.asarray(across, dtype=np.float64))

    def penalty(self, target: FloatArray, penalty: float) -> float:
        """MacKay's fixed point on the parabola beta' curvature beta / 2 - target' beta."""
        known = self.across.shape[1]
        along = (self.axes.T @ (target[known:] - self.across @ target[:known])) ** 2
        for _ in range(RATES.penalty_rounds):
            effective = float((self.values / (self.values + penalty)).sum())
            size = max(float((along / (self.values + penalty) ** 2).sum()), 1e-12)
            before, penalty = penalty, float(np.clip(effective / size, *RATES.penalty_limits))
            if abs(np.log(penalty / before)) < RATES.penalty_tolerance:
                break
        return penalty


def _apart(
    problem: Regression, at: Stepped, parts: Sequence[FloatArray], folds: Sequence[slice]
) -> FloatArray:
    """Log rate of each row by the rows outside each fold: all folds at once, from the
    coefficients of all rows, with the curvature there (nine tenths of the work of a step).
    """
    whole = np.sum(parts, axis=0) + problem.precision
    solve = [solver_of(whole - part) for part in parts]
    outside = np.ones((problem.rows.y.size, len(folds)))
    for k, fold in enumerate(folds):
        outside[fold, k] = 0.0

    def each(value: Callable[[FloatArray], FloatArray], f: FloatArray) -> FloatArray:
        """What rows outside each fold say at its log rate, (n, n_folds)."""
        return np.column_stack([value(column) for column in f.T]) * outside

    def lost(beta: FloatArray, f: FloatArray) -> FloatArray:
        """Minus the log posterior density of each fold's coefficients, (n_folds,)."""
        off = beta - problem.mean[:, None]
        prior = 0.5 * (off * (problem.precision @ off)).sum(axis=0)
        return np.asarray(each(problem.rows.loss, f).sum(axis=0) + prior)

    beta = np.repeat(at.theta[:, None], len(folds), axis=1)
    f, share = problem.log_rate(beta), np.ones(len(folds))
    loss = lost(beta, f)
    for _ in range(RATES.fold_steps):
        pull = problem.design.T @ each(lambda x: problem.rows.gradient(x)[0], f)
        pull += problem.precision @ (beta - problem.mean[:, None])
        step = share * np.column_stack([one(pull[:, k]) for k, one in enumerate(solve)])
        trial_f = problem.log_rate(beta - step)
        trial_loss = lost(beta - step, trial_f)
        better = trial_loss <= loss
        gained = float((loss - trial_loss).max())
        beta, f, loss = (
            np.where(better, new, old) for new, old in ((beta - step, beta), (trial_f, f), (trial_loss, loss))
        )
        share = np.where(better, share, 0.25 * share)
        if better.all() and gained < RATES.linear_tolerance_nats:
            break
    return f
