"""Whether a score finds people on whom showing does more, or only seems to: a Qini with its interval.

A Qini of 0.05 on a few hundred rows is chance. People are resampled (all rows of one together), the curves
of `models.uplift` are weighed again, and where the interval covers 0 the verdict is `no exploitable
heterogeneity found`: treat everybody alike, or nobody, by the mean effect.

Sources: Radcliffe 2007 (see `models.uplift`); Efron & Tibshirani, "An Introduction to the Bootstrap", 1993,
ch. 13 (percentile intervals). Must not import mlflow, lightgbm, targeting or pipelines.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from models.errors import DataError
from models.uplift import Ranked, normalised, perfect_qini_score, row_weights

Verdict = Literal["heterogeneity found", "no exploitable heterogeneity found", "ranked the wrong way round"]
LEVEL = 0.95
"""Level of the interval behind a verdict: one false alarm in forty."""
DRAWS = 400
MIN_ARM_ROWS = 20
"""Rows that each arm needs before a ranking can be judged at all."""


@dataclass(frozen=True)
class Interval:
    """An estimate with its bootstrap interval.

    Attributes:
        value: Estimate on the rows as they are.
        low: Lower end.
        high: Upper end.
    """

    value: float
    low: float
    high: float

    def __contains__(self, number: float) -> bool:
        """Whether the interval covers a number."""
        return self.low <= number <= self.high


@dataclass(frozen=True)
class Heterogeneity:
    """Whether the score finds people on whom showing does more.

    Attributes:
        qini: Normalised Qini with its interval.
        effect: Mean effect of treatment on the outcome, with its interval.
        treated: Treated rows.
        control: Control rows.
        level: Level of the intervals.
        verdict: What may be said.
    """

    qini: Interval
    effect: Interval
    treated: int
    control: int
    level: float
    verdict: Verdict

    def __str__(self) -> str:
        """One sentence."""
        return (
            f"{self.verdict}: Qini {self.qini.value:.3f}"
            f" ({100 * self.level:.0f} %: {self.qini.low:.3f} to {self.qini.high:.3f}),"
            f" mean effect {self.effect.value:.3g} ({self.effect.low:.3g} to {self.effect.high:.3g})"
            f" from {self.treated:,} shown and {self.control:,} held-out rows"
        )


def heterogeneity(
    *,
    outcome: np.ndarray,
    score: np.ndarray,
    treated: np.ndarray,
    rng: np.random.Generator,
    weight: np.ndarray | None = None,
    cluster: np.ndarray | None = None,
    draws: int = DRAWS,
    level: float = LEVEL,
) -> Heterogeneity:
    """Qini with a percentile interval from a bootstrap over clusters, and what it means.

    The score must come from other rows than these (an older model, or out-of-fold).

    Args:
        outcome: Outcome per row, >= 0, (n,).
        score: Predicted uplift, (n,).
        treated: True where shown, by a coin, (n,).
        rng: Source of the resamples.
        weight: Inverse propensity per row, (n,).
        cluster: Rows of one person share a number and are resampled together, (n,); default each row alone.
        draws: Resamples.
        level: Level of the intervals.

    Raises:
        DataError: An arm has fewer than `MIN_ARM_ROWS` rows.
    """
    shown = np.asarray(treated).astype(bool)
    n_shown, n_held = int(shown.sum()), int((~shown).sum())
    if min(n_shown, n_held) < MIN_ARM_ROWS:
        raise DataError(
            f"uplift: {n_shown} shown and {n_held} held-out randomised rows, expected at least {MIN_ARM_ROWS}"
            f" of each; randomise more, or judge later"
        )
    ranked = Ranked.of(outcome, score, treated)
    best = Ranked.of(outcome, perfect_qini_score(outcome, treated), treated)

    def both(weights: np.ndarray) -> tuple[float, float]:
        curve = ranked.qini(weights)
        arm = float((weights * shown).sum())
        return normalised(curve, best.qini(weights)), curve.gain[-1] / arm if arm > 0 else np.nan

    base = row_weights(weight, outcome)
    value = both(base)
    resampled = resample(both, weight=base, cluster=cluster, rng=rng, draws=draws)
    tails = [50 * (1 - level), 100 - 50 * (1 - level)]
    (qini_low, effect_low), (qini_high, effect_high) = np.nanpercentile(resampled, tails, axis=0)
    qini = Interval(float(value[0]), float(qini_low), float(qini_high))
    return Heterogeneity(
        qini=qini,
        effect=Interval(float(value[1]), float(effect_low), float(effect_high)),
        treated=n_shown,
        control=n_held,
        level=level,
        verdict=verdict(qini),
    )


def verdict(qini: Interval) -> Verdict:
    """What an interval of the Qini means; one that covers 0, or is unknown, means that nothing was found.

    >>> verdict(Interval(0.05, 0.02, 0.08))
    'heterogeneity found'
    """
    if qini.low > 0:
        return "heterogeneity found"
    return "ranked the wrong way round" if qini.high < 0 else "no exploitable heterogeneity found"


def resample(
    statistic: Callable[[np.ndarray], tuple[float, ...]],
    *,
    weight: np.ndarray,
    cluster: np.ndarray | None,
    rng: np.random.Generator,
    draws: int,
) -> np.ndarray:
    """A bootstrap over clusters by weights, so that nothing is sorted twice.

    Args:
        statistic: From weights (n,) to numbers.
        weight: Weights of the rows as they are, (n,).
        cluster: Cluster number of each row, (n,), or None for each row alone.
        rng: Source of the resamples.
        draws: Resamples.

    Returns:
        (draws, numbers).
    """
    codes = np.arange(weight.size) if cluster is None else np.unique(cluster, return_inverse=True)[1]
    size = int(codes.max()) + 1
    rows = []
    for _ in range(draws):
        counts = np.bincount(rng.integers(0, size, size), minlength=size)
        rows.append(statistic(weight * counts[codes]))
    return np.asarray(rows, dtype=float)
