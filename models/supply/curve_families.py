"""Shapes of curves. In: u = spend / scale. Out: value, two derivatives, inverse slope, for top 1 and base 0.

Every shape knows its value, two derivatives, the point up to which it is convex, and the inverse of its
slope: all
that a price-guided optimiser asks of a curve. It must not import anything above numpy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.arrays import FloatArray

TINY = 1e-12  # where a slope is infinite at 0 it is read here: money that small buys nothing worth counting
NEWTON_STEPS = 60


@dataclass(frozen=True)
class Smooth:
    """A smooth unit shape with parameter `m` of shape (..., n)."""

    m: FloatArray

    def value(self, u: FloatArray) -> FloatArray:
        """f(u)."""
        raise NotImplementedError

    def slope(self, u: FloatArray) -> FloatArray:
        """f'(u)."""
        raise NotImplementedError

    def curvature(self, u: FloatArray) -> FloatArray:
        """f''(u)."""
        raise NotImplementedError

    def inflection(self) -> FloatArray:
        """The u up to which f is convex."""
        return np.zeros_like(self.m)

    def inverse_slope(self, v: FloatArray, rising: bool) -> FloatArray:
        """u with f'(u) = v on the concave branch, 0 where v is too steep, inf where v <= 0."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            if rising:
                return self._rising(v)
            u = self._falling(v)
        return np.where(v <= 0, np.inf, np.maximum(u, 0.0))

    def _falling(self, v: FloatArray) -> FloatArray:
        raise NotImplementedError

    def _rising(self, v: FloatArray) -> FloatArray:
        return np.full(np.broadcast_shapes(v.shape, self.m.shape), np.inf)


class Log(Smooth):
    """log(1 + u)."""

    def value(self, u: FloatArray) -> FloatArray:
        """f(u)."""
        return np.log1p(u)

    def slope(self, u: FloatArray) -> FloatArray:
        """f'(u)."""
        return 1.0 / (1.0 + u)

    def curvature(self, u: FloatArray) -> FloatArray:
        """f''(u)."""
        return -1.0 / (1.0 + u) ** 2

    def _falling(self, v: FloatArray) -> FloatArray:
        return 1.0 / v - 1.0


class Power(Smooth):
    """u^m with 0 < m <= 1."""

    def value(self, u: FloatArray) -> FloatArray:
        """f(u)."""
        return u**self.m

    def slope(self, u: FloatArray) -> FloatArray:
        """f'(u)."""
        return self.m * np.maximum(u, TINY) ** (self.m - 1.0)

    def curvature(self, u: FloatArray) -> FloatArray:
        """f''(u)."""
        return self.m * (self.m - 1.0) * np.maximum(u, TINY) ** (self.m - 2.0)

    def _falling(self, v: FloatArray) -> FloatArray:
        straight = self.m >= 1.0
        u = (v / self.m) ** (1.0 / np.where(straight, -1.0, self.m - 1.0))
        return np.where(straight, np.where(v < 1.0, np.inf, 0.0), u)


class ExpSat(Smooth):
    """1 - exp(-u)."""

    def value(self, u: FloatArray) -> FloatArray:
        """f(u)."""
        return -np.expm1(-u)

    def slope(self, u: FloatArray) -> FloatArray:
        """f'(u)."""
        return np.exp(-u)

    def curvature(self, u: FloatArray) -> FloatArray:
        """f''(u)."""
        return -np.exp(-u)

    def _falling(self, v: FloatArray) -> FloatArray:
        return -np.log(v)


class Lomax(Smooth):
    """1 - (1 + u)^-m: Hill's curve for m = 1, the mean of Hill curves of unequal capacity for m < 1."""

    def value(self, u: FloatArray) -> FloatArray:
        """f(u)."""
        return -np.expm1(-self.m * np.log1p(u))

    def slope(self, u: FloatArray) -> FloatArray:
        """f'(u)."""
        return self.m * (1.0 + u) ** (-self.m - 1.0)

    def curvature(self, u: FloatArray) -> FloatArray:
        """f''(u)."""
        return -self.m * (self.m + 1.0) * (1.0 + u) ** (-self.m - 2.0)

    def _falling(self, v: FloatArray) -> FloatArray:
        return (self.m / v) ** (1.0 / (self.m + 1.0)) - 1.0


class Hill(Smooth):
    """u^m / (1 + u^m)."""

    def value(self, u: FloatArray) -> FloatArray:
        """f(u)."""
        t = np.minimum(u**self.m, 1e300)
        return t / (1.0 + t)

    def slope(self, u: FloatArray) -> FloatArray:
        """f'(u)."""
        u = np.maximum(u, TINY)
        t = np.minimum(u**self.m, 1e150)
        return self.m * t / (u * (1.0 + t) ** 2)

    def curvature(self, u: FloatArray) -> FloatArray:
        """f''(u)."""
        u = np.maximum(u, TINY)
        t = np.minimum(u**self.m, 1e150)
        q = t / (1.0 + t)
        return self.m * q / (1.0 + t) * (self.m * (1.0 - 2.0 * q) - 1.0) / u**2

    def inflection(self) -> FloatArray:
        """The u up to which f is convex: ((m - 1) / (m + 1))^(1/m)."""
        return np.where(self.m > 1, (np.maximum(self.m - 1, 0) / (self.m + 1)) ** (1 / self.m), 0.0)

    def _newton(self, v: FloatArray, x: FloatArray) -> FloatArray:
        """Root of g(x) = log f'(e^x) - log v. g is concave in x, so from outside Newton steps never cross
        the root.
        """
        m, target = self.m, np.log(v)
        for _ in range(NEWTON_STEPS):
            e = np.minimum(np.exp(np.minimum(m * x, 300.0)), 1e150)
            g = np.log(m) + (m - 1.0) * x - 2.0 * np.log1p(e) - target
            step = g / ((m - 1.0) - 2.0 * m * e / (1.0 + e))
            x = x - step
            if not np.any(np.abs(step) > 1e-13 * (1.0 + np.abs(x))):
                break
        return x

    def _peak(self) -> FloatArray:
        return np.where(self.m < 1.0, np.inf, self.slope(np.maximum(self.inflection(), TINY)))

    def _falling(self, v: FloatArray) -> FloatArray:
        v = np.asarray(v, float)
        usable = (v > 0) & (v < self._peak()) & np.isfinite(v)
        w = np.where(usable, v, 0.5 * np.minimum(self._peak(), 1.0))
        gain = np.log(self.m) - np.log(w)
        start = gain / (
            self.m + 1.0
        )  # g lies under both of its asymptotes: their roots are right of the root
        start = np.where(
            self.m < 1.0, np.minimum(start, gain / np.where(self.m < 1.0, 1.0 - self.m, 1.0)), start
        )
        floor = np.log(np.maximum(self.inflection(), 1e-300))
        start = np.where(self.m > 1.0, np.maximum(start, floor + 1e-6), start)
        u = np.exp(self._newton(w, start))
        return np.where(usable, u, 0.0)

    def _rising(self, v: FloatArray) -> FloatArray:
        usable = (v > 0) & (v < self._peak()) & (self.m > 1.0)
        m = np.where(self.m > 1.0, self.m, 2.0)
        shape = Hill(np.broadcast_to(m, np.broadcast_shapes(m.shape, v.shape)))
        w = np.where(usable, v, 0.5 * shape._peak())
        start = (np.log(w) - np.log(m)) / (m - 1.0)
        start = np.minimum(start, np.log(shape.inflection()) - 1e-6)
        return np.where(usable, np.exp(shape._newton(w, start)), np.inf)


class Logistic(Smooth):
    """(L(u) - L(0)) / (1 - L(0)) with L(u) = 1 / (1 + exp(-m (u - 1)))."""

    @property
    def _rest(self) -> FloatArray:
        return 1.0 / (1.0 + np.exp(-self.m))  # 1 - L(0)

    def _level(self, u: FloatArray) -> FloatArray:
        return 1.0 / (1.0 + np.exp(-self.m * (u - 1.0)))

    def _bell(self, u: FloatArray) -> FloatArray:
        e = np.exp(-self.m * np.abs(u - 1.0))
        return e / (1.0 + e) ** 2  # L (1 - L) without cancellation in the tails

    def value(self, u: FloatArray) -> FloatArray:
        """f(u)."""
        return -np.expm1(-self.m * u) * self._level(u)  # the same, and 0 at 0 without rounding

    def slope(self, u: FloatArray) -> FloatArray:
        """f'(u)."""
        return self.m * self._bell(u) / self._rest

    def curvature(self, u: FloatArray) -> FloatArray:
        """f''(u)."""
        level = self._level(u)
        return self.m**2 * self._bell(u) * (1.0 - 2.0 * level) / self._rest

    def inflection(self) -> FloatArray:
        """The u up to which f is convex."""
        return np.ones_like(self.m)

    def _root(self, v: FloatArray, sign: float) -> FloatArray:
        q = v * self._rest / self.m
        root = np.sqrt(np.maximum(1.0 - 4.0 * q, 0.0))
        low = 2.0 * q / (1.0 + root)  # the smaller root of L (1 - L) = q, without cancellation
        return np.where(q <= 0.25, 1.0 + sign * np.log((1.0 - low) / low) / self.m, np.nan)

    def _falling(self, v: FloatArray) -> FloatArray:
        return np.nan_to_num(self._root(v, 1.0), nan=0.0, posinf=np.inf)

    def _rising(self, v: FloatArray) -> FloatArray:
        u = self._root(v, -1.0)
        return np.where((u > 0) & (v > 0), u, np.inf)


SMOOTH: dict[str, type[Smooth]] = {
    "hill": Hill,
    "log": Log,
    "power": Power,
    "expsat": ExpSat,
    "logistic": Logistic,
    "lomax": Lomax,
}
