"""What each further yuan adds along a ranking. In: outcomes, costs, scores, arms. Out: cost curves, bands.

Source: Du, Lee & Ghaffarizadeh, "Improve user retention with causal learning", PMLR 104, 2019, section 3.3.
Must not import mlflow, lightgbm, targeting or pipelines.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.judging.bootstrap import Interval, percentile_intervals, resample
from models.judging.settings import JUDGING
from models.judging.uplift import Ranked, row_weights


@dataclass(frozen=True)
class CostCurve:
    """Incremental outcome against incremental cost, along a ranking.

    Attributes:
        cost_cny: Incremental cost of treating everybody ranked so far, (k,), yuan.
        gain: Incremental outcome so far, (k,).
    """

    cost_cny: np.ndarray
    gain: np.ndarray

    @property
    def area(self) -> float:
        """Mean share of the whole gain over the share of the whole cost: 0.5 is chance, more is better.

        NaN where the whole treatment costs or gains nothing.
        """
        if self.cost_cny[-1] <= 0 or self.gain[-1] == 0:
            return float("nan")
        return float(np.trapezoid(self.gain / self.gain[-1], self.cost_cny / self.cost_cny[-1]))


def cost_curve(
    *,
    outcome: np.ndarray,
    cost_cny: np.ndarray,
    score: np.ndarray,
    treated: np.ndarray,
    weight: np.ndarray | None = None,
) -> CostCurve:
    """What each further yuan adds when people are shown in the order of `score`.

    gain(n) = U(n) with the outcome, cost(n) = U(n) with the cost of the row (control rows usually cost 0):
    both incremental, both on the scale of "everybody ranked so far is treated" (Du et al. 2019, section 3.3).

    Args:
        outcome: Outcome per row, (n,).
        cost_cny: What the row cost, yuan, (n,).
        score: Ranks the rows, best value for money first, (n,).
        treated: True where shown, (n,).
        weight: Weight per row, (n,).
    """
    gain, cost = Ranked.of(outcome, score, treated), Ranked.of(cost_cny, score, treated)
    return cost_curve_of(gain, cost, row_weights(weight, outcome))


def cost_curve_of(gain: Ranked, cost: Ranked, weight: np.ndarray) -> CostCurve:
    """The cost curve of rows already ranked once by their outcome and once by their cost, (n,) weights."""
    return CostCurve(cost.uplift(weight).gain, gain.uplift(weight).gain)


def cost_curve_band(
    *,
    outcome: np.ndarray,
    cost_cny: np.ndarray,
    score: np.ndarray,
    treated: np.ndarray,
    rng: np.random.Generator,
    weight: np.ndarray | None = None,
    cluster: np.ndarray | None = None,
    draws: int = JUDGING.draws,
    level: float = JUDGING.level,
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
        Per share in `JUDGING.cost_shares`: (share, its incremental cost in yuan, incremental outcome with its
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
    bands = percentile_intervals(at_shares(base), resampled, level)
    return [
        (share, float(share * whole_cny), band)
        for share, band in zip(JUDGING.cost_shares, bands, strict=True)
    ]


def _gain_at_shares(curve: CostCurve) -> tuple[float, ...]:
    """Gain where the cost first reaches each share of the whole; NaN where the whole costs nothing."""
    if curve.cost_cny[-1] <= 0:
        return (np.nan,) * len(JUDGING.cost_shares)
    # the incremental cost need not rise at every step (noise in the arms' sizes), its running peak does
    rising = np.maximum.accumulate(curve.cost_cny)
    first = np.searchsorted(rising, np.asarray(JUDGING.cost_shares[:-1]) * curve.cost_cny[-1])
    return (*curve.gain[first].tolist(), float(curve.gain[-1]))
