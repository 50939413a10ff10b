"""How far logged outcomes agree with the scores, cell by cell, and how sure that makes us.

For every segment x placement the follows and the GMV of the new fans that the logs show are set against what
the scores predict for exactly those rows. The ratios, partially pooled, become multiplicative draws of
hazard and value: the width of the plan's 80 % intervals, and a mild correction of segment means. Randomised
rows speak about effects; the others are used for precision, as far as they agree
(`models.audience.cells.selection`). How a cell differs from the rest of its placement is told by both kinds
of rows, ranked ones against the ranked ones' level and randomised ones against theirs, so a bias that all
of a placement shares cancels; what does not cancel is taken for an unknown bias of `CELL_BIAS_SD`. Judging
cells by randomised rows alone, a dozen follows each, would send money where they happened to be lucky.
Young fans and young orders are scaled by the share of their horizon that is over (`models.audience.delay`),
never counted as zeros.

It must not import targeting, the model that made the scores, or anything that reads a clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated

import numpy as np
import polars as pl
from pydantic import TypeAdapter

from models.audience.cells.fan_gmv import fan_table
from models.audience.cells.follow_counts import follow_table
from models.audience.cells.selection import Ratio, chance_of_selection, draw_levels
from models.audience.cells.tables import CellTable, FloatArray, IntArray
from models.errors import DataError
from models.events.event_log import EventLog
from models.rates.pooling import dispersion_of, pool_rates
from models.rates.trend import Trend
from models.stored import Array, Rows, read, written

# A cell's ranked rows are selected more or less than those of its placement: sd of the log of the difference.
CELL_BIAS_SD = 0.12
# How far the value of a placement's fans may be off that of all, beyond what the scores say (log scale).
PLACEMENT_SD = 0.3
# A level of randomised rows is shrunk to the ranked ones' as if by this many follows, to compare cells.
SHRINK_FOLLOWS = 10.0

_SUMS = (
    *("impressions", "predicted_follows", "observed_follows", "randomized_follows", "fans"),
    *("predicted_buyers", "observed_buyers", "predicted_gmv_cny", "observed_gmv_cny"),
    *("hazard_factor", "gmv_factor"),
)
CELLS = {"segment": pl.String, "placement": pl.String} | dict.fromkeys(_SUMS, pl.Float64)


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

    cells: Annotated[pl.DataFrame, Rows(CELLS)]
    hazard_factor: Array
    gmv_factor: Array
    randomized: bool
    diagnostics: Mapping[str, float]

    def to_json(self) -> str:
        """The factors as JSON text."""
        return written(_STORED, self)

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
) -> CellFactors:
    """Logged outcomes against predictions.

    Args:
        log: what happened; nothing later than its `as_of` is known.
        assignment: user_id, segment, of everyone who is scored (`Segmenter.assign(scores, everyone=True)`).
        scores: long score table; its placements are the placements of the cells.
        horizon_days: the horizon of gmv_per_fan_cny.
        n_draws: joint draws.
        trends: by placement, the drift of p_follow over the logged days that the scores have in them.

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
    follows = follow_table(log, scored, keys=keys, trends=trends)
    fans = fan_table(log, scored, keys=keys, horizon_days=horizon_days)
    hazard_mean, hazard, selected = _hazard(follows, group, rng=rng, n_draws=n_draws)
    hazard *= _trend_draws(trends, placements, rng=rng, n_draws=n_draws)[:, group]
    gap = _selection_gap(follows)
    gmv_mean, gmv = _gmv(fans, group, selected=selected, gap=gap, rng=rng, n_draws=n_draws)
    cells = keys.with_columns(
        *(pl.Series(name, values) for name, values in {**follows.columns, **fans.columns}.items()),
        pl.Series("hazard_factor", hazard_mean),
        pl.Series("gmv_factor", gmv_mean),
    )
    diagnostics = {**follows.diagnostics, **fans.diagnostics}
    diagnostics["chance_of_selection"] = selected
    decided = _coin_decides(follows, group)
    return CellFactors(cells, hazard, gmv, decided, diagnostics)


def _hazard(
    table: CellTable, group: IntArray, *, rng: np.random.Generator, n_draws: int
) -> tuple[FloatArray, FloatArray, float]:
    """Posterior of observed over predicted follows, and the chance that ranked delivery is selected."""
    every, coin = table.sums["all"], table.sums["randomized"]
    ranked = (np.maximum(every[0] - coin[0], 0.0), np.maximum(every[1] - coin[1], 0.0))
    if not (every[1].sum() > 0):
        return *_believed(len(group), rng, n_draws), 0.25
    by_rank, by_coin = (Ratio.of(*_per_group(sums, group), noise=table.dispersion) for sums in (ranked, coin))
    selected = chance_of_selection(by_rank, by_coin)
    levels = draw_levels(by_rank, by_coin, selected=selected, rng=rng, n_draws=n_draws)
    events, exposure = _deviations(ranked, coin, group)
    pooled = pool_rates(
        events=events,
        exposure=exposure,
        group=group,
        rng=rng,
        n_draws=n_draws,
        dispersion=table.dispersion,
        level_draws=levels,
    )
    return pooled.mean, pooled.draws, selected


def _trend_draws(
    trends: Mapping[str, Trend], placements: list[str], *, rng: np.random.Generator, n_draws: int
) -> FloatArray:
    """What carrying a hazard to the end of the logs may be off by, (n_draws, n_placements), mean 1."""
    sd = np.array([trends[name].sd if name in trends else 0.0 for name in placements])
    return np.asarray(np.exp(rng.normal(size=(n_draws, len(placements))) * sd - 0.5 * sd**2))


def _selection_gap(table: CellTable) -> float:
    """Log of how much more ranked rows follow than randomised ones, against the same scores; 0 if unknown."""
    every, coin = table.sums["all"], table.sums["randomized"]
    rest = (every[0] - coin[0], every[1] - coin[1])
    sums = [float(x.sum()) for x in (*rest, *coin)]
    return float(np.log(sums[0] / sums[1]) - np.log(sums[2] / sums[3])) if min(sums) > 0 else 0.0


def _per_group(sums: tuple[FloatArray, FloatArray], group: IntArray) -> tuple[FloatArray, FloatArray]:
    n_groups = int(group.max()) + 1
    seen, expected = (np.asarray(np.bincount(group, x, n_groups), dtype=np.float64) for x in sums)
    return seen, expected


def _deviations(
    ranked: tuple[FloatArray, FloatArray], coin: tuple[FloatArray, FloatArray], group: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Events and exposures per cell, (n_cells,) each, relative to the level of the same kind of rows.

    n ranked follows with an unknown bias of sd t say as much as n / (1 + n t^2) unbiased ones.
    """
    seen, expected = _per_group(ranked, group)
    level = np.where(seen > 0, seen / np.maximum(expected, 1e-12), 1.0)
    coin_seen, coin_expected = _per_group(coin, group)
    coin_level = (coin_seen + SHRINK_FOLLOWS * level) / (coin_expected + SHRINK_FOLLOWS)
    kept = 1.0 / (1.0 + ranked[1] * level[group] * CELL_BIAS_SD**2)
    events = kept * ranked[0] + coin[0]
    return events, kept * ranked[1] * level[group] + coin[1] * coin_level[group]


def _coin_decides(table: CellTable, group: IntArray) -> bool:
    """Whether every placement has enough randomised follows to fix its level to a quarter."""
    return bool(np.all(Ratio.of(*_per_group(table.sums["randomized"], group)).sd < 0.25))


def _gmv(
    table: CellTable, group: IntArray, *, selected: float, gap: float, rng: np.random.Generator, n_draws: int
) -> tuple[FloatArray, FloatArray]:
    """Posterior of observed over predicted GMV of new fans; levels by a Bayesian bootstrap over fans.

    Randomised fans are too few to be told apart by placement: they speak of the level of all.
    """
    observed, predicted = table.sums["all"]
    if not (predicted.sum() > 0 and observed.sum() > 0):
        return _believed(len(group), rng, n_draws)
    unit = max(dispersion_of(table.rows[1]), 1e-9)
    levels = _gmv_levels(table, group, selected=selected, gap=gap, unit=unit, rng=rng, n_draws=n_draws)
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


def _gmv_levels(
    table: CellTable,
    group: IntArray,
    *,
    selected: float,
    gap: float,
    unit: float,
    rng: np.random.Generator,
    n_draws: int,
) -> FloatArray:
    """Draws (n_draws, n_groups) of true over predicted GMV per fan; `unit` yuan count as one event.

    Where ranked delivery is selected, the same intent that made its people follow (by `gap`, known from
    hundreds of follows) is expected to make them buy; the few randomised buyers then correct that.
    """
    cell, observed, predicted = table.rows
    coin = table.coin
    ranked = ~coin if not coin.all() else coin
    n_groups = int(group.max()) + 1
    log_levels = np.empty((n_draws, n_groups))
    weights = rng.exponential(size=(n_draws, len(cell)))
    overall = (weights @ observed + unit) / (weights @ predicted + unit)
    for j in range(n_groups):
        here = ranked & (group[cell] == j)
        # Two events of the overall level: a placement with few buyers must not promise zero or the moon.
        top = weights[:, here] @ observed[here] + 2.0 * unit * overall
        level = top / (weights[:, here] @ predicted[here] + 2.0 * unit)
        log_levels[:, j] = np.log(np.maximum(level, 0.02))
    # How placements differ was fitted with the scores, shrunk by how sure these very buyers make it; asking
    # them again would undo that. Only the level of all is moved, and each placement's doubt is its own.
    own = log_levels.std(axis=0) ** -2.0
    common = float(np.average(log_levels.mean(axis=0), weights=own))
    doubt = (own + 1.0 / (PLACEMENT_SD**2 + 1.0 / own.sum())) ** -0.5
    by_rank = Ratio(np.full(n_groups, common), np.hypot(doubt, table.level_sd))
    some = coin if not coin.all() else np.zeros_like(coin)
    by_coin = Ratio.of(
        np.full(n_groups, observed[some].sum()), np.full(n_groups, predicted[some].sum()), noise=unit
    )
    if some.any():
        all_ranked = np.log(np.maximum(weights[:, ranked] @ observed[ranked] + unit, 0.02 * unit))
        all_ranked -= np.log(weights[:, ranked] @ predicted[ranked] + unit)
        selected = chance_of_selection(
            Ratio(all_ranked.mean(keepdims=True), all_ranked.std(keepdims=True)),
            Ratio(by_coin.log[:1], by_coin.sd[:1]),
            before=float(np.clip(selected, 0.01, 0.99)),
        )
    return draw_levels(by_rank, by_coin, selected=selected, rng=rng, n_draws=n_draws, gap=gap)


def _believed(n_cells: int, rng: np.random.Generator, n_draws: int) -> tuple[FloatArray, FloatArray]:
    """No outcome at all to judge by: the scores stand, give or take a factor of about two."""
    common = rng.normal(0.0, 0.5, (n_draws, 1)) + rng.normal(0.0, 0.25, (n_draws, n_cells))
    return np.ones(n_cells), np.exp(common)
