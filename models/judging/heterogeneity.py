"""Whether a score finds people on whom showing does more, or only seems to: a Qini with its interval.

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

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from models.errors import DataError
from models.judging.uplift import CostCurve, Ranked, cost_curve_of, perfect_qini_score, row_weights

Verdict = Literal["heterogeneity found", "no exploitable heterogeneity found", "ranked the wrong way round"]
LEVEL = 0.95
"""Level of the interval behind a verdict: one false alarm in forty."""
DRAWS = 400
COST_SHARES = (0.1, 0.25, 0.5, 0.75, 1.0)
"""Shares of the cost of showing everybody at which a cost curve is told."""
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
        """Qini, the advantage over chance, the mean effect."""
        curve, perfect = ranked.qini(weights), best.qini(weights)
        excess, room = curve.area - curve.chance, perfect.area - perfect.chance
        chance = abs(curve.chance)
        arm = float((weights * shown).sum())
        if room <= 0 or arm <= 0:
            return np.nan, np.nan, np.nan
        more = excess / chance if chance > 0 else np.copysign(np.inf, excess)
        return excess / room, more, curve.gain[-1] / arm

    base = row_weights(weight, outcome)
    value = figures(base)
    resampled = resample(figures, weight=base, cluster=cluster, rng=rng, draws=draws)
    qini, advantage, effect = _intervals(value, resampled, level)
    return Heterogeneity(
        qini=qini,
        p_value=_one_sided(qini.value, resampled[:, 0]),
        advantage=advantage,
        effect=effect,
        treated=n_shown,
        control=n_held,
        level=level,
        verdict=verdict(qini),
    )


def over_splits(p_values: Sequence[float]) -> float:
    """One p-value from those of several splits of the same people: twice their median, at most 1.

    A split on which nothing can be judged (NaN) speaks for no heterogeneity.

    >>> over_splits([0.01, 0.20, 0.02])
    0.04
    """
    known = np.nan_to_num(np.asarray(p_values, dtype=float), nan=1.0)
    return float(min(1.0, 2.0 * np.median(known)))


def cost_curve_band(
    *,
    outcome: np.ndarray,
    cost_cny: np.ndarray,
    score: np.ndarray,
    treated: np.ndarray,
    rng: np.random.Generator,
    weight: np.ndarray | None = None,
    cluster: np.ndarray | None = None,
    draws: int = DRAWS,
    level: float = LEVEL,
) -> list[tuple[float, float, Interval]]:
    """What shares of the money for everybody add when people are shown in the order of the score.

    Args:
        outcome: Outcome per row, (n,).
        cost_cny: What the row cost, yuan, (n,).
        score: Ranks the rows, best value for money first, (n,).
        treated: True where shown, by a coin, (n,).
        rng: Source of the resamples.
        weight: Inverse propensity per row, (n,).
        cluster: Rows of one person share a number, (n,); default each row alone.
        draws: Resamples.
        level: Level of the intervals.

    Returns:
        Per share in `COST_SHARES`: (share, its incremental cost in yuan, incremental outcome with its
        interval), both as if all rows were people to be shown. Empty where showing everybody costs nothing.
    """
    gain = Ranked.of(outcome, score, treated)
    cost = Ranked.of(cost_cny, score, treated)

    def at_shares(weights: np.ndarray) -> tuple[float, ...]:
        return _gain_at_shares(cost_curve_of(gain, cost, weights))

    base = row_weights(weight, outcome)
    whole_cny = cost_curve_of(gain, cost, base).cost_cny[-1]
    if whole_cny <= 0:
        return []
    resampled = resample(at_shares, weight=base, cluster=cluster, rng=rng, draws=draws)
    bands = _intervals(at_shares(base), resampled, level)
    return [(share, float(share * whole_cny), band) for share, band in zip(COST_SHARES, bands, strict=True)]


def _gain_at_shares(curve: CostCurve) -> tuple[float, ...]:
    """Gain where the cost first reaches each share of the whole; NaN where the whole costs nothing."""
    if curve.cost_cny[-1] <= 0:
        return (np.nan,) * len(COST_SHARES)
    # the incremental cost need not rise at every step (noise in the arms' sizes), its running peak does
    rising = np.maximum.accumulate(curve.cost_cny)
    first = np.searchsorted(rising, np.asarray(COST_SHARES[:-1]) * curve.cost_cny[-1])
    return (*curve.gain[first].tolist(), float(curve.gain[-1]))


def _one_sided(value: float, resampled: np.ndarray) -> float:
    """P(a standard normal > value / deviation of the resamples); NaN where that is unknown."""
    from scipy.stats import norm

    known = resampled[np.isfinite(resampled)]
    spread = float(known.std(ddof=1)) if known.size > resampled.size / 2 else 0.0
    return float(norm.sf(value / spread)) if spread > 0 else float("nan")


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


def verdict(qini: Interval) -> Verdict:
    """What the interval means; one that covers 0, or is unknown, means that nothing was found.

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
