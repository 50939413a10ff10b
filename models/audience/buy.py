"""Whether a new fan buys because of following. In: followers, everybody's orders. Out: the buying hazards.

A follower of age t is also somebody who might have bought anyway, so with G0_u the organic hazard of a kept
order over the horizon H

    P(kept order by t | follow) = 1 - exp(-(phi G0_u t / H + Lambda_u Lambda0(t) / Lambda0(H))).

The organic part is a known baseline *inside* the likelihood: subtracting two fitted hazards afterwards would
leave content fans with a difference of two noisy numbers. It is learned from the person-time of everybody who
does not follow; and because those who follow may be those who were about to buy (an intent that nobody logs),
phi is how much more than their features say the followers had bought *before* they followed,

    phi = (k + a) / (e + a),     k orders before the follow, e expected of their person-time, a = 1 / sd^2.

Who buys is one question asked of three kinds of people. The fans of before (in excess of what they would have
bought anyway) give a log rate that new fans' starts from with a slope around one; passers-by one with a slope
around zero, as do whom the platform chose to show (`chosen`) and who follows; the new fans themselves decide
all slopes, a level per placement, a line and trees (`models.rates.shape`).

Must not import mlflow, targeting or pipelines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from models.audience.delay import DelayCurve
from models.audience.followers import Followers, read_fans, read_organic
from models.audience.settings import AUDIENCE
from models.events.event_log import EventLog
from models.rates.coin import Tossed
from models.rates.likelihood import HazardRows
from models.rates.shape import Base, Fitting, Shape, fit_shape


@dataclass(frozen=True)
class Anyway:
    """What people buy who do not follow.

    Attributes:
        shape: Hazard of a kept order over H days, or None where nobody bought.
        hazard: The same, out of fold, of each user had he followed and been as keen as followers, (n_users,).
        followers: phi.
        cny: GMV that one unit of hazard brings, so that totals agree.
        metrics: Counts.
    """

    shape: Shape | None
    hazard: np.ndarray
    followers: float
    cny: float
    metrics: Mapping[str, float]


def fit_anyway(
    fitting: Fitting, log: EventLog, kept: pl.DataFrame, followers: Followers, *, horizon_days: float
) -> Anyway:
    """Organic purchases of everybody, and of followers before they followed."""
    rows, total_cny = read_organic(log, kept, horizon_days=horizon_days)
    metrics = {"organic_buyers": rows.events, "organic_gmv_cny": total_cny, "followers_anyway": 1.0}
    if rows.events == 0:
        return Anyway(None, np.zeros(fitting.matrix.shape[0]), 1.0, 0.0, metrics)
    shape = fit_shape(fitting, rows)
    hazard = np.exp(shape.out_of_fold)
    expected = rows.w * hazard[rows.user]
    mine = np.isin(rows.user, followers.user)
    known = AUDIENCE.anyway_sd**-2
    keener = (float(rows.y[mine].sum()) + known) / (float(expected[mine].sum()) + known)
    cny = total_cny / max(float(expected.sum()), 1e-12)
    return Anyway(shape, keener * hazard, keener, cny, metrics | {"followers_anyway": keener})


@dataclass(frozen=True)
class Buying:
    """Incremental buying hazard by H of followers.

    Attributes:
        shape: Fitted, as logged.
        rows: What came of the followers.
        metrics: Counts.
    """

    shape: Shape
    rows: HazardRows
    metrics: Mapping[str, float]

    def tossed(self, followers: Followers) -> Tossed | None:
        """Followers won on randomised rows; None where all are or none is."""
        coin = followers.randomized & (followers.placement < followers.n_placements)
        if not coin.any() or coin.all():
            return None
        return Tossed(self.rows.take(coin), self.shape.out_of_fold[followers.user[coin]])


def fit_buying(
    fitting: Fitting,
    log: EventLog,
    *,
    kept: pl.DataFrame,
    followers: Followers,
    curve: DelayCurve,
    anyway: Anyway,
    related: Sequence[Shape] = (),
) -> Buying:
    """Fit the incremental hazard of a first kept order.

    Args:
        fitting: User features and settings.
        log: Events known by `as_of`.
        kept: Orders with something left after refunds.
        followers: New followers.
        curve: Delay of the first kept order.
        anyway: Organic purchases.
        related: Further rates that may say who buys: whom the platform chose, who follows.
    """
    user = followers.user
    rows = HazardRows(
        user=user,
        y=followers.bought.astype(float),
        w=curve.at(followers.age_days),
        b=anyway.hazard[user] * followers.age_days / followers.horizon_days,
        weight=np.ones(user.size),
    )
    knows = [*related] if anyway.shape is None else [anyway.shape, *related]
    bases = [Base(one, slope=0.0) for one in knows]
    fans = read_fans(log, kept, anyway=anyway.hazard / max(anyway.followers, 1e-12) / followers.horizon_days)
    if fans.events >= AUDIENCE.fan_buyers:
        bases.append(Base(fit_shape(fitting, fans)))
    group = np.full(fitting.matrix.shape[0], -1.0)
    group[user] = followers.placement
    shape = fit_shape(fitting, rows, bases=bases, group=group, groups=followers.n_placements)
    metrics = {
        "buyers": rows.events,
        "buy_rounds": float(shape.rounds),
        "buy_differs": shape.differs,
        "fan_buyers": fans.events,
        "followers": float(user.size),
    }
    return Buying(shape, rows, metrics)
