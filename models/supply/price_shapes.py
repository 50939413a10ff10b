"""The shapes of supply. In: log spend per size, log price, capacity. Out: price per impression, slopes.

It must not import anything above numpy and the settings.
"""

from __future__ import annotations

import numpy as np

from models.arrays import FloatArray
from models.supply.settings import SUPPLY

SUPPLY_FAMILIES = ("hill", "expsat", "log", "power")


def log_price(
    family: str, *, log_spend_per_size: FloatArray, beta: FloatArray, t: FloatArray, reference: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean log price per impression and its derivatives in beta = log p and t = log tau, all broadcast alike.

    `reference` (2, ...): row 0 the log spend per size where `power` has price p, row 1 the log tau at which
    its elasticity is 1/2.
    """
    if family == "power":
        fall = 1.0 / (1.0 + np.exp(np.clip(t - reference[1], -30, 30)))  # 1 - m
        distance = log_spend_per_size - reference[0]
        return beta + fall * distance, np.ones_like(beta), -fall * (1.0 - fall) * distance
    v = np.clip(log_spend_per_size - beta - t, -30.0, 30.0)
    u = np.exp(v)
    if family == "hill":
        rise, steep = np.log1p(u), u / (1.0 + u)
    elif family == "log":
        grown = np.log1p(u)
        rise, steep = v - np.log(grown), 1.0 - u / ((1.0 + u) * grown)
    else:
        left = -np.expm1(-u)
        rise, steep = v - np.log(left), 1.0 - u * np.exp(-np.minimum(u, 700.0)) / left
    return beta + rise, 1.0 - steep, -steep


def capped(t: FloatArray, ceiling: FloatArray) -> tuple[FloatArray, FloatArray]:
    """log tau bent smoothly below its ceiling, and the derivative of that in t.

    A hard limit would leave the fit believing that t can still move, and the price stuck beside it.
    """
    gap = np.clip((ceiling - t) / SUPPLY.ceiling_bend, -700.0, 700.0)
    return ceiling - SUPPLY.ceiling_bend * np.logaddexp(0.0, gap), 1.0 / (1.0 + np.exp(-gap))
