"""What one buyer leaves within the horizon. In: the log. Out: amounts, for what chance adds to a plan.

How much totals differ from buyer to buyer is told by everybody who bought in the last `horizon_days` of the
log, fans and passers-by: new fans who bought are a few dozen, and the tail of a few dozen is no tail. Their
size is that of new fans' orders, as far as those can be told from everybody's (`rates.pooling.size_factor`).
It must not import targeting.
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from models.arrays import FloatArray
from models.audience.followers import fit_log_refunds, kept_orders
from models.events.event_log import CONTROL, EventLog
from models.events.orders_since_follow import orders_since_follow
from models.rates.pooling import size_factor


def buyer_totals(log: EventLog, *, horizon_days: int) -> FloatArray:
    """(n_buyers,) net CNY of each buyer within the horizon, at the size of new fans' orders; may be empty."""
    kept = kept_orders(log, fit_log_refunds(log))
    since = log.as_of - timedelta(days=horizon_days)
    totals = kept.filter(pl.col("ordered_at") >= since).group_by("user_id").agg(pl.col("net_cny").sum())
    fans = log.follows.filter(pl.col("placement") != CONTROL).select("user_id", "followed_at")
    own = orders_since_follow(fans, kept, horizon_days=horizon_days)["net_cny"].to_numpy()
    others = kept.join(fans, on="user_id", how="anti")["net_cny"].to_numpy()
    every = kept["net_cny"].to_numpy()
    scale = own.mean() * size_factor(own, others) / every.mean() if len(own) else 1.0
    return totals["net_cny"].sort().to_numpy() * float(scale)
