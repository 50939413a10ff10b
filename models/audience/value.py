"""What a new fan buys within the horizon. In: followers, orders. Out: whether, how much, what came anyway.

For user u following through placement j and horizon H,

    g_uj = P(kept order by H because of the follow) x E[net GMV by H | kept order],

- P = 1 - exp(-Lambda(x)), Lambda the incremental hazard of `buy`: first *kept* order (refund < amount),
  exposure Lambda0(t)/Lambda0(H) for a follower seen for t < H (module delay), what would have been bought
  anyway as a known baseline.
- E[. | kept order]: orders per buyer times the size of an order (`spend`).

Must not import lightgbm, mlflow, targeting or pipelines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from models.arrays import FloatArray
from models.audience.buy import Buying, fit_anyway, fit_buying
from models.audience.delay import DelayCurve, RefundMaturity, fit_curve
from models.audience.followers import Followers, fit_log_refunds, kept_orders, later_orders, read_followers
from models.audience.spend import fit_spend
from models.events.event_log import EventLog
from models.rates.batch import Batch, People
from models.rates.coin import Tossed
from models.rates.rate import Rate, Shift
from models.rates.shape import Fitting, Shape


@dataclass(frozen=True)
class ValueModel:
    """Buying and spending of new fans.

    Attributes:
        placements: Placement names; code = position.
        horizon_days: H.
        buy: Incremental hazard of a kept order by H; its groups are the placements.
        stays_kept: Share of the presently kept orders that will not be refunded in full later.
        size: Log size of an order.
        size_cny: Yuan per buyer at size 1.
        organic: Organic purchase hazard over H days, or None.
        keener: Factor on it for people who follow.
        organic_cny: Organic GMV per unit of that hazard.
        first_order: Delay of the first kept order.
        gmv: Delay of net GMV.
        refunds: Refunds still to come.
        metrics: Counts, slopes, totals.
    """

    placements: tuple[str, ...]
    horizon_days: int
    buy: Rate
    stays_kept: float
    size: Rate
    size_cny: float
    organic: Rate | None
    keener: float
    organic_cny: float
    first_order: DelayCurve
    gmv: DelayCurve
    refunds: RefundMaturity
    metrics: Mapping[str, float]

    def buy_hazard(self, people: People, code: int, *, threads: int = 1) -> np.ndarray:
        """Incremental hazard of a kept order by H after following through a placement, (n,)."""
        batch = Batch.of(people)

        def hazard() -> FloatArray:
            group = np.full(len(batch), float(code))
            return np.asarray(np.exp(self.buy.log_rate(batch, group, threads=threads)))

        return batch.once((id(self.buy), code), hazard)

    def organic_hazard(self, people: People, *, threads: int = 1) -> np.ndarray:
        """Hazard of a kept order over H of people who follow, had they not followed, (n,)."""
        if self.organic is None:
            return np.zeros(len(people))
        return np.asarray(self.keener * np.exp(self.organic.log_rate(people, threads=threads)))

    def p_precise(self, people: People, code: int, *, threads: int = 1) -> np.ndarray:
        """P(an order that stays kept by H | follow via a placement), organic ones included, (n,)."""
        hazard = self.buy_hazard(people, code, threads=threads) + self.organic_hazard(people, threads=threads)
        return np.asarray(-np.expm1(-self.stays_kept * hazard))

    def incremental_gmv(self, people: People, code: int, *, threads: int = 1) -> np.ndarray:
        """Net-of-refund GMV over H that following adds, (n,)."""
        amount = self.size_cny * np.exp(self.size.log_rate(people, threads=threads))
        return np.asarray(-np.expm1(-self.buy_hazard(people, code, threads=threads)) * amount)

    def organic_gmv(self, people: People, *, threads: int = 1) -> np.ndarray:
        """GMV over H of the same people had they not followed, (n,)."""
        return self.organic_hazard(people, threads=threads) * self.organic_cny


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


@dataclass(frozen=True)
class LoggedValue:
    """What new fans buy as logged, before the coin is asked."""

    model: ValueModel
    buying: Buying
    followers: Followers

    def tossed(self) -> Tossed | None:
        """Followers won on randomised rows."""
        return self.buying.tossed(self.followers)

    def corrected(self, shift: Shift) -> ValueModel:
        """The model under the coin."""
        metrics = {**self.model.metrics, "buy_coin_shift": shift.shift}
        return replace(self.model, buy=replace(self.model.buy, coin=shift), metrics=metrics)


def fit_logged_value(
    fitting: Fitting,
    log: EventLog,
    *,
    placements: tuple[str, ...],
    horizon_days: int,
    related: Sequence[Shape] = (),
) -> LoggedValue | None:
    """Fit what new fans buy; None when no follower has a kept order.

    Args:
        fitting: User features and settings.
        log: Events known by `as_of`.
        placements: Placements to fit.
        horizon_days: H.
        related: Rates that may say who buys.
    """
    refunds = fit_log_refunds(log)
    kept = kept_orders(log, refunds)
    followers = read_followers(log, kept, placements=placements, horizon_days=horizon_days)
    if not followers.bought.any():
        return None
    first_order, gmv = _fit_delays(followers)
    anyway = fit_anyway(fitting, log, kept, followers, horizon_days=horizon_days)
    buying = fit_buying(
        fitting, log, kept=kept, followers=followers, curve=first_order, anyway=anyway, related=related
    )
    size, size_cny, told = fit_spend(fitting, later_orders(log, kept), followers, first_order)
    model = ValueModel(
        placements=placements,
        horizon_days=horizon_days,
        buy=buying.shape.rate,
        stays_kept=float(refunds.order_factor(followers.order_age_days).mean()),
        size=size,
        size_cny=size_cny,
        organic=None if anyway.shape is None else anyway.shape.rate,
        keener=anyway.followers,
        organic_cny=anyway.cny,
        first_order=first_order,
        gmv=gmv,
        refunds=refunds,
        metrics={**buying.metrics, **told, **anyway.metrics},
    )
    return LoggedValue(model, buying, followers)
