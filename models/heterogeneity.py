"""Whether a score finds people on whom showing does more, or only seems to: a Qini with its interval.

A Qini of 0.05 on a few hundred rows is chance. People are resampled (all rows of one together), the curves
of `models.uplift` are weighed again, and where the interval covers 0 the verdict is `no exploitable
heterogeneity found`: treat everybody alike, or nobody, by the mean effect.

Nor is everything that is certain worth acting on: with enough rows a ranking that gains 1 % more than chance
has an interval above 0. `exploitable` is the Qini less what is too small to pay for targeting,

    exploitable = (area - chance - MIN_ADVANTAGE |chance|) / (perfect - chance),

and heterogeneity is found where its interval lies above 0: averaged over how many are targeted, the ranking
gains at least `MIN_ADVANTAGE` more than the same number chosen by lot. Where the mean effect is 0, so is the
chance area, and nothing is taken off.

Sources: Radcliffe 2007 (see `models.uplift`); Efron & Tibshirani, "An Introduction to the Bootstrap", 1993,
ch. 13 (percentile intervals). Must not import mlflow, lightgbm, targeting or pipelines.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from models.errors import DataError
from models.uplift import Ranked, perfect_qini_score, row_weights

Verdict = Literal["heterogeneity found", "no exploitable heterogeneity found", "ranked the wrong way round"]
LEVEL = 0.95
"""Level of the interval behind a verdict: one false alarm in forty."""
DRAWS = 400
MIN_ADVANTAGE = 0.05
"""A ranking must gain a twentieth more than chance, with certainty, before it is called exploitable."""
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
        exploitable: The part of it that is large enough to act on, with its interval (see the module).
        advantage: (area - chance) / |chance|: how much more than chance the ranking gains, averaged over how
            many are targeted; infinite where the mean effect is 0.
        effect: Mean effect of treatment on the outcome, with its interval.
        treated: Treated rows.
        control: Control rows.
        level: Level of the intervals.
        verdict: What may be said.
    """

    qini: Interval
    exploitable: Interval
    advantage: float
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
            f" {100 * self.advantage:.0f} % more than by lot,"
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

    def figures(weights: np.ndarray) -> tuple[float, ...]:
        """Qini, its exploitable part, the advantage over chance, the mean effect."""
        curve, perfect = ranked.qini(weights), best.qini(weights)
        excess, room = curve.area - curve.chance, perfect.area - perfect.chance
        chance = abs(curve.chance)
        arm = float((weights * shown).sum())
        if room <= 0 or arm <= 0:
            return np.nan, np.nan, np.nan, np.nan
        more = excess / chance if chance > 0 else np.copysign(np.inf, excess)
        return excess / room, (excess - MIN_ADVANTAGE * chance) / room, more, curve.gain[-1] / arm

    base = row_weights(weight, outcome)
    value = figures(base)
    resampled = resample(figures, weight=base, cluster=cluster, rng=rng, draws=draws)
    qini, exploitable, _, effect = _intervals(value, resampled, level)
    return Heterogeneity(
        qini=qini,
        exploitable=exploitable,
        advantage=float(value[2]),
        effect=effect,
        treated=n_shown,
        control=n_held,
        level=level,
        verdict=verdict(qini=qini, exploitable=exploitable),
    )


def _intervals(value: tuple[float, ...], resampled: np.ndarray, level: float) -> list[Interval]:
    """Percentile intervals of each figure; unknown where more than half of the resamples are."""
    found = []
    for point, column in zip(value, resampled.T, strict=True):
        known = column[np.isfinite(column)]
        if known.size < column.size / 2:
            found.append(Interval(float(point), np.nan, np.nan))
            continue
        low, high = np.percentile(known, [50 * (1 - level), 100 - 50 * (1 - level)])
        found.append(Interval(float(point), float(low), float(high)))
    return found


def verdict(*, qini: Interval, exploitable: Interval) -> Verdict:
    """What the intervals mean; one that covers 0, or is unknown, means that nothing was found.

    >>> verdict(qini=Interval(0.05, 0.02, 0.08), exploitable=Interval(0.03, 0.01, 0.06))
    'heterogeneity found'
    """
    if qini.low > 0 and exploitable.low > 0:
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
