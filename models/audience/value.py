"""What a new fan buys within the horizon. In: followers, orders. Out: whether, how much, what came anyway.

For user u following through placement j and horizon H,

    g_uj = P(kept order by H because of the follow) x E[net GMV by H | kept order],

- P = 1 - exp(-Lambda(x)), Lambda the incremental hazard of `buy`: first *kept* order (refund < amount),
  exposure Lambda0(t)/Lambda0(H) for a follower seen for t < H (module delay), what would have been bought
  anyway as a known baseline. The placement is a feature, followed by a shrunk factor per placement and one
  for randomised followers.
- E[. | kept order]: squared error on log amounts (robust to the heavy tail). Who spends more is learned of
  every order of the shop that the features cannot know; how much of that holds for new fans is a slope,
  estimated out of fold on their amounts matured to H and shrunk, so that without evidence everybody gets the
  grand mean; the level makes predicted (incremental and organic) and observed totals of the *logged*
  followers equal, per placement as far as its buyers support (empirical Bayes). The randomised shift comes
  after that: inside, the levels would undo it and hand the ranked followers' level to everybody.
- Organic: GMV over H days of people who do not follow, from the person-time of exposed users before any
  follow.

Must not import lightgbm, mlflow, targeting or pipelines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from models.audience.buy import extend, fit_buying
from models.audience.delay import DelayCurve, RefundMaturity, fit_curve
from models.audience.followers import (
    Followers,
    fit_log_refunds,
    kept_orders,
    later_orders,
    read_followers,
    read_organic,
)
from models.audience.spend import Amounts, fit_amounts, gmv_factors, temper_amounts
from models.events.event_log import EventLog
from models.rates.boosting import HazardBooster
from models.rates.rate import Fitting, Rate, fit_shape


@dataclass(frozen=True)
class ValueModel:
    """Buying and spending of new fans.

    Attributes:
        placements: Placement names; code = position.
        horizon_days: H.
        affinity: Purchase rate of existing fans, a further feature of `buy`, or None where it did not help.
        buy: Incremental hazard of a kept order by H.
        buy_shift: Factor per placement on it, log units.
        stays_kept: Share of the presently kept orders that will not be refunded in full later.
        amounts: Spending of buyers.
        gmv_factor: Factor per placement on incremental GMV that makes totals agree.
        organic: Organic purchase hazard over H days, or None.
        organic_cny: Organic GMV per unit of that hazard.
        first_order: Delay of the first kept order.
        gmv: Delay of net GMV.
        refunds: Refunds still to come.
        metrics: Counts, slopes, totals.
    """

    placements: tuple[str, ...]
    horizon_days: int
    affinity: HazardBooster | None
    buy: Rate
    buy_shift: tuple[float, ...]
    stays_kept: float
    amounts: Amounts
    gmv_factor: tuple[float, ...]
    organic: Rate | None
    organic_cny: float
    first_order: DelayCurve
    gmv: DelayCurve
    refunds: RefundMaturity
    metrics: Mapping[str, float]

    def buy_hazard(self, matrix: np.ndarray, code: int, *, threads: int = 1) -> np.ndarray:
        """Incremental hazard of a kept order by H after following through a placement, (n,)."""
        extended = extend(matrix, np.full(matrix.shape[0], float(code)), self.affinity, threads)
        return np.exp(self.buy.log_rate(extended, threads=threads) + self.buy_shift[code])

    def organic_hazard(self, matrix: np.ndarray, *, threads: int = 1) -> np.ndarray:
        """Hazard of a kept order over H of the same people had they not followed, (n,)."""
        if self.organic is None:
            return np.zeros(matrix.shape[0])
        return np.asarray(np.exp(self.organic.log_rate(matrix, threads=threads)))

    def p_precise(self, matrix: np.ndarray, code: int, *, threads: int = 1) -> np.ndarray:
        """P(an order that stays kept by H | follow via a placement), organic ones included, (n,)."""
        hazard = self.buy_hazard(matrix, code, threads=threads) + self.organic_hazard(matrix, threads=threads)
        return np.asarray(-np.expm1(-self.stays_kept * hazard))

    def incremental_gmv(self, matrix: np.ndarray, code: int, *, threads: int = 1) -> np.ndarray:
        """Net-of-refund GMV over H that following adds, (n,)."""
        size = self.amounts.booster.log_rate(matrix, threads=threads)
        amount = self.amounts.level * self.amounts.relative(size)
        buys = -np.expm1(-self.buy_hazard(matrix, code, threads=threads))
        return np.asarray(buys * amount * self.gmv_factor[code])

    def organic_gmv(self, matrix: np.ndarray, *, threads: int = 1) -> np.ndarray:
        """GMV over H of the same people had they not followed, (n,)."""
        return self.organic_hazard(matrix, threads=threads) * self.organic_cny


def _read_followers(
    log: EventLog, kept: pl.DataFrame, *, placements: tuple[str, ...], horizon_days: float
) -> Followers:
    """New followers, the size of their orders drawn towards that of everybody else's."""
    logged = read_followers(log, kept, placements=placements, horizon_days=horizon_days)
    by_others = ~kept["user"].is_in(pl.Series(np.unique(logged.user)).implode())
    return temper_amounts(logged, kept.filter(by_others)["net_cny"].to_numpy())


@dataclass(frozen=True)
class _Organic:
    """What people buy who do not follow.

    Attributes:
        hazard: Out-of-fold hazard of a kept order over H days, (n_users,).
        rate: The fitted rate behind it, or None where nobody bought.
        cny: GMV that one unit of hazard brings, so that totals agree.
        metrics: Counts.
    """

    hazard: np.ndarray
    rate: Rate | None = None
    cny: float = 0.0
    metrics: Mapping[str, float] = field(default_factory=lambda: {"organic_buyers": 0.0})


def _fit_organic(fitting: Fitting, log: EventLog, kept: pl.DataFrame, horizon_days: float) -> _Organic:
    """Organic purchases from the person-time before any follow."""
    rows, total_cny = read_organic(log, kept, horizon_days=horizon_days)
    if rows.events == 0:
        return _Organic(np.zeros(fitting.matrix.shape[0]))
    shape = fit_shape(fitting, rows)
    hazard = np.exp(shape.out_of_fold)
    expected = float((rows.w * hazard[rows.user]).sum())
    counts = {"organic_buyers": rows.events, "organic_gmv_cny": total_cny}
    return _Organic(hazard, shape.rate, total_cny / max(expected, 1e-12), counts)


def _fit_delays(followers: Followers) -> tuple[DelayCurve, DelayCurve]:
    """Delays of the first kept order and of net GMV."""
    bought = followers.bought
    first_order = fit_curve(
        event_age_days=followers.first_kept_days[bought],
        amount=np.ones(int(bought.sum())),
        leave_age_days=np.where(bought, followers.first_kept_days, followers.age_days),
        horizon_days=followers.horizon_days,
    )
    gmv = fit_curve(
        event_age_days=followers.event_age_days,
        amount=followers.event_net_cny,
        leave_age_days=followers.age_days,
        horizon_days=followers.horizon_days,
    )
    return first_order, gmv


def fit_value(
    fitting: Fitting,
    log: EventLog,
    *,
    placements: tuple[str, ...],
    horizon_days: int,
    ranking_shift: float = 0.0,
) -> ValueModel | None:
    """Fit what new fans buy.

    Args:
        fitting: User features and settings.
        log: Events known by `as_of`.
        placements: Placements to fit.
        horizon_days: H.
        ranking_shift: Log of randomised over logged follow hazards, as the funnel found it.

    Returns:
        The model, or None when no follower has a kept order.
    """
    refunds = fit_log_refunds(log)
    kept = kept_orders(log, refunds)
    followers = _read_followers(log, kept, placements=placements, horizon_days=horizon_days)
    if not followers.bought.any():
        return None
    first_order, gmv = _fit_delays(followers)
    organic = _fit_organic(fitting, log, kept, horizon_days)
    buy = fit_buying(
        fitting, log, kept=kept, followers=followers, curve=first_order,
        organic=organic.hazard, ranking_shift=ranking_shift,
    )  # fmt: skip
    amounts, amount, told = fit_amounts(fitting, later_orders(log, kept), followers, first_order, gmv)
    expected = -np.expm1(-buy.hazard) * amount * gmv.at(followers.age_days)
    anyway = organic.hazard[followers.user] * organic.cny * followers.age_days / horizon_days
    return ValueModel(
        placements=placements,
        horizon_days=horizon_days,
        affinity=buy.affinity,
        buy=buy.rate,
        buy_shift=buy.shift,
        stays_kept=float(refunds.order_factor(followers.order_age_days).mean()),
        amounts=amounts,
        gmv_factor=gmv_factors(followers, expected, anyway, len(placements)),
        organic=organic.rate,
        organic_cny=organic.cny,
        first_order=first_order,
        gmv=gmv,
        refunds=refunds,
        metrics={**buy.metrics, **told, **organic.metrics},
    )
