"""Off-policy rows made fit for use. In: rows in which a coin chose. Out: propensities, outcome models.

Must not import mlflow, lightgbm, targeting or pipelines.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.errors import DataError
from models.judging.settings import JUDGING


@dataclass(frozen=True)
class Logged:
    """Rows where a coin chose; arrays of shape (n,).

    Attributes:
        actions: Names of the K actions.
        action: Position of the chosen action in `actions`.
        propensity: Probability with which the coin chose it, 0..1.
        outcome: What came of it.
        person: Number of the person, for standard errors.
    """

    actions: tuple[str, ...]
    action: np.ndarray
    propensity: np.ndarray
    outcome: np.ndarray
    person: np.ndarray

    def __post_init__(self) -> None:
        n = self.action.shape
        if not n == self.propensity.shape == self.outcome.shape == self.person.shape or n == (0,):
            raise DataError(
                "policy value: action, propensity, outcome and person differ in length or are empty"
            )
        if not ((self.propensity > 0) & (self.propensity <= 1)).all():
            raise DataError(
                "policy value: propensity of a randomised row is not in (0, 1]; correct or empty it"
            )
        if not np.isfinite(self.outcome).all():
            raise DataError("policy value: an outcome is not a finite number")


@dataclass(frozen=True)
class Propensities:
    """Propensities fit for use, and what had to be done to them.

    Attributes:
        value: Per row, (n,).
        note: In words, empty when they could be used as logged.
    """

    value: np.ndarray
    note: str = ""


def usable_propensities(*, action: np.ndarray, propensity: np.ndarray, n_actions: int) -> Propensities:
    """Propensities of randomised rows, checked against how often each action happened.

    For right propensities mean(1{a} / p) = 1 for every action that the coin could choose. Where it is off by
    more than `rough_propensity` for an action (logged per campaign instead of per row, say), or a row has
    none, the observed frequency of the action takes its place: right for one coin for everybody.

    Args:
        action: Position of the chosen action, (n,).
        propensity: As logged, NaN where unknown, (n,).
        n_actions: Number of actions.
    """
    count = np.bincount(action, minlength=n_actions)
    frequency = count / action.size
    known = np.isfinite(propensity)
    if not known.all():
        share = 100 * (1 - known.mean())
        return Propensities(
            frequency[action],
            f"{share:.0f} % of the randomised rows have no propensity:"
            " the share of each action is used instead",
        )
    inverse = np.bincount(action, weights=1.0 / propensity, minlength=n_actions) / action.size
    off = np.abs(inverse[count > 0] - 1.0)
    if off.max() > JUDGING.rough_propensity:
        return Propensities(
            frequency[action],
            f"the logged propensities do not fit how often the coin chose (off by {100 * off.max():.0f} %):"
            " the share of each action is used instead",
        )
    return Propensities(propensity.astype(float))


def cross_fitted_outcomes(
    logged: Logged, *, features: np.ndarray, rng: np.random.Generator, folds: int = JUDGING.folds
) -> np.ndarray:
    """Predicted outcome of each action for each row, from people in other folds, (n, K).

    A ridge regression per action on standardised features: enough to narrow a doubly robust interval, and it
    cannot bias it. An action without rows in the other folds gets the mean of all.

    Args:
        logged: Rows where a coin chose.
        features: What is known before the coin, (n, d), finite.
        rng: Draws the folds.
        folds: Number of folds over people.
    """
    people, code = np.unique(logged.person, return_inverse=True)
    fold = rng.permutation(people.size)[code] % folds
    spread = features.std(axis=0)
    scaled = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    design = np.column_stack([np.ones(len(scaled)), scaled])
    penalty = JUDGING.ridge * np.diag([0.0] + [1.0] * scaled.shape[1])
    predicted = np.full((logged.action.size, len(logged.actions)), float(logged.outcome.mean()))
    for k in range(len(logged.actions)):
        for left_out in range(folds):
            rows = (fold != left_out) & (logged.action == k)
            if rows.any():
                x = design[rows]
                slope = np.linalg.solve(x.T @ x + penalty, x.T @ logged.outcome[rows])
                predicted[fold == left_out, k] = design[fold == left_out] @ slope
    return predicted
