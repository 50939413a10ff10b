"""The price of attention: what s yuan a person buy. In: log spend, price, capacity, form. Out: price, slopes.

Everybody of an audience is shown f(s) impressions a day for s yuan a head,

    f(s) = C (1 - (1 + u)^-theta),   u = s / (theta C p)        p: price of the first, C: the most there is

so theta = 1 is Hill, theta -> 0 a logarithm, theta -> infinity an exponential: one family, and a segment of N
people at one pressure buys N f(s / N), the `lomax` curve of `models.supply.curves`. The price of an
impression rises at first by `bend` = (theta + 1) / (theta C) per impression a head: what little pressure can
show. It must not import anything above numpy and the settings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.arrays import FloatArray
from models.supply.settings import SUPPLY


@dataclass(frozen=True)
class Price:
    """Log of the mean price of an impression, and its derivatives in log p, log bend and log theta."""

    log_price: FloatArray
    by_level: FloatArray
    by_bend: FloatArray
    by_form: FloatArray


def price_at(
    log_spend: FloatArray, *, level: FloatArray, bend: FloatArray, form: FloatArray, ceiling: FloatArray
) -> Price:
    """What an impression costs at `log_spend` yuan a head; all are logs and broadcast.

    Args:
        log_spend: Of yuan a head a day.
        level: Log p.
        bend, form: Log bend, log theta.
        ceiling: Log of the largest C possible.
    """
    theta, capacity = np.exp(form), capacity_of(bend, form, ceiling)
    room = _room(bend, form, ceiling)
    v = np.clip(log_spend - level - capacity - form, -30.0, 30.0)
    u = np.exp(v)
    grown = np.log1p(u)
    filled = -np.expm1(-theta * grown)
    left = np.exp(-theta * grown)
    rise = 1.0 - theta * u / (1.0 + u) * left / filled  # d log(s / f) / d log(s)
    of_form = 1.0 - theta * grown * left / filled
    return Price(
        log_price=level + form + v - np.log(filled),
        by_level=1.0 - rise,
        by_bend=rise * room,
        by_form=of_form - rise * (1.0 - room / (1.0 + theta)),
    )


def capacity_of(bend: FloatArray, form: FloatArray, ceiling: FloatArray) -> FloatArray:
    """Log C from log bend and log theta, bent smoothly below its ceiling.

    A hard limit would leave the fit believing that the bend can still move, and the price stuck beside it.
    """
    raw = np.log1p(np.exp(-form)) - bend
    gap = np.clip((ceiling - raw) / SUPPLY.ceiling_bend, -700.0, 700.0)
    return np.asarray(ceiling - SUPPLY.ceiling_bend * np.logaddexp(0.0, gap))


def _room(bend: FloatArray, form: FloatArray, ceiling: FloatArray) -> FloatArray:
    """Derivative of the bent log C in the unbent one."""
    raw = np.log1p(np.exp(-form)) - bend
    gap = np.clip((ceiling - raw) / SUPPLY.ceiling_bend, -700.0, 700.0)
    return np.asarray(1.0 / (1.0 + np.exp(-gap)))
