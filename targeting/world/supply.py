"""The price of attention: one formula that holds for one user, for any set of users and for the logs.

A user with k available impressions a day at base price c, of which the share x (the pressure) is bought,
costs k c psi(x) for a rising psi, the shape of a market. Summed over a set S under equal pressure this is
c_S K_S psi(x), where K_S = sum of k and c_S = sum of k c / K_S; solved for the impressions that s yuan buy:

    a_S(s) = K_S psi^-1(s / (c_S K_S))

So curves of merged segments are the sums of their parts at equal pressure, and no segmentation is favoured.
Pure numpy; it must not import anything of the project.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
USUAL_PRESSURE = 0.1  # where the drawn shapes cost their base price
LANDSCAPE_POINTS = 512


class PriceShape(Protocol):
    """psi and its inverse; `top` is the highest pressure that money can reach."""

    @property
    def top(self) -> float:
        """Highest pressure."""

    def psi(self, pressure: ArrayLike) -> FloatArray:
        """Cost of a share of one impression-day at base price 1."""

    def inverse(self, money: ArrayLike) -> FloatArray:
        """The share that `money` buys."""


@dataclass(frozen=True)
class Power:
    """psi(x) = theta ((1 - x)^(-1/theta) - 1): psi'(0) = 1, all is bought at no finite price; small = steep.

    theta = 1 is the Hill curve u / (1 + u), theta to infinity the exponential 1 - exp(-u).
    """

    theta: float = 2.0
    top: float = 1.0 - 1e-12

    def psi(self, pressure: ArrayLike) -> FloatArray:
        """theta ((1 - x)^(-1/theta) - 1)."""
        return np.asarray(self.theta * np.expm1(-np.log1p(-np.asarray(pressure, float)) / self.theta))

    def inverse(self, money: ArrayLike) -> FloatArray:
        """1 - (1 + u / theta)^(-theta)."""
        return np.asarray(-np.expm1(-self.theta * np.log1p(np.asarray(money, float) / self.theta)))


@dataclass(frozen=True)
class Hill:
    """x = v^slope / (1 + v^slope), v = u / scale: a concave Hill curve (slope <= 1), psi(0.1) = 0.1."""

    slope: float = 0.9
    top: float = 1.0 - 1e-9

    @property
    def _scale(self) -> float:
        odds = USUAL_PRESSURE / (1.0 - USUAL_PRESSURE)
        return float(USUAL_PRESSURE / odds ** (1.0 / self.slope))

    def psi(self, pressure: ArrayLike) -> FloatArray:
        """scale (x / (1 - x))^(1 / slope)."""
        x = np.asarray(pressure, float)
        return np.asarray(self._scale * (x / (1.0 - x)) ** (1.0 / self.slope))

    def inverse(self, money: ArrayLike) -> FloatArray:
        """v^slope / (1 + v^slope)."""
        v = (np.asarray(money, float) / self._scale) ** self.slope
        return np.asarray(v / (1.0 + v))


@dataclass(frozen=True)
class Log:
    """x = reach log(1 + u / reach): psi'(0) = 1, no capacity, dearer and dearer."""

    reach: float = 0.3
    top: float = 40.0

    def psi(self, pressure: ArrayLike) -> FloatArray:
        """reach (exp(x / reach) - 1)."""
        return np.asarray(self.reach * np.expm1(np.asarray(pressure, float) / self.reach))

    def inverse(self, money: ArrayLike) -> FloatArray:
        """reach log(1 + u / reach)."""
        return np.asarray(self.reach * np.log1p(np.asarray(money, float) / self.reach))


@dataclass(frozen=True, eq=False)
class Landscape:
    """A second-price auction: a bid b wins the share F(b) and pays the market prices below b.

    psi(x) = integral of F^-1 over (0, x), so it is convex whatever the landscape; psi(0.1) = 0.1 here. All
    there is costs the mean market price: more money buys nothing.

    Attributes:
        price: market prices at the middle of equally likely steps, ascending, (LANDSCAPE_POINTS,).
    """

    price: FloatArray
    top: float = 1.0

    def __post_init__(self) -> None:
        """Tabulates psi: straight between the steps, as the price within a step is one."""
        costs = np.concatenate([[0.0], np.cumsum(self.price)]) / len(self.price)
        shares = np.linspace(0.0, 1.0, len(costs))
        unit = np.interp(USUAL_PRESSURE, shares, costs) / USUAL_PRESSURE
        object.__setattr__(self, "_table", (shares, costs / unit))

    def psi(self, pressure: ArrayLike) -> FloatArray:
        """Cost of winning the share."""
        shares, costs = self._table  # type: ignore[attr-defined]
        return np.asarray(np.interp(np.asarray(pressure, float), shares, costs))

    def inverse(self, money: ArrayLike) -> FloatArray:
        """Share won; 1 for more money than everything costs."""
        shares, costs = self._table  # type: ignore[attr-defined]
        return np.asarray(np.interp(np.asarray(money, float), costs, shares))


def draw_landscape(rng: np.random.Generator) -> Landscape:
    """Market prices as real auctions have them: log-normal, round prices, a floor.

    Sizes from the nine advertisers of the iPinYou challenge (Zhang et al. 2014, histograms of paid prices):
    sd of the log price 0.84-1.15, eight prices hold 23-46 % of all auctions, the cheapest twentieth costs
    0.08-0.17 of the median.
    """
    sd = rng.uniform(0.84, 1.15)
    size = 40 * LANDSCAPE_POINTS
    log_price = sd * rng.normal(size=size)
    round_prices = sd * rng.normal(size=8)
    at_round = rng.random(size) < rng.uniform(0.23, 0.46)
    log_price[at_round] = rng.choice(round_prices, int(at_round.sum()), p=rng.dirichlet(np.ones(8)))
    price = np.sort(np.maximum(np.exp(log_price), rng.uniform(0.08, 0.17)))
    return Landscape(price.reshape(LANDSCAPE_POINTS, -1).mean(axis=1))


def impressions(
    spend_cny: ArrayLike, *, capacity: ArrayLike, price_cny: ArrayLike, shape: PriceShape
) -> FloatArray:
    """Impressions of one day that `spend_cny` buys; all arguments broadcast. 0 where the capacity is 0."""
    k, c = np.asarray(capacity, float), np.asarray(price_cny, float)
    scale = np.where(k > 0, c * k, 1.0)
    return np.asarray(k * shape.inverse(np.asarray(spend_cny, float) / scale))


def cost(pressure: ArrayLike, *, capacity: ArrayLike, price_cny: ArrayLike, shape: PriceShape) -> FloatArray:
    """Yuan a day for the share `pressure` of the capacity: inverse of `impressions`."""
    return np.asarray(np.asarray(capacity, float) * np.asarray(price_cny, float) * shape.psi(pressure))


def unit_price(pressure: ArrayLike, *, price_cny: ArrayLike, shape: PriceShape) -> FloatArray:
    """Average yuan per impression at `pressure`: c psi(x) / x."""
    x = np.maximum(np.asarray(pressure, float), 1e-9)
    return np.asarray(cost(x, capacity=1.0, price_cny=price_cny, shape=shape) / x)
