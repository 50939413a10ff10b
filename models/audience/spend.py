"""How much a buyer spends within the horizon. In: orders, followers. Out: yuan per buyer, by features.

    E[net GMV by H | kept order] = R exp(f(x) + d) kappa,

f the log size of an order, squared error on all orders of the shop that the features cannot know (a person's
purse is the same, whoever he is); d how far the new fans' orders are off those of everybody, with the prior
N(0, `order_sd`^2): a mean of sixteen orders may be doubled by one, and everything after would promise that
again; kappa turns the log scale into means (smearing, Duan 1983); R kept orders per buyer by H.

Must not import lightgbm, mlflow, targeting or pipelines.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from models.audience.delay import DelayCurve, fit_curve
from models.audience.followers import Followers
from models.audience.settings import AUDIENCE
from models.rates.likelihood import AmountRows
from models.rates.rate import Rate
from models.rates.settings import RATES
from models.rates.shape import Fitting, fit_shape


def fit_spend(
    fitting: Fitting, kept: pl.DataFrame, followers: Followers, first_order: DelayCurve
) -> tuple[Rate, float, dict[str, float]]:
    """f, and R exp(d) kappa in yuan; also what there is to say of them.

    Args:
        fitting: User features and settings.
        kept: Orders of anybody with something left after refunds, later than the features: user, net_cny.
        followers: New followers.
        first_order: Delay of the first kept order.
    """
    user, net_cny = kept["user"].to_numpy().astype(np.int64), kept["net_cny"].to_numpy()
    if user.size == 0:  # every order is as old as its buyer's features
        user, net_cny = np.repeat(followers.user, followers.orders), followers.event_net_cny
    size = np.log(net_cny)
    spread = max(float(size.std()), AUDIENCE.amount_sd)
    shape = fit_shape(fitting, AmountRows(user, size, np.ones(user.size), spread))
    f = shape.out_of_fold
    kappa = float(net_cny.sum() / np.exp(f[user]).sum())
    off = np.log(followers.event_net_cny) - f[np.repeat(followers.user, followers.orders)]
    noise = float((size - f[user]).var()) / off.size
    shift = float(off.mean()) * RATES.order_sd**2 / (RATES.order_sd**2 + noise)
    repeats = _orders_per_buyer(followers, first_order)
    level = repeats * float(np.exp(shift)) * kappa
    metrics = {
        "amount_rounds": float(shape.rounds),
        "amount_differs": shape.differs,
        "amount_mean_cny": level * float(np.exp(f[followers.user[followers.bought]]).mean()),
        "orders_per_buyer": repeats,
    }
    return shape.rate, level, metrics


def _orders_per_buyer(followers: Followers, first_order: DelayCurve) -> float:
    """Kept orders of a buyer by H: the mean cumulative number over the share that buys, 1 at least."""
    orders = fit_curve(
        event_age_days=followers.event_age_days,
        amount=np.ones(followers.event_age_days.size),
        leave_age_days=followers.age_days,
        horizon_days=followers.horizon_days,
    )
    return max(1.0, orders.total / max(float(-np.expm1(-first_order.total)), 1e-12))
