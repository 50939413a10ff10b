"""Which curve family. In: a panel. Out: the family by leave-days-out, how much of the shape stays unknown.

Families differ little inside the logged range and much outside it, so the choice is made on days that the fit
has not seen, and what it leaves open is returned as extra spread for the draws. It must not import anything
above `models.supply`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.arrays import FloatArray
from models.supply.panel import Panel
from models.supply.pooled_fit import SupplyFit, fit_supply
from models.supply.price_shapes import SUPPLY_FAMILIES
from models.supply.settings import SUPPLY


@dataclass(frozen=True)
class Choice:
    """The family, the held-out loss of each, and the spread of log capacity to add to the draws."""

    family: str
    losses: Mapping[str, float]
    extra_sd: float


def choose_family(panel: Panel) -> Choice:
    """Compare the families on held-out days (held-out cell-days where there are fewer than `folds` days)."""
    n_days = int(panel.day.max()) + 1
    n_obs = len(panel.got)
    repeated = np.bincount(panel.cell, minlength=len(panel.size)).max()
    cells_a_day = n_obs / len(np.unique(panel.period))
    if n_obs < 4 * SUPPLY.folds or repeated < SUPPLY.least_days or cells_a_day < SUPPLY.cells_a_day:
        return Choice("hill", {"hill": 0.0}, SUPPLY.extra_sd_open)
    fold = panel.day % SUPPLY.folds if n_days >= SUPPLY.folds else np.arange(n_obs) % SUPPLY.folds
    weights = (fold[None, :] != np.arange(SUPPLY.folds)[:, None]).astype(float)
    each: dict[str, FloatArray] = {}
    for family in SUPPLY_FAMILIES:
        point = fit_supply(panel, family=family)
        held_out = fit_supply(panel, family=family, weights=weights, spread=point.spread)
        each[family] = _losses(panel, held_out, fold=fold)
    means = {name: float(loss.mean()) for name, loss in each.items()}
    best = min(means, key=lambda name: means[name])
    gaps = each["hill"] - each[best]
    error = float(np.std(_by_day(gaps, panel.day), ddof=1) / np.sqrt(n_days)) if n_days > 1 else np.inf
    decided = best == "hill" or gaps.mean() > SUPPLY.switch_errors * error
    family = best if decided else "hill"
    rivals = [
        name for name in SUPPLY_FAMILIES if name != family and _close(each[name] - each[family], panel.day)
    ]
    return Choice(family, means, SUPPLY.extra_sd_open if rivals else SUPPLY.extra_sd_decided)


def _close(gaps: FloatArray, day: NDArray[np.int64]) -> bool:
    """Whether a rival loses by less than `close_errors` standard errors."""
    by_day = _by_day(gaps, day)
    if len(by_day) < 2:
        return True
    return bool(by_day.mean() < SUPPLY.close_errors * np.std(by_day, ddof=1) / np.sqrt(len(by_day)))


def _by_day(values: FloatArray, day: NDArray[np.int64]) -> FloatArray:
    return np.asarray(np.bincount(day, values) / np.maximum(np.bincount(day), 1))


def _losses(panel: Panel, fit: SupplyFit, *, fold: NDArray[np.int64]) -> FloatArray:
    """Huber loss of held-out relative error on the log scale, after the day's own (shrunken) effect."""
    log_mean = fit.log_mean[fold, np.arange(len(fold))]
    mean = np.exp(np.clip(log_mean, -30.0, 60.0))
    phi, sigma = fit.spread.dispersion, fit.spread.noise
    error = np.log((panel.got + phi) / (mean + phi))
    weight = 1.0 / (phi / mean + sigma**2)
    n = int(panel.period.max()) + 1
    effect = np.bincount(panel.period, weight * error, n) / (
        np.bincount(panel.period, weight, n) + fit.spread.period**-2
    )
    scaled = np.abs(error - effect[panel.period]) / np.sqrt(phi / np.maximum(panel.got, phi) + 0.1**2)
    return np.asarray(np.where(scaled < 3.0, 0.5 * scaled**2, 3.0 * scaled - 4.5))
