"""Where a curve misses its own data. In: the fitted response, its days. Out: one warning a cell.

One curve per cell and a smooth family can miss a cell whose days are of two kinds (many tiny tests, some real
money). The plan still comes from that curve, so it must be said. Must not fit anything.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from models.supply.response import ResponseModel
from models.supply.settings import SUPPLY


def misfit_warnings(response: ResponseModel, daily: pl.DataFrame, *, outcome: str) -> tuple[str, ...]:
    """One line per cell whose curve misses its own data by more than `SUPPLY.misfit`, worst first.

    Args:
        response: fitted to `daily`.
        daily: date, segment, placement, cost_cny and `outcome`.
        outcome: what the curves deliver.
    """
    keys = ["segment", "placement"]
    curves = response.curves()
    paid = daily.filter((pl.col("cost_cny") > 0) & pl.col(outcome).is_not_null())
    cells = response.cells.select(keys).with_row_index("cell")
    rows = paid.join(cells, on=keys, how="inner", maintain_order="left")
    cell = rows["cell"].to_numpy().astype(np.int64)
    fitted = curves.take(cell).value(rows["cost_cny"].to_numpy())
    both = (np.bincount(cell, w, len(cells)) for w in (fitted, rows[outcome].cast(pl.Float64).to_numpy()))
    said, delivered = both
    found = []
    for i in np.flatnonzero(delivered >= SUPPLY.misfit_units):
        ratio = max(float(said[i]), 1e-12) / float(delivered[i])
        if not 1 / SUPPLY.misfit <= ratio <= SUPPLY.misfit:
            segment, placement = cells.row(int(i))[1:]
            found.append((abs(np.log(ratio)), f"segment {segment!r}, placement {placement!r}: ", ratio))
    return tuple(
        f"{where}at the money that was spent its curve gives {ratio:.2f} of the {outcome} that came; its "
        "days are too different for one curve: plan with care or split the segment"
        for _, where, ratio in sorted(found, reverse=True)
    )
