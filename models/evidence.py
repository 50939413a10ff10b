"""Evidence: how far logged outcomes agree with the scores, cell by cell, and how sure that makes us.

For every segment x placement the follows and the GMV of the new fans that the logs show are set against what
the scores predict for exactly those rows. The ratios, partially pooled, become multiplicative draws of hazard
and value: the width of the plan's 80 % intervals, and a mild correction of segment means. Randomised rows
speak about effects; the others are used for precision, as if they carried an unknown bias of
`RANKING_BIAS_SD`. Young fans and young orders are scaled by the share of their horizon that is over
(`models.delay`), never counted as zeros.

It must not import targeting, the model that made the scores, or anything that reads a clock.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.errors import DataError
from models.evidence_tables import CellTable, fan_table, follow_table
from models.pooling import dispersion_of, pool_rates

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
# Ranked delivery favours people about to act; by how much is unknown: sd of the log of its placement totals.
RANKING_BIAS_SD = 0.25
# Cells are judged on randomised rows alone once these predict so many follows per cell on average.
ENOUGH_FOLLOWS = 15.0
# How far the scores' own level is believed to be off before the logs are asked (log scale), and how far a
# level is off of which they say nothing.
SCORE_SD, UNKNOWN_SD = 0.3, 0.5
# Follows of a day can still come in for this long.
FOLLOW_WINDOW = timedelta(hours=24)


class Logs(Protocol):
    """What is read of a `models.contracts.Dataset`."""

    @property
    def users(self) -> pl.DataFrame: ...  # noqa: D102
    @property
    def exposures(self) -> pl.DataFrame: ...  # noqa: D102
    @property
    def orders(self) -> pl.DataFrame: ...  # noqa: D102


@dataclass(frozen=True)
class Evidence:
    """Logged against predicted.

    Attributes:
        cells: segment, placement, impressions, predicted_follows, observed_follows (organic ones taken off),
            randomized_follows (predicted on randomised rows), fans, predicted_buyers, observed_buyers,
            predicted_gmv_cny, observed_gmv_cny (incremental, of the part of the horizon that is over),
            hazard_factor, gmv_factor (posterior means). Ordered by segment, placement.
        hazard_factor, gmv_factor: (n_draws, n_cells) joint draws of truth / score.
        randomized: whether randomised rows decided the level of the hazard in every placement.
        diagnostics: pooled numbers for the report.
    """

    cells: pl.DataFrame
    hazard_factor: FloatArray
    gmv_factor: FloatArray
    randomized: bool
    diagnostics: Mapping[str, float]

    def to_json(self) -> str:
        """The evidence as JSON text."""
        return json.dumps(
            {
                "cells": self.cells.to_dicts(),
                "hazard_factor": self.hazard_factor.tolist(),
                "gmv_factor": self.gmv_factor.tolist(),
                "randomized": self.randomized,
                "diagnostics": dict(self.diagnostics),
            },
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, text: str) -> Evidence:
        """The evidence that `to_json` wrote."""
        raw = json.loads(text)
        numbers = {name: pl.Float64 for name in raw["cells"][0] if name not in ("segment", "placement")}
        return cls(
            cells=pl.DataFrame(
                raw["cells"], schema={"segment": pl.String, "placement": pl.String, **numbers}
            ),
            hazard_factor=np.asarray(raw["hazard_factor"], dtype=np.float64),
            gmv_factor=np.asarray(raw["gmv_factor"], dtype=np.float64),
            randomized=bool(raw["randomized"]),
            diagnostics=raw["diagnostics"],
        )


def cell_evidence(
    dataset: Logs,
    assignment: pl.DataFrame,
    scores: pl.DataFrame,
    *,
    as_of: datetime,
    horizon_days: int,
    rng: np.random.Generator,
    n_draws: int = 200,
) -> Evidence:
    """Logged outcomes against predictions.

    Args:
        dataset: users, exposures, orders (contract tables).
        assignment: user_id, segment, of everyone who is scored (`Segmenter.assign(scores, everyone=True)`).
        scores: long score table; its placements are the placements of the cells.
        as_of: nothing later than this is looked at.
        horizon_days: the horizon of gmv_per_fan_cny.
        n_draws: joint draws.

    Raises:
        DataError: assignment or scores are empty.
    """
    if assignment.height == 0 or scores.height == 0:
        raise DataError("evidence: no scored user has a segment; expected the assignment of the scored users")
    placements = scores["placement"].unique(maintain_order=True).to_list()
    segments = assignment["segment"].unique().sort().to_list()
    keys = pl.DataFrame({"segment": segments}).join(pl.DataFrame({"placement": placements}), how="cross")
    group = np.tile(np.arange(len(placements)), len(segments))
    scored = scores.join(assignment.select("user_id", "segment"), on="user_id", how="inner")
    shown = dataset.exposures.filter(pl.col("exposed_at") + FOLLOW_WINDOW <= as_of)
    follows = follow_table(dataset.users, shown, scored, keys=keys)
    fans = fan_table(dataset, scored, keys=keys, as_of=as_of, horizon_days=horizon_days)
    hazard_mean, hazard, decided = _hazard(follows, group, rng=rng, n_draws=n_draws)
    gmv_mean, gmv = _gmv(fans, group, rng=rng, n_draws=n_draws)
    cells = keys.with_columns(
        *(pl.Series(name, values) for name, values in {**follows.columns, **fans.columns}.items()),
        pl.Series("hazard_factor", hazard_mean),
        pl.Series("gmv_factor", gmv_mean),
    )
    diagnostics = {**follows.diagnostics, **fans.diagnostics}
    return Evidence(cells, hazard, gmv, decided, diagnostics)


def _hazard(
    table: CellTable, group: IntArray, *, rng: np.random.Generator, n_draws: int
) -> tuple[FloatArray, FloatArray, bool]:
    """Posterior of observed over predicted follows; level from randomised rows where they can say it."""
    every, coin = table.sums["all"], table.sums["randomized"]
    n_groups = int(group.max()) + 1
    everything = _log_ratio(every, group, n_groups, extra=RANKING_BIAS_SD)
    random = _log_ratio(coin, group, n_groups, extra=0.0)
    if not (every[1].sum() > 0):
        return _believed(len(group), rng, n_draws)
    use_coin = coin[1].sum() >= ENOUGH_FOLLOWS * len(group)
    levels = _level_draws(everything, random, rng=rng, n_draws=n_draws)
    # Randomised rows that are the whole log need no second opinion.
    rows = coin if use_coin else every
    pooled = pool_rates(
        events=rows[0],
        exposure=rows[1],
        group=group,
        rng=rng,
        n_draws=n_draws,
        dispersion=table.dispersion,
        level_draws=levels,
    )
    decided = bool(np.all(random[1] < everything[1]))
    return pooled.mean, pooled.draws, decided


def _log_ratio(
    sums: tuple[FloatArray, FloatArray], group: IntArray, n_groups: int, *, extra: float
) -> tuple[FloatArray, FloatArray]:
    """Log of observed over predicted per group, and its sd (infinite where nothing is predicted)."""
    observed, predicted = (np.bincount(group, x, n_groups) for x in sums)
    some = predicted > 0
    ratio = np.where(some, (observed + 1.0) / np.where(some, predicted + 1.0, 1.0), 1.0)
    sd = np.sqrt(1.0 / np.maximum(observed, 1.0) + extra**2)
    return np.log(ratio), np.where(some, sd, np.inf)


def _level_draws(
    everything: tuple[FloatArray, FloatArray],
    random: tuple[FloatArray, FloatArray],
    *,
    rng: np.random.Generator,
    n_draws: int,
) -> FloatArray:
    """Draws (n_draws, n_groups) of the level: both sources by precision, the centre shrunk to the scores."""
    precision = np.maximum(everything[1] ** -2.0 + random[1] ** -2.0, UNKNOWN_SD**-2)
    mean = (everything[0] * everything[1] ** -2.0 + random[0] * random[1] ** -2.0) / precision
    return _centred(mean + rng.normal(size=(n_draws, len(mean))) / np.sqrt(precision))


def _centred(log_levels: FloatArray) -> FloatArray:
    """exp of the draws with their centre moved towards 1 as far as they are unsure, their width kept.

    The scores were fitted to these very logs, so a level that the logs cannot pin down says nothing against
    them; but it does not make them any surer either.
    """
    mean, variance = log_levels.mean(axis=0), log_levels.var(axis=0)
    belief = SCORE_SD**2 / (SCORE_SD**2 + variance)
    return np.exp(log_levels - mean * (1.0 - belief) - 0.5 * variance)


def _gmv(
    table: CellTable, group: IntArray, *, rng: np.random.Generator, n_draws: int
) -> tuple[FloatArray, FloatArray]:
    """Posterior of observed over predicted GMV of new fans; levels by a Bayesian bootstrap over fans."""
    observed, predicted = table.sums["all"]
    if not (predicted.sum() > 0 and observed.sum() > 0):
        mean, draws, _ = _believed(len(group), rng, n_draws)
        return mean, draws
    fan_cell, fan_observed, fan_predicted = table.rows
    n_groups = int(group.max()) + 1
    unit = max(dispersion_of(fan_observed), 1e-9)
    weights = rng.exponential(size=(n_draws, len(fan_cell)))
    fan_group = group[fan_cell]
    levels = np.empty((n_draws, n_groups))
    overall = (weights @ fan_observed + unit) / (weights @ fan_predicted + unit)
    for j in range(n_groups):
        here = fan_group == j
        # Two events of the overall level: a placement with few buyers must not promise zero or the moon.
        top = weights[:, here] @ fan_observed[here] + 2.0 * unit * overall
        levels[:, j] = top / (weights[:, here] @ fan_predicted[here] + 2.0 * unit)
    doubt = rng.normal(0.0, table.level_sd, (n_draws, n_groups))
    levels = _centred(np.log(np.maximum(levels, 0.02)) + doubt)
    pooled = pool_rates(
        events=np.maximum(observed, 0.0),
        exposure=predicted,
        group=group,
        rng=rng,
        n_draws=n_draws,
        dispersion=unit,
        level_draws=levels,
    )
    return pooled.mean, pooled.draws


def _believed(n_cells: int, rng: np.random.Generator, n_draws: int) -> tuple[FloatArray, FloatArray, bool]:
    """No outcome at all to judge by: the scores stand, give or take a factor of about two."""
    common = rng.normal(0.0, 0.5, (n_draws, 1)) + rng.normal(0.0, 0.25, (n_draws, n_cells))
    return np.ones(n_cells), np.exp(common), False
