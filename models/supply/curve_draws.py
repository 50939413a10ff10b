"""Joint draws of supply curves. In: a panel and its fit. Out: draws of what the days leave open, and beyond.

It must not import anything above `models.supply`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from models.arrays import FloatArray
from models.supply.panel import Panel
from models.supply.pooled_fit import SupplyFit, fit_supply
from models.supply.price_shapes import log_price
from models.supply.settings import SUPPLY


def draw_supply(
    panel: Panel, fit: SupplyFit, *, rng: np.random.Generator, n_draws: int, extra_sd: float
) -> SupplyFit:
    """Joint draws of all curves around `fit`.

    Days are reweighted (Bayesian bootstrap); where there are too few, deliveries are redrawn instead.
    Prior means are drawn from their priors. `extra_sd` widens log capacity further while holding each curve
    at the cell's typical logged spend: what lies beyond the data is less certain than any one family admits.
    """
    n_obs, n_cells, n_placements = len(panel.got), len(panel.size), len(panel.capacity_log)
    n_days = int(panel.day.max()) + 1
    resampled = panel
    weights = np.ones((n_draws, n_obs))
    if n_days >= SUPPLY.bootstrap_days:
        weights = rng.exponential(size=(n_draws, n_days))[:, panel.day]
    else:
        sd = np.sqrt(fit.spread.dispersion * panel.got + (fit.spread.noise * panel.got) ** 2)
        resampled = replace(panel, got=np.maximum(panel.got + sd * rng.normal(size=(n_draws, n_obs)), 0.0))
    noise = {
        "price": rng.normal(0.0, fit.spread.price, (n_draws, n_cells)),
        "capacity": rng.normal(0.0, fit.spread.capacity, (n_draws, n_cells)),
        "centre": rng.normal(0.0, panel.capacity_sd, (n_draws, n_placements)),
    }
    step = max(1, SUPPLY.most_at_once // n_obs)
    parts = [
        _batch(resampled, fit, weights=weights, noise=noise, rows=slice(at, at + step))
        for at in range(0, n_draws, step)
    ]
    drawn = replace(
        parts[0],
        log_price=np.concatenate([part.log_price for part in parts]),
        log_capacity=np.concatenate([part.log_capacity for part in parts]),
    )
    # Money for a segment will not be spread over its users just as the logs happened to spread it.
    transfer = rng.normal(0.0, SUPPLY.transfer_sd, (n_draws, n_cells))
    drawn = replace(drawn, log_price=drawn.log_price + transfer)
    return _widened(panel, drawn, shift=rng.normal(0.0, extra_sd, (n_draws, 1)))


def _batch(
    panel: Panel, fit: SupplyFit, *, weights: FloatArray, noise: dict[str, FloatArray], rows: slice
) -> SupplyFit:
    """The draws `rows`, few enough at a time to fit in memory."""
    got = panel.got if panel.got.ndim == 1 else panel.got[rows]
    return fit_supply(
        replace(panel, got=got),
        family=fit.family,
        weights=weights[rows],
        spread=fit.spread,
        noise={name: values[rows] for name, values in noise.items()},
        start=fit,
    )


def _widened(panel: Panel, fit: SupplyFit, *, shift: FloatArray) -> SupplyFit:
    """Move log capacity by `shift`; turn each price so that the curve keeps its typical logged day."""
    rows = np.bincount(panel.cell, minlength=len(panel.size))
    logged = np.bincount(panel.cell, np.log(panel.spend_cny), len(panel.size)) / np.maximum(rows, 1)
    at = np.where(rows > 0, logged - np.log(panel.size), panel.reference_log[panel.placement])
    halfway = panel.capacity_log - np.log(SUPPLY.capacity_over_observed)
    reference = np.stack([panel.reference_log[panel.placement], halfway[panel.placement]])
    aim, _, _ = log_price(
        fit.family, log_spend_per_size=at, beta=fit.log_price, t=fit.log_capacity, reference=reference
    )
    t = np.minimum(fit.log_capacity + shift, panel.capacity_ceiling_log[panel.placement])
    beta = fit.log_price
    for _ in range(20):
        q, by_beta, _ = log_price(fit.family, log_spend_per_size=at, beta=beta, t=t, reference=reference)
        beta = beta + np.clip((aim - q) / np.maximum(by_beta, 0.2), -0.5, 0.5)
    # Where the lower capacity cannot even deliver what was logged, the draw stays as it was.
    q, _, _ = log_price(fit.family, log_spend_per_size=at, beta=beta, t=t, reference=reference)
    kept = np.abs(q - aim) < 0.02
    return replace(
        fit,
        log_price=np.where(kept, beta, fit.log_price),
        log_capacity=np.where(kept, t, fit.log_capacity),
    )
