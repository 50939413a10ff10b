"""From being shown to following: incremental hazards per impression, made causal where a coin was tossed.

Per placement j and user u, with n impressions and k_u rows on the same day,

    P(follow | row) = 1 - exp(-(b_u / k_u + n h_uj)),

b_u = organic hazard per user-day, learned from the held-out `none` rows. Where entering the live room is
logged the hazard has two steps,
h = e q with P(enter | row) = 1 - exp(-n e) and P(follow | entered) = 1 - (1 - q) exp(-b) (an impression
enters and then converts: thinning).

Each rate is learned from all rows and corrected on the randomised ones (`rates`). Hazards are those of
`as_of`: a trend over the logged days is estimated and carried to their end (`trend`).

Must not import lightgbm, mlflow, targeting or pipelines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from models.correction import coin_correction
from models.labels import CONTROL, DAY_US, EventLog, hazard_rows
from models.rate_maps import LogRateMap, View, chain, fit_affine
from models.rates import Fitting, Rate, fit_corrected, fit_shape
from models.trend import NO_TREND, Trend, fit_trend

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

    def to_json(self) -> dict[str, Any]:
        """Plain dict for JSON."""
        return {
            "follow": self.follow.to_json(),
            "enter": None if self.enter is None else self.enter.to_json(),
            "total": [one.to_json() for one in self.total],
            "total_causal": [one.to_json() for one in self.total_causal],
            "trend": self.trend.to_json(),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> PlacementFunnel:
        """Inverse of `to_json`."""
        return cls(
            Rate.from_json(value["follow"]),
            None if value["enter"] is None else Rate.from_json(value["enter"]),
            tuple(LogRateMap.from_json(one) for one in value["total"]),
            tuple(LogRateMap.from_json(one) for one in value["total_causal"]),
            Trend(**value["trend"]),
        )


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

    def to_json(self) -> dict[str, Any]:
        """Plain dict for JSON."""
        return {
            "placements": {name: one.to_json() for name, one in self.placements.items()},
            "organic": None if self.organic is None else self.organic.to_json(),
            "metrics": dict(self.metrics),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Funnel:
        """Inverse of `to_json`."""
        return cls(
            {name: PlacementFunnel.from_json(one) for name, one in value["placements"].items()},
            None if value["organic"] is None else Rate.from_json(value["organic"]),
            dict(value["metrics"]),
        )


def _two_step(log_enter: np.ndarray, log_follow: np.ndarray) -> np.ndarray:
    """log(e q) with q = 1 - exp(-exp(log_follow))."""
    return log_enter + np.log(-np.expm1(-np.exp(np.minimum(log_follow, 5.0))))


def _fit_placement(
    fitting: Fitting, rows: pl.DataFrame, organic: np.ndarray, metrics: dict[str, float], name: str
) -> PlacementFunnel:
    users = rows["user"].to_numpy()
    baseline = organic[users] * rows["organic_days"].to_numpy()
    live = rows["entered_live"].is_not_null().mean() == 1.0 and bool(rows["entered_live"].any())
    if not live:
        step = fit_corrected(fitting, rows, event="followed", exposure="impressions", baseline=baseline)
        metrics |= {f"follow_events_{name}": step.events, f"follow_rounds_{name}": float(step.rounds)}
        trend = _fit_trend(rows, baseline, step.honest, chain(step.honest, step.rate.causal))
        return PlacementFunnel(follow=step.rate, trend=trend)
    enter = fit_corrected(fitting, rows, event="entered_live", exposure="impressions", baseline=None)
    inside = rows["entered_live"].to_numpy()
    entered = rows.filter("entered_live").with_columns(once=pl.lit(1.0))
    follow = fit_shape(
        fitting, hazard_rows(entered, event="followed", exposure="once", baseline=baseline[inside])
    )
    total_rows = hazard_rows(rows, event="followed", exposure="impressions", baseline=baseline)
    honest = _two_step(enter.honest, follow.honest)
    total = (fit_affine(total_rows, honest[total_rows.user], TWO_STEPS),)
    causal_enter = chain(enter.honest, enter.rate.causal)
    causal_honest = chain(_two_step(causal_enter, follow.honest), total)
    total_causal = coin_correction(rows, "followed", baseline, causal_honest, "impressions")
    metrics |= {
        f"enter_events_{name}": enter.events,
        f"enter_rounds_{name}": float(enter.rounds),
        f"follow_events_{name}": total_rows.events,
        f"follow_rounds_{name}": float(follow.rounds),
    }
    logged = chain(_two_step(enter.honest, follow.honest), total)
    trend = _fit_trend(rows, baseline, logged, chain(causal_honest, total_causal))
    return PlacementFunnel(follow.rate, enter.rate, total, total_causal, trend)


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
    control = log.exposures.filter(pl.col("placement") == CONTROL)
    organic_rate: Rate | None = None
    organic = np.zeros(fitting.matrix.shape[0])
    if control.height:
        shape = fit_corrected(fitting, control, event="followed", exposure="organic_days", baseline=None)
        organic_rate = shape.rate
        # a few held-out follows must not outbid the events they are subtracted from: use the corrected
        # rate throughout
        organic = np.exp(chain(shape.honest, shape.rate.causal))
        metrics |= {"organic_events": shape.events, "organic_rounds": float(shape.rounds)}
    age = ((log.as_of - pl.col("exposed_at")).dt.total_microseconds() / DAY_US).alias("age_days")
    fitted = {}
    for name in placements:
        rows = log.exposures.filter((pl.col("placement") == name) & (pl.col("impressions") > 0))
        fitted[name] = _fit_placement(fitting, rows.with_columns(age), organic, metrics, name)
        metrics[f"trend_{name}"] = fitted[name].trend.now
    return Funnel(fitted, organic_rate, metrics)
