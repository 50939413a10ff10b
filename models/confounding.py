"""How far a hidden common cause could move a regression coefficient, after Cinelli & Hazlett (2020).

A regression of outcome Y on treatment D and covariates X leaves out Z. With R2(D~Z|X) and R2(Y~Z|D,X), the
shares of the residual variance of D and Y that Z would explain, the coefficient of D is off by

    |bias| = se sqrt(df R2(Y~Z|D,X) R2(D~Z|X) / (1 - R2(D~Z|X)))                       (equation 14)

whatever the shape or number of hidden causes. Nobody knows these shares, but a covariate that was seen gives
them a scale: a hidden cause "as strong as the season" has at most the shares that `benchmark` computes. The
robustness value says it the other way round: a hidden cause that explains less than this share of both could
not bring the coefficient to zero.

Source: Cinelli & Hazlett, "Making sense of sensitivity: extending omitted variable bias", Journal of the
Royal Statistical Society B 82(1), 2020, sections 3.2, 4.3 (robustness value) and 4.4 (bounds). Must not
import mlflow, lightgbm, targeting or pipelines.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class HiddenCause:
    """How much a cause that was not seen explains.

    Attributes:
        of_treatment: Share of the treatment's residual variance, 0..1; 1 means that any bias is possible.
        of_outcome: Share of the outcome's residual variance, 0..1.
    """

    of_treatment: float
    of_outcome: float


def robustness_value(*, t: float, df: int) -> float:
    """Share of the residual variance of both that a hidden cause needs to bring the coefficient to 0, 0..1.

    (sqrt(f^4 + 4 f^2) - f^2) / 2 with f = |t| / sqrt(df), equation 18 with q = 1.

    >>> round(robustness_value(t=4.18, df=783), 3)
    0.139
    """
    square = t**2 / df
    return float((np.sqrt(square**2 + 4 * square) - square) / 2)


def bias_bound(*, standard_error: float, df: int, cause: HiddenCause) -> float:
    """|bias| that a hidden cause can make, in the coefficient's unit; infinite where `of_treatment` is 1.

    Args:
        standard_error: Of the coefficient, by least squares.
        df: Residual degrees of freedom.
        cause: What it explains.
    """
    if cause.of_treatment >= 1:
        return float("inf")
    odds = cause.of_treatment / (1 - cause.of_treatment)
    return float(standard_error * np.sqrt(df * cause.of_outcome * odds))


def adjusted_error(*, standard_error: float, df: int, cause: HiddenCause) -> float:
    """Standard error that the coefficient would have, had the hidden cause been in the regression."""
    left = max(1 - cause.of_outcome, 0.0) / max(1 - cause.of_treatment, 1e-12)
    return float(standard_error * np.sqrt(left * df / (df - 1)))


def benchmark(*, treatment_share: float, outcome_share: float, strength: float = 1.0) -> HiddenCause:
    """The most that a hidden cause `strength` times as strong as a seen covariate (or group) can explain.

    Args:
        treatment_share: Partial R2 of the covariate with the treatment, given the other covariates, 0..1.
        outcome_share: Partial R2 of the covariate with the outcome, given the treatment too, 0..1.
        strength: How many times as strong, in explained variance of either.
    """
    d, y, k = treatment_share, outcome_share, strength
    if d >= 1 or k * d >= 1 - d:
        return HiddenCause(1.0, 1.0)
    of_treatment = k * d / (1 - d)
    shared = min(k * d**2 / ((1 - k * d) * (1 - d)), 1 - 1e-12)
    eta = (np.sqrt(k) + np.sqrt(shared)) / np.sqrt(1 - shared)
    of_outcome = 1.0 if y >= 1 else min(float(eta**2 * y / (1 - y)), 1.0)
    return HiddenCause(float(of_treatment), of_outcome)
