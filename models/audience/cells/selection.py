"""How far ranked rows may be believed about a level, when a few rows were randomised.

Ranked delivery shows to people who are about to act. Whether it does so beyond what the features know is
itself uncertain, and a merchant's logs say: with r the log of observed over predicted on ranked rows, c the
same on randomised rows and v their sampling variances,

    r - c ~ N(0, b^2 + v_r + v_c),   b = NOT_SELECTED_SD (nothing is hidden)  or  SELECTED_SD (something is).

The posterior odds of the two views (1 : 3 before: features explain most ranking) decide, draw by draw, how
much the ranked rows weigh:

    level ~ N( (r / (v_r + b^2) + c / v_c) / p,  1 / p ),   p = 1 / (v_r + b^2) + 1 / v_c.

So where coin and ranking agree, ten times as many ranked rows make the level sharp; where they disagree, the
coin decides and the interval is as wide as the coin's. One fixed b would throw the ranked rows away in every
shop or believe them in every shop.

It must not import anything above numpy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
NOT_SELECTED_SD, SELECTED_SD = 0.03, 0.25
# How far the scores' own level is believed to be off before the logs are asked (log scale), and how far a
# level is off of which they say nothing.
SCORE_SD, UNKNOWN_SD = 0.3, 0.5


@dataclass(frozen=True)
class Ratio:
    """Log of observed over predicted, per group.

    Attributes:
        log: (n_groups,).
        sd: Its sampling deviation, (n_groups,); infinite where nothing was predicted.
    """

    log: FloatArray
    sd: FloatArray

    @classmethod
    def of(cls, observed: FloatArray, predicted: FloatArray, *, noise: float = 1.0) -> Ratio:
        """From sums per group, (n_groups,); `noise` is what counts as one independent event."""
        some = predicted > 0
        log = np.log((np.maximum(observed, 0.0) + noise) / np.where(some, predicted + noise, 1.0))
        sd = np.sqrt(noise / np.maximum(observed, noise))
        return cls(np.where(some, log, 0.0), np.where(some, sd, np.inf))


def chance_of_selection(ranked: Ratio, coin: Ratio, *, before: float = 0.25) -> float:
    """Posterior probability that ranked rows differ from randomised ones beyond the features.

    >>> off = Ratio(np.array([0.5]), np.array([0.05]))
    >>> chance_of_selection(off, Ratio(np.array([0.0]), np.array([0.05]))) > 0.99
    True
    """
    variance = ranked.sd**2 + coin.sd**2
    known = np.isfinite(variance)
    gap = (ranked.log - coin.log)[known]
    log_odds = float(np.log(before / (1.0 - before)))
    for sd, sign in ((SELECTED_SD, 1.0), (NOT_SELECTED_SD, -1.0)):
        total = variance[known] + sd**2
        log_odds += sign * float((-0.5 * gap**2 / total - 0.5 * np.log(total)).sum())
    return float(1.0 / (1.0 + np.exp(-np.clip(log_odds, -50.0, 50.0))))


def draw_levels(
    ranked: Ratio,
    coin: Ratio,
    *,
    selected: float,
    rng: np.random.Generator,
    n_draws: int,
    gap: float = 0.0,
) -> FloatArray:
    """Draws (n_draws, n_groups) of truth over prediction, positive; see the module.

    Args:
        ranked: From rows of ranked delivery.
        coin: From randomised rows.
        selected: Probability that the ranked rows are selected beyond the features.
        rng: Source of the draws.
        n_draws: Draws.
        gap: Expected r - c where they are selected, known from elsewhere (log units).
    """
    chosen = rng.random((n_draws, 1)) < selected
    hidden = np.where(chosen, SELECTED_SD, NOT_SELECTED_SD)
    from_ranked, from_coin = 1.0 / (ranked.sd**2 + hidden**2), coin.sd**-2.0
    precision = np.maximum(from_ranked + from_coin, UNKNOWN_SD**-2)
    mean = ((ranked.log - gap * chosen) * from_ranked + coin.log * from_coin) / precision
    return _centred(mean + rng.normal(size=mean.shape) / np.sqrt(precision))


def _centred(log_levels: FloatArray) -> FloatArray:
    """exp of the draws with their centre moved towards 1 as far as they are unsure, their width kept.

    The scores were fitted to these very logs, so a level that the logs cannot pin down says nothing against
    them; but it does not make them any surer either.
    """
    mean, variance = log_levels.mean(axis=0), log_levels.var(axis=0)
    belief = SCORE_SD**2 / (SCORE_SD**2 + variance)
    return np.asarray(np.exp(log_levels - mean * (1.0 - belief) - 0.5 * variance))
