"""phi: what is left of many who compete for one place, each with the same small chance.

A person whom hazards of sum z meet follows with 1 - exp(-z), the share phi(z) of z; a live room of R places
lets the share phi(A / R) of A arrivals in. Written once, for what is learned and what is decided; the audit
has its own. It must not import anything of a room.
"""

from __future__ import annotations

import numpy as np

from models.arrays import FloatArray


def saturation(z: FloatArray) -> FloatArray:
    """phi(z) = (1 - exp(-z)) / z for z >= 0, 1 at 0, accurate everywhere.

    >>> saturation(np.array([0.0, 1e-12, 1.0])).round(6)
    array([1.      , 1.      , 0.632121])
    """
    safe = np.maximum(z, 1e-300)
    return np.asarray(-np.expm1(-safe) / safe)
