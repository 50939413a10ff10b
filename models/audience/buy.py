"""Whether a new fan buys because of following. In: followers, orders. Out: the incremental buying hazard.

A follower of age t is also somebody who might have bought anyway, so with G0_u the organic hazard of a kept
order over the horizon H (learned from person-time before any follow)

    P(kept order by t | follow) = 1 - exp(-(G0_u t / H + Lambda_u Lambda0(t) / Lambda0(H))).

The organic part is a known baseline *inside* the likelihood, as organic follows are in `follow`. Subtracting
two fitted hazards afterwards instead would leave content fans, whose orders are mostly organic, with a
difference of two noisy numbers, often floored at 0; here Lambda_u > 0 by construction, and rows whose orders
the baseline explains carry little information and are pulled towards the rest.

Followers of ranked delivery were chosen, and what chose them (an intent that nobody logs) also makes them
buy. Randomised followers tell, but few of them buy: 20 buyers know a level to +-22 %. Three hypotheses of the
shift from logged to randomised followers are therefore averaged by how well each explains the randomised
ones: none; the one that the funnel found for following (thousands of live entries and hundreds of follows:
far more precise, and the same intent is at work); any.

Must not import mlflow, targeting or pipelines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from models.audience.delay import DelayCurve
from models.audience.followers import Followers, read_fans
from models.audience.settings import AUDIENCE, LEVEL_ONLY
from models.events.event_log import EventLog
from models.rates.boosting import HazardBooster
from models.rates.likelihood import HazardRows, hazard_loss
from models.rates.rate import Fitting, Rate, fit_shape
from models.rates.rate_maps import LogRateMap, average_maps
from models.rates.settings import MapPrior


def extend(matrix: np.ndarray, code: np.ndarray, affinity: HazardBooster | None, threads: int) -> np.ndarray:
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
    fans = read_fans(log, kept).thinned(fitting.seed)
    candidates: list[HazardBooster | None] = [None]
    if fans.events >= AUDIENCE.fan_buyers:
        fan_fit = fitting.boosted(fans)
        if not fan_fit.flat:
            candidates.append(fan_fit.booster)
    best = None
    for affinity in candidates:
        matrix = extend(fitting.matrix[users], followers.placement, affinity, fitting.threads)
        shape = fit_shape(replace(fitting, matrix=matrix, categorical=categorical), rows)
        loss = float(hazard_loss(rows, shape.out_of_fold).sum())
        if best is None or loss < best[0]:
            best = loss, shape, affinity
    assert best is not None
    _, shape, affinity = best
    return shape.rate, affinity, shape.out_of_fold, shape.rounds


@dataclass(frozen=True)
class Buying:
    """Incremental buying hazard by H of followers.

    Attributes:
        rate: On extended features (see `extend`).
        affinity: Purchase rate of existing fans, where it helped.
        shift: Log factor per placement, the last one for organic followers.
        hazard: Out-of-fold hazards of the followers *as logged*, before the randomised shift, (n,).
        metrics: Counts.
    """

    rate: Rate
    affinity: HazardBooster | None
    shift: tuple[float, ...]
    hazard: np.ndarray
    metrics: Mapping[str, float]


def fit_buying(
    fitting: Fitting,
    log: EventLog,
    *,
    kept: pl.DataFrame,
    followers: Followers,
    curve: DelayCurve,
    organic: np.ndarray,
    ranking_shift: float,
) -> Buying:
    """Fit the incremental hazard of a first kept order.

    Args:
        fitting: User features and settings.
        log: Events known by `as_of`.
        kept: Orders with something left after refunds.
        followers: New followers.
        curve: Delay of the first kept order.
        organic: Organic hazard of a kept order over the horizon per user, (n_users,).
        ranking_shift: Log of randomised over logged follow hazards, as the funnel found it.
    """
    rows = HazardRows(
        user=np.arange(followers.user.size),
        y=followers.bought.astype(float),
        w=curve.at(followers.age_days),
        b=organic[followers.user] * followers.age_days / followers.horizon_days,
        weight=np.ones(followers.user.size),
    )
    rate, affinity, log_rate, rounds = _fit_shape_of_buying(fitting, log, kept, followers, rows)
    shifts, log_rate = _placement_shifts(followers, rows, log_rate)
    maps = _randomised_shift(followers, rows, log_rate, ranking_shift=ranking_shift)
    metrics = {
        "buyers": rows.events,
        "buy_rounds": float(rounds),
        "buy_uses_fans": float(affinity is not None),
        "buy_coin_shift": maps[0].shift if maps else 0.0,
        "followers": float(rows.y.size),
    }
    return Buying(Rate(rate.booster, rate.logged, maps), affinity, shifts, np.exp(log_rate), metrics)


def _placement_shifts(
    followers: Followers, rows: HazardRows, log_rate: np.ndarray
) -> tuple[tuple[float, ...], np.ndarray]:
    """Log factor of each placement's buying hazard, and the log rates with it."""
    shifts = []
    for code in range(followers.n_placements):
        mine = followers.placement == code
        shifts.append(average_maps(rows.take(mine), log_rate[mine], AUDIENCE.placement_buys).shift)
        log_rate = np.where(mine, log_rate + shifts[-1], log_rate)
    return tuple(shifts), log_rate


def _randomised_shift(
    followers: Followers, rows: HazardRows, log_rate: np.ndarray, *, ranking_shift: float
) -> tuple[LogRateMap, ...]:
    """Map from logged to randomised followers' log rates; none where all are randomised or none is."""
    randomised = followers.randomized & (followers.placement < followers.n_placements)
    if not randomised.any() or randomised.all():
        return ()
    priors = (
        MapPrior(AUDIENCE.same_sd, LEVEL_ONLY),
        MapPrior(AUDIENCE.like_follows_sd, LEVEL_ONLY, shift=ranking_shift),
        MapPrior(AUDIENCE.any_sd, LEVEL_ONLY),
    )
    return (LogRateMap(shift=average_maps(rows.take(randomised), log_rate[randomised], priors).shift),)
