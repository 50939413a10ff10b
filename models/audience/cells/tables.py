"""The sums that are judged: what logged rows of every cell did, beside what their scores said they would do.

It must not import targeting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class CellTable:
    """Observed and predicted sums per cell.

    Attributes:
        columns: what the report shows, each (n_cells,).
        sums: observed, predicted (n_cells,) by kind of row: `all`, `randomized`.
        rows: single units behind `all`: cell, observed, predicted.
        coin: which of `rows` were won on randomised rows.
        dispersion: variance over mean of the observed sums beyond a count's.
        level_sd: further doubt about the level of all cells (log scale).
        diagnostics: pooled numbers for the report.
    """

    columns: Mapping[str, FloatArray]
    sums: Mapping[str, tuple[FloatArray, FloatArray]]
    rows: tuple[IntArray, FloatArray, FloatArray]
    coin: NDArray[np.bool_]
    dispersion: float = 1.0
    level_sd: float = 0.0
    diagnostics: Mapping[str, float] = field(default_factory=dict)
