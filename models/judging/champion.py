"""Champion against challenger: two audience models on rows that neither has seen, and which is better.

Two questions, each answered by a paired difference (challenger less champion) with a bootstrap interval over
people, so that what both get wrong cancels:

    likelihood   mean log-likelihood per row of who followed, sum of y log(1 - exp(-l)) - (1 - y) l with
                 l = organic days + impressions x hazard (nats; -2 times it is the deviance)
    ranking      2 A - 1, A = area under the share of realised worth against the share of rows, rows sorted by
                 predicted worth (hazard x impressions x GMV per fan): 0 by lot, 1 at best (Gini)

Realised worth is the net GMV, so far, of the fan a row won, where enough rows have one; else 1 for a fan. A
challenger is better when one interval lies above 0 and the other does not lie below 0. Randomised rows are
used alone where they have enough follows: logged rows flatter the model that chose them.

Source: paired bootstrap, Efron & Tibshirani 1993, ch. 8. Must not import mlflow, lightgbm, targeting or
pipelines.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import numpy as np
import polars as pl

from models.audience.model import AudienceModel
from models.errors import DataError
from models.events.event_log import CONTROL, EventLog, Tables, read_events
from models.events.orders_since_follow import orders_since_follow
from models.events.training_rows import training_log
from models.judging.heterogeneity import Interval, resample

HELD_OUT_SHARE = 0.25
MIN_FOLLOWS = 20
"""Follows on the held-out rows below which nothing is compared."""
MIN_BUYERS = 20
"""Rows with worth below which the ranking is judged by fans instead of by their GMV."""
DRAWS = 300
LEVEL = 0.95
LEAST_RATE = 1e-9
"""A model that calls impossible what happened loses 20 nats a row, not infinitely many."""

Outcome = Literal["better", "worse", "undecided"]


@dataclass(frozen=True)
class ModelComparison:
    """How the challenger fared.

    Attributes:
        since: First moment of the held-out rows.
        rows: Held-out rows.
        follows: Follows on them.
        randomized: Whether they are randomised rows only.
        worth: What the ranking was judged by: `gmv` or `fans`.
        champion: log_likelihood and ranking of the champion.
        challenger: The same of the challenger.
        likelihood: Gain in log-likelihood per row.
        ranking: Gain in ranking.
        outcome: `better`, `worse` or `undecided`.
    """

    since: datetime
    rows: int
    follows: int
    randomized: bool
    worth: Literal["gmv", "fans"]
    champion: dict[str, float]
    challenger: dict[str, float]
    likelihood: Interval
    ranking: Interval
    outcome: Outcome

    def table(self) -> list[dict[str, Any]]:
        """One row per question: champion, challenger, gain, low, high."""
        pairs = {"log_likelihood": self.likelihood, "ranking": self.ranking}
        return [
            {
                "question": name,
                "champion": self.champion[name],
                "challenger": self.challenger[name],
                "gain": gain.value,
                "low": gain.low,
                "high": gain.high,
            }
            for name, gain in pairs.items()
        ]

    def __str__(self) -> str:
        """One sentence."""
        kind = "randomised" if self.randomized else "logged"
        return (
            f"{self.outcome} on {self.rows:,} {kind} rows since {self.since:%Y-%m-%d}:"
            f" log-likelihood {self.likelihood.value:+.2g} a row"
            f" (95 %: {self.likelihood.low:+.2g} to {self.likelihood.high:+.2g}),"
            f" ranking of {self.worth} {self.ranking.value:+.3f}"
            f" ({self.ranking.low:+.3f} to {self.ranking.high:+.3f})"
        )


def held_out_since(log: EventLog, *, champion_as_of: datetime) -> datetime:
    """Where the rows of a contest begin: after all the champion has seen, where enough follows lie there.

    Else at the last quarter of the exposures, which favours a champion that knows some of them.

    Raises:
        DataError: The log is one day, so nothing earlier is left to learn from.
    """
    days = log.exposures["exposed_at"].dt.truncate("1d").sort()
    cut = days[int((1 - HELD_OUT_SHARE) * (len(days) - 1))]
    unseen = log.exposures.filter((pl.col("exposed_at") >= champion_as_of) & pl.col("followed"))
    if champion_as_of > cut and unseen.height >= MIN_FOLLOWS:
        cut = champion_as_of
    if cut <= days[0]:
        raise DataError(
            "exposures: most rows are of the first day, so no earlier ones are left to learn from"
        )
    return cut


def compare_models(
    champion: AudienceModel,
    challenger: AudienceModel,
    tables: Tables,
    *,
    since: datetime,
    as_of: datetime,
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> ModelComparison:
    """Judge two models, neither of which should know rows from `since` on.

    Args:
        champion: The model in use.
        challenger: The other, of the same placements and horizon.
        tables: Users, exposures and orders.
        since: First moment of the rows to judge by.
        as_of: Nothing at or after this moment is used.
        rng: Resamples.
        draws: Number of resamples.

    Raises:
        DataError: The models cannot be compared, or too few people followed.
    """
    _require_alike(champion, challenger)
    log = training_log(read_events(tables, as_of=as_of), placements=champion.placements)
    late = log.exposures.filter(pl.col("exposed_at") >= since)
    coin = late.filter(pl.col("randomized").fill_null(False))
    shown = coin.filter(pl.col("placement") != CONTROL)
    randomized = int(shown["followed"].sum()) >= MIN_FOLLOWS
    rows = coin if randomized else late
    follows = int(rows["followed"].sum())
    if follows < MIN_FOLLOWS:
        raise DataError(
            f"exposures: {follows} follows since {since:%Y-%m-%d}, expected at least {MIN_FOLLOWS} to compare"
            f" two models; compare later"
        )
    worth, kind = _worth(log, rows, valued=champion.value_known and challenger.value_known)
    judged = [
        _Judged.of(m, log, rows, valued=kind == "gmv", causal=randomized) for m in (champion, challenger)
    ]
    order = [np.argsort(-one.worth, kind="stable") for one in judged]

    def gains(weight: np.ndarray) -> tuple[float, float]:
        likelihood = float(np.average(judged[1].likelihood - judged[0].likelihood, weights=weight))
        return likelihood, _gini(order[1], worth, weight) - _gini(order[0], worth, weight)

    ones = np.ones(rows.height)
    point = gains(ones)
    drawn = resample(gains, weight=ones, cluster=rows["user"].to_numpy(), rng=rng, draws=draws)
    low, high = np.nanpercentile(drawn, [50 * (1 - LEVEL), 100 - 50 * (1 - LEVEL)], axis=0)
    likelihood, ranking = (Interval(point[k], float(low[k]), float(high[k])) for k in range(2))
    said = [
        {"log_likelihood": float(one.likelihood.mean()), "ranking": _gini(by, worth, ones)}
        for one, by in zip(judged, order, strict=True)
    ]
    return ModelComparison(
        since=since,
        rows=rows.height,
        follows=follows,
        randomized=randomized,
        worth=kind,
        champion=said[0],
        challenger=said[1],
        likelihood=likelihood,
        ranking=ranking,
        outcome=_outcome(likelihood, ranking),
    )


@dataclass(frozen=True)
class _Judged:
    """One model on the rows: log-likelihood and predicted worth, each (n,)."""

    likelihood: np.ndarray
    worth: np.ndarray

    @classmethod
    def of(
        cls, model: AudienceModel, log: EventLog, rows: pl.DataFrame, *, valued: bool, causal: bool
    ) -> _Judged:
        matrix = model.encoder.encode(log.users)
        user, n = rows["user"].to_numpy(), rows["impressions"].to_numpy().astype(float)
        organic = model.funnel.organic_hazard(matrix, threads=model.threads, causal=causal)[user]
        hazard, gmv = np.zeros(rows.height), np.ones(rows.height)
        scores = model.score(log.users) if valued else None
        for name in model.placements:
            mine = (rows["placement"] == name).to_numpy()
            one = model.funnel.placements[name]
            rate = np.exp(one.log_hazard(matrix, threads=model.threads, causal=causal))
            hazard[mine] = rate[user[mine]]
            if scores is not None:
                per_user = scores.filter(pl.col("placement") == name)["gmv_per_fan_cny"].to_numpy()
                gmv[mine] = per_user[user[mine]]
        rate = np.maximum(organic * rows["organic_days"].to_numpy() + n * hazard, LEAST_RATE)
        followed = rows["followed"].to_numpy()
        return cls(np.where(followed, np.log(-np.expm1(-rate)), -rate), n * hazard * gmv)


def _require_alike(champion: AudienceModel, challenger: AudienceModel) -> None:
    for what in ("placements", "horizon_days"):
        mine, theirs = getattr(challenger, what), getattr(champion, what)
        if what == "placements":
            mine, theirs = (", ".join(sorted(names)) for names in (mine, theirs))
        if mine != theirs:
            raise DataError(
                f"{what}: the champion has {theirs}, the challenger {mine}: they answer different questions;"
                " give the new one its own model_name"
            )


def _worth(log: EventLog, rows: pl.DataFrame, *, valued: bool) -> tuple[np.ndarray, Literal["gmv", "fans"]]:
    """Realised worth of each shown row, (n,): net GMV of the fan it won, or 1 for a fan."""
    fans = rows.with_row_index("row").filter(pl.col("followed") & (pl.col("placement") != CONTROL))
    bought = (
        orders_since_follow(fans.select("row", "user", "followed_at"), log.orders, key="user")
        .group_by("row")
        .agg((pl.col("gmv_cny") - pl.col("refund_cny")).sum().alias("net"))
        .filter(pl.col("net") > 0)
    )
    worth = np.zeros(rows.height)
    if valued and bought.height >= MIN_BUYERS:
        worth[bought["row"].to_numpy()] = bought["net"].to_numpy()
        return worth, "gmv"
    worth[fans["row"].to_numpy()] = 1.0
    return worth, "fans"


def _gini(order: np.ndarray, worth: np.ndarray, weight: np.ndarray) -> float:
    """2 A - 1 of the gains curve along an order of the rows; 0 where nothing was won."""
    w = weight[order]
    share, gain = np.cumsum(w), np.cumsum(w * worth[order])
    if gain[-1] <= 0:
        return 0.0
    x, y = np.append(0.0, share / share[-1]), np.append(0.0, gain / gain[-1])
    return float(2 * np.trapezoid(y, x) - 1)


def _outcome(likelihood: Interval, ranking: Interval) -> Outcome:
    if max(likelihood.low, ranking.low) > 0 and min(likelihood.high, ranking.high) >= 0:
        return "better"
    if min(likelihood.high, ranking.high) < 0 and max(likelihood.low, ranking.low) <= 0:
        return "worse"
    return "undecided"
