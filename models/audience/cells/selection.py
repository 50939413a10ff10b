"""How far ranked rows tell a level. In: observed over predicted by kind of row. Out: draws of the level.

Ranked delivery shows to people who are about to act. Whether it does so beyond what the features know is
itself uncertain, and a merchant's logs say: with r the log of observed over predicted on ranked rows, c the
same on randomised rows and v their sampling variances,

    r - c ~ N(0, b^2 + v_r + v_c),   b = not_selected_sd (nothing is hidden)  or  selected_sd (something is).

The posterior odds of the two hypotheses (1 : 3 before: features explain most ranking) decide, draw by draw,
how much the ranked rows weigh:

    level ~ N( (r / (v_r + b^2) + c / v_c) / p,  1 / p ),   p = 1 / (v_r + b^2) + 1 / v_c.

So where both kinds of rows agree, ten times as many ranked ones make the level sharp; where they disagree,
the randomised ones decide and the interval is as wide as theirs. One fixed b would throw the ranked rows away
in every shop or trust them in every shop.

It must not import anything above numpy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.arrays import FloatArray
from models.audience.settings import CELLS
from models.rates.evidence import posterior_weights


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


def chance_of_selection(ranked: Ratio, randomised: Ratio, *, before: float = CELLS.selection_odds) -> float:
    """Posterior probability that ranked rows differ from randomised ones beyond the features.

    >>> off = Ratio(np.array([0.5]), np.array([0.05]))
    >>> chance_of_selection(off, Ratio(np.array([0.0]), np.array([0.05]))) > 0.99
    True
    """
    variance = ranked.sd**2 + randomised.sd**2
    known = np.isfinite(variance)
    gap = (ranked.log - randomised.log)[known]
    total = variance[known] + np.array([[CELLS.not_selected_sd], [CELLS.selected_sd]]) ** 2
    log_evidence = (-0.5 * gap**2 / total - 0.5 * np.log(total)).sum(axis=1)
    return float(posterior_weights(log_evidence, odds=np.array([1.0 - before, before]))[1])


def draw_levels(
    ranked: Ratio,
    randomised: Ratio,
    *,
    selected: float,
    rng: np.random.Generator,
    n_draws: int,
    gap: float = 0.0,
) -> FloatArray:
    """Draws (n_draws, n_groups) of truth over prediction, positive; see the module.

    Args:
        ranked: From rows of ranked delivery.
        randomised: From randomised rows.
        selected: Probability that the ranked rows are selected beyond the features.
        rng: Source of the draws.
        n_draws: Draws.
        gap: Expected r - c where they are selected, known from elsewhere (log units).
    """
    chosen = rng.random((n_draws, 1)) < selected
    hidden = np.where(chosen, CELLS.selected_sd, CELLS.not_selected_sd)
    from_ranked, from_randomised = 1.0 / (ranked.sd**2 + hidden**2), randomised.sd**-2.0
    precision = np.maximum(from_ranked + from_randomised, CELLS.unknown_sd**-2)
    mean = ((ranked.log - gap * chosen) * from_ranked + randomised.log * from_randomised) / precision
    return _centred(mean + rng.normal(size=mean.shape) / np.sqrt(precision))


def _centred(log_levels: FloatArray) -> FloatArray:
    """exp of the draws with their centre moved towards 1 as far as they are unsure, their width kept.

    The scores were fitted to these very logs, so a level that the logs cannot pin down says nothing against
    them; but it does not make them any surer either.
    """
    mean, variance = log_levels.mean(axis=0), log_levels.var(axis=0)
    share = CELLS.score_sd**2 / (CELLS.score_sd**2 + variance)
    return np.asarray(np.exp(log_levels - mean * (1.0 - share) - 0.5 * variance))
