"""Champion against challenger. In: two audience models, rows that neither has seen. Out: which is better.

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
from functools import cached_property

import numpy as np
import polars as pl

from models.audience.model import AudienceModel
from models.errors import DataError
from models.events.event_log import CONTROL, EventLog, Tables, read_events
from models.events.orders_since_follow import orders_since_follow
from models.events.training_rows import training_log
from models.judging.bootstrap import percentile_intervals, resample
from models.judging.comparison import ModelComparison, Worth, outcome_of
from models.judging.settings import JUDGING


def held_out_since(log: EventLog, *, champion_as_of: datetime) -> datetime:
    """Where the rows of a comparison begin: after all the champion has seen, where enough follows lie there.

    Else at the last quarter of the exposures, which favours a champion that knows some of them.

    Raises:
        DataError: The log is one day, so nothing earlier is left to learn from.
    """
    days = log.exposures["exposed_at"].dt.truncate("1d").sort()
    cut: datetime = days[int((1 - JUDGING.held_out_share) * (len(days) - 1))]
    unseen = log.exposures.filter((pl.col("exposed_at") >= champion_as_of) & pl.col("followed"))
    if champion_as_of > cut and unseen.height >= JUDGING.follows:
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
    draws: int = JUDGING.comparison_draws,
) -> ModelComparison:
    """Judge two models, neither of which should know rows from `since` on.

    Args:
        champion: The model in use.
        challenger: The other, of the same placements and horizon.
        tables: Users, exposures and orders.
        since: First moment of the rows to judge by.
        as_of: Nothing at or after this moment is used.
        rng, draws: Source and number of resamples.

    Raises:
        DataError: The models cannot be compared, or too few people followed.
    """
    _require_alike(champion, challenger)
    log = training_log(read_events(tables, as_of=as_of), placements=champion.placements)
    rows, randomized = _rows(log, since=since)
    worth, kind = _worth(log, rows, valued=champion.value_known and challenger.value_known)
    judged = [
        _Judged.of(m, log, rows, valued=kind == "gmv", causal=randomized) for m in (champion, challenger)
    ]
    ones = np.ones(rows.height)

    def gains(weight: np.ndarray) -> tuple[float, float]:
        likelihood = float(np.average(judged[1].likelihood - judged[0].likelihood, weights=weight))
        return likelihood, judged[1].ranking(worth, weight) - judged[0].ranking(worth, weight)

    drawn = resample(gains, weight=ones, cluster=rows["user"].to_numpy(), rng=rng, draws=draws)
    likelihood, ranking = percentile_intervals(gains(ones), drawn, JUDGING.level)
    return ModelComparison(
        since=since,
        rows=rows.height,
        follows=int(rows["followed"].sum()),
        randomized=randomized,
        worth=kind,
        champion=judged[0].figures(worth),
        challenger=judged[1].figures(worth),
        likelihood=likelihood,
        ranking=ranking,
        outcome=outcome_of(likelihood, ranking),
    )


def _rows(log: EventLog, *, since: datetime) -> tuple[pl.DataFrame, bool]:
    """The rows to judge by, and whether they are randomised ones only: where these have enough follows."""
    late = log.exposures.filter(pl.col("exposed_at") >= since)
    by_chance = late.filter(pl.col("randomized").fill_null(False))
    shown = by_chance.filter(pl.col("placement") != CONTROL)
    randomized = int(shown["followed"].sum()) >= JUDGING.follows
    rows = by_chance if randomized else late
    follows = int(rows["followed"].sum())
    if follows < JUDGING.follows:
        raise DataError(
            f"exposures: {follows} follows since {since:%Y-%m-%d}, expected at least {JUDGING.follows} to"
            " compare two models; compare later"
        )
    return rows, randomized


@dataclass(frozen=True)
class _Judged:
    """One model on the rows: log-likelihood and predicted worth, each (n,)."""

    likelihood: np.ndarray
    worth: np.ndarray

    @cached_property
    def order(self) -> np.ndarray:
        """Rows by falling predicted worth, (n,)."""
        return np.argsort(-self.worth, kind="stable")

    def ranking(self, worth: np.ndarray, weight: np.ndarray) -> float:
        """2 A - 1 of the gains curve of realised worth along the order; 0 where nothing was won."""
        w = weight[self.order]
        share, gain = np.cumsum(w), np.cumsum(w * worth[self.order])
        if gain[-1] <= 0:
            return 0.0
        x, y = np.append(0.0, share / share[-1]), np.append(0.0, gain / gain[-1])
        return float(2 * np.trapezoid(y, x) - 1)

    def figures(self, worth: np.ndarray) -> dict[str, float]:
        """Mean log-likelihood and ranking on the rows as they are."""
        ranking = self.ranking(worth, np.ones(worth.size))
        return {"log_likelihood": float(self.likelihood.mean()), "ranking": ranking}

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
        rate = np.maximum(organic * rows["organic_days"].to_numpy() + n * hazard, JUDGING.least_rate)
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


def _worth(log: EventLog, rows: pl.DataFrame, *, valued: bool) -> tuple[np.ndarray, Worth]:
    """Realised worth of each shown row, (n,): net GMV of the fan it won, or 1 for a fan."""
    fans = rows.with_row_index("row").filter(pl.col("followed") & (pl.col("placement") != CONTROL))
    bought = (
        orders_since_follow(fans.select("row", "user", "followed_at"), log.orders, key="user")
        .group_by("row")
        .agg((pl.col("gmv_cny") - pl.col("refund_cny")).sum().alias("net"))
        .filter(pl.col("net") > 0)
    )
    worth = np.zeros(rows.height)
    if valued and bought.height >= JUDGING.buyers:
        worth[bought["row"].to_numpy()] = bought["net"].to_numpy()
        return worth, "gmv"
    worth[fans["row"].to_numpy()] = 1.0
    return worth, "fans"
