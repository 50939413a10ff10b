"""How far logged outcomes agree with the scores. In: the log, scores, segments. Out: factors per cell, draws.

For every segment x placement the follows and the GMV of the new fans that the logs show are set against what
the scores predict for exactly those rows. The ratios, fitted together (`agreement`), become multiplicative
draws of hazard and value: the width of the plan's 80 % intervals, and a mild correction of segment means.
Young fans and young orders are scaled by the share of their horizon that is over (`models.audience.delay`),
never counted as zeros.

It must not import targeting, the model that made the scores, or anything that reads a clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Annotated

import numpy as np
import polars as pl
from pydantic import TypeAdapter

from models.arrays import FloatArray
from models.audience.cells.agreement import Sums, agreement
from models.audience.cells.fan_gmv import fan_table
from models.audience.cells.follow_counts import follow_table
from models.audience.settings import CELLS
from models.errors import DataError
from models.events.event_log import EventLog
from models.rates.trend import Trend
from models.stored import Array, Rows, read, written

_SUMS = (
    *("impressions", "predicted_follows", "observed_follows", "randomized_follows", "fans"),
    *("predicted_buyers", "observed_buyers", "predicted_gmv_cny", "observed_gmv_cny"),
    *("hazard_factor", "gmv_factor"),
)
_COLUMNS = {"segment": pl.String, "placement": pl.String} | dict.fromkeys(_SUMS, pl.Float64)


@dataclass(frozen=True)
class CellFactors:
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

    cells: Annotated[pl.DataFrame, Rows(_COLUMNS)]
    hazard_factor: Array
    gmv_factor: Array
    randomized: bool
    diagnostics: Mapping[str, float]

    def to_json(self) -> str:
        """The factors as JSON text."""
        return written(_STORED, self)

    def of_the_plan(self, rng: np.random.Generator) -> CellFactors:
        """The factors of those whom a plan will reach, off those whom the logs reached (`transfer_sd`).

        One deviation moves both: whoever is keener to follow is keener to buy.
        """
        one = rng.normal(size=(len(self.hazard_factor), 1))
        follow, gmv = (np.exp(sd * one - 0.5 * sd**2) for sd in CELLS.transfer_sd)
        return replace(self, hazard_factor=self.hazard_factor * follow, gmv_factor=self.gmv_factor * gmv)

    @classmethod
    def from_json(cls, text: str) -> CellFactors:
        """The factors that `to_json` wrote."""
        return read(_STORED, text, source="evidence.json", what="table of factors")


_STORED = TypeAdapter(CellFactors)


def cell_factors(
    log: EventLog,
    assignment: pl.DataFrame,
    scores: pl.DataFrame,
    *,
    horizon_days: int,
    rng: np.random.Generator,
    n_draws: int = 200,
    trends: Mapping[str, Trend] = MappingProxyType({}),
    keener: float = 1.0,
) -> CellFactors:
    """Logged outcomes against predictions.

    Args:
        log: what happened; nothing later than its `as_of` is known.
        assignment: user_id, segment, of everyone who is scored (`Segmenter.assign(scores, everyone=True)`).
        scores: long score table; its placements are the placements of the cells.
        horizon_days: the horizon of gmv_per_fan_cny.
        n_draws: joint draws.
        trends: by placement, the drift of p_follow over the logged days that the scores have in them.
        keener: how much more than others of their features followers would have bought anyway.

    Raises:
        DataError: assignment or scores are empty.
    """
    if assignment.height == 0 or scores.height == 0:
        raise DataError("evidence: no scored user has a segment; expected the assignment of the scored users")
    placements = scores["placement"].unique(maintain_order=True).to_list()
    segments = assignment["segment"].unique().sort().to_list()
    keys = pl.DataFrame({"segment": segments}).join(pl.DataFrame({"placement": placements}), how="cross")
    group = np.tile(np.arange(len(placements)), len(segments))
    known = scores.select("user_id", "placement", "p_follow", "gmv_per_fan_cny", "p_precise")
    scored = known.join(assignment.select("user_id", "segment"), on="user_id", how="inner")
    follows = follow_table(log, scored, keys=keys, trends=trends)
    fans = fan_table(log, scored, keys=keys, horizon_days=horizon_days, keener=keener)
    both = (follows, fans)
    sums = Sums(
        observed=np.stack([np.maximum(table.observed, 0.0) / table.unit for table in both]),
        expected=np.stack([np.maximum(table.expected, 0.0) / table.unit for table in both]),
        group=group,
    )
    found = agreement(sums, rng=rng, n_draws=n_draws)
    trend_sd = np.array([trends[name].sd if name in trends else 0.0 for name in placements])
    hazard = found.draws[0] * _doubt(trend_sd, rng=rng, n_draws=n_draws)[:, group]
    gmv = found.draws[1] * _doubt(np.array([fans.level_sd]), rng=rng, n_draws=n_draws)
    cells = keys.with_columns(
        *(pl.Series(name, values) for name, values in {**follows.columns, **fans.columns}.items()),
        pl.Series("hazard_factor", found.mean[0]),
        pl.Series("gmv_factor", found.mean[1]),
    )
    diagnostics = {**follows.diagnostics, **fans.diagnostics}
    diagnostics["chance_of_selection"] = found.selected
    by_coin = np.bincount(group, sums.observed[0, 0])
    return CellFactors(cells, hazard, gmv, bool((by_coin >= CELLS.decided_follows).all()), diagnostics)


def _doubt(sd: FloatArray, *, rng: np.random.Generator, n_draws: int) -> FloatArray:
    """What else a level may be off by, (n_draws, n), mean 1."""
    return np.asarray(np.exp(rng.normal(size=(n_draws, len(sd))) * sd - 0.5 * sd**2))
