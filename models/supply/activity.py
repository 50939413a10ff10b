"""How unequal people's own activity is, told by a coin. In: the log. Out: log h and its error by placement.

Some people are shown more because they are there more (activity k), some because campaigns press them harder
(p). In ranked rows the two look alike. Whom a coin shows is pressed alike, so with n its showings beyond the
first, which it gave to everybody, and R those of all ranked campaigns together,

    h = E[n R] / (E[n] E[R]) = E[k k p] / (E[k] E[k p])

is what impressions weigh of their people's activity over its mean: E[k^2] / E[k]^2 where p does not depend
on k. The pressure of others is left out of it.

It must not import targeting.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from models.arrays import FloatArray
from models.events.event_log import CONTROL, EventLog


def coin_activity(log: EventLog, assignment: pl.DataFrame, placements: tuple[str, ...]) -> FloatArray:
    """Log h within segments, and its standard error, (n_placements, 2); NaN where no coin tells.

    Args:
        log: what happened.
        assignment: user_id, segment: h is of people of one segment, because curves are.
        placements: order of the rows.
    """
    shown = (
        log.exposures.lazy()
        .filter((pl.col("placement") != CONTROL) & (pl.col("impressions") > 0))
        .select("user_id", "placement", "impressions", "randomized")
        .join(assignment.lazy().select("user_id", "segment"), on="user_id", how="inner")
        .collect()
    )
    coin = pl.col("randomized").fill_null(False)
    n = pl.col("impressions").cast(pl.Float64)
    keys = ["user_id", "placement"]
    rivals = shown.filter(~coin).group_by(keys).agg(n.sum().alias("usual"))
    each = (
        shown.filter(coin)
        .join(rivals, on=keys, how="left")
        .with_columns(pl.col("usual").fill_null(0.0), more=n - 1.0)
    )
    r, more = pl.col("usual"), pl.col("more")
    sums = each.group_by("segment", "placement").agg(
        pl.len().alias("rows"), more.sum(), r.sum(), met=(more * r).sum(), squared=(more * r**2).sum()
    )
    told = np.full((len(placements), 2), np.nan)
    for j, name in enumerate(placements):
        of = sums.filter(pl.col("placement") == name).sort("segment")
        met, showings = float(of["met"].sum()), float(of["more"].sum())
        alone = float((of["more"] * of["usual"] / of["rows"]).sum())
        if met > 0 and alone > 0:
            scatter = float(of["squared"].sum()) / showings - (met / showings) ** 2
            told[j] = np.log(met / alone), np.sqrt(max(scatter, 0.0) * showings + met) / met
    return told
