"""Response-curve families, evaluated for many cells at once.

A `CurveSet` holds n curves y(s), spend in yuan to impressions (or straight to a value), one family and five
parameters each. All families are increasing; `hill` (slope > 1) and `logistic` are S-shaped, the others concave.

| family   | y(s) - base                                                       | parameters used          |
|----------|-------------------------------------------------------------------|--------------------------|
| hill     | top s^m / (s^m + k^m)                                             | top, scale_cny k, shape m |
| log      | top log(1 + s / k)                                                | top, scale_cny k          |
| power    | top (s / k)^m, 0 < m <= 1                                         | top, scale_cny k, shape m |
| expsat   | top (1 - exp(-s / k))                                             | top, scale_cny k          |
| logistic | top (L(s) - L(0)) / (1 - L(0)), L(s) = 1 / (1 + exp(-m (s/k - 1)))| top, scale_cny k, shape m |
| points   | linear between the supplied points, flat after the last           | knots                     |

It must not import anything above numpy and `models.errors`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
FAMILIES = ("hill", "log", "power", "expsat", "logistic", "points")


@dataclass(frozen=True)
class CurveSet:
    """n response curves.

    Attributes:
        family: (n,) index into `FAMILIES`.
        top, scale_cny, shape, base: (n,) or (n_draws, n) parameters; unused ones are 1 (base 0).
        knots: per curve `None` or an (m, 2) array of (spend_cny, value), spend increasing.
    """

    family: NDArray[np.int8]
    top: FloatArray
    scale_cny: FloatArray
    shape: FloatArray
    base: FloatArray
    knots: tuple[FloatArray | None, ...] = ()

    def __len__(self) -> int:
        return len(self.family)

    def value(self, spend_cny: FloatArray) -> FloatArray:
        """y(s) for spend of shape (..., n); same shape back."""
        raise NotImplementedError

    def slope(self, spend_cny: FloatArray) -> FloatArray:
        """dy/ds for spend of shape (..., n); right derivative at a kink."""
        raise NotImplementedError

    def take(self, index: NDArray[np.int64]) -> CurveSet:
        """The curves at `index`, in that order."""
        raise NotImplementedError

    def rescaled(self, *, top: FloatArray | float = 1.0, spend: FloatArray | float = 1.0) -> CurveSet:
        """Curves top * y(s / spend): more users (both factors) or more days (both factors)."""
        return replace(self, top=self.top * top, scale_cny=self.scale_cny * spend, base=self.base * top)
