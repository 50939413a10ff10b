"""What goes wrong with logs on their way: missing days, lost rows, doubled and restated rows.

A restated row repeats its id with later figures, so a reader must notice the duplicate. It must not import
anything of the project.
"""

from __future__ import annotations

import numpy as np
import polars as pl


def damage(
    rng: np.random.Generator, exposures: pl.DataFrame, orders: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(exposures, orders) without a video and a live day, 3 % of rows lost, 1 % restated, 0.5 % doubled."""
    days = exposures["exposed_at"].dt.date().unique().sort()
    lost = rng.choice(len(days), 2, replace=False)
    for placement, index in zip(("video", "live"), lost, strict=True):
        gone = (pl.col("placement") == placement) & (pl.col("exposed_at").dt.date() == days[int(index)])
        exposures = exposures.filter(~gone)
    exposures = exposures.filter(pl.Series(rng.random(exposures.height) >= 0.03))
    coin = pl.Series(rng.random(exposures.height))
    restated = exposures.filter(coin < 0.01).with_columns(pl.col("cost_cny") * 1.05)
    doubled = exposures.filter((coin >= 0.01) & (coin < 0.015))
    order_coin = pl.Series(rng.random(orders.height))
    late = orders.filter(order_coin < 0.01).with_columns(refund_cny=pl.col("gmv_cny"))
    return pl.concat([exposures, restated, doubled]), pl.concat([orders, late])
