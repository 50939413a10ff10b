"""Does a score find people on whom showing does more? In: outcomes, scores, arms. Out: a Qini with interval.

A Qini of 0.05 on a few hundred rows is chance. People are resampled (all rows of one together), the curves
of `models.judging.uplift` are weighed again, and where the interval covers 0 the verdict is `no exploitable
heterogeneity found`: treat everybody alike, or nobody, by the mean effect. That is all the verdict says.
Whether what was found is large enough to act on depends on what showing costs; how large it is stands beside
the verdict as `advantage`, what the ranking gains over as many people chosen by lot.

One split of the data is one draw of luck. Several splits of the same people are joined by the median of their
one-sided p-values, doubled (`over_splits`): valid although the splits share people (Chernozhukov, Demirer,
Duflo & Fernandez-Val, "Generic machine learning inference on heterogeneous treatment effects in randomized
experiments", 2018, theorem 3.1; Meinshausen, Meier & Buhlmann, JASA 2009).

Sources: Radcliffe 2007 (see `models.judging.uplift`); Efron & Tibshirani, "An Introduction to the
Bootstrap", 1993, ch. 13 (percentile intervals). Must not import mlflow, lightgbm, targeting or pipelines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from models.errors import DataError
from models.judging.bootstrap import Interval, one_sided_p_value, percentile_intervals, resample
from models.judging.settings import JUDGING
from models.judging.uplift import Ranked, perfect_qini_score, row_weights

Verdict = Literal["heterogeneity found", "no exploitable heterogeneity found", "ranked the wrong way round"]


@dataclass(frozen=True)
class Heterogeneity:
    """Whether the score finds people on whom showing does more.

    Attributes:
        qini: Normalised Qini with its interval.
        p_value: One-sided, of "the ranking is no better than by lot": 1 - Phi(Qini / bootstrap deviation).
        advantage: (area - chance) / |chance|: how much more than chance the ranking gains, averaged over how
            many are targeted, with its interval; infinite where the mean effect is 0.
        effect: Mean effect of treatment on the outcome, with its interval.
        treated: Treated rows.
        control: Control rows.
        level: Level of the intervals.
        verdict: What may be said.
    """

    qini: Interval
    p_value: float
    advantage: Interval
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
            f" {100 * self.advantage.value:.0f} % more than by lot"
            f" ({100 * self.advantage.low:.0f} to {100 * self.advantage.high:.0f}),"
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
    draws: int = JUDGING.draws,
    level: float = JUDGING.level,
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
        DataError: An arm has fewer than `arm_rows` rows.
    """
    shown = _shown_rows(treated)
    ranked = Ranked.of(outcome, score, treated)
    best = Ranked.of(outcome, perfect_qini_score(outcome, treated), treated)

    def figures(weights: np.ndarray) -> tuple[float, ...]:
        return _figures(ranked, best, weights, arm=float((weights * shown).sum()))

    base = row_weights(weight, outcome)
    value = figures(base)
    resampled = resample(figures, weight=base, cluster=cluster, rng=rng, draws=draws)
    qini, advantage, effect = percentile_intervals(value, resampled, level)
    return Heterogeneity(
        qini=qini,
        p_value=one_sided_p_value(qini.value, resampled[:, 0]),
        advantage=advantage,
        effect=effect,
        treated=int(shown.sum()),
        control=int((~shown).sum()),
        level=level,
        verdict=verdict(qini),
    )


def _shown_rows(treated: np.ndarray) -> np.ndarray:
    """Treated rows as a mask, (n,), where both arms can be judged."""
    shown = np.asarray(treated).astype(bool)
    n_shown, n_held = int(shown.sum()), int((~shown).sum())
    if min(n_shown, n_held) < JUDGING.arm_rows:
        raise DataError(
            f"uplift: {n_shown} shown and {n_held} held-out randomised rows, expected at least"
            f" {JUDGING.arm_rows} of each; randomise more, or judge later"
        )
    return shown


def _figures(ranked: Ranked, best: Ranked, weights: np.ndarray, *, arm: float) -> tuple[float, ...]:
    """Qini, the advantage over chance, the mean effect; `arm` is the weight of the shown rows."""
    curve, perfect = ranked.qini(weights), best.qini(weights)
    excess, room = curve.area - curve.chance, perfect.area - perfect.chance
    chance = abs(curve.chance)
    if room <= 0 or arm <= 0:
        return np.nan, np.nan, np.nan
    more = excess / chance if chance > 0 else np.copysign(np.inf, excess)
    return excess / room, more, curve.gain[-1] / arm


def over_splits(p_values: Sequence[float]) -> float:
    """One p-value from those of several splits of the same people: twice their median, at most 1.

    A split on which nothing can be judged (NaN) speaks for no heterogeneity.

    >>> over_splits([0.01, 0.20, 0.02])
    0.04
    """
    known = np.nan_to_num(np.asarray(p_values, dtype=float), nan=1.0)
    return float(min(1.0, 2.0 * np.median(known)))


def verdict(qini: Interval) -> Verdict:
    """What the interval means; one that covers 0, or is unknown, means that nothing was found.

    >>> verdict(Interval(0.05, 0.02, 0.08))
    'heterogeneity found'
    """
    if qini.low > 0:
        return "heterogeneity found"
    return "ranked the wrong way round" if qini.high < 0 else "no exploitable heterogeneity found"
