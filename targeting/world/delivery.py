"""From pressure to people: how many impressions each one gets, what they lead to, how full the live room is.

At pressure x a person with k available impressions a day gets a Poisson number of mean k x; under a cap of m
impressions it gets a binomial number of m trials with mean m (1 - exp(-k x / m)). One impression leads to a
follow with probability h, so nobody follows with probability exp(-z),

    z = a h  without a cap (a: mean impressions),    z = -m log(1 - a h / m)  with one:  exact for both.

A live room with R places lets the share (1 - exp(-E / R)) / (E / R) of E arrivals in. It must not import
anything of the project but its siblings.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from targeting.world.kinds import Kind
from targeting.world.supply import FloatArray, cost, impressions

IntArray = NDArray[np.int64]


def mean_impressions(capacity: FloatArray, pressure: FloatArray, *, cap: int | None) -> FloatArray:
    """Impressions a day of people with `capacity` at `pressure`; arguments broadcast."""
    plain = capacity * pressure
    return np.asarray(plain if cap is None else -cap * np.expm1(-plain / cap))


def draw_impressions(rng: np.random.Generator, mean: FloatArray, *, cap: int | None) -> IntArray:
    """How often each one is shown on one day."""
    return np.asarray(rng.poisson(mean) if cap is None else rng.binomial(cap, np.minimum(mean / cap, 1.0)))


def follow_rate(mean: FloatArray, follow: FloatArray, *, cap: int | None) -> FloatArray:
    """z of the module's text: P(no follow on one day) = exp(-z)."""
    return np.asarray(mean * follow if cap is None else -cap * np.log1p(-mean * follow / cap))


def room_left(entries: float, places: float | None) -> float:
    """Share of the arrivals of one day whom the live room lets in; 1 without a limit."""
    if places is None or entries <= 0:
        return 1.0
    return float(-np.expm1(-entries / places) * places / entries)


def daily_impressions(
    kind: Kind, code: IntArray, money: FloatArray, *, capacity: FloatArray, price_cny: FloatArray
) -> FloatArray:
    """Mean impressions (n, 2) of everybody where segments get `money` a day, (segments, 2).

    Args:
        code: segment of each person, -1 for none, (n,).
        capacity, price_cny: of each person, (n, 2).
    """
    inside, size = code >= 0, len(money)
    where = code[inside]
    k, c = supply_of(code, size, capacity=capacity, price_cny=price_cny)
    bought = impressions(money, capacity=k, price_cny=c, shape=kind.shape)
    each = np.zeros(capacity.shape)
    if kind.even_spread:
        users = np.maximum(np.bincount(where, minlength=size), 1)
        each[inside] = (bought / users[:, None])[where]
        return each
    pressure = bought / np.maximum(k, 1e-300)
    if kind.cap is not None:
        pressure = _capped_pressure(
            kind, where, money, start=pressure, capacity=capacity[inside], price_cny=price_cny[inside]
        )
    each[inside] = mean_impressions(capacity[inside], pressure[where], cap=kind.cap)
    return each


def daily_cost(
    kind: Kind, pressure: FloatArray, *, capacity: FloatArray, price_cny: FloatArray
) -> FloatArray:
    """Yuan a day of people at `pressure`: average price times impressions; arguments broadcast."""
    x = np.maximum(pressure, 1e-9)
    share = mean_impressions(capacity, x, cap=kind.cap) / x
    return cost(pressure, capacity=share, price_cny=price_cny, shape=kind.shape)


def supply_of(
    code: IntArray, size: int, *, capacity: FloatArray, price_cny: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Capacity K and capacity-weighted price c of each segment and placement, (size, 2) each."""
    k, kc = (segment_sums(code, x, size) for x in (capacity, capacity * price_cny))
    return k, np.where(k > 0, kc / np.maximum(k, 1e-300), 1.0)


def segment_sums(code: IntArray, values: FloatArray, size: int) -> FloatArray:
    """Sums of the columns of `values` (n, m) over each segment, (size, m); code -1 is left out."""
    inside = code >= 0
    return np.column_stack([np.bincount(code[inside], v[inside], size) for v in values.T]).astype(float)


def _capped_pressure(
    kind: Kind,
    code: IntArray,
    money: FloatArray,
    *,
    start: FloatArray,
    capacity: FloatArray,
    price_cny: FloatArray,
) -> FloatArray:
    """Pressure (segments, 2) at which capped people cost `money`: bisection above that without a cap."""
    low, high = start, np.full_like(start, kind.shape.top)
    for _ in range(45):
        middle = 0.5 * (low + high)
        spent = segment_sums(
            code, daily_cost(kind, middle[code], capacity=capacity, price_cny=price_cny), len(money)
        )
        low, high = np.where(spent < money, middle, low), np.where(spent < money, high, middle)
    return np.where(money > 0, 0.5 * (low + high), 0.0)
