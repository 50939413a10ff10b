"""How much cells, days and single deliveries scatter. In: residuals and effects of a fit. Out: the spreads.

They decide how strongly cells are pooled.

It must not import anything above numpy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.arrays import FloatArray
from models.supply.settings import SUPPLY


@dataclass(frozen=True)
class Spread:
    """Standard deviations (log scale) of cells, segments, days and noise; dispersion is phi, per unit."""

    price: float = 0.3
    capacity: float = 0.3
    segment: float = 0.3
    period: float = 0.1
    noise: float = 0.1
    dispersion: float = 1.0


def split_noise(
    relative: FloatArray, mean: FloatArray, *, old: Spread, parameters: float
) -> tuple[float, float]:
    """phi and sigma^2 of Var(relative) = phi / mean + sigma^2, by weighted least squares held positive."""
    expected = old.dispersion / mean + old.noise**2
    squared = np.minimum(relative**2, 9.0 * expected)
    squared = squared * len(relative) / max(len(relative) - parameters, 0.3 * len(relative))
    w = expected**-2
    x = 1.0 / mean
    design = np.array([[np.sum(w * x * x), np.sum(w * x)], [np.sum(w * x), np.sum(w)]])
    right = np.array([np.sum(w * x * squared), np.sum(w * squared)])
    scale = np.sqrt(np.diag(design))
    solved = np.linalg.lstsq(design / np.outer(scale, scale), right / scale, rcond=1e-10)[0] / scale
    phi, sigma2 = float(solved[0]), float(solved[1])
    if phi <= 0.0:
        phi, sigma2 = 0.0, float(right[1] / design[1, 1])
    elif sigma2 <= 0.0:
        phi, sigma2 = float(right[0] / design[0, 0]), 0.0
    floor = float(1e-3 * np.median(mean) * max(sigma2, 1e-4))
    return 0.5 * (old.dispersion + max(phi, floor)), 0.5 * (old.noise**2 + max(sigma2, 1e-4))


@dataclass(frozen=True)
class Residuals:
    """What a fit leaves over; o indexes observations, c seen cells, s segments, k placement-days.

    Attributes:
        relative: (delivered - mean) / mean, (n_obs,).
        mean: Expected delivery, (n_obs,).
        price, capacity: Log deviations of cells from their placement, (n_cells,).
        variance: Their posterior covariance, (n_cells, 2, 2).
        segment: Log price effects, (n_segments,).
        day: Log price effects, (n_days,).
        day_variance: Their posterior variance, (n_days,).
        day_weight: Their weight under the heavy-tailed prior, (n_days,).
    """

    relative: FloatArray
    mean: FloatArray
    price: FloatArray
    capacity: FloatArray
    variance: FloatArray
    segment: FloatArray
    day: FloatArray
    day_variance: FloatArray
    day_weight: FloatArray


def learned_spread(found: Residuals, *, old: Spread, dispersion_known: bool) -> Spread:
    """Empirical Bayes update of the spreads, each with pseudo-observations that keep it from zero.

    Args:
        found: Of the fit with the old spreads.
        old: The spreads so far.
        dispersion_known: Without repeated days noise and differences between cells look alike: both stay.
    """
    start, cells = SUPPLY.spread_prior_sd, SUPPLY.spread_prior_cells
    phi, sigma2, n_seen = old.dispersion, old.noise**2, float(len(found.price))
    if not dispersion_known:
        parameters = n_seen + len(found.day) / 2
        phi, sigma2 = split_noise(found.relative, found.mean, old=old, parameters=parameters)
    squared = found.price**2 + found.variance[:, 0, 0], found.capacity**2 + found.variance[:, 1, 1]
    price = (squared[0].sum() + cells[0] * start[0] ** 2) / (n_seen + cells[0])
    capacity = (squared[1].sum() + cells[1] * start[1] ** 2) / (n_seen + cells[1])
    n_segments = len(found.segment)
    shared = (found.segment**2).sum() + n_segments * price / 3.0
    segment = (shared + cells[2] * start[2] ** 2) / (n_segments + cells[2])
    days = (found.day_weight * (found.day**2 + found.day_variance)).sum()
    period = (days + cells[3] * start[3] ** 2) / (len(found.day) + cells[3])
    return Spread(
        price=old.price if dispersion_known else float(np.sqrt(price)),
        capacity=float(np.sqrt(capacity)),
        segment=float(np.sqrt(segment)),
        period=float(np.sqrt(period)),
        noise=float(np.sqrt(sigma2)),
        dispersion=phi,
    )
