"""The price of attention: one formula that holds for one user, for any set of users and for the logs.

A user with k available impressions a day at base price c, of which the share x is bought, costs k c psi(x),
psi(x) = theta ((1 - x)^(-1/theta) - 1). Summed over a set S under equal pressure x this is c_S K_S psi(x),
where K_S = sum of k and c_S = sum of k c / K_S; solved for the impressions a = x K_S that s yuan buy:

    a_S(s) = K_S (1 - (1 + s / (theta c_S K_S))^(-theta)),   a_S(0) = 0,  a_S'(0) = 1 / c_S,  a_S(inf) = K_S

So curves of merged segments are the sums of their parts at equal pressure, and no segmentation is favoured.
Pure numpy; it must not import anything of the project.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


def impressions(
    spend_cny: ArrayLike, *, capacity: ArrayLike, price_cny: ArrayLike, theta: float
) -> FloatArray:
    """Impressions of one day that `spend_cny` buys; all arguments broadcast. 0 where the capacity is 0."""
    k, c = np.asarray(capacity, float), np.asarray(price_cny, float)
    scale = np.where(k > 0, theta * c * k, 1.0)
    return np.asarray(-k * np.expm1(-theta * np.log1p(np.asarray(spend_cny, float) / scale)))


def cost(pressure: ArrayLike, *, capacity: ArrayLike, price_cny: ArrayLike, theta: float) -> FloatArray:
    """Yuan a day for the share `pressure` (in [0, 1)) of the capacity: inverse of `impressions`."""
    x = np.asarray(pressure, float)
    scale = np.asarray(capacity, float) * np.asarray(price_cny, float) * theta
    return np.asarray(scale * np.expm1(-np.log1p(-x) / theta))


def unit_price(pressure: ArrayLike, *, price_cny: ArrayLike, theta: float) -> FloatArray:
    """Average yuan per impression at `pressure`: c psi(x) / x, and c at pressure 0."""
    x = np.maximum(np.asarray(pressure, float), 1e-9)
    return np.asarray(cost(x, capacity=1.0, price_cny=price_cny, theta=theta) / x)
