"""Drift of a rate over the logged days. In: events observed and expected by age. Out: where it stands today.

Videos wear out, a shop becomes known, and whoever follows easily has followed already: people who are left
are not like those of a month ago even where their features are. Averaged over the window, a rate is that of
its middle; a plan needs that of its end. With O_d events on day d and E_d expected by a rate that knows no
days,

    log((O_d + 1/2) / (E_d + 1/2)) = a + beta x_d + e_d,     Var(e_d) = 1 / (E_d + 1/2) + tau^2,

x_d in units of the window, so that beta is the change from its first day to its last; tau^2, the days' own
luck (festivals, ranking), is what the residuals vary more than counts would (method of moments). Two
hypotheses of equal odds before, no drift (beta = 0) and drift (beta ~ N(0, drift_sd^2)), are averaged by how
well they explain the days; the level a stays what it was.

It must not import anything above numpy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.arrays import FloatArray
from models.rates.evidence import posterior_weights
from models.rates.settings import RATES


@dataclass(frozen=True)
class Trend:
    """A log-linear trend over the logged days, in days before `as_of`.

    Attributes:
        per_day: Log change per day.
        middle_days: Age of the day (days before `as_of`) at which the window's average rate holds.
        end_days: Age of the last day with rows: nothing is carried beyond it.
        sd: Posterior deviation of `now`.
    """

    per_day: float = 0.0
    middle_days: float = 0.0
    end_days: float = 0.0
    sd: float = 0.0

    @property
    def now(self) -> float:
        """Log of the rate at the end of the window over its average."""
        return self.per_day * (self.middle_days - self.end_days)


NO_TREND = Trend()


def fit_trend(*, age_days: FloatArray, observed: FloatArray, expected: FloatArray) -> Trend:
    """The trend of observed over expected events.

    Args:
        age_days: Age of each row in days, (n,), whole days are told apart.
        observed: Events of each row, organic ones taken off, (n,).
        expected: Events that a rate without days expects of it, (n,).

    Returns:
        No trend where fewer than `min_days` days have anything to say.
    """
    days, index = np.unique(np.floor(age_days), return_inverse=True)
    seen, due = (np.bincount(index, x, len(days)) for x in (observed, expected))
    if len(days) < RATES.min_days or due.sum() <= 0 or seen.sum() <= 0:
        return NO_TREND
    span = float(np.ptp(days)) + 1.0
    x = -days / span
    level = seen.sum() / due.sum()
    y = np.log((np.maximum(seen, 0.0) + 0.5) / (level * due + 0.5))
    counted = 1.0 / (level * due + 0.5)
    tau2 = _excess(x, y, counted)
    weight = 1.0 / (counted + tau2)
    centre = float(np.average(x, weights=weight))
    information = float((weight * (x - centre) ** 2).sum())
    slope = float((weight * (x - centre) * y).sum()) / information
    free = information / (information + RATES.drift_sd**-2)
    found = 0.5 * (slope**2 * information * free + np.log(1.0 - free))
    drifts = float(posterior_weights(np.array([0.0, found]))[1])
    shrunk = drifts * free * slope
    variance = drifts * (free / information + (free * slope - shrunk) ** 2) + (1.0 - drifts) * shrunk**2
    return Trend(
        per_day=shrunk / span,
        middle_days=-centre * span,
        end_days=float(days.min()),
        sd=float(np.sqrt(variance)) * float(x.max() - centre),
    )


def _excess(x: FloatArray, y: FloatArray, counted: FloatArray) -> float:
    """Variance of the days around a line beyond that of counts (DerSimonian-Laird)."""
    weight = 1.0 / counted
    design = np.column_stack([np.ones_like(x), x])
    gram = design.T @ (design * weight[:, None])
    beta = np.linalg.solve(gram, design.T @ (weight * y))
    q = float((weight * (y - design @ beta) ** 2).sum())
    leverage = np.linalg.solve(gram, design.T @ (design * (weight**2)[:, None]))
    free = weight.sum() - float(np.trace(leverage))
    return max(0.0, float((q - (len(x) - 2)) / free))
