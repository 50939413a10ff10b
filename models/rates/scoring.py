"""Damped Fisher scoring. In: rows, a design, a normal prior. Out: the coefficients of most posterior density.

A log rate linear in its coefficients, f = offset + X theta, with theta ~ N(mean, precision^-1):

    step = (X' diag(I) X + precision)^-1 (X' dL/df + precision (theta - mean)),

I the Fisher information of each row, halved until the log posterior does not fall. With the information
instead of the observed Hessian the system is positive definite wherever it is taken (McCullagh & Nelder,
"Generalized Linear Models", 1989, section 2.5). It must not import anything above numpy and `likelihood`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.arrays import FloatArray
from models.rates.likelihood import Rows
from models.rates.settings import RATES


def weighted_squares(design: FloatArray, weight: FloatArray) -> FloatArray:
    """X' diag(weight) X, (q, q)."""
    if (weight < 0).any():
        return np.asarray((design * weight[:, None]).T @ design)
    root = design * np.sqrt(weight)[:, None]
    return np.asarray(root.T @ root)  # half of the work: BLAS sees that it is symmetric


def solver_of(matrix: FloatArray) -> Callable[[FloatArray], FloatArray]:
    """What solves matrix @ x = b for any b; the matrix, (q, q), is symmetric and positive definite.

    By Cholesky: a third of the work of an inverse at 1,000 columns, and it sees the lower half only.
    """
    from scipy.linalg import cho_factor, cho_solve

    factor = cho_factor(matrix, lower=True, check_finite=False)
    return lambda b: np.asarray(cho_solve(factor, b, check_finite=False))


@dataclass(frozen=True)
class Regression:
    """A log rate linear in its coefficients, with a normal prior.

    Attributes:
        rows: What is observed, n rows.
        design: X, (n, q).
        mean: Prior means, (q,).
        precision: Prior precisions, (q, q).
        offset: Added to X theta; a number or (n,).
    """

    rows: Rows
    design: FloatArray
    mean: FloatArray
    precision: FloatArray
    offset: FloatArray | float = 0.0

    def log_rate(self, theta: FloatArray) -> FloatArray:
        """f of each row, (n,), held where exp does not overflow."""
        return np.clip(self.offset + self.design @ theta, -RATES.rate_limit, RATES.rate_limit)

    def loss(self, theta: FloatArray, f: FloatArray) -> float:
        """Minus the log posterior density, up to a constant."""
        off = theta - self.mean
        return float(self.rows.loss(f).sum()) + 0.5 * float(off @ self.precision @ off)

    def curvature(self, information: FloatArray) -> FloatArray:
        """Its expected second derivative, (q, q), from the information of each row."""
        return weighted_squares(self.design, information) + self.precision

    def towards(self, theta: FloatArray, step: FloatArray, f: FloatArray) -> Stepped:
        """theta - step, halved until the log posterior does not fall."""
        value, factor = self.loss(theta, f), 1.0
        while factor > RATES.shortest_step:
            trial = theta - factor * step
            trial_f = self.log_rate(trial)
            gained = value - self.loss(trial, trial_f)
            if gained >= 0:
                return Stepped(trial, trial_f, gained)
            factor /= 2
        return Stepped(theta, f, 0.0)


@dataclass(frozen=True)
class Stepped:
    """Coefficients after a step, their log rate, and the nats that it gained (0: nothing is left to gain)."""

    theta: FloatArray
    log_rate: FloatArray
    gained: float


def most_likely(problem: Regression, start: FloatArray) -> Stepped:
    """The coefficients of most posterior density."""
    at = Stepped(start, problem.log_rate(start), np.inf)
    for _ in range(RATES.map_steps):
        gradient, information = problem.rows.gradient(at.log_rate)
        pull = problem.design.T @ gradient + problem.precision @ (at.theta - problem.mean)
        step = np.linalg.solve(problem.curvature(information), pull)
        at = problem.towards(at.theta, step, at.log_rate)
        if at.gained < RATES.map_tolerance_nats:
            break
    return at
