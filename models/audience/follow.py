"""From being shown to following: incremental hazards per impression, made causal where a coin was tossed.

Per placement j and user u, with n impressions and k_u rows on the same day,

    P(follow | row) = 1 - exp(-(b_u / k_u + n h_uj)),

b_u = organic hazard per user-day, learned from the held-out `none` rows. Where entering the live room is
logged the hazard has two steps,
h = e q with P(enter | row) = 1 - exp(-n e) and P(follow | entered) = 1 - (1 - q) exp(-b) (an impression
enters and then converts: thinning).

Each rate is learned from all rows and corrected on the randomised ones (`models.rates`). Hazards are those of
`as_of`: a trend over the logged days is estimated and carried to their end (`trend`).

Must not import lightgbm, mlflow, targeting or pipelines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from models.events.event_log import CONTROL, DAY_US, EventLog
from models.rates.log_rows import hazard_rows
from models.rates.randomised import randomised_map, randomised_views
from models.rates.rate import Fitting, Rate, Shape, fit_shape
from models.rates.rate_maps import LogRateMap, View, ViewFits, chain, fit_affine
from models.rates.trend import NO_TREND, Trend, fit_trend

TWO_STEPS = View(shift_sd=1.0, slope_sd=0.3)
"""How far the product of two fitted steps may be off the follows that both lead to."""


@dataclass(frozen=True)
class PlacementFunnel:
    """The way of one placement from impression to follow.

    Attributes:
        follow: Hazard of following per impression (one step) or after entering (two steps).
        enter: Hazard of entering the live room per impression, or None where there is no such step.
        total: Maps of the two-step log hazard to the logged total and `total_causal` to the randomised one.
        total_causal: See `total`.
        trend: Drift of the follow hazard over the logged days (entering the live room is taken as steady).
    """

    follow: Rate
    enter: Rate | None = None
    total: tuple[LogRateMap, ...] = ()
    total_causal: tuple[LogRateMap, ...] = ()
    trend: Trend = NO_TREND

    def log_hazard(self, matrix: np.ndarray, *, threads: int = 1, causal: bool = True) -> np.ndarray:
        """Log of the incremental follow hazard per impression as of now, (n,)."""
        if self.enter is None:
            return self.follow.log_rate(matrix, threads=threads, causal=causal) + self.trend.now
        enter = self.enter.log_rate(matrix, threads=threads, causal=causal)
        log_hazard = _two_step(enter, self.follow.log_rate(matrix, threads=threads, causal=False))
        return chain(log_hazard, self.total + self.total_causal if causal else self.total) + self.trend.now

    @property
    def coin_shift(self) -> float:
        """Log of randomised over logged follow hazard at the middle of the randomised rows."""
        maps = self.follow.causal if self.enter is None else self.enter.causal + self.total_causal
        return float(sum(one.shift for one in maps))


@dataclass(frozen=True)
class Funnel:
    """Incremental follow hazards of every placement.

    Attributes:
        placements: One funnel per placement, in the brief's order.
        organic: Organic follow hazard per user-day, or None where no held-out rows exist.
        metrics: Events and trees of every rate, by name.
    """

    placements: Mapping[str, PlacementFunnel]
    organic: Rate | None
    metrics: Mapping[str, float]

    def organic_hazard(self, matrix: np.ndarray, *, threads: int = 1, causal: bool = True) -> np.ndarray:
        """Organic follow hazard per user-day, (n,)."""
        if self.organic is None:
            return np.zeros(matrix.shape[0])
        return np.exp(self.organic.log_rate(matrix, threads=threads, causal=causal))

    @property
    def trends(self) -> dict[str, Trend]:
        """Drift of each placement's hazard over the logged days."""
        return {name: one.trend for name, one in self.placements.items()}

    @property
    def ranking_shift(self) -> float:
        """Log of randomised over logged follow hazards at the middle of the rows, mean of the placements.

        What ranked delivery selects for, in one number: 0 without selection, negative where it shows to
        people who are more likely to follow than their features say.
        """
        return float(np.mean([one.coin_shift for one in self.placements.values()]))


def _two_step(log_enter: np.ndarray, log_follow: np.ndarray) -> np.ndarray:
    """log(e q) with q = 1 - exp(-exp(log_follow))."""
    return log_enter + np.log(-np.expm1(-np.exp(np.minimum(log_follow, 5.0))))


@dataclass(frozen=True)
class _Logged:
    """What the logs of one placement say, before any coin is heard.

    Attributes:
        rows: Rows with an impression or more.
        baseline: Organic hazard of each row, (n_rows,).
        follow: Hazard per impression (one step) or after entering (two steps).
        enter: Hazard of entering, or None.
        total: Maps of the two-step log hazard to the logged total.
        follows: Follows logged.
    """

    rows: pl.DataFrame
    baseline: np.ndarray
    follow: Shape
    enter: Shape | None
    total: tuple[LogRateMap, ...]
    follows: float

    @property
    def first(self) -> Shape:
        """What an impression leads to at once: the shape that the coin speaks of most clearly."""
        return self.follow if self.enter is None else self.enter

    def first_coin(self) -> ViewFits | None:
        """What the coin says of the first step."""
        return randomised_views(
            self.rows,
            event="followed" if self.enter is None else "entered_live",
            exposure="impressions",
            baseline=self.baseline if self.enter is None else None,
            honest=self.first.honest,
        )

    def honest(self, first: tuple[LogRateMap, ...] = ()) -> np.ndarray:
        """Out-of-fold log hazard of every user per impression, the first step corrected by maps."""
        step = chain(self.first.honest, first)
        return step if self.enter is None else chain(_two_step(step, self.follow.honest), self.total)

    def metrics(self, name: str) -> dict[str, float]:
        """Events and trees of the steps."""
        found = {f"follow_events_{name}": self.follows, f"follow_rounds_{name}": float(self.follow.rounds)}
        if self.enter is not None:
            found[f"enter_events_{name}"] = self.enter.events
            found[f"enter_rounds_{name}"] = float(self.enter.rounds)
        return found


def _fit_logged(fitting: Fitting, rows: pl.DataFrame, organic: np.ndarray) -> _Logged:
    """Shapes of a placement's steps."""
    baseline = organic[rows["user"].to_numpy()] * rows["organic_days"].to_numpy()
    every = hazard_rows(rows, event="followed", exposure="impressions", baseline=baseline)
    if not (rows["entered_live"].is_not_null().mean() == 1.0 and bool(rows["entered_live"].any())):
        return _Logged(rows, baseline, fit_shape(fitting, every), None, (), every.events)
    enter = fit_shape(fitting, hazard_rows(rows, event="entered_live", exposure="impressions", baseline=None))
    entered = rows.filter("entered_live").with_columns(once=pl.lit(1.0))
    inside = baseline[rows["entered_live"].to_numpy()]
    follow = fit_shape(fitting, hazard_rows(entered, event="followed", exposure="once", baseline=inside))
    honest = _two_step(enter.honest, follow.honest)
    total = (fit_affine(every, honest[every.user], TWO_STEPS),)
    return _Logged(rows, baseline, follow, enter, total, every.events)


def _correct(
    logged: _Logged, first_coin: ViewFits | None, others: Sequence[ViewFits | None]
) -> PlacementFunnel:
    """A placement's funnel, corrected by its own coin in the light of the others'."""
    first = randomised_map(first_coin, others)
    causal = logged.honest(first)
    total_causal: tuple[LogRateMap, ...] = ()
    if logged.enter is not None:
        second = randomised_views(
            logged.rows, event="followed", exposure="impressions", baseline=logged.baseline, honest=causal
        )
        total_causal = randomised_map(second, (first_coin, *others))
        causal = chain(causal, total_causal)
    trend = _fit_trend(logged.rows, logged.baseline, logged.honest(), causal)
    if logged.enter is None:
        return PlacementFunnel(follow=replace(logged.follow.rate, causal=first), trend=trend)
    enter = replace(logged.enter.rate, causal=first)
    return PlacementFunnel(logged.follow.rate, enter, logged.total, total_causal, trend)


def _fit_trend(rows: pl.DataFrame, baseline: np.ndarray, logged: np.ndarray, causal: np.ndarray) -> Trend:
    """Drift of follows against what a hazard without days (log, by user) expects of the same rows.

    Ranked rows are held against the logged hazard and randomised ones against the causal one, or days with
    an experiment would look like worse days. Rows younger than a day may still be followed.
    """
    user = rows["user"].to_numpy()
    honest = np.where(rows["randomized"].fill_null(False).to_numpy(), causal[user], logged[user])
    hazard = rows["impressions"].to_numpy() * np.exp(honest)
    age = rows["age_days"].to_numpy()
    closed = age >= 1.0
    return fit_trend(
        age_days=age[closed],
        observed=(rows["followed"].to_numpy() + np.expm1(-baseline))[closed],
        expected=(np.exp(-baseline) * -np.expm1(-hazard))[closed],
    )


def fit_funnel(fitting: Fitting, log: EventLog, *, placements: tuple[str, ...]) -> Funnel:
    """Fit organic follows, then every placement on top of them.

    Args:
        fitting: User features and settings.
        log: Events known by `as_of`.
        placements: Placements to fit.
    """
    metrics: dict[str, float] = {}
    organic_rate: Rate | None = None
    organic = np.zeros(fitting.matrix.shape[0])
    control = log.exposures.filter(pl.col("placement") == CONTROL)
    if control.height:
        organic_rate, organic, metrics = _fit_organic(fitting, control)
    age = ((log.as_of - pl.col("exposed_at")).dt.total_microseconds() / DAY_US).alias("age_days")
    logged, coins, fitted = {}, {}, {}
    for name in placements:
        rows = log.exposures.filter((pl.col("placement") == name) & (pl.col("impressions") > 0))
        logged[name] = _fit_logged(fitting, rows.with_columns(age), organic)
        coins[name] = logged[name].first_coin()
        metrics |= logged[name].metrics(name)
    for name in placements:
        others = [coin for other, coin in coins.items() if other != name]
        fitted[name] = _correct(logged[name], coins[name], others)
        metrics[f"trend_{name}"] = fitted[name].trend.now
    return Funnel(fitted, organic_rate, metrics)


def _fit_organic(fitting: Fitting, control: pl.DataFrame) -> tuple[Rate, np.ndarray, dict[str, float]]:
    """Organic follow rate per user-day; also out of fold, (n_users,), and its metrics.

    A few held-out follows must not outbid the events they are subtracted from: the corrected rate is used
    throughout.
    """
    event, exposure = "followed", "organic_days"
    shape = fit_shape(fitting, hazard_rows(control, event=event, exposure=exposure, baseline=None))
    causal = randomised_map(
        randomised_views(control, event=event, exposure=exposure, baseline=None, honest=shape.honest)
    )
    counts = {"organic_events": shape.events, "organic_rounds": float(shape.rounds)}
    return replace(shape.rate, causal=causal), np.exp(chain(shape.honest, causal)), counts
