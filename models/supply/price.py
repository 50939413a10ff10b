"""The price of attention: what s yuan a person buy. In: log spend, price, capacity. Out: price, slopes.

Everybody of an audience is shown f(s) impressions a day for s yuan a head,

    f(s) = C u / (1 + u),   u = s / (C p)        p: price of the first, C: the most there is

so a segment of N people at one pressure buys N f(s / N): Hill's curve, `lomax` of shape 1 in
`models.supply.curves`. The price of an impression rises at first by `bend` = 2 / C per impression a head:
what little pressure can show. Must not import anything above numpy and the settings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.arrays import FloatArray
from models.supply.settings import SUPPLY

LOG_BEND_OF_ONE = np.log(2.0)
"""Log bend where there is one impression a head."""
MEANT = (0.01, 100.0)  # spends over p C between which the mean of curves is matched
STEPS = 25
RIDGE = 1e-6


@dataclass(frozen=True)
class Price:
    """Log of the mean price of an impression, and its derivatives in log p and log bend."""

    log_price: FloatArray
    by_level: FloatArray
    by_bend: FloatArray


def price_at(log_spend: FloatArray, *, level: FloatArray, bend: FloatArray, ceiling: FloatArray) -> Price:
    """What an impression costs at `log_spend` yuan a head; all are logs and broadcast.

    Args:
        log_spend: Of yuan a head a day.
        level: Log p.
        bend: Log bend.
        ceiling: Log of the largest C possible.
    """
    v = np.clip(log_spend - level - capacity_of(bend, ceiling), -30.0, 30.0)
    rise = 1.0 / (1.0 + np.exp(-v))  # d log(s / f) / d log(s)
    return Price(level + np.logaddexp(0.0, v), 1.0 - rise, rise * _room(bend, ceiling))


def capacity_of(bend: FloatArray, ceiling: FloatArray) -> FloatArray:
    """Log C from log bend, bent smoothly below its ceiling.

    A hard limit would leave the fit believing that the bend can still move, and the price stuck beside it.
    """
    return np.asarray(ceiling - SUPPLY.ceiling_bend * np.logaddexp(0.0, _gap(bend, ceiling)))


def _room(bend: FloatArray, ceiling: FloatArray) -> FloatArray:
    """Derivative of the bent log C in the unbent one."""
    return np.asarray(1.0 / (1.0 + np.exp(-_gap(bend, ceiling))))


def _gap(bend: FloatArray, ceiling: FloatArray) -> FloatArray:
    """How far the unbent log C is below its ceiling, in units of the bend there."""
    return np.asarray(np.clip((ceiling - LOG_BEND_OF_ONE + bend) / SUPPLY.ceiling_bend, -700.0, 700.0))


def mean_curve(log_price: FloatArray, log_capacity: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Top, scale (yuan a head) and shape of the mean of curves: `lomax` of `models.supply.curves`.

    A mean of Hill curves of unequal capacity starts with the mean slope, bends sooner than the curve of the
    mean capacity and fills more slowly. Hill's is Lomax's curve of shape 1, and one of a smaller shape is
    that mean: by least squares on its log, within 1 % where log C has a deviation of .5, 4 % where .9.

    Args:
        log_price, log_capacity: (n_draws, n_cells).
    """
    price, capacity = np.exp(log_price), np.exp(log_capacity)
    spend = np.geomspace(*MEANT, STEPS)[:, None] * np.median(price * capacity, axis=0)
    mean = np.array([np.mean(capacity / (1.0 + capacity * price / s), axis=0) for s in spend])
    x = np.array([np.log(capacity.mean(axis=0)), np.log(np.median(price * capacity, axis=0)), 0.0 * spend[0]])
    for _ in range(STEPS):
        u = spend / np.exp(x[1])
        grown, shape = np.log1p(u), np.exp(x[2])
        left = np.exp(-shape * grown)
        ratio = left / -np.expm1(-shape * grown)  # of what is left over what is filled
        off = np.log(mean) - x[0] - np.log(-np.expm1(-shape * grown))
        slopes = np.stack([np.ones_like(u), -shape * u / (1.0 + u) * ratio, shape * grown * ratio])
        gram = np.einsum("aik,bik->kab", slopes, slopes) + RIDGE * np.eye(3)
        x = x + np.clip(
            np.linalg.solve(gram, np.einsum("aik,ik->ka", slopes, off)[..., None])[..., 0].T, -1, 1
        )
    return np.exp(x[0]), np.exp(x[1]), np.exp(x[2])
