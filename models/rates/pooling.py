"""Partial pooling of rates and ratios: few cells have enough events to stand on their own.

events_c ~ Poisson(rate_c * exposure_c), rate_c ~ Gamma with the mean of its group. The strength of the prior
is learned from how much cells differ beyond chance (method of moments, DerSimonian-Laird style), so equal
cells are pulled together and different ones are left alone. Money is counted in units of its dispersion
E[x^2] / E[x], which makes a heavy-tailed sum behave like a count of that many events. It must not import
anything above numpy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
# The between-cell coefficient of variation believed before any data, and how many cells that belief counts
# for.
PRIOR_CV = 0.25
PRIOR_CELLS = 3.0
# Half an event at the overall rate keeps a group without events from a rate of exactly zero.
PRIOR_EVENTS = 0.5
# How far the size of new fans' orders may be off that of the shop's other customers (log scale), and the
# orders of others below which they say nothing about size.
ORDER_SD, MIN_OTHER_ORDERS = 0.3, 20
# Prior deviation around one of the slope of what came on what was promised, if anything was learned at all.
SLOPE_SD = 0.5


@dataclass(frozen=True)
class Pooled:
    """Posterior of cell rates.

    Attributes:
        mean: (n_cells,) posterior means.
        draws: (n_draws, n_cells); cells of a group share the draw of the group's mean.
        group_mean: (n_groups,) pooled rates.
        cv: between-cell coefficient of variation that was learned.
    """

    mean: FloatArray
    draws: FloatArray
    group_mean: FloatArray
    cv: float


def pool_rates(
    *,
    events: FloatArray,
    exposure: FloatArray,
    group: IntArray,
    rng: np.random.Generator,
    n_draws: int,
    dispersion: float = 1.0,
    level_draws: FloatArray | None = None,
) -> Pooled:
    """Gamma-Poisson posterior of events / exposure per cell, shrunk to the rate of its group.

    Args:
        events: (n_cells,) counts, or sums of money with their `dispersion`.
        exposure: (n_cells,) what the rate is per; 0 where a cell was never tried.
        group: (n_cells,) numbers 0..n_groups-1, e.g. the placement.
        dispersion: events per independent event: 1 for counts, E[x^2] / E[x] for sums of amounts.
        level_draws: (n_draws, n_groups) draws of the group rates found otherwise (e.g. from randomised rows);
            the point estimate then uses their mean.
    """
    counts = events / dispersion
    n_groups = int(group.max()) + 1
    total, at_risk = np.bincount(group, counts, n_groups), np.bincount(group, exposure, n_groups)
    overall = counts.sum() / max(exposure.sum(), 1e-300)
    prior_risk = PRIOR_EVENTS / max(overall, 1e-300) if overall > 0 else max(exposure.sum(), 1.0)
    level = (total + PRIOR_EVENTS) / (at_risk + prior_risk)
    own = level  # what the cells' own data say, so that their deviations are relative to that
    cv2 = _between_cells(counts, exposure, own[group])
    if level_draws is None:
        gamma = rng.gamma(total + PRIOR_EVENTS, size=(n_draws, n_groups))
        levels = gamma / (at_risk + prior_risk)
        # Few cells per group say little about where the group's mean lies.
        cells_per_group = np.maximum(np.bincount(group, (exposure > 0).astype(float), n_groups), 1.0)
        levels = levels * _lognormal(rng, np.sqrt(cv2 / cells_per_group), (n_draws, n_groups))
    else:
        levels, level = level_draws / dispersion, level_draws.mean(axis=0) / dispersion
    shape = 1.0 / cv2
    ratio = (counts + shape) / (exposure * own[group] + shape)
    drawn_shape = shape * rng.chisquare(PRIOR_CELLS + 5.0, size=(n_draws, 1)) / (PRIOR_CELLS + 5.0)
    drawn = rng.gamma(counts + drawn_shape) / (exposure * own[group] + drawn_shape)
    return Pooled(
        mean=level[group] * ratio * dispersion,
        draws=levels[:, group] * drawn * dispersion,
        group_mean=level * dispersion,
        cv=float(np.sqrt(cv2)),
    )


def dispersion_of(amounts: FloatArray) -> float:
    """E[x^2] / E[x] of positive amounts: the yuan that count as one event; 1 where there are none."""
    kept = amounts[amounts > 0]
    return float((kept**2).sum() / kept.sum()) if len(kept) else 1.0


def size_factor(own_cny: FloatArray, others_cny: FloatArray) -> float:
    """Factor on the size of some people's orders that draws their mean towards everybody else's.

    Size has a heavy tail: the mean of 16 orders may be two or three times its expectation because of one, and
    everything after would promise that again. Orders of the shop's other customers tell what is usual. With
    r the log of the own mean over the others' and v = c^2 (1/n + 1/m) its variance (c the pooled coefficient
    of variation, n and m the orders), true log ratio ~ N(0, ORDER_SD^2): r is believed to the share
    ORDER_SD^2 / (ORDER_SD^2 + v), nine tenths with 190 orders, two fifths with 16.

    Args:
        own_cny: Net amount of each of their orders, (n,).
        others_cny: Net amount of each order of anybody else, (m,); fewer than 20 say nothing.
    """
    if len(others_cny) < MIN_OTHER_ORDERS or len(own_cny) == 0:
        return 1.0
    relative = np.concatenate([own_cny / own_cny.mean(), others_cny / others_cny.mean()])
    noise = float(relative.var()) * (1.0 / len(own_cny) + 1.0 / len(others_cny))
    log_ratio = float(np.log(own_cny.mean() / others_cny.mean()))
    return float(np.exp(-log_ratio * noise / (ORDER_SD**2 + noise)))


def believed_slope(moment: float, precision: float) -> float:
    """Posterior mean of a slope under two views of equal odds: s = 0, or s ~ N(1, SLOPE_SD^2).

    Args:
        moment: sum x y / sigma^2 of the out-of-fold regression of y on x.
        precision: sum x^2 / sigma^2, the information about the slope.

    >>> believed_slope(0.0, 0.0), round(believed_slope(900.0, 1000.0), 2)
    (0.5, 0.9)
    """
    prior = SLOPE_SD**-2
    free = (moment + prior) / (precision + prior)
    # log marginal likelihood of the second view less that of the first
    log_odds = 0.5 * ((precision + prior) * free**2 - prior + np.log(prior / (precision + prior)))
    return float(free / (1.0 + np.exp(-np.clip(log_odds, -50.0, 50.0))))


def _between_cells(counts: FloatArray, exposure: FloatArray, rate: FloatArray) -> float:
    """Squared coefficient of variation of the cells' true rates, with a prior worth `PRIOR_CELLS` cells."""
    expected = exposure * rate
    used = expected > 0
    if not used.any():
        return PRIOR_CV**2
    excess = (counts[used] - expected[used]) ** 2 - expected[used]
    # Weights near the optimum for a cv around the prior's.
    weight = 1.0 / (1.0 + PRIOR_CV**2 * expected[used]) ** 2
    information = float((weight * expected[used] ** 2).sum())
    # Information of one large cell: its weight * expected^2 tends to 1 / PRIOR_CV^4.
    prior_information = PRIOR_CELLS / PRIOR_CV**4
    found = float((weight * excess).sum()) + prior_information * PRIOR_CV**2
    return float(np.clip(found / (information + prior_information), 0.05**2, 2.0))


def _lognormal(rng: np.random.Generator, sd: FloatArray, size: tuple[int, ...]) -> FloatArray:
    return np.exp(rng.normal(size=size) * sd - 0.5 * sd**2)
