"""Stretches of z and the search for the multiplier that bounds each of them best (see `intervals`)."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from models.saturation import saturation
from models.supply.curves import FloatArray
from targeting.allocation.solver.blocks import phi_jet

Numbers = NDArray[np.int64]


@dataclass
class Intervals:
    """Stretches [z0, z1] of blocks' z, each with the multiplier it is bounded with, all (n,), and what its
    cells may spend (n, width).
    """

    block: Numbers
    z0: FloatArray
    z1: FloatArray
    mu: FloatArray
    low: FloatArray
    high: FloatArray

    def __len__(self) -> int:
        return len(self.block)

    def __getitem__(self, keep: NDArray[np.bool_] | Numbers) -> Intervals:
        return Intervals(*(getattr(self, f.name)[keep] for f in fields(self)))

    def halved(self) -> Intervals:
        """Both halves of every stretch."""
        twice = self[np.tile(np.arange(len(self)), 2)]
        middle = 0.5 * (self.z0 + self.z1)
        return replace(twice, z0=np.r_[self.z0, middle], z1=np.r_[middle, self.z1])


@dataclass(frozen=True)
class Lines:
    """Both ends of intervals (2, n): z, phi there, and a line that is below phi in between."""

    z: FloatArray
    phi: FloatArray
    below: FloatArray

    @classmethod
    def of(cls, left: Intervals, *, tangent: bool) -> Lines:
        """Without `tangent` nobody needs the line, and phi stands for it."""
        z = np.stack([left.z0, left.z1])
        value = saturation(z)
        return cls(z, value, np.stack(_tangent(left.z0, left.z1)) if tangent else value)

    def take(self, at: Numbers) -> Lines:
        """Some of the intervals."""
        return Lines(self.z[:, at], self.phi[:, at], self.below[:, at])


@dataclass
class Walk:
    """The search for each interval's multiplier (n,): the nearest ones seen with a surplus and without."""

    mu: FloatArray
    size: FloatArray
    under: FloatArray
    over: FloatArray
    short: FloatArray
    spare: FloatArray

    @classmethod
    def of(cls, mu: FloatArray, size: FloatArray) -> Walk:
        """From `mu`, in steps of `size` until the answer is between two of them."""
        n = len(mu)
        far = np.full(n, np.inf)
        return cls(mu.copy(), size + 1e-13 * np.abs(mu), -far, far, np.full(n, -1.0), np.full(n, 1.0))

    def saw(self, at: Numbers, surplus: FloatArray) -> None:
        """What the present multipliers gave."""
        high, low = at[surplus > 0], at[surplus < 0]
        self.over[high], self.spare[high] = self.mu[high], surplus[surplus > 0]
        self.under[low], self.short[low] = self.mu[low], surplus[surplus < 0]

    def step(self, at: Numbers, surplus: FloatArray, *, halve: bool) -> None:
        """The next multipliers of some intervals."""
        closed = np.isfinite(self.over[at]) & np.isfinite(self.under[at])
        left, right = np.where(closed, self.under[at], 0.0), np.where(closed, self.over[at], 0.0)
        share = 0.5 if halve else np.clip(self.short[at] / (self.short[at] - self.spare[at]), 0.05, 0.95)
        outside = self.mu[at] - np.sign(surplus) * self.size[at]
        self.mu[at] = np.where(closed, left + share * (right - left), outside)
        self.size[at] = np.where(closed, self.size[at], self.size[at] * 4.0)


def _tangent(z0: FloatArray, z1: FloatArray) -> tuple[FloatArray, FloatArray]:
    """phi's tangent at the middle of [z0, z1], read at both ends: below phi everywhere, phi being convex."""
    middle = 0.5 * (z0 + z1)
    p, p1, _ = phi_jet(middle)
    return p + p1 * (z0 - middle), p + p1 * (z1 - middle)
