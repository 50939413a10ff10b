"""How much of the gain that segments promise is there: cross-validated plan value.

Segments are formed of what an earlier model promised; people's later GMV tells what a plan over them would
have earned. Under the square-root supply law (see `formation`) telling cells apart, whose worth an impression
is promised as m + x_i, earns in proportion to sum n_i x_i^2 if the promise holds and to sum n_i x_i y_i with
y_i what they really brought above their placement's mean: the share that is there is the slope of y on x.
Its noise is that of the GMV behind y_i (units of E[v^2] / E[v] yuan), so with few buyers the answer stays
near one half, between "all of it" and "none". A split is then worth its segment only if the share that is
there of its gain is.

It must not import pipelines, the allocator or any estimator but the pooling of ratios.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from models.rates.pooling import dispersion_of, shrunk_slope
from targeting.segments.segment_tree import FloatArray, IntArray

COLUMNS = ("matured_impressions", "gmv_cny")


def gain_seen(
    trial: pl.DataFrame, *, leaf: IntArray, worth: FloatArray, placements: tuple[str, ...]
) -> float:
    """Share of the promised differences between groups that later GMV shows, 0..1.

    Args:
        trial: user_id, placement, matured_impressions, gmv_cny; per placement one row per user.
        leaf: Group of each user, (n_users,), formed of the earlier scores.
        worth: What an impression was promised to bring, yuan, (n_users, n_placements), users in the order of
            each placement's rows in `trial`.
        placements: Order of the columns of `worth`.
    """
    groups = int(leaf.max()) + 1
    moment = precision = 0.0
    unit = dispersion_of(trial["gmv_cny"].to_numpy())
    for j, placement in enumerate(placements):
        rows = trial.filter(pl.col("placement") == placement)
        impressions, gmv = (rows[name].to_numpy() for name in COLUMNS)
        shown = np.bincount(leaf, impressions, groups)
        promised, came = np.bincount(leaf, impressions * worth[:, j], groups), np.bincount(leaf, gmv, groups)
        some = (shown > 0) & (promised > 0)
        if came.sum() <= 0 or some.sum() < 2:
            continue
        promised *= came.sum() / promised.sum()  # levels are judged elsewhere
        x = promised[some] / shown[some] - came.sum() / shown.sum()
        y = came[some] / shown[some] - came.sum() / shown.sum()
        information = shown[some] ** 2 / (unit * promised[some])
        moment += float((information * x * y).sum())
        precision += float((information * x * x).sum())
    return min(1.0, max(0.0, shrunk_slope(moment, precision)))
