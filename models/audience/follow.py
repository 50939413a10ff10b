"""From being shown to following. In: the log, user features. Out: incremental follow hazards per impression.

Per placement j and user u, with n impressions and k_u rows on the same day,

    P(follow | row) = 1 - exp(-(b_u / k_u + n h_uj)),

b_u = organic hazard per user-day, learned from the held-out `none` rows. Where entering the live room is
logged, P(enter | row) = 1 - exp(-n e_u) is learned first and log e is what log h starts from: entries are ten
times as many as follows, and who enters mostly says who follows; elsewhere it starts from log b where that
is known. Whom the platform chose to show (`chosen`) may say who follows as well.

Each rate is learned from all rows; what the coin says of it comes after (`models.rates.coin`). Hazards are
those of `as_of`: a trend over the logged days is estimated and carried to their end (`trend`).

Must not import lightgbm, mlflow, targeting or pipelines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from models.audience.evenly import even_rows, not_fans
from models.audience.funnel import Funnel, PlacementFunnel
from models.events.event_log import CONTROL, DAY_US, EventLog
from models.rates.coin import Tossed, coin_shifts, tossed
from models.rates.log_rows import hazard_rows
from models.rates.rate import NO_SHIFT, Rate, Shift
from models.rates.shape import Base, Fitting, Shape, fit_shape
from models.rates.trend import Days, fit_trends

_BY_DAY = ("user", "impressions", "followed", "randomized", "age_days", "even")


@dataclass(frozen=True)
class _Logged:
    """What the logs of one placement say, before the coin is asked.

    Attributes:
        rows: What `_days` reads of rows with an impression or more.
        baseline: Organic hazard of each row, (n_rows,).
        follow: Hazard of following per impression.
        enter: Hazard of entering, or None.
        tossed: Randomised rows of either, by its name.
    """

    rows: pl.DataFrame
    baseline: np.ndarray
    follow: Shape
    enter: Shape | None
    tossed: Mapping[str, Tossed | None]


@dataclass(frozen=True)
class LoggedFunnel:
    """Every rate of following as logged.

    Attributes:
        placements: By name.
        organic: Organic follow rate, already under the coin: a few held-out follows must not outbid the
            events they are subtracted from.
        metrics: Events and trees.
    """

    placements: Mapping[str, _Logged]
    organic: Rate | None
    metrics: Mapping[str, float]

    def tossed(self) -> dict[str, Tossed | None]:
        """Randomised rows of every rate, by name."""
        return {
            f"{step} {name}": rows
            for name, one in self.placements.items()
            for step, rows in one.tossed.items()
        }

    def corrected(self, shifts: Mapping[str, Shift]) -> Funnel:
        """The funnel under the coin, as of the end of the logs."""
        found, metrics = {}, dict(self.metrics)
        trends = fit_trends(
            {
                name: _days(one.rows, one.baseline, one.follow.out_of_fold, shifts.get(f"follow {name}"))
                for name, one in self.placements.items()
            }
        )
        for name, one in self.placements.items():
            shift, trend = shifts.get(f"follow {name}", NO_SHIFT), trends[name]
            enter = (
                None
                if one.enter is None
                else replace(one.enter.rate, coin=shifts.get(f"enter {name}", NO_SHIFT))
            )
            found[name] = PlacementFunnel(replace(one.follow.rate, coin=shift), enter, trend)
            metrics |= {f"trend_{name}": trend.now, f"coin_{name}": shift.shift}
        return Funnel(found, self.organic, metrics)


def fit_logged(
    fitting: Fitting, log: EventLog, *, placements: tuple[str, ...], chosen: Shape | None = None
) -> LoggedFunnel:
    """Fit organic follows, then every placement on top of them.

    Args:
        fitting: User features and settings.
        log: Events known by `as_of`.
        placements: Placements to fit.
        chosen: Whom the platform chose to show, where it chose.
    """
    metrics: dict[str, float] = {}
    unaided, organic = None, np.zeros(fitting.matrix.shape[0])
    control = log.exposures.filter(pl.col("placement") == CONTROL)
    if control.height:
        unaided = _fit_organic(fitting, control)
        organic = np.exp(unaided.rate.coin.apply(unaided.out_of_fold))
        metrics = {"organic_events": unaided.events, "organic_rounds": float(unaided.rounds)}
    age = ((log.as_of - pl.col("exposed_at")).dt.total_microseconds() / DAY_US).alias("age_days")
    found = {}
    for name in placements:
        rows = log.exposures.filter((pl.col("placement") == name) & (pl.col("impressions") > 0))
        rows = rows.with_columns(age, even_rows(rows, people=not_fans(log)))
        found[name] = one = _fit_placement(fitting, rows, unaided, organic, chosen)
        for kind, shape in (("follow", one.follow), ("enter", one.enter)):
            if shape is not None:
                metrics |= {
                    f"{kind}_events_{name}": shape.events,
                    f"{kind}_rounds_{name}": float(shape.rounds),
                    f"{kind}_differs_{name}": shape.differs,
                }
    return LoggedFunnel(found, None if unaided is None else unaided.rate, metrics)


def _fit_placement(
    fitting: Fitting,
    rows: pl.DataFrame,
    unaided: Shape | None,
    organic: np.ndarray,
    chosen: Shape | None,
) -> _Logged:
    """Shapes of a placement's steps, on top of organic follows."""
    baseline = organic[rows["user"].to_numpy()] * rows["organic_days"].to_numpy()
    enter, entered = None, {}
    bases = [] if unaided is None else [Base(unaided)]
    if rows["entered_live"].is_not_null().mean() == 1.0 and bool(rows["entered_live"].any()):
        event, exposure = "entered_live", "impressions"
        enter = fit_shape(fitting, hazard_rows(rows, event=event, exposure=exposure, baseline=None))
        coin = tossed(rows, event=event, exposure=exposure, baseline=None, log_rate=enter.out_of_fold)
        bases, entered = [Base(enter)], {"enter": coin}
    bases += [] if chosen is None else [Base(chosen, slope=0.0)]
    event, exposure = "followed", "impressions"
    follows = hazard_rows(rows, event=event, exposure=exposure, baseline=baseline)
    follow = fit_shape(fitting, follows, bases=bases)
    coin = tossed(rows, event=event, exposure=exposure, baseline=baseline, log_rate=follow.out_of_fold)
    return _Logged(rows.select(_BY_DAY), baseline, follow, enter, {"follow": coin, **entered})


def _days(rows: pl.DataFrame, baseline: np.ndarray, logged: np.ndarray, shift: Shift | None) -> Days:
    """Follows of each day beside those that a hazard without days (log, by user) expects of the same rows,
    weighed as if everybody had been shown alike.

    Ranked rows are held against the logged hazard and randomised ones against that under the coin, or days
    with an experiment would look like worse days. Rows younger than a day may still be followed.
    """
    f = logged[rows["user"].to_numpy()]
    f = np.where(rows["randomized"].fill_null(False).to_numpy(), (shift or NO_SHIFT).apply(f), f)
    hazard = rows["impressions"].to_numpy() * np.exp(f)
    age = rows["age_days"].to_numpy()
    closed, even = age >= 1.0, rows["even"].to_numpy()
    return Days.of(
        age_days=age[closed],
        observed=(even * (rows["followed"].to_numpy() + np.expm1(-baseline)))[closed],
        expected=(even * np.exp(-baseline) * -np.expm1(-hazard))[closed],
    )


def _fit_organic(fitting: Fitting, control: pl.DataFrame) -> Shape:
    """Organic follow rate per user-day."""
    event, exposure = "followed", "organic_days"
    shape = fit_shape(fitting, hazard_rows(control, event=event, exposure=exposure, baseline=None))
    rows = tossed(control, event=event, exposure=exposure, baseline=None, log_rate=shape.out_of_fold)
    shift = coin_shifts({"organic": rows}).get("organic", NO_SHIFT)
    return replace(shape, rate=replace(shape.rate, coin=shift))
