"""Response curves of many cells at once. In: families, parameters, spend. Out: value, slope, curvature.

A `CurveSet` holds n curves y(s), spend in yuan to impressions (or straight to a value), one family and five
parameters each. All families are increasing; `hill` (shape > 1) and `logistic` are S-shaped, the others
concave
(`points` may be anything that does not decrease).

| family   | y(s) - base                                                       | parameters used          |
|----------|-------------------------------------------------------------------|--------------------------|
| hill     | top s^m / (s^m + k^m)                                             | top, scale_cny k, shape m |
| log      | top log(1 + s / k)                                                | top, scale_cny k          |
| power    | top (s / k)^m, 0 < m <= 1                                         | top, scale_cny k, shape m |
| expsat   | top (1 - exp(-s / k))                                             | top, scale_cny k          |
| logistic | top (L(s) - L(0)) / (1 - L(0)), L(s) = 1 / (1 + exp(-m (s/k - 1)))| top, scale_cny k, shape m |
| lomax    | top (1 - (1 + s / k)^-m)                                          | top, scale_cny k, shape m |
| points   | top f(s / k), f linear between the supplied points, flat after    | knots, top, scale_cny k   |

Each family is one small object in `models.supply.curve_families`; this module sends every cell to its own.
It must not import anything above numpy and `models`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.arrays import FloatArray as FloatArray
from models.errors import DataError
from models.supply.curve_families import SMOOTH, Smooth
from models.supply.curve_points import Knots

FAMILIES = ("hill", "log", "power", "expsat", "logistic", "lomax", "points")
POINTS = FAMILIES.index("points")
_Index = NDArray[np.int64] | slice


@dataclass(frozen=True)
class CurveSet:
    """n response curves.

    Attributes:
        family: (n,) index into `FAMILIES`.
        top, scale_cny, shape, base: (n,) or (n_draws, n) parameters; unused ones are 1 (base 0).
        knots: per curve `None` or an (m, 2) array of (spend_cny, value), spend increasing; a curve whose
            first point
            has a spend > 0 starts at the origin.

    Raises:
        DataError: a parameter or a point that no increasing curve can have.
    """

    family: NDArray[np.int8]
    top: FloatArray
    scale_cny: FloatArray
    shape: FloatArray
    base: FloatArray
    knots: tuple[FloatArray | None, ...] = ()

    def __post_init__(self) -> None:
        _check_parameters(self)
        if np.any(self.family == POINTS):
            _check_knots(self)

    @classmethod
    def of(
        cls,
        family: str,
        *,
        top: FloatArray,
        scale_cny: FloatArray,
        shape: FloatArray | float = 1.0,
        base: FloatArray | float = 0.0,
    ) -> CurveSet:
        """n curves of one smooth family; `top` and `scale_cny` are (n,) or (n_draws, n).

        >>> curves = CurveSet.of("log", top=np.array([10.0]), scale_cny=np.array([5.0]))
        >>> curves.value(np.array([5.0])).round(3)
        array([6.931])
        """
        if family not in FAMILIES[:POINTS]:
            raise DataError(f"curve family {family!r}: expected one of {', '.join(FAMILIES[:POINTS])}")
        top, scale = np.asarray(top, float), np.asarray(scale_cny, float)
        like = np.broadcast_shapes(top.shape, scale.shape)
        whole = [np.array(np.broadcast_to(np.asarray(x, float), like)) for x in (top, scale, shape, base)]
        code = np.full(like[-1], FAMILIES.index(family), dtype=np.int8)
        return cls(code, whole[0], whole[1], whole[2], whole[3])

    @classmethod
    def from_points(cls, curves: tuple[FloatArray, ...]) -> CurveSet:
        """Tabulated curves: one (m, 2) array of (spend_cny, value) each."""
        one = np.ones(len(curves))
        code = np.full(len(curves), POINTS, dtype=np.int8)
        return cls(code, one, one, one, 0.0 * one, tuple(np.asarray(c, float) for c in curves))

    def __len__(self) -> int:
        return len(self.family)

    def value(self, spend_cny: FloatArray) -> FloatArray:
        """y(s) for spend of shape (..., n); same shape back (broadcast with (n_draws, n) parameters)."""
        return self._each(lambda f, u: f.value(u), spend_cny, power=0) + self.base

    def slope(self, spend_cny: FloatArray) -> FloatArray:
        """dy/ds for spend of shape (..., n); right derivative at a kink, very large (finite) where it is
        infinite.
        """
        return self._each(lambda f, u: f.slope(u), spend_cny, power=1)

    def curvature(self, spend_cny: FloatArray) -> FloatArray:
        """d2y/ds2 for spend of shape (..., n); 0 on tabulated curves."""
        return self._each(lambda f, u: f.curvature(u), spend_cny, power=2)

    @cached_property
    def inflection_cny(self) -> FloatArray:
        """Spend up to which the curve is convex: 0 for concave ones (not defined for tabulated points: 0)."""
        return self._each(lambda f, u: f.inflection() + 0.0 * u, np.zeros(len(self)), power=-1, unit=True)

    @cached_property
    def concave(self) -> NDArray[np.bool_]:
        """(n,) whether the whole curve is concave."""
        flat = np.broadcast_to(self.inflection_cny <= 0.0, self.top.shape).reshape(-1, len(self))
        smooth = np.array(flat.all(axis=0))
        if np.any(self.family == POINTS):
            smooth[self.family == POINTS] = self.points.concave
        return smooth

    def inverse_slope(self, slope: FloatArray, *, rising: bool = False) -> FloatArray:
        """Spend at which dy/ds equals `slope`, on the concave branch (or, with `rising`, the convex one
        before it).

        Args:
            slope: (..., n), value per yuan. For a concave branch the answer is 0 where the curve is never so
                steep
                and inf where `slope` <= 0. On the rising branch it is inf where there is no such point.
        """
        slope = np.asarray(slope, float)

        def solve(f: Smooth | Knots, v: FloatArray) -> FloatArray:
            return f.inverse_slope(v, rising)

        with np.errstate(divide="ignore", invalid="ignore"):
            wanted = np.where(self.top > 0, slope * self.scale_cny / self.top, np.inf)
        return self._each(solve, wanted, power=-1, unit=True)

    def take(self, index: NDArray[np.int64]) -> CurveSet:
        """The curves at `index`, in that order."""
        index = np.arange(len(self))[index]
        knots = tuple(self.knots[i] for i in index) if self.knots else ()
        return self._like(self.family[index], *(p[..., index] for p in self._parameters), knots)

    def draw(self, number: int) -> CurveSet:
        """One draw of curves whose parameters are (n_draws, n)."""
        top, scale, shape, base = (p[number] if p.ndim == 2 else p for p in self._parameters)
        return self._like(self.family, top, scale, shape, base, self.knots)

    def draws(self, which: slice) -> CurveSet:
        """Several draws at once, parameters (n_draws, n)."""
        top, scale, shape, base = (p[which] if p.ndim == 2 else p for p in self._parameters)
        return self._like(self.family, top, scale, shape, base, self.knots)

    @staticmethod
    def _like(*parts: object) -> CurveSet:
        """Curves made of checked ones: skips the checks, which the optimiser's inner loops cannot afford."""
        made = object.__new__(CurveSet)
        for name, part in zip(("family", "top", "scale_cny", "shape", "base", "knots"), parts, strict=True):
            object.__setattr__(made, name, part)
        return made

    def rescaled(self, *, top: FloatArray | float = 1.0, spend: FloatArray | float = 1.0) -> CurveSet:
        """Curves top * y(s / spend): more users (both factors) or more days (both factors)."""
        return replace(self, top=self.top * top, scale_cny=self.scale_cny * spend, base=self.base * top)

    @property
    def _parameters(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        return self.top, self.scale_cny, self.shape, self.base

    @cached_property
    def points(self) -> Knots:
        """The tabulated curves of the set, in units of their scale."""
        return Knots.of([self.knots[i] for i in np.flatnonzero(self.family == POINTS)])

    @cached_property
    def members(self) -> tuple[tuple[int, _Index], ...]:
        """(family code, cells of that family); a slice where one family holds all: no copies."""
        codes = np.unique(self.family)
        if len(codes) == 1:
            return ((int(codes[0]), slice(None)),)
        return tuple((int(c), np.flatnonzero(self.family == c)) for c in codes)

    def _each(
        self,
        call: Callable[[Smooth | Knots, FloatArray], FloatArray],
        x: FloatArray,
        *,
        power: int,
        unit: bool = False,
    ) -> FloatArray:
        """Send x (spend, or unit-free with `unit`) to each family; top and scale^-power are put back here."""
        x = np.asarray(x, float)
        out = np.empty(np.broadcast_shapes(x.shape, self.top.shape))
        for code, at in self.members:
            top, scale, shape = self.top[..., at], self.scale_cny[..., at], self.shape[..., at]
            family = self.points if code == POINTS else SMOOTH[FAMILIES[code]](shape)
            with np.errstate(over="ignore", under="ignore"):
                part = call(family, x[..., at] if unit else np.maximum(x[..., at], 0.0) / scale)
                out[..., at] = part * scale if power < 0 else part * (top / scale**power)
        return out


def _check_parameters(curves: CurveSet) -> None:
    n = len(curves.family)
    for name in ("top", "scale_cny", "shape", "base"):
        array = getattr(curves, name)
        if array.shape[-1:] != (n,):
            raise DataError(
                f"curves: {name} has shape {array.shape}, expected (..., {n}), one number per curve"
            )
        low = array >= 0 if name in ("top", "base") else array > 0
        bad = ~(np.isfinite(array) & low)
        if bad.any():
            i = int(np.argwhere(bad)[0][-1])
            need = "a finite number >= 0" if name in ("top", "base") else "a finite number > 0"
            raise DataError(f"curves: {name} of curve {i} is {array[bad][0]!r}, expected {need}")
    power = (curves.family == FAMILIES.index("power")) & np.any(np.atleast_2d(curves.shape) > 1, axis=0)
    if power.any():
        raise DataError(
            f"curves: shape of power curve {int(np.argmax(power))} is above 1, expected 0 < shape <= 1"
        )


def _check_knots(curves: CurveSet) -> None:
    for i in np.flatnonzero(curves.family == POINTS):
        knots = curves.knots[i] if i < len(curves.knots) else None
        if knots is None or knots.ndim != 2 or knots.shape[1] != 2 or len(knots) < 2:
            raise DataError(f"curves: curve {i} needs at least two points (spend_cny, value)")
        if not np.isfinite(knots).all() or (knots < 0).any():
            raise DataError(f"curves: curve {i} has a point that is negative, NaN or infinite")
        if (np.diff(knots[:, 0]) <= 0).any():
            raise DataError(f"curves: spend_cny of curve {i} must increase from point to point")
        drop = np.flatnonzero(np.diff(knots[:, 1]) < 0)
        if len(drop):
            where = knots[drop[0] + 1, 0]
            raise DataError(
                f"curves: value of curve {i} decreases at spend_cny {where:g}; more money cannot buy less"
            )
