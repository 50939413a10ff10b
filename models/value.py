"""What a new fan buys within the horizon: whether, how much, and how much of it would have come anyway.

For user u following through placement j and horizon H,

    g_uj = P(kept order by H | follow) x E[net GMV by H | kept order] - G0_u,    not below zero,

- P = 1 - exp(-Lambda(x)): hazard boosting on the first *kept* order (refund < amount) with exposure
Lambda0(t)/Lambda0(H) for a follower seen
  for t < H (module delay). The placement is a feature, followed by a shrunk factor per placement and one
  for randomised followers.
- E[. | kept order]: squared error on log amounts (robust to the heavy tail), amounts matured to H; the
slope of the log amount is estimated
  out of fold and shrunk, so that without evidence everybody gets the grand mean; the level makes predicted
  and observed totals
  equal, per placement as far as its buyers support (empirical Bayes).
- G0 = organic GMV over H days of people who do not follow, from the person-time of exposed users before
any follow. The floor at zero is a choice:
  following is taken never to make someone buy less, and a small negative difference of two estimates would
  only add noise to a plan.

Must not import lightgbm, mlflow, targeting or pipelines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from models.boosting import HazardBooster, fit_boosted
from models.calibration import LogRateMap, chain, fit_affine, fit_correction
from models.delay import DelayCurve, RefundMaturity, fit_curve, fit_refunds
from models.followers import DAY_US, Followers, kept_orders, read_fans, read_followers, read_organic
from models.funnel import Fitting, Rate, fit_shape
from models.labels import EventLog
from models.likelihood import HazardRows, hazard_loss
from models.spending import Amounts, fit_amounts, gmv_factors

FLAT_SLOPE = 1e-3
"""Prior deviation that pins a slope at one: only the level is estimated."""
PLACEMENT_SD = 0.7
"""Prior deviation of a placement's factor on the buying hazard, log units."""
COIN_PRIORS = ((0.05, FLAT_SLOPE), (0.7, FLAT_SLOPE))
"""Randomised followers buy like the others, or do not (confounded): averaged by what explains orders."""
MIN_FAN_BUYERS = 100
"""Buying fans below which their purchases are not asked about."""


@dataclass(frozen=True)
class ValueModel:
    """Buying and spending of new fans.

    Attributes:
        placements: Placement names; code = position.
        horizon_days: H.
        affinity: Purchase rate of existing fans, a further feature of `buy`, or None where it did not help.
        buy: Hazard of a kept order by H.
        buy_shift: Factor per placement on it, log units.
        stays_kept: Share of the presently kept orders that will not be refunded in full later.
        amounts: Spending of buyers.
        gmv_factor: Factor per placement on GMV that makes totals agree.
        organic: Organic purchase hazard over H days, or None.
        organic_cny: Organic GMV per unit of that hazard.
        first_order: Delay of the first kept order.
        gmv: Delay of net GMV.
        refunds: Refunds still to come.
        metrics: Counts, slopes, totals.
    """

    placements: tuple[str, ...]
    horizon_days: float
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
        """Hazard of a kept order by H after following through a placement, (n,)."""
        extended = _extend(matrix, np.full(matrix.shape[0], float(code)), self.affinity, threads)
        return np.exp(self.buy.log_rate(extended, threads=threads) + self.buy_shift[code])

    def p_precise(self, matrix: np.ndarray, code: int, *, threads: int = 1) -> np.ndarray:
        """P(at least one order that stays kept by H | follow via a placement), (n,)."""
        return -np.expm1(-self.stays_kept * self.buy_hazard(matrix, code, threads=threads))

    def gross_gmv(self, matrix: np.ndarray, code: int, *, threads: int = 1) -> np.ndarray:
        """Net-of-refund GMV over H after following, organic part not yet subtracted, (n,)."""
        extended = _extend(matrix, np.full(matrix.shape[0], float(code)), None, threads)
        amount = self.amounts.level * self.amounts.relative(
            self.amounts.booster.log_rate(extended, threads=threads)
        )
        return -np.expm1(-self.buy_hazard(matrix, code, threads=threads)) * amount * self.gmv_factor[code]

    def organic_gmv(self, matrix: np.ndarray, *, threads: int = 1) -> np.ndarray:
        """GMV over H of the same people had they not followed, (n,)."""
        if self.organic is None:
            return np.zeros(matrix.shape[0])
        return np.exp(self.organic.log_rate(matrix, threads=threads)) * self.organic_cny

    def to_json(self) -> dict[str, Any]:
        """Plain dict for JSON."""
        return {
            "placements": list(self.placements),
            "horizon_days": self.horizon_days,
            "affinity": None if self.affinity is None else self.affinity.to_json(),
            "buy": self.buy.to_json(),
            "buy_shift": list(self.buy_shift),
            "stays_kept": self.stays_kept,
            "amounts": self.amounts.to_json(),
            "gmv_factor": list(self.gmv_factor),
            "organic": None if self.organic is None else self.organic.to_json(),
            "organic_cny": self.organic_cny,
            "first_order": self.first_order.to_json(),
            "gmv": self.gmv.to_json(),
            "refunds": self.refunds.to_json(),
            "metrics": dict(self.metrics),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ValueModel:
        """Inverse of `to_json`."""
        return cls(
            placements=tuple(value["placements"]),
            horizon_days=value["horizon_days"],
            affinity=None if value["affinity"] is None else HazardBooster.from_json(value["affinity"]),
            buy=Rate.from_json(value["buy"]),
            buy_shift=tuple(value["buy_shift"]),
            stays_kept=value["stays_kept"],
            amounts=Amounts.from_json(value["amounts"]),
            gmv_factor=tuple(value["gmv_factor"]),
            organic=None if value["organic"] is None else Rate.from_json(value["organic"]),
            organic_cny=value["organic_cny"],
            first_order=DelayCurve.from_json(value["first_order"]),
            gmv=DelayCurve.from_json(value["gmv"]),
            refunds=RefundMaturity.from_json(value["refunds"]),
            metrics=dict(value["metrics"]),
        )


def _extend(matrix: np.ndarray, code: np.ndarray, affinity: HazardBooster | None, threads: int) -> np.ndarray:
    """User features, the placement's code and, where it helps, the log purchase rate of similar fans."""
    if affinity is None:
        return np.column_stack([matrix, code])
    return np.column_stack([matrix, code, affinity.log_rate(matrix, threads=threads)])


def _fit_shape_of_buying(
    fitting: Fitting, log: EventLog, kept: pl.DataFrame, followers: Followers, rows: HazardRows
) -> tuple[Rate, HazardBooster | None, np.ndarray, int]:
    """Buying hazard with or without the fans' purchase rate, whichever predicts held-out followers better."""
    users = followers.user
    categorical = (*fitting.categorical, fitting.matrix.shape[1])
    fans = read_fans(log, kept)
    candidates: list[HazardBooster | None] = [None]
    if fans.events >= MIN_FAN_BUYERS:
        fan_fit = fit_boosted(
            matrix=fitting.matrix[fans.user],
            rows=fans,
            categorical=fitting.categorical,
            seed=fitting.seed,
            threads=fitting.threads,
        )
        if not fan_fit.flat:
            candidates.append(fan_fit.booster)
    best = None
    for affinity in candidates:
        matrix = _extend(fitting.matrix[users], followers.placement, affinity, fitting.threads)
        shape = fit_shape(replace(fitting, matrix=matrix, categorical=categorical), rows)
        loss = float(hazard_loss(rows, shape.honest).sum())
        if best is None or loss < best[0]:
            best = loss, shape, affinity
    assert best is not None
    _, shape, affinity = best
    return shape.rate, affinity, shape.honest, shape.rounds


@dataclass(frozen=True)
class _Buying:
    """Buying hazard, its placement factors and the out-of-fold hazards of the followers, (n,)."""

    rate: Rate
    affinity: HazardBooster | None
    shift: tuple[float, ...]
    hazard: np.ndarray
    metrics: Mapping[str, float]


def _fit_buy(
    fitting: Fitting, log: EventLog, kept: pl.DataFrame, followers: Followers, curve: DelayCurve
) -> _Buying:
    rows = HazardRows(
        user=np.arange(followers.user.size),
        y=followers.bought.astype(float),
        w=curve.at(followers.age_days),
        b=np.zeros(followers.user.size),
        weight=np.ones(followers.user.size),
    )
    rate, affinity, log_rate, rounds = _fit_shape_of_buying(fitting, log, kept, followers, rows)
    shifts = []
    for code in range(followers.n_placements):
        mine = followers.placement == code
        shift = fit_affine(rows.take(mine), log_rate[mine], shift_sd=PLACEMENT_SD, slope_sd=FLAT_SLOPE).shift
        shifts.append(shift)
        log_rate = np.where(mine, log_rate + shift, log_rate)
    maps: tuple[LogRateMap, ...] = ()
    coin = followers.randomized & (followers.placement < followers.n_placements)
    if coin.any() and not coin.all():
        correction = fit_correction(rows.take(coin), log_rate[coin], priors=COIN_PRIORS)
        maps = (LogRateMap(shift=correction.shift),)
        log_rate = chain(log_rate, maps)
    metrics = {
        "buyers": rows.events,
        "buy_rounds": float(rounds),
        "buy_uses_fans": float(affinity is not None),
        "followers": float(rows.y.size),
    }
    return _Buying(Rate(rate.booster, rate.logged, maps), affinity, tuple(shifts), np.exp(log_rate), metrics)


def _fit_organic(
    fitting: Fitting, log: EventLog, kept: pl.DataFrame, horizon_days: float
) -> tuple[Rate | None, float, dict[str, float]]:
    """Organic purchase hazard over H days and the GMV that one unit of it brings, so that totals agree."""
    rows, total_cny = read_organic(log, kept, horizon_days=horizon_days)
    if rows.events == 0:
        return None, 0.0, {"organic_buyers": 0.0}
    shape = fit_shape(fitting, rows)
    expected = float((rows.w * np.exp(shape.honest[rows.user])).sum())
    return (
        shape.rate,
        total_cny / max(expected, 1e-12),
        {"organic_buyers": rows.events, "organic_gmv_cny": total_cny},
    )


def fit_value(
    fitting: Fitting, log: EventLog, *, placements: tuple[str, ...], horizon_days: float
) -> ValueModel | None:
    """Fit what new fans buy.

    Returns:
        The model, or None when no follower has a kept order (nothing can be said about value).
    """
    ages = ((log.as_of - log.orders["ordered_at"]).dt.total_microseconds() / DAY_US).to_numpy()
    refunds = fit_refunds(
        age_days=ages,
        gmv_cny=log.orders["gmv_cny"].to_numpy(),
        refund_cny=log.orders["refund_cny"].to_numpy(),
    )
    kept = kept_orders(log, refunds)
    followers = read_followers(log, kept, placements=placements, horizon_days=horizon_days)
    bought = followers.bought
    if not bought.any():
        return None
    first_order = fit_curve(
        event_age_days=followers.first_kept_days[bought],
        amount=np.ones(int(bought.sum())),
        leave_age_days=np.where(bought, followers.first_kept_days, followers.age_days),
        horizon_days=horizon_days,
    )
    gmv = fit_curve(
        event_age_days=followers.event_age_days,
        amount=followers.event_net_cny,
        leave_age_days=followers.age_days,
        horizon_days=horizon_days,
    )
    buy = _fit_buy(fitting, log, kept, followers, first_order)
    amounts, expected_amount, amount_metrics = fit_amounts(fitting, followers, first_order, gmv)
    expected = -np.expm1(-buy.hazard) * expected_amount * gmv.at(followers.age_days)
    organic, organic_cny, organic_metrics = _fit_organic(fitting, log, kept, horizon_days)
    metrics = dict(buy.metrics) | amount_metrics | organic_metrics
    return ValueModel(
        placements=placements,
        horizon_days=horizon_days,
        affinity=buy.affinity,
        buy=buy.rate,
        buy_shift=buy.shift,
        stays_kept=float(refunds.order_factor(followers.order_age_days).mean()),
        amounts=amounts,
        gmv_factor=gmv_factors(followers, expected, len(placements)),
        organic=organic,
        organic_cny=organic_cny,
        first_order=first_order,
        gmv=gmv,
        refunds=refunds,
        metrics=metrics,
    )
