"""When a new fan buys. In: ages of events and of followers. Out: share of an outcome arrived by an age.

A fan of yesterday is a censored buyer, not a non-buyer. Pooled over all followers, by follow age t in days up
to the horizon H:

    first purchase   Nelson-Aalen   Lambda0(t) = sum over purchase times s <= t of events(s) / at_risk(s)
    net GMV          mean cumulative function (Nelson 1988; Lawless & Nadeau 1995)
                     M(t) = sum over order times s <= t of net amount(s) / at_risk(s)

Both are unbiased when followers leave observation (`as_of`) independently of what they will buy. A
person's hazard is taken proportional to
Lambda0, so a follower seen for t days enters the buying model with exposure Lambda0(t) / Lambda0(H).
Refunds arrive late as well: the kept share of an order's amount falls with its age (isotonic in age), and
young orders are scaled down to the share that is kept in the end.

Must not import lightgbm, mlflow, targeting or pipelines.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.audience.settings import AUDIENCE


@dataclass(frozen=True)
class DelayCurve:
    """Share of an outcome that has arrived by an age, as a step function on a grid.

    Attributes:
        age_days: Increasing grid from 0 to the horizon, (n,).
        share: Non-decreasing share of the horizon's total, (n,), 1 at the end.
        total: The curve's value at the horizon (cumulative hazard, or CNY per follower).
        reached_days: Oldest age at which `at_risk` followers were watched; beyond it the curve is
            extrapolated.
    """

    age_days: tuple[float, ...]
    share: tuple[float, ...]
    total: float
    reached_days: float

    @property
    def extrapolated(self) -> float:
        """Share of the horizon's total that lies beyond the reached age."""
        return 1.0 - float(np.interp(self.reached_days, self.age_days, self.share))

    def at(self, age_days: np.ndarray) -> np.ndarray:
        """Share arrived by each age, at least `arrived_share`, shape of the input."""
        share = np.interp(age_days, self.age_days, self.share)
        return np.asarray(np.maximum(share, AUDIENCE.arrived_share))


def fit_curve(
    *,
    event_age_days: np.ndarray,
    amount: np.ndarray,
    leave_age_days: np.ndarray,
    horizon_days: float,
) -> DelayCurve:
    """Cumulative amount per follower at risk, by age (Nelson-Aalen when each person leaves at the first
    event with amount one).

    Args:
        event_age_days: Follow age of each event, (n_events,), within [0, horizon].
        amount: Its size (1 for a purchase, CNY for GMV), (n_events,).
        leave_age_days: Age at which each follower leaves the risk set, (n_followers,).
        horizon_days: H.

    Returns:
        The share curve. Without events the share grows linearly in age. Where no follower is as old as the
        horizon, the rest is extended with the logarithmic slope of the last half of what is seen (events
        thin out like 1/t), which the caller should warn about.
    """
    ages = np.unique(np.concatenate([[0.0], np.geomspace(1 / 48, horizon_days, AUDIENCE.curve_points)]))
    leave = np.sort(leave_age_days)
    reached = _trusted_age(leave, horizon_days) if leave.size else 0.0
    if event_age_days.size == 0 or amount.sum() <= 0:
        return DelayCurve(tuple(ages.tolist()), tuple((ages / horizon_days).tolist()), 0.0, reached)
    order = np.argsort(event_age_days, kind="stable")
    times = event_age_days[order]
    at_risk = leave.size - np.searchsorted(leave, times, side="left")
    jumps = np.cumsum(amount[order] / np.maximum(at_risk, 1))
    position = np.searchsorted(times, ages, side="right")
    curve = np.where(position > 0, jumps[np.maximum(position - 1, 0)], 0.0)
    if reached < horizon_days:
        curve = _extend(ages, curve, reached)
    total = float(curve[-1])
    return DelayCurve(tuple(ages.tolist()), tuple((curve / total).tolist()), total, reached)


def _trusted_age(leave: np.ndarray, horizon_days: float) -> float:
    """Oldest age with at least ten followers (or a hundredth) still at risk; that of the oldest of few."""
    needed = max(AUDIENCE.at_risk, leave.size // 100)
    if leave.size <= needed:
        return float(min(leave[-1], horizon_days))
    return float(min(leave[-needed], horizon_days))


def _extend(ages: np.ndarray, curve: np.ndarray, trusted: float) -> np.ndarray:
    """Beyond the trusted age let the curve grow with log(1 + age) at the slope of its second half."""
    end = float(np.interp(trusted, ages, curve))
    middle = float(np.interp(trusted / 2, ages, curve))
    slope = (end - middle) / (np.log1p(trusted) - np.log1p(trusted / 2)) if trusted > 0 else 0.0
    beyond = end + slope * (np.log1p(ages) - np.log1p(trusted))
    return np.where(ages <= trusted, curve, np.maximum(beyond, end))


@dataclass(frozen=True)
class RefundMaturity:
    """Which part of an order's presently kept amount is kept in the end, by order age.

    Attributes:
        age_days: Upper edges of the age groups, (n,).
        kept_amount: Factor for the net amount, (n,), at most 1, 1 for mature orders.
        kept_orders: Factor for the chance that a presently kept order stays kept, (n,).
    """

    age_days: tuple[float, ...] = ()
    kept_amount: tuple[float, ...] = ()
    kept_orders: tuple[float, ...] = ()

    def amount_factor(self, age_days: np.ndarray) -> np.ndarray:
        """Factor of the net amount for orders of an age, shape of the input."""
        return self._look_up(age_days, self.kept_amount)

    def order_factor(self, age_days: np.ndarray) -> np.ndarray:
        """Factor of the kept orders for orders of an age, shape of the input."""
        return self._look_up(age_days, self.kept_orders)

    def _look_up(self, age_days: np.ndarray, factors: tuple[float, ...]) -> np.ndarray:
        if not factors:
            return np.ones(np.shape(age_days))
        position = np.minimum(np.searchsorted(self.age_days, age_days, side="left"), len(factors) - 1)
        return np.asarray(factors)[position]


def fit_refunds(*, age_days: np.ndarray, gmv_cny: np.ndarray, refund_cny: np.ndarray) -> RefundMaturity:
    """How much of what is kept today will still be refunded, from the refund share by order age.

    The refund share is forced to grow with age (isotonic over ten equal groups, weighted by orders). No
    correction when there are under 200 orders or when the oldest group is not refunded visibly more than
    the youngest (two standard errors).

    Args:
        age_days: Age of each order at `as_of`, (n,).
        gmv_cny: Paid.
        refund_cny: Refunded so far.
    """
    n = age_days.size
    if n < AUDIENCE.refund_orders:
        return RefundMaturity()
    from sklearn.isotonic import IsotonicRegression

    edges = np.unique(np.quantile(age_days, np.linspace(0.1, 1.0, 10)))
    group = np.minimum(np.searchsorted(edges, age_days, side="left"), edges.size - 1)
    size = np.bincount(group, minlength=edges.size)
    fraction = np.clip(refund_cny / gmv_cny, 0.0, 1.0)
    share = np.bincount(group, fraction, edges.size) / np.maximum(size, 1)
    full = np.bincount(group, fraction >= 1.0, edges.size) / np.maximum(size, 1)
    spread = np.sqrt(fraction.var() / np.maximum(size, 1))
    if edges.size < 3 or share[-1] - share[0] < AUDIENCE.refund_errors * np.hypot(spread[0], spread[-1]):
        return RefundMaturity()
    grown = [IsotonicRegression().fit_transform(edges, s, sample_weight=size) for s in (share, full)]
    kept = [np.minimum((1 - s[-1]) / np.maximum(1 - s, 0.05), 1.0) for s in grown]
    return RefundMaturity(tuple(edges.tolist()), tuple(kept[0].tolist()), tuple(kept[1].tolist()))
