"""Hypotheses weighed by evidence. In: rows, columns, priors. Out: the coefficients averaged over the priors.

Where two models of the same rows could hold (a platform that chooses people or not, people who differ or
not), both are fitted and averaged with weights odds_k exp(log marginal likelihood_k), the latter by Laplace's
approximation (Tierney & Kadane 1986; Hoeting, Madigan, Raftery & Volinsky 1999, "Bayesian Model Averaging").
Where the data can tell, the better hypothesis takes over; where they cannot, the answer is an average.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import FloatArray
from models.rates.likelihood import Rows
from models.rates.scoring import Regression, most_likely


def posterior_weights(log_evidence: FloatArray, *, odds: FloatArray | None = None) -> FloatArray:
    """Posterior probability of each hypothesis, same shape, adding up to one.

    Args:
        log_evidence: Log marginal likelihoods, (n_hypotheses,).
        odds: Before the data, (n_hypotheses,), any scale; default: equal.

    >>> posterior_weights(np.log([1.0, 3.0])).round(6).tolist()
    [0.25, 0.75]
    >>> posterior_weights(np.array([0.0, 1000.0]), odds=np.array([1.0, 0.0])).tolist()
    [1.0, 0.0]
    """
    before = np.ones_like(log_evidence) if odds is None else odds
    possible = before > 0
    weight = np.zeros_like(log_evidence)
    best = log_evidence[possible].max()
    weight[possible] = np.exp(log_evidence[possible] - best) * before[possible]
    return np.asarray(weight / weight.sum())


@dataclass(frozen=True)
class Prior:
    """A hypothesis: coefficients ~ N(mean, covariance).

    Attributes:
        mean: (q,).
        covariance: (q, q), positive definite.
        odds: Of the hypothesis before the rows speak, on any scale.
    """

    mean: FloatArray
    covariance: FloatArray
    odds: float = 1.0


@dataclass(frozen=True)
class Averaged:
    """Coefficients averaged over hypotheses.

    Attributes:
        theta: Posterior mean, (q,).
        weight: Posterior probability of each hypothesis, (n_priors,).
        covariance: Posterior covariance, that between the hypotheses included, (q, q).
    """

    theta: FloatArray
    weight: FloatArray
    covariance: FloatArray


def average(
    rows: Rows, design: FloatArray, priors: Sequence[Prior], *, offset: FloatArray | float
) -> Averaged:
    """Fit f = offset + design theta under every prior and average by evidence.

    Args:
        rows: What is observed, n rows.
        design: (n, q).
        priors: Hypotheses.
        offset: f where theta is zero, a number or (n,).
    """
    fits = [_fit(rows, design, prior, offset) for prior in priors]
    odds = np.array([prior.odds for prior in priors])
    weight = posterior_weights(np.array([evidence for _, _, evidence in fits]), odds=odds)
    theta = np.einsum("k,kq->q", weight, np.array([one for one, _, _ in fits]))
    covariance = sum(
        w * (inside + np.outer(one - theta, one - theta))
        for w, (one, inside, _) in zip(weight, fits, strict=True)
    )
    return Averaged(theta, weight, np.asarray(covariance))


def _fit(
    rows: Rows, design: FloatArray, prior: Prior, offset: FloatArray | float
) -> tuple[FloatArray, FloatArray, float]:
    """Coefficients of most posterior density, their covariance and the log evidence up to a constant."""
    problem = Regression(rows, design, prior.mean, np.asarray(np.linalg.inv(prior.covariance)), offset)
    found = most_likely(problem, prior.mean)
    curvature = problem.curvature(rows.gradient(found.log_rate)[1])
    spread = np.linalg.slogdet(curvature)[1] + np.linalg.slogdet(prior.covariance)[1]
    evidence = -problem.loss(found.theta, found.log_rate) - 0.5 * float(spread)
    return found.theta, np.asarray(np.linalg.inv(curvature)), evidence
