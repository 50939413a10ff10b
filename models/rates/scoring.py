"""Damped Fisher scoring. In: rows, a design, a normal prior. Out: the coefficients of most posterior density.

A log rate linear in its coefficients, f = offset + X theta, with theta ~ N(mean, precision^-1):

    step = (X' diag(I) X + precision)^-1 (X' dL/df + precision (theta - mean)),

I the Fisher information of each row, halved until the log posterior does not fall. With the information
instead of the observed Hessian the system is positive definite wherever it is taken (McCullagh & Nelder,
"Generalized Linear Models", 1989, section 2.5). It must not import anything above numpy and `likelihood`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from models.arrays import FloatArray
from models.rates.likelihood import Rows
from models.rates.settings import RATES


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
        weighted = self.design * information[:, None]
        return np.asarray(weighted.T @ self.design + self.precision)


def scoring_steps(
    problem: Regression,
    start: FloatArray,
    *,
    most: int,
    fresh: int,
    shortest: float,
) -> Iterator[tuple[FloatArray, float]]:
    """Coefficients after each step, and the nats that it gained; whoever takes them decides when to stop.

    Args:
        problem: What is fitted.
        start: Where to start, (q,).
        most: Steps.
        fresh: Steps at which the information is computed anew; near the optimum it hardly moves, and it is
            what costs.
        shortest: Share of a full step at which nothing is left to gain.
    """
    theta, f = start, problem.log_rate(start)
    value = problem.loss(theta, f)
    for number in range(most):
        gradient, information = problem.rows.gradient(f)
        if number < fresh:
            curvature = problem.curvature(information)
        pull = problem.design.T @ gradient + problem.precision @ (theta - problem.mean)
        step = np.linalg.solve(curvature, pull)
        factor = 1.0
        while factor > shortest:
            trial = theta - factor * step
            trial_f = problem.log_rate(trial)
            trial_value = problem.loss(trial, trial_f)
            if trial_value <= value:
                break
            factor /= 2
        else:
            return
        yield trial, value - trial_value
        theta, f, value = trial, trial_f, trial_value
