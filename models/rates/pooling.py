"""Partial pooling of rates and ratios. In: events and exposure per cell. Out: posterior means and draws.

Few cells have enough events to stand on their own.

events_c ~ Poisson(rate_c * exposure_c), rate_c ~ Gamma with the mean of its group. The strength of the prior
is learned from how much cells differ beyond chance (method of moments, DerSimonian-Laird style), so equal
cells are pulled together and different ones are left alone. Money is counted in units of its dispersion
E[x^2] / E[x], which makes a heavy-tailed sum behave like a count of that many events. It must not import
anything above numpy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.arrays import FloatArray, IntArray
from models.rates.evidence import posterior_weights
from models.rates.settings import RATES


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
) -> Pooled:
    """Gamma-Poisson posterior of events / exposure per cell, shrunk to the rate of its group.

    Args:
        events: (n_cells,) counts, or sums of money with their `dispersion`.
        exposure: (n_cells,) what the rate is per; 0 where a cell was never tried.
        group: (n_cells,) numbers 0..n_groups-1, e.g. the placement.
        dispersion: events per independent event: 1 for counts, E[x^2] / E[x] for sums of amounts.
    """
    counts = events / dispersion
    n_groups = int(group.max()) + 1
    total, at_risk = np.bincount(group, counts, n_groups), np.bincount(group, exposure, n_groups)
    overall = counts.sum() / max(exposure.sum(), 1e-300)
    prior_risk = RATES.prior_events / max(overall, 1e-300) if overall > 0 else max(exposure.sum(), 1.0)
    level = (total + RATES.prior_events) / (at_risk + prior_risk)
    cv2 = _between_cells(counts, exposure, level[group])
    gamma = rng.gamma(total + RATES.prior_events, size=(n_draws, n_groups))
    # Few cells per group say little about where the group's mean lies.
    cells_per_group = np.maximum(np.bincount(group, (exposure > 0).astype(float), n_groups), 1.0)
    levels = gamma / (at_risk + prior_risk)
    levels = levels * _lognormal(rng, np.sqrt(cv2 / cells_per_group), (n_draws, n_groups))
    shape = 1.0 / cv2
    ratio = (counts + shape) / (exposure * level[group] + shape)
    freedom = RATES.prior_cells + RATES.spread_freedom
    drawn_shape = shape * rng.chisquare(freedom, size=(n_draws, 1)) / freedom
    drawn = rng.gamma(counts + drawn_shape) / (exposure * level[group] + drawn_shape)
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
    of variation, n and m the orders), true log ratio ~ N(0, order_sd^2): r is kept to the share
    order_sd^2 / (order_sd^2 + v), nine tenths with 190 orders, two fifths with 16.

    Args:
        own_cny: Net amount of each of their orders, (n,).
        others_cny: Net amount of each order of anybody else, (m,); fewer than 20 say nothing.
    """
    if len(others_cny) < RATES.min_other_orders or len(own_cny) == 0:
        return 1.0
    relative = np.concatenate([own_cny / own_cny.mean(), others_cny / others_cny.mean()])
    noise = float(relative.var()) * (1.0 / len(own_cny) + 1.0 / len(others_cny))
    log_ratio = float(np.log(own_cny.mean() / others_cny.mean()))
    return float(np.exp(-log_ratio * noise / (RATES.order_sd**2 + noise)))


def shrunk_slope(moment: float, precision: float) -> float:
    """Posterior mean of a slope under two hypotheses of equal odds: s = 0, or s ~ N(1, slope_sd^2).

    Args:
        moment: sum x y / sigma^2 of the out-of-fold regression of y on x.
        precision: sum x^2 / sigma^2, the information about the slope.

    >>> shrunk_slope(0.0, 0.0), round(shrunk_slope(900.0, 1000.0), 2)
    (0.5, 0.9)
    """
    prior = RATES.slope_sd**-2
    free = (moment + prior) / (precision + prior)
    found = 0.5 * ((precision + prior) * free**2 - prior + np.log(prior / (precision + prior)))
    return float(free * posterior_weights(np.array([0.0, found]))[1])


def _between_cells(counts: FloatArray, exposure: FloatArray, rate: FloatArray) -> float:
    """Squared coefficient of variation of the cells' true rates, with a prior worth `prior_cells` cells."""
    expected = exposure * rate
    used = expected > 0
    if not used.any():
        return RATES.prior_cv**2
    excess = (counts[used] - expected[used]) ** 2 - expected[used]
    # Weights near the optimum for a cv around the prior's.
    weight = 1.0 / (1.0 + RATES.prior_cv**2 * expected[used]) ** 2
    information = float((weight * expected[used] ** 2).sum())
    # Information of one large cell: its weight * expected^2 tends to 1 / prior_cv^4.
    prior_information = RATES.prior_cells / RATES.prior_cv**4
    found = float((weight * excess).sum()) + prior_information * RATES.prior_cv**2
    return float(np.clip(found / (information + prior_information), *RATES.cv2_limits))


def _lognormal(rng: np.random.Generator, sd: FloatArray, size: tuple[int, ...]) -> FloatArray:
    return np.exp(rng.normal(size=size) * sd - 0.5 * sd**2)
