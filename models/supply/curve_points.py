"""Tabulated response curves. In: points, spend. Out: value and slope: lines between points, flat after.

It must not import anything above numpy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.arrays import FloatArray


@dataclass(frozen=True)
class Knots:
    """Tabulated curves, padded: `x`, `y` of shape (n, m); the padding repeats the last point far to the
    right.
    """

    x: FloatArray
    y: FloatArray
    size: NDArray[np.int64]

    @classmethod
    def of(cls, curves: list[FloatArray | None]) -> Knots:
        """Pad curves of different lengths; the origin joins those that start at a spend > 0."""
        whole = [c if c[0, 0] == 0 else np.vstack([[0.0, 0.0], c]) for c in curves if c is not None]
        most = max(len(c) for c in whole)
        x, y = np.full((len(whole), most), np.inf), np.zeros((len(whole), most))
        for i, c in enumerate(whole):
            x[i, : len(c)], y[i, : len(c)], y[i, len(c) :] = c[:, 0], c[:, 1], c[-1, 1]
        return cls(x, y, np.array([len(c) for c in whole]))

    @property
    def gradients(self) -> FloatArray:
        """(n, m) slope right of each knot, 0 after the last."""
        real = np.isfinite(self.x[:, 1:])
        dx = np.where(real, self.x[:, 1:], 1.0) - np.where(real, self.x[:, :-1], 0.0)
        slopes = np.where(real, np.diff(self.y, axis=1) / dx, 0.0)
        return np.concatenate([slopes, np.zeros((len(self.x), 1))], axis=1)

    @property
    def concave(self) -> NDArray[np.bool_]:
        """(n,) whether the slopes never rise."""
        g = self.gradients
        return np.asarray((np.diff(g, axis=1) <= 1e-12 * np.abs(g[:, :-1])).all(axis=1))

    def _piece(self, u: FloatArray) -> NDArray[np.int64]:
        return np.asarray(np.maximum((u[..., None] >= self.x).sum(axis=-1) - 1, 0))

    def value(self, u: FloatArray) -> FloatArray:
        """f(u) for u of shape (..., n)."""
        k, cell = self._piece(u), np.arange(len(self.x))
        return self.y[cell, k] + self.gradients[cell, k] * (u - self.x[cell, k])

    def slope(self, u: FloatArray) -> FloatArray:
        """Right derivative."""
        return self.gradients[np.arange(len(self.x)), self._piece(u)]

    def curvature(self, u: FloatArray) -> FloatArray:
        """0: straight pieces."""
        return np.zeros_like(u)

    def inflection(self) -> FloatArray:
        """0: not defined for pieces."""
        return np.zeros(len(self.x))

    def inverse_slope(self, v: FloatArray, rising: bool) -> FloatArray:
        """The last knot before which the slope is still above v (inf for v <= 0, or on the rising branch)."""
        if rising:
            return np.full(v.shape, np.inf)
        g = self.gradients
        steep = np.arange(1, g.shape[1] + 1) * (g > v[..., None])
        last = steep.max(axis=-1)
        cell = np.arange(len(self.x))
        x = self.x[cell, np.minimum(last, self.size - 1)]
        return np.where(v <= 0, np.inf, np.where(last == 0, 0.0, x))
