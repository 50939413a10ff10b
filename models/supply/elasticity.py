"""Elasticity of delivery in spend. In: rows of a report. Out: d log(outcome) / d log(cost), and its doubt.

It must not import targeting.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from models.supply.settings import SUPPLY


@dataclass(frozen=True)
class Elasticity:
    """Posterior of d log(outcome) / d log(cost), and the variance over mean of the rows' outcomes."""

    mean: float
    sd: float
    dispersion: float


def pooled_elasticity(rows: pl.DataFrame, *, outcome: str) -> Elasticity:
    """Elasticity from rows of different scale inside the same cell (ads, campaigns, hours of one date).

    Poisson quasi-likelihood with one level per cell, profiled out. Its variance grows by `scale_bias_sd`^2,
    because rows of one cell may address audiences of different size, and is then combined with the prior
    `elasticity`.
    """
    used = rows.filter((pl.col("cost_cny") > 0) & pl.col(outcome).is_not_null()).sort("segment", "placement")
    cell = (
        used.select(pl.struct("segment", "placement").rank("dense")).to_series().to_numpy().astype(np.int64)
        - 1
    )
    x, y = np.log(used["cost_cny"].to_numpy()), used[outcome].cast(pl.Float64).to_numpy()
    n = int(cell.max()) + 1
    unit = 1.0 if outcome != "gmv_cny" else 2.0 * float(y[y > 0].mean()) if (y > 0).any() else 1.0
    prior_only = Elasticity(SUPPLY.elasticity, SUPPLY.elasticity_sd, unit)
    m, information = SUPPLY.elasticity, 0.0
    for _ in range(50):
        grown = np.exp(m * x)
        level = np.bincount(cell, y, n) / np.bincount(cell, grown, n)
        mean = np.maximum(level[cell] * grown, 1e-12)
        weight = np.bincount(cell, mean, n)
        centre = np.bincount(cell, mean * x, n) / np.maximum(weight, 1e-12)
        apart = x - centre[cell]
        information = float((mean * apart**2).sum())
        if information <= 0:
            return prior_only
        m += float(np.clip(((y - mean) * apart).sum() / information, -0.2, 0.2))
    freedom = len(y) - n - 1
    if freedom < 3:
        return prior_only
    dispersion = float(((y - mean) ** 2 / mean).sum()) / freedom
    found = 1.0 / (dispersion / information + SUPPLY.scale_bias_sd**2)
    prior = SUPPLY.elasticity_sd**-2
    mean_elasticity = (m * found + SUPPLY.elasticity * prior) / (found + prior)
    return Elasticity(mean_elasticity, float((found + prior) ** -0.5), max(dispersion, 1e-9))
