"""Whom the platform chose to show. In: the log, user features. Out: log impressions, by features.

Delivery shows to those whom the platform expects to follow and to buy, and it knows more of them than any
merchant. Impressions are a thousand times as many as purchases, so their shape,

    log(1 + n_u),   n_u impressions of u that no coin decided, over the whole log,

is a direction in which follows and purchases are likely to go too. How far they do is learned of each
(`models.rates.shape.Base`, slope around zero): where money was spread by chance or against worth it is none.

Must not import lightgbm, mlflow, targeting or pipelines.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from models.audience.settings import AUDIENCE
from models.events.event_log import CONTROL, EventLog
from models.rates.likelihood import AmountRows
from models.rates.shape import Fitting, Shape, fit_shape


def fit_chosen(fitting: Fitting, log: EventLog) -> Shape | None:
    """Shape of log(1 + impressions) over people who were no fans at first; None where nothing was ranked.

    Args:
        fitting: User features and settings.
        log: Events known by `as_of`.
    """
    shown = log.exposures.select("user", "impressions", "placement", "randomized")
    ranked = shown.filter((pl.col("placement") != CONTROL) & ~pl.col("randomized").fill_null(False))
    shown = ranked.group_by("user").agg(pl.col("impressions").sum())
    total = np.zeros(fitting.matrix.shape[0])
    total[shown["user"].to_numpy()] = shown["impressions"].to_numpy()
    user = np.flatnonzero(~log.users["is_fan"].fill_null(False).to_numpy())
    amount = np.log1p(total[user])
    if not user.size or float(amount.std()) < AUDIENCE.amount_sd:
        return None
    return fit_shape(fitting, AmountRows(user, amount, np.ones(user.size), float(amount.std())))
