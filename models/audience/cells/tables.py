"""The sums that are judged: what logged rows of every cell did, beside what their scores said they would do.

It must not import targeting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from models.arrays import FloatArray


@dataclass(frozen=True)
class CellTable:
    """Observed and predicted sums per cell.

    Attributes:
        columns: what the report shows, each (n_cells,).
        observed, expected: (2, n_cells) of randomised rows and of ranked ones.
        unit: what counts as one independent event: variance over mean of the observed sums.
        level_sd: further doubt about the level of all cells (log scale).
        diagnostics: pooled numbers for the report.
    """

    columns: Mapping[str, FloatArray]
    observed: FloatArray
    expected: FloatArray
    unit: float
    level_sd: float = 0.0
    diagnostics: Mapping[str, float] = field(default_factory=dict)


def summed(rows: pl.DataFrame, keys: pl.DataFrame, name: str, *, coin: bool | None = None) -> FloatArray:
    """(n_cells,) sums of a column by numpy, row after row: a parallel sum of floats differs from run to run.

    Args:
        rows: cell (row of `keys`), randomized and the column.
        keys: segment, placement of the cells.
        name: of the column.
        coin: only randomised rows, only the others, or (None) all.
    """
    rows = rows.select("cell", "randomized", pl.col(name).cast(pl.Float64).fill_null(0.0))
    if coin is not None:
        rows = rows.filter(pl.col("randomized").fill_null(False) == coin)
    return np.bincount(rows["cell"].to_numpy(), rows[name].to_numpy(), keys.height).astype(np.float64)


def by_coin(rows: pl.DataFrame, keys: pl.DataFrame, name: str) -> FloatArray:
    """(2, n_cells) sums of randomised rows and of the others."""
    return np.stack([summed(rows, keys, name, coin=coin) for coin in (True, False)])
