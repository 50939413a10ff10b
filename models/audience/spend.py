"""How much a buyer spends within the horizon. In: orders, followers. Out: amounts; factors on totals.

Squared error on log amounts is robust to the heavy tail. What was learned of all orders is held against new
fans' out of fold: its slope is averaged over "all buyers spend alike" and "they differ as learned", so that
without evidence everybody gets the grand mean; levels make predicted and observed totals agree.
Must not import lightgbm, mlflow, targeting or pipelines.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from models.audience.delay import DelayCurve
from models.audience.followers import Followers
from models.audience.settings import AUDIENCE
from models.rates.boosting import HazardBooster
from models.rates.likelihood import AmountRows
from models.rates.pooling import shrunk_slope, size_factor
from models.rates.rate import Fitting


@dataclass(frozen=True)
class Amounts:
    """E[net GMV over the horizon | kept order] = level x exp(slope (f(x) - centre)).

    Attributes:
        booster: f, the log amount.
        centre: Mean of f.
        slope: How much of the spread of f holds for new fans, 0..`most_slope`.
        level: CNY at the centre.
    """

    booster: HazardBooster
    centre: float = 0.0
    slope: float = 0.0
    level: float = 0.0

    def relative(self, f: np.ndarray) -> np.ndarray:
        """Amount relative to the level, same shape."""
        return np.exp(self.slope * (f - self.centre))


def fit_amounts(
    fitting: Fitting, kept: pl.DataFrame, followers: Followers, first_order: DelayCurve, gmv: DelayCurve
) -> tuple[Amounts, np.ndarray, dict[str, float]]:
    """Spending of buyers; also the out-of-fold amounts of all followers relative to the level.

    Args:
        fitting: User features and settings.
        kept: Orders of anybody with something left after refunds, later than the features: user, net_cny.
        followers: New followers.
        first_order: Delay of the first kept order.
        gmv: Delay of net GMV.
    """
    bought = followers.bought
    # of a buyer's spending by H, this part has come by age t: M(t)/M(H) over P(buy by t)/P(buy by H)
    by_age = -np.expm1(-first_order.total * first_order.at(followers.age_days)) / -np.expm1(
        -first_order.total
    )
    arrived = np.clip(gmv.at(followers.age_days) / np.maximum(by_age, 1e-9), 0.05, 1.0)[bought]
    amount = followers.net_cny[bought] / arrived
    f, booster, rounds = _fit_sizes(fitting, kept, followers)
    centre = float(np.average(f[bought], weights=arrived))
    x = f[bought] - centre
    log_amount = np.log(amount)
    y = log_amount - np.average(log_amount, weights=arrived)
    # noise variance = that of the log amounts
    variance = max(float(log_amount.std()), AUDIENCE.amount_sd) ** 2
    precision = float((arrived * x * x).sum()) / variance
    moment = float((arrived * x * y).sum()) / variance
    slope = 0.0 if np.ptp(f) == 0 else shrunk_slope(moment, precision)
    amounts = Amounts(booster, centre, float(np.clip(slope, 0.0, AUDIENCE.most_slope)))
    relative = amounts.relative(f)
    level = float((amount * arrived).sum() / (relative[bought] * arrived).sum())
    metrics = {"amount_rounds": float(rounds), "amount_slope": amounts.slope, "amount_mean_cny": level}
    return replace(amounts, level=level), relative * level, metrics


def _fit_sizes(
    fitting: Fitting, kept: pl.DataFrame, followers: Followers
) -> tuple[np.ndarray, HazardBooster, int]:
    """Out-of-fold log size of an order of each follower, (n,), the booster, and its trees.

    Who spends more is asked of all orders of the shop, those of old fans and passers-by too: a person's purse
    is the same, and they are several times as many. How much of the answer holds for new fans is judged on
    new fans (the slope).
    """
    user, net_cny = kept["user"].to_numpy().astype(np.int64), kept["net_cny"].to_numpy()
    if user.size > AUDIENCE.most_orders:
        chosen = np.random.default_rng(fitting.seed).choice(user.size, AUDIENCE.most_orders, replace=False)
        user, net_cny = user[np.sort(chosen)], net_cny[np.sort(chosen)]
    size = np.log(net_cny)
    rows = AmountRows(
        user=user, y=size, weight=np.ones(user.size), scale=max(float(size.std()), AUDIENCE.amount_sd)
    )
    fit = fitting.boosted(rows)
    size_of = fit.booster.log_rate(fitting.matrix[followers.user], threads=fitting.threads)
    row = np.full(fitting.matrix.shape[0], -1)
    row[user] = np.arange(user.size)
    own = row[followers.user]
    return np.where(own >= 0, fit.out_of_fold[own], size_of), fit.booster, fit.rounds


def temper_amounts(followers: Followers, others_cny: np.ndarray) -> Followers:
    """The followers with their orders' size drawn towards that of everybody else's orders (`size_factor`).

    Args:
        followers: New followers with what they have bought.
        others_cny: Net amount of each order of anybody else, (m,).
    """
    scale = size_factor(followers.event_net_cny, others_cny)
    return replace(
        followers, net_cny=followers.net_cny * scale, event_net_cny=followers.event_net_cny * scale
    )


def gmv_factors(
    followers: Followers, expected: np.ndarray, anyway: np.ndarray, n_placements: int
) -> tuple[float, ...]:
    """Factor per placement on incremental GMV so that totals agree: overall exactly, apart as far as the
    buyers' noise allows.

    With n buyers of coefficient of variation c the log ratio has variance about (1 + c^2) / n, against
    level_sd^2 between placements. The organic part is never scaled; where it explains nearly everything,
    the incremental part keeps at least `least_incremental` of the observed total.

    Args:
        followers: What was bought.
        expected: Expected incremental GMV so far, (n,).
        anyway: Expected organic GMV so far, (n,).
        n_placements: Placements to give a factor.
    """
    observed = followers.net_cny
    total = float(observed.sum())
    overall = max(total - float(anyway.sum()), AUDIENCE.least_incremental * total) / max(
        expected.sum(), 1e-12
    )
    amounts = observed[observed > 0]
    noise = 1.0 + (amounts.std() / amounts.mean()) ** 2
    factors = []
    for code in range(n_placements):
        mine = followers.placement == code
        buyers = int((observed[mine] > 0).sum())
        trust = AUDIENCE.level_sd**2 / (AUDIENCE.level_sd**2 + noise / max(buyers, 1)) if buyers else 0.0
        predicted = float((expected[mine] * overall + anyway[mine]).sum())
        ratio = observed[mine].sum() / max(predicted, 1e-12) if buyers else 1.0
        factors.append(float(overall * ratio**trust))
    return tuple(factors)
