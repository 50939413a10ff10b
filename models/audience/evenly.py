"""As if everybody had been shown alike. In: the log. Out: a weight of each new fan, and of each row.

Delivery shows most to the keenest, beyond what features explain, so those whom history showed follow more,
and the fans that it won are worth more, than those whom a plan will reach, which shows to everybody in its
segments. A fan who had been shown N times where M is usual of its placement up to that day stands for

    w = (M + c) / (N + c)        N without the showing that won it

people like it: inverse propensity, with pressure as the propensity, given gamma differences of it whose
squared coefficient of variation is 1 / c. A row is weighed by what had been shown before its day, which no
follow of that day can have moved: so rows of late days, of whom all who follow easily have gone and whom
delivery has sorted out, say how those follow who are left. Whom a coin showed is shown evenly and counts
once. Must not import targeting.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from models.audience.settings import AUDIENCE
from models.events.event_log import CONTROL, EventLog
from models.rates.settings import RATES


def not_fans(log: EventLog) -> int:
    """People who could be won when the log begins, one at least."""
    return max(log.users.filter(~pl.col("is_fan").fill_null(False)).height, 1)


def even_rows(rows: pl.DataFrame, *, people: int) -> pl.Series:
    """`even`: weight of each row; those of a placement's ranked rows sum to as many as they are worth.

    Args:
        rows: user, placement, exposed_at, impressions, randomized of shown rows.
        people: whom delivery could choose from.
    """
    even, ranked = np.ones(rows.height), ~rows["randomized"].fill_null(False).to_numpy()
    for name in rows["placement"].unique():
        at = np.flatnonzero((rows["placement"] == name).to_numpy() & ranked)
        if at.size:
            day = rows["exposed_at"].gather(at).dt.date().cast(pl.Int32).to_numpy()
            user, shown = (rows[of].gather(at).to_numpy() for of in ("user", "impressions"))
            even[at] = _even(user, day - day.min(), shown.astype(np.float64), people)
    return pl.Series("even", even)


def _even(user: np.ndarray, day: np.ndarray, shown: np.ndarray, people: int) -> np.ndarray:
    """Weights of one placement's ranked rows, (n,): users, days from the first on, impressions."""
    c, daily = AUDIENCE.pressure_prior, np.bincount(day, shown)
    usual = (np.cumsum(daily) - daily)[day] * (1.0 / people)
    user_day = user.astype(np.int64) * daily.size + day
    order = np.argsort(user_day, kind="stable")  # in no time where the log is in its order
    total = np.cumsum(shown[order]) - shown[order]
    before = np.empty_like(shown)
    before[order] = total[_first(user_day[order])] - total[_first(user[order])]
    w = ((usual + c) / (before + c)).clip(*RATES.inverse_propensity_limits)
    # row after row: a sum in parallel or in pairs is another in its last digit
    weighed, squared = (float(np.cumsum(x)[-1]) for x in (w * shown, w**2 * shown))
    return np.asarray(w * (weighed / max(squared, 1e-12)))


def _first(of: np.ndarray) -> np.ndarray:
    """Position of the first row of each row's group, (n,), groups side by side."""
    new = np.append(True, of[1:] != of[:-1])
    return np.asarray(np.maximum.accumulate(np.where(new, np.arange(of.size), 0)))


def even_weights(log: EventLog) -> pl.DataFrame:
    """user_id, weight of every new follower; those of ranked rows sum to as many as they are worth.

    Args:
        log: what happened.
    """
    day = pl.col("exposed_at").dt.date().alias("day")
    ranked = log.exposures.lazy().filter(
        (pl.col("placement") != CONTROL) & pl.col("at_risk") & ~pl.col("randomized").fill_null(False)
    )
    people = not_fans(log)
    usual = (
        ranked.group_by("placement", day)
        .agg(pl.col("impressions").sum() / people)
        .sort("placement", "day")
        .select("placement", "day", usual=pl.col("impressions").cum_sum().over("placement"))
        .collect()
    )
    won = ranked.filter("followed").select("user_id", "placement", day).collect()
    mine = (
        ranked.filter(pl.col("user_id").is_in(won["user_id"].unique().implode()))
        .select("user_id", "placement", "impressions")
        .collect()
        .join(won, on=["user_id", "placement"], how="inner")
        .group_by("user_id", "placement", "day")
        .agg(pl.col("impressions").sum().cast(pl.Float64))
        .join(usual, on=["placement", "day"], how="left")
        .sort("user_id")
    )
    c = AUDIENCE.pressure_prior
    weight = ((pl.col("usual") + c) / ((pl.col("impressions") - 1.0).clip(0.0) + c)).clip(
        *RATES.inverse_propensity_limits
    )
    found = mine.select("user_id", weight=weight)
    w = found["weight"].to_numpy()
    scale = float(w.sum() / (w**2).sum()) if len(w) else 1.0
    coin = (
        log.follows.select("user_id").join(found, on="user_id", how="anti").with_columns(weight=pl.lit(1.0))
    )
    return pl.concat([found.with_columns(pl.col("weight") * scale), coin]).sort("user_id")
