"""From being shown to following. In: the log, user features. Out: incremental follow hazards per impression.

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

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from models.audience.funnel import Funnel, PlacementFunnel, two_step_log_hazard
from models.audience.settings import AUDIENCE
from models.events.event_log import CONTROL, DAY_US, EventLog
from models.rates.log_rows import hazard_rows
from models.rates.randomised import randomised_fits, randomised_map
from models.rates.rate import Fitting, Rate, Shape, fit_shape
from models.rates.rate_maps import LogRateMap, MapFits, chain, fit_affine
from models.rates.trend import Trend, fit_trend


@dataclass(frozen=True)
class _Logged:
    """What the logs of one placement say, before randomised rows are asked.

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
        """What an impression leads to at once: the shape that randomised rows know best."""
        return self.follow if self.enter is None else self.enter

    def first_randomised(self) -> MapFits | None:
        """What randomised rows say of the first step."""
        return randomised_fits(
            self.rows,
            event="followed" if self.enter is None else "entered_live",
            exposure="impressions",
            baseline=self.baseline if self.enter is None else None,
            out_of_fold=self.first.out_of_fold,
        )

    def out_of_fold(self, first: tuple[LogRateMap, ...] = ()) -> np.ndarray:
        """Out-of-fold log hazard of every user per impression, the first step corrected by maps."""
        step = chain(self.first.out_of_fold, first)
        return (
            step
            if self.enter is None
            else chain(two_step_log_hazard(step, self.follow.out_of_fold), self.total)
        )

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
    out_of_fold = two_step_log_hazard(enter.out_of_fold, follow.out_of_fold)
    total = (fit_affine(every, out_of_fold[every.user], AUDIENCE.two_steps),)
    return _Logged(rows, baseline, follow, enter, total, every.events)


def _correct(
    logged: _Logged, first_randomised: MapFits | None, others: Sequence[MapFits | None]
) -> PlacementFunnel:
    """A placement's funnel, corrected by its own randomised rows in the light of the others'."""
    first = randomised_map(first_randomised, others)
    causal = logged.out_of_fold(first)
    total_causal: tuple[LogRateMap, ...] = ()
    if logged.enter is not None:
        second = randomised_fits(
            logged.rows,
            event="followed",
            exposure="impressions",
            baseline=logged.baseline,
            out_of_fold=causal,
        )
        total_causal = randomised_map(second, (first_randomised, *others))
        causal = chain(causal, total_causal)
    trend = _fit_trend(logged.rows, logged.baseline, logged.out_of_fold(), causal)
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
    out_of_fold = np.where(rows["randomized"].fill_null(False).to_numpy(), causal[user], logged[user])
    hazard = rows["impressions"].to_numpy() * np.exp(out_of_fold)
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
    logged, randomised, fitted = {}, {}, {}
    for name in placements:
        rows = log.exposures.filter((pl.col("placement") == name) & (pl.col("impressions") > 0))
        logged[name] = _fit_logged(fitting, rows.with_columns(age), organic)
        randomised[name] = logged[name].first_randomised()
        metrics |= logged[name].metrics(name)
    for name in placements:
        others = [fits for other, fits in randomised.items() if other != name]
        fitted[name] = _correct(logged[name], randomised[name], others)
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
        randomised_fits(control, event=event, exposure=exposure, baseline=None, out_of_fold=shape.out_of_fold)
    )
    counts = {"organic_events": shape.events, "organic_rounds": float(shape.rounds)}
    return replace(shape.rate, causal=causal), np.exp(chain(shape.out_of_fold, causal)), counts
