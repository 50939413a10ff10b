"""Bayesian model averaging. In: how well each hypothesis explains the data. Out: how much each one weighs.

    P(k | data) = odds_k exp(log_evidence_k) / sum_l odds_l exp(log_evidence_l),

log_evidence_k the log marginal likelihood of hypothesis k up to a constant that all share (Hoeting, Madigan,
Raftery & Volinsky, "Bayesian model averaging: a tutorial", Statistical Science 14, 1999). Where the data
decide, the better hypothesis takes over; where they cannot, the answer is an average.
"""

from __future__ import annotations

import numpy as np

from models.arrays import FloatArray


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
