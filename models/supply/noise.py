"""How much cells, days and single deliveries scatter: the spreads that decide how strongly cells are pooled.

It must not import anything above numpy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Spread:
    """Standard deviations (log scale) of cells, segments, days and noise; dispersion is phi, per unit."""

    price: float = 0.3
    capacity: float = 0.3
    segment: float = 0.3
    period: float = 0.1
    noise: float = 0.1
    dispersion: float = 1.0


def split_noise(
    relative: FloatArray, mean: FloatArray, *, old: Spread, parameters: float
) -> tuple[float, float]:
    """phi and sigma^2 of Var(relative) = phi / mean + sigma^2, by weighted least squares held positive."""
    expected = old.dispersion / mean + old.noise**2
    squared = np.minimum(relative**2, 9.0 * expected)
    squared = squared * len(relative) / max(len(relative) - parameters, 0.3 * len(relative))
    w = expected**-2
    x = 1.0 / mean
    design = np.array([[np.sum(w * x * x), np.sum(w * x)], [np.sum(w * x), np.sum(w)]])
    right = np.array([np.sum(w * x * squared), np.sum(w * squared)])
    scale = np.sqrt(np.diag(design))
    solved = np.linalg.lstsq(design / np.outer(scale, scale), right / scale, rcond=1e-10)[0] / scale
    phi, sigma2 = float(solved[0]), float(solved[1])
    if phi <= 0.0:
        phi, sigma2 = 0.0, float(right[1] / design[1, 1])
    elif sigma2 <= 0.0:
        phi, sigma2 = float(right[0] / design[0, 0]), 0.0
    floor = float(1e-3 * np.median(mean) * max(sigma2, 1e-4))
    return 0.5 * (old.dispersion + max(phi, floor)), 0.5 * (old.noise**2 + max(sigma2, 1e-4))
