"""What another policy would have earned. In: rows where a coin chose the action. Out: values with intervals.

A row has a person's circumstances x, the action a that a coin chose with known probability p(a|x), and an
outcome y. A policy pi gives a probability pi(a|x) to every action. With w = pi(a|x) / p(a|x) and q(x, a) any
prediction of the outcome that was not learned from the row itself,

    inverse propensity    IPS   = mean(w y)                                    (Horvitz & Thompson 1952)
    self-normalised       SNIPS = sum(w y) / sum(w)                            (Swaminathan & Joachims 2015)
    doubly robust         DR    = mean(sum_a pi(a|x) q(x, a) + w (y - q(x, a))) (Dudik, Langford & Li 2011)

IPS and DR are unbiased when p is right, whatever q is; a good q only narrows DR. SNIPS is a ratio: a little
biased, but free of the scale of w. Standard errors come from the row's influence (for SNIPS w (y - value) /
mean(w), the delta method), summed per person where a person has several rows. Where the policy puts weight on
actions that were hardly tried nothing of this holds: `overlap` says so before anybody reads a number.

Sources: Dudik, Langford & Li, "Doubly robust policy evaluation and learning", ICML 2011; Swaminathan &
Joachims, "The self-normalized estimator for counterfactual learning", NeurIPS 2015; Owen, "Monte Carlo
theory, methods and examples", ch. 9 (effective sample size). Must not import mlflow, lightgbm, targeting or
pipelines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from models.errors import DataError
from models.judging.propensity import Logged
from models.judging.settings import JUDGING

Z80, Z95 = 1.2815515655446004, 1.959963984540054

OverlapVerdict = Literal["good", "poor", "none"]


@dataclass(frozen=True)
class Estimate:
    """A value per row with its standard error and normal intervals.

    Attributes:
        value: Estimated mean outcome per row under the policy.
        standard_error: Of the value.
    """

    value: float
    standard_error: float

    @property
    def interval_80(self) -> tuple[float, float]:
        """80 % interval."""
        return self.value - Z80 * self.standard_error, self.value + Z80 * self.standard_error

    @property
    def interval_95(self) -> tuple[float, float]:
        """95 % interval."""
        return self.value - Z95 * self.standard_error, self.value + Z95 * self.standard_error

    def to_dict(self) -> dict[str, float]:
        """Flat numbers for JSON."""
        (low_80, high_80), (low_95, high_95) = self.interval_80, self.interval_95
        return {
            "value": self.value,
            "standard_error": self.standard_error,
            "low_80": low_80,
            "high_80": high_80,
            "low_95": low_95,
            "high_95": high_95,
        }


@dataclass(frozen=True)
class Overlap:
    """Whether the coin tried what the policy would do.

    Attributes:
        rows: Logged rows.
        effective_rows: (sum w)^2 / sum w^2, the rows that the weighted mean is worth.
        largest_weight: Largest w.
        unsupported: Mean probability the policy gives to actions that were never tried, 0..1.
        verdict: `good`; `poor` when under `effective_rows` effective rows or `small_share` of all, or
            more than `small_share` unsupported; `none` when no row has the policy's action.
    """

    rows: int
    effective_rows: float
    largest_weight: float
    unsupported: float
    verdict: OverlapVerdict


@dataclass(frozen=True)
class PolicyValue:
    """A policy judged on rows that it did not choose.

    Attributes:
        ips: Inverse propensity estimate.
        self_normalised: Self-normalised estimate.
        doubly_robust: Doubly robust estimate (the one to report).
        overlap: Whether to believe any of them.
    """

    ips: Estimate
    self_normalised: Estimate
    doubly_robust: Estimate
    overlap: Overlap


def policy_value(logged: Logged, *, policy: np.ndarray, outcome_model: np.ndarray) -> PolicyValue:
    """Mean outcome per row if `policy` had chosen.

    Args:
        logged: Rows where a coin chose.
        policy: Probability of each action, (n, K), rows add up to one.
        outcome_model: Predicted outcome of each action, (n, K), not learned from the row itself
            (`cross_fitted_outcomes`, or an older model).

    Raises:
        DataError: A shape is wrong, or rows of the policy do not add up to one.

    >>> coin = Logged(("none", "mail"), np.array([0, 1] * 50), np.full(100, 0.5), np.array([1.0, 3.0] * 50),
    ...               np.arange(100))
    >>> mail = np.tile([0.0, 1.0], (100, 1))
    >>> round(policy_value(coin, policy=mail, outcome_model=np.zeros((100, 2))).ips.value, 6)
    3.0
    """
    weight = _weight(logged, policy)
    ips = weight * logged.outcome
    total = float(weight.mean())
    ratio = float(ips.mean() / total) if total > 0 else float("nan")
    influence = weight * (logged.outcome - ratio) / total if total > 0 else np.full(weight.shape, np.nan)
    return PolicyValue(
        ips=_estimate(ips, logged.person),
        self_normalised=Estimate(ratio, _standard_error(influence, logged.person)),
        doubly_robust=_estimate(_doubly_robust(logged, weight, policy, outcome_model), logged.person),
        overlap=overlap(logged, policy=policy),
    )


def policy_difference(
    logged: Logged, *, policy: np.ndarray, other: np.ndarray, outcome_model: np.ndarray
) -> Estimate:
    """Doubly robust value of `policy` minus that of `other`, paired row by row: what both share cancels.

    Args:
        logged: Rows where a coin chose.
        policy: Probability of each action, (n, K).
        other: The same of the policy to compare with, (n, K).
        outcome_model: Predicted outcome of each action, (n, K).
    """
    mine = _doubly_robust(logged, _weight(logged, policy), policy, outcome_model)
    theirs = _doubly_robust(logged, _weight(logged, other), other, outcome_model)
    return _estimate(mine - theirs, logged.person)


def overlap(logged: Logged, *, policy: np.ndarray) -> Overlap:
    """Effective rows and unsupported probability of a policy, (n, K)."""
    weight = _weight(logged, policy)
    square = float((weight**2).sum())
    effective = float(weight.sum()) ** 2 / square if square > 0 else 0.0
    tried = np.bincount(logged.action, minlength=len(logged.actions)) > 0
    unsupported = float(policy[:, ~tried].sum(axis=1).mean())
    poor = (
        effective < max(JUDGING.effective_rows, JUDGING.small_share * weight.size)
        or unsupported > JUDGING.small_share
    )
    found: OverlapVerdict = "none" if effective == 0 else "poor" if poor else "good"
    return Overlap(weight.size, effective, float(weight.max()), unsupported, found)


def uniform_policy(logged: Logged, action: str) -> np.ndarray:
    """The policy that gives everybody the same action, (n, K)."""
    chosen = np.zeros((logged.action.size, len(logged.actions)))
    chosen[:, logged.actions.index(action)] = 1.0
    return chosen


def _weight(logged: Logged, policy: np.ndarray) -> np.ndarray:
    shape = (logged.action.size, len(logged.actions))
    if policy.shape != shape:
        raise DataError(f"policy value: the policy has shape {policy.shape}, expected {shape}")
    if (policy < 0).any() or not np.allclose(policy.sum(axis=1), 1.0, atol=1e-6):
        raise DataError("policy value: the policy's probabilities are negative or do not add up to one")
    return np.asarray(policy[np.arange(shape[0]), logged.action] / logged.propensity)


def _doubly_robust(
    logged: Logged, weight: np.ndarray, policy: np.ndarray, outcome_model: np.ndarray
) -> np.ndarray:
    """Per row, sum_a pi(a|x) q(x, a) + w (y - q(x, a)), (n,)."""
    if outcome_model.shape != policy.shape:
        raise DataError(f"policy value: outcome_model {outcome_model.shape}, expected {policy.shape}")
    own = outcome_model[np.arange(weight.size), logged.action]
    return np.asarray((policy * outcome_model).sum(axis=1) + weight * (logged.outcome - own))


def _estimate(per_row: np.ndarray, person: np.ndarray) -> Estimate:
    value = float(per_row.mean())
    return Estimate(value, _standard_error(per_row - value, person))


def _standard_error(influence: np.ndarray, person: np.ndarray) -> float:
    """Of the mean of rows whose influences (mean 0) are added up per person."""
    code = np.unique(person, return_inverse=True)[1]
    sums = np.bincount(code, weights=influence)
    if sums.size < 2:
        return float("nan")
    return float(np.sqrt((sums**2).sum() * sums.size / (sums.size - 1)) / influence.size)
