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
from models.calibration import LogRateMap, chain, fit_affine
from models.delay import DelayCurve, RefundMaturity, fit_curve, fit_refunds
from models.funnel import Fitting, Rate, fit_shape
from models.labels import CONTROL, EventLog
from models.likelihood import AmountRows, HazardRows

DAY_US = 86_400e6
FLAT_SLOPE = 1e-3
"""Prior deviation that pins a slope at one: only the level is estimated."""
PLACEMENT_SD = 0.7
"""Prior deviation of a placement's factor on the buying hazard, log units."""
COIN_SD = 0.3
"""Prior deviation of the factor between randomised and other followers, log units: the coin's followers are few."""
LEVEL_SD = 0.3
"""Prior deviation of a placement's factor on GMV totals, log units."""


@dataclass(frozen=True)
class Followers:
    """New followers and what they have bought so far; arrays of shape (n,).

    Attributes:
        user: Row of users.
        placement: Code of the placement followed through (the last code is organic).
        randomized: Shown by a coin.
        age_days: Follow age at `as_of`, at most the horizon.
        first_kept_days: Follow age of the first kept order, NaN where none.
        net_cny: Net GMV within min(age, horizon), young refunds anticipated.
        event_age_days: Follow age of every kept order, (n_orders,).
        event_net_cny: Its net amount, (n_orders,).
        order_age_days: Its age at `as_of`, (n_orders,).
    """

    user: np.ndarray
    placement: np.ndarray
    randomized: np.ndarray
    age_days: np.ndarray
    first_kept_days: np.ndarray
    net_cny: np.ndarray
    event_age_days: np.ndarray
    event_net_cny: np.ndarray
    order_age_days: np.ndarray

    @property
    def bought(self) -> np.ndarray:
        """At least one kept order, (n,) of bool."""
        return ~np.isnan(self.first_kept_days)


def kept_orders(log: EventLog, refunds: RefundMaturity) -> pl.DataFrame:
    """Orders with something left after refunds: user, ordered_at, net_cny (young refunds anticipated),
    age_days."""
    age = ((log.as_of - pl.col("ordered_at")).dt.total_microseconds() / DAY_US).alias("age_days")
    kept = log.orders.with_columns(age, net_cny=pl.col("gmv_cny") - pl.col("refund_cny")).filter(
        pl.col("net_cny") > 0
    )
    factor = refunds.amount_factor(kept["age_days"].to_numpy())
    return kept.with_columns(net_cny=pl.col("net_cny") * pl.Series(factor))


def read_followers(
    log: EventLog, kept: pl.DataFrame, *, placements: tuple[str, ...], horizon_days: float
) -> Followers:
    """Follow the followers: their kept orders from the follow to the horizon or `as_of`."""
    codes = {name: float(i) for i, name in enumerate(placements)} | {CONTROL: float(len(placements))}
    follows = log.follows.with_row_index("follow").with_columns(
        ((log.as_of - pl.col("followed_at")).dt.total_microseconds() / DAY_US)
        .clip(0.0, horizon_days)
        .alias("age_days")
    )
    orders = (
        kept.join(follows.select("follow", "user", "followed_at"), on="user", how="inner")
        .with_columns(since=(pl.col("ordered_at") - pl.col("followed_at")).dt.total_microseconds() / DAY_US)
        .filter((pl.col("since") >= 0) & (pl.col("since") < horizon_days))
        .sort("follow", "since", "net_cny")
    )
    per = orders.group_by("follow").agg(pl.col("since").min(), pl.col("net_cny").sum())
    table = follows.join(per, on="follow", how="left").sort("follow")
    return Followers(
        user=table["user"].to_numpy().astype(np.int64),
        placement=table["placement"].replace_strict(codes, return_dtype=pl.Float64).to_numpy(),
        randomized=table["randomized"].fill_null(False).to_numpy(),
        age_days=table["age_days"].to_numpy(),
        first_kept_days=table["since"].fill_null(np.nan).to_numpy(),
        net_cny=table["net_cny"].fill_null(0.0).to_numpy(),
        event_age_days=orders["since"].to_numpy(),
        event_net_cny=orders["net_cny"].to_numpy(),
        order_age_days=orders["age_days"].to_numpy(),
    )


@dataclass(frozen=True)
class Amounts:
    """E[net GMV over the horizon | kept order] = level x exp(slope (f(x) - centre)).

    Attributes:
        booster: f, the log amount.
        centre: Mean of f.
        slope: How much of the spread of f is believed, 0..1.5.
        level: CNY at the centre.
    """

    booster: HazardBooster
    centre: float = 0.0
    slope: float = 0.0
    level: float = 0.0

    def relative(self, f: np.ndarray) -> np.ndarray:
        """Amount relative to the level, same shape."""
        return np.exp(self.slope * (f - self.centre))

    def to_json(self) -> dict[str, Any]:
        """Plain dict for JSON."""
        return {
            "booster": self.booster.to_json(),
            "centre": self.centre,
            "slope": self.slope,
            "level": self.level,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Amounts:
        """Inverse of `to_json`."""
        return cls(HazardBooster.from_json(value["booster"]), value["centre"], value["slope"], value["level"])


@dataclass(frozen=True)
class ValueModel:
    """Buying and spending of new fans.

    Attributes:
        placements: Placement names; code = position.
        horizon_days: H.
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
        extended = _with_placement(matrix, np.full(matrix.shape[0], float(code)))
        return np.exp(self.buy.log_rate(extended, threads=threads) + self.buy_shift[code])

    def p_precise(self, matrix: np.ndarray, code: int, *, threads: int = 1) -> np.ndarray:
        """P(at least one order that stays kept by H | follow via a placement), (n,)."""
        return -np.expm1(-self.stays_kept * self.buy_hazard(matrix, code, threads=threads))

    def gross_gmv(self, matrix: np.ndarray, code: int, *, threads: int = 1) -> np.ndarray:
        """Net-of-refund GMV over H after following, organic part not yet subtracted, (n,)."""
        extended = _with_placement(matrix, np.full(matrix.shape[0], float(code)))
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


def _with_placement(matrix: np.ndarray, code: np.ndarray) -> np.ndarray:
    return np.column_stack([matrix, code])


def _fit_buy(
    fitting: Fitting, followers: Followers, curve: DelayCurve, placements: tuple[str, ...]
) -> tuple[Rate, tuple[float, ...], np.ndarray, dict[str, float]]:
    """Buying hazard, its placement factors and out-of-fold hazards of the followers."""
    rows = HazardRows(
        user=np.arange(followers.user.size),
        y=followers.bought.astype(float),
        w=curve.at(followers.age_days),
        b=np.zeros(followers.user.size),
        weight=np.ones(followers.user.size),
    )
    matrix = _with_placement(fitting.matrix[followers.user], followers.placement)
    shape = fit_shape(
        replace(fitting, matrix=matrix, categorical=(*fitting.categorical, fitting.matrix.shape[1])), rows
    )
    log_rate = shape.honest
    shifts = []
    for code in range(len(placements)):
        mine = followers.placement == code
        shift = fit_affine(rows.take(mine), log_rate[mine], shift_sd=PLACEMENT_SD, slope_sd=FLAT_SLOPE).shift
        shifts.append(shift)
        log_rate = np.where(mine, log_rate + shift, log_rate)
    maps: tuple[LogRateMap, ...] = ()
    coin = followers.randomized & (followers.placement < len(placements))
    if coin.any() and not coin.all():
        correction = fit_affine(rows.take(coin), log_rate[coin], shift_sd=COIN_SD, slope_sd=FLAT_SLOPE)
        maps = (LogRateMap(shift=correction.shift),)
        log_rate = chain(log_rate, maps)
    metrics = {"buyers": rows.events, "buy_rounds": float(shape.rounds), "followers": float(rows.y.size)}
    rate = Rate(shape.rate.booster, shape.rate.logged, maps)
    return rate, tuple(shifts), np.exp(log_rate), metrics


def _fit_amounts(
    fitting: Fitting, followers: Followers, first_order: DelayCurve, gmv: DelayCurve
) -> tuple[Amounts, np.ndarray, dict[str, float]]:
    """Spending of buyers; also the out-of-fold amounts of all followers relative to the level."""
    bought = followers.bought
    # of a buyer's spending by H, this part has come by age t: M(t)/M(H) over P(buy by t)/P(buy by H)
    by_age = -np.expm1(-first_order.total * first_order.at(followers.age_days)) / -np.expm1(
        -first_order.total
    )
    arrived = np.clip(gmv.at(followers.age_days) / np.maximum(by_age, 1e-9), 0.05, 1.0)[bought]
    amount = followers.net_cny[bought] / arrived
    log_amount = np.log(amount)
    rows = AmountRows(
        user=followers.user[bought], y=log_amount, weight=arrived, scale=max(float(log_amount.std()), 0.05)
    )
    categorical = (*fitting.categorical, fitting.matrix.shape[1])
    matrix = _with_placement(fitting.matrix[followers.user], followers.placement)
    fit = fit_boosted(
        matrix=matrix[bought], rows=rows, categorical=categorical, seed=fitting.seed, threads=fitting.threads
    )
    f = fit.booster.log_rate(matrix, threads=fitting.threads)
    f[bought] = fit.out_of_fold
    centre = float(np.average(fit.out_of_fold, weights=arrived))
    x = fit.out_of_fold - centre
    y = log_amount - np.average(log_amount, weights=arrived)
    # slope ~ N(1, 0.5^2) against the out-of-fold regression, noise variance = that of the log amounts
    precision = (arrived * x * x).sum() / rows.scale**2
    shrunk = ((arrived * x * y).sum() / rows.scale**2 + 4.0) / (precision + 4.0)
    slope = 0.0 if fit.flat else float(shrunk)
    amounts = Amounts(fit.booster, centre, float(np.clip(slope, 0.0, 1.5)))
    relative = amounts.relative(f)
    level = float((amount * arrived).sum() / (relative[bought] * arrived).sum())
    metrics = {"amount_rounds": float(fit.rounds), "amount_slope": amounts.slope, "amount_mean_cny": level}
    return replace(amounts, level=level), relative * level, metrics


def _gmv_factors(followers: Followers, expected: np.ndarray, n_placements: int) -> tuple[float, ...]:
    """Factor per placement so that totals agree: overall exactly, apart as far as the buyers' noise lets
    it be believed.

    With n buyers of coefficient of variation c the log ratio has variance about (1 + c^2) / n, against
    LEVEL_SD^2 between placements.
    """
    observed = followers.net_cny
    overall = observed.sum() / max(expected.sum(), 1e-12)
    amounts = observed[observed > 0]
    noise = 1.0 + (amounts.std() / amounts.mean()) ** 2
    factors = []
    for code in range(n_placements):
        mine = followers.placement == code
        buyers = int((observed[mine] > 0).sum())
        trust = LEVEL_SD**2 / (LEVEL_SD**2 + noise / max(buyers, 1)) if buyers else 0.0
        ratio = observed[mine].sum() / max(expected[mine].sum() * overall, 1e-12) if buyers else 1.0
        factors.append(float(overall * ratio**trust))
    return tuple(factors)


def _fit_organic(
    fitting: Fitting, log: EventLog, kept: pl.DataFrame, horizon_days: float
) -> tuple[Rate | None, float, dict[str, float]]:
    """Purchases in the person-time of exposed users from their first row to the follow, `as_of` or H days
    later."""
    first = log.exposures.group_by("user").agg(
        pl.col("exposed_at").min().alias("start"), pl.col("followed_at").min()
    )
    end = pl.min_horizontal(
        pl.col("followed_at").fill_null(log.as_of),
        pl.lit(log.as_of),
        pl.col("start") + pl.duration(microseconds=int(horizon_days * DAY_US)),
    )
    person = first.with_columns(end=end).with_columns(
        share=(pl.col("end") - pl.col("start")).dt.total_microseconds() / DAY_US / horizon_days
    )
    person = person.filter(pl.col("share") > 1e-6)
    bought = (
        kept.join(person, on="user", how="inner")
        .filter((pl.col("ordered_at") >= pl.col("start")) & (pl.col("ordered_at") < pl.col("end")))
        .group_by("user")
        .agg(pl.col("net_cny").sum())
    )
    if bought.height == 0:
        return None, 0.0, {"organic_buyers": 0.0}
    table = person.join(bought, on="user", how="left").sort("user")
    rows = HazardRows(
        user=table["user"].to_numpy().astype(np.int64),
        y=table["net_cny"].is_not_null().to_numpy().astype(float),
        w=table["share"].to_numpy(),
        b=np.zeros(table.height),
        weight=np.ones(table.height),
    )
    shape = fit_shape(fitting, rows)
    expected = float((rows.w * np.exp(shape.honest[rows.user])).sum())
    cny = float(table["net_cny"].sum()) / max(expected, 1e-12)
    return shape.rate, cny, {"organic_buyers": rows.events, "organic_gmv_cny": float(table["net_cny"].sum())}


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
    buy, shift, hazard, buy_metrics = _fit_buy(fitting, followers, first_order, placements)
    amounts, expected_amount, amount_metrics = _fit_amounts(fitting, followers, first_order, gmv)
    expected = -np.expm1(-hazard) * expected_amount * gmv.at(followers.age_days)
    organic, organic_cny, organic_metrics = _fit_organic(fitting, log, kept, horizon_days)
    metrics = buy_metrics | amount_metrics | organic_metrics
    return ValueModel(
        placements=placements,
        horizon_days=horizon_days,
        buy=buy,
        buy_shift=shift,
        stays_kept=float(refunds.order_factor(followers.order_age_days).mean()),
        amounts=amounts,
        gmv_factor=_gmv_factors(followers, expected, len(placements)),
        organic=organic,
        organic_cny=organic_cny,
        first_order=first_order,
        gmv=gmv,
        refunds=refunds,
        metrics=metrics,
    )
