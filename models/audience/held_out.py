"""What may be said of fitted rates. In: the log. Out: calibration on later rows; whether effects are causal.

Must not import mlflow, targeting or pipelines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

import numpy as np
import polars as pl

from models.audience.followers import kept_orders, read_followers
from models.audience.funnel import Funnel
from models.audience.learned import learn
from models.audience.settings import AUDIENCE
from models.audience.value import ValueModel
from models.events.event_log import CONTROL, EventLog
from models.rates.calibration import Reliability, reliability
from models.rates.likelihood import fold_of
from models.rates.shape import Fitting


@dataclass(frozen=True)
class Claims:
    """What the scores may be called.

    Attributes:
        kind: `causal` when every placement has randomised shown rows and there are randomised held-out rows.
        why: The counts behind it.
    """

    kind: Literal["causal", "observational"]
    why: str


@dataclass(frozen=True)
class HeldOut:
    """Calibration on held-out time.

    Attributes:
        metrics: Numbers by name.
        tables: Reliability tables by outcome.
        warnings: Why some of it could not be measured.
        past: What was fitted on the earlier exposures; None where they were too few.
    """

    metrics: Mapping[str, float] = field(default_factory=dict)
    tables: Mapping[str, Reliability] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    past: Past | None = None


@dataclass(frozen=True)
class Past:
    """The rates of the earlier exposures, and the later ones that they did not see."""

    funnel: Funnel
    value: ValueModel | None
    judged: EventLog


def claim(exposures: pl.DataFrame, placements: tuple[str, ...]) -> Claims:
    """Decide whether the follow effects may be called causal, from the randomised rows there are.

    Args:
        exposures: Of a training log: randomized, placement, followed.
        placements: Of the brief.
    """
    randomised = exposures.filter(pl.col("randomized").fill_null(False))
    counts = {
        name: (rows.height, int(rows["followed"].sum()))
        for name in placements
        for rows in [randomised.filter(pl.col("placement") == name)]
    }
    control = randomised.filter(pl.col("placement") == CONTROL).height
    told = ", ".join(f"{name} {n} rows with {k} follows" for name, (n, k) in counts.items())
    told = f"randomised: {told}, held out {control} rows"
    short = [
        name for name, (n, k) in counts.items() if n < AUDIENCE.causal_shown or k < AUDIENCE.causal_follows
    ]
    if not short and control >= AUDIENCE.causal_held_out:
        return Claims("causal", told)
    reasons = []
    if short:
        need = "needs" if len(short) == 1 else "need"
        reasons.append(
            f"{' and '.join(short)} {need} {AUDIENCE.causal_shown} randomised shown rows"
            f" with {AUDIENCE.causal_follows} follows"
        )
    if control < AUDIENCE.causal_held_out:
        reasons.append(f"{AUDIENCE.causal_held_out} randomised held-out (none) rows are needed")
    return Claims("observational", f"{told}; {'; '.join(reasons)}")


def _cut(log: EventLog, placements: tuple[str, ...]) -> datetime | None:
    """Start of the day after which the last quarter of the exposures lies; None when a side would be too
    thin.
    """
    days = log.exposures["exposed_at"].dt.truncate("1d").sort()
    first: datetime = days[0]
    cut: datetime = days[int((1 - AUDIENCE.held_out_share) * (len(days) - 1))]
    if cut <= first:  # all in one day or most on the first
        later = days.filter(days > first)
        if later.is_empty():
            return None
        cut = later[0]
    follows = log.exposures.filter("followed")
    for name in placements:
        mine = follows.filter(pl.col("placement") == name)
        late = mine.filter(pl.col("exposed_at") >= cut).height
        if min(late, mine.height - late) < AUDIENCE.held_out_follows:
            return None
    return cut


def _split(
    fitting: Fitting, log: EventLog, placements: tuple[str, ...]
) -> tuple[EventLog, EventLog, tuple[str, ...]]:
    """The log to fit on, the log to judge on (by time, else by users), and what to say about it."""
    cut = _cut(log, placements)
    if cut is not None:
        judged = replace(
            log,
            exposures=log.exposures.filter(pl.col("exposed_at") >= cut),
            follows=log.follows.filter(pl.col("followed_at") >= cut),
        )
        return log.before(cut), judged, ()
    users = np.arange(log.users.height)
    held = pl.Series(
        "user", users[fold_of(users, round(1 / AUDIENCE.held_out_share), fitting.seed) == 0]
    ).implode()
    inside = pl.col("user").cast(pl.Int64).is_in(held)
    parts = [
        replace(
            log,
            exposures=log.exposures.filter(keep),
            follows=log.follows.filter(keep),
            orders=log.orders.filter(keep),
        )
        for keep in (~inside, inside)
    ]
    text = (
        "calibration is judged on held-out users, not on held-out time:"
        f" under {AUDIENCE.held_out_follows} follows of a placement on one side of the cut, or a single day"
    )
    return parts[0], parts[1], (text,)


def judge_held_out(
    fitting: Fitting, log: EventLog, *, placements: tuple[str, ...], horizon_days: int
) -> HeldOut:
    """Fit on the earlier exposures and compare with the later ones (on other users if time is short)."""
    past, judged, warnings = _split(fitting, log, placements)
    if past.exposures.filter("followed").height < AUDIENCE.held_out_follows:
        text = f"calibration cannot be judged: under {AUDIENCE.held_out_follows} follows to learn from apart"
        return HeldOut(warnings=(text,))
    late = judged.exposures
    learned = learn(fitting, past, placements=placements, horizon_days=horizon_days)
    del past  # three quarters of the logs
    funnel, value = learned.funnel, learned.value
    tables = _follow_tables(fitting, funnel, late)
    if value is not None:
        tables |= _buy_tables(fitting, value, judged)
    metrics: dict[str, float] = {}
    for name, table in tables.items():
        expected = sum(table.predicted)
        metrics[f"heldout_{name}_ece"] = table.ece
        metrics[f"heldout_{name}_predicted"] = expected
        metrics[f"heldout_{name}_actual"] = sum(table.actual)
        finite = table.ratios[np.isfinite(table.ratios)]
        if finite.size:
            metrics[f"heldout_{name}_worst_low"] = float(finite.min())
            metrics[f"heldout_{name}_worst_high"] = float(finite.max())
    return HeldOut(metrics, tables, warnings, Past(funnel, value, judged))


def _follow_tables(fitting: Fitting, funnel: Funnel, late: pl.DataFrame) -> dict[str, Reliability]:
    """Follows (as logged, and on randomised rows) and entries per placement on later rows."""
    tables: dict[str, Reliability] = {}
    organic = funnel.organic_hazard(fitting.matrix, threads=fitting.threads)
    for name, one in funnel.placements.items():
        for suffix, causal in (("", False), ("_randomized", True)):
            rows = late.filter((pl.col("placement") == name) & (pl.col("impressions") > 0))
            if causal:
                rows = rows.filter("randomized")
            user = rows["user"].to_numpy()
            n = rows["impressions"].to_numpy()
            log_hazard = one.log_hazard(fitting.matrix, threads=fitting.threads, causal=causal)[user]
            lam = organic[user] * rows["organic_days"].to_numpy() + n * np.exp(log_hazard)
            y = rows["followed"].to_numpy().astype(float)
            if rows.height:
                tables[f"follow_{name}{suffix}"] = reliability(
                    probability=-np.expm1(-lam), y=y, score=log_hazard
                )
            if one.enter is not None and rows.height:
                rate = one.enter.log_rate(fitting.matrix, threads=fitting.threads, causal=causal)[user]
                entered = rows["entered_live"].to_numpy().astype(float)
                tables[f"enter_{name}{suffix}"] = reliability(
                    probability=-np.expm1(-n * np.exp(rate)), y=entered, score=rate
                )
    return tables


def _buy_tables(fitting: Fitting, value: ValueModel, judged: EventLog) -> dict[str, Reliability]:
    """Kept orders and net GMV of the followers of a log."""
    kept = kept_orders(judged, value.refunds)
    followers = read_followers(judged, kept, placements=value.placements, horizon_days=value.horizon_days)
    shown = followers.placement < len(value.placements)
    if not shown.any():
        return {}
    hazard, gmv = np.zeros(shown.size), np.zeros(shown.size)
    organic, organic_gmv = np.zeros(shown.size), np.zeros(shown.size)
    for code in range(len(value.placements)):
        mine = followers.placement == code
        matrix = fitting.matrix[followers.user[mine]]
        hazard[mine] = value.buy_hazard(matrix, code, threads=fitting.threads)
        gmv[mine] = value.incremental_gmv(matrix, code, threads=fitting.threads)
        organic[mine] = value.organic_hazard(matrix, threads=fitting.threads)
        organic_gmv[mine] = value.organic_gmv(matrix, threads=fitting.threads)
    seen = followers.age_days / followers.horizon_days
    probability = -np.expm1(-hazard * value.first_order.at(followers.age_days) - organic * seen)
    expected = gmv * value.gmv.at(followers.age_days) + organic_gmv * seen
    groups = max(1, min(10, int(followers.bought[shown].sum() // 20)))
    return {
        "buy": reliability(
            probability=probability[shown], y=followers.bought[shown].astype(float), score=hazard[shown]
        ),
        "gmv": reliability(
            probability=expected[shown], y=followers.net_cny[shown], score=gmv[shown], groups=groups
        ),
    }
