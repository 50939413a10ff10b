"""Posterior of what was logged over what was predicted. In: sums per cell, by kind of row. Out: means, draws.

How a cell differs from the rest of its placement is told by both kinds of rows, ranked ones against the
ranked ones' level and randomised ones against theirs, so a bias that all of a placement shares cancels; what
does not cancel is taken for an unknown bias of `cell_bias_sd`. Judging cells by randomised rows alone, a
dozen follows each, would send money where they happened to be lucky. It must not import targeting.
"""

from __future__ import annotations

import numpy as np

from models.arrays import FloatArray, IntArray
from models.audience.cells.selection import Ratio, chance_of_selection, draw_levels
from models.audience.cells.tables import CellTable
from models.audience.settings import CELLS
from models.rates.pooling import dispersion_of, pool_rates


def hazard_posterior(
    table: CellTable, group: IntArray, *, rng: np.random.Generator, n_draws: int
) -> tuple[FloatArray, FloatArray, float]:
    """Posterior of observed over predicted follows, and the chance that ranked delivery is selected."""
    every, randomised = table.sums["all"], table.sums["randomized"]
    ranked = (np.maximum(every[0] - randomised[0], 0.0), np.maximum(every[1] - randomised[1], 0.0))
    if not (every[1].sum() > 0):
        return *_scores_alone(len(group), rng, n_draws), CELLS.selection_odds
    by_rank, by_randomised = (
        Ratio.of(*_per_group(sums, group), noise=table.dispersion) for sums in (ranked, randomised)
    )
    selected = chance_of_selection(by_rank, by_randomised)
    levels = draw_levels(by_rank, by_randomised, selected=selected, rng=rng, n_draws=n_draws)
    events, exposure = _deviations(ranked, randomised, group)
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


def _deviations(
    ranked: tuple[FloatArray, FloatArray], randomised: tuple[FloatArray, FloatArray], group: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Events and exposures per cell, (n_cells,) each, relative to the level of the same kind of rows.

    n ranked follows with an unknown bias of sd t say as much as n / (1 + n t^2) unbiased ones.
    """
    seen, expected = _per_group(ranked, group)
    level = np.where(seen > 0, seen / np.maximum(expected, 1e-12), 1.0)
    seen_randomised, expected_randomised = _per_group(randomised, group)
    level_randomised = (seen_randomised + CELLS.shrink_follows * level) / (
        expected_randomised + CELLS.shrink_follows
    )
    kept = 1.0 / (1.0 + ranked[1] * level[group] * CELLS.cell_bias_sd**2)
    events = kept * ranked[0] + randomised[0]
    return events, kept * ranked[1] * level[group] + randomised[1] * level_randomised[group]


def selection_gap(table: CellTable) -> float:
    """Log of how much more ranked rows follow than randomised ones, against the same scores; 0 if unknown."""
    every, randomised = table.sums["all"], table.sums["randomized"]
    rest = (every[0] - randomised[0], every[1] - randomised[1])
    sums = [float(x.sum()) for x in (*rest, *randomised)]
    return float(np.log(sums[0] / sums[1]) - np.log(sums[2] / sums[3])) if min(sums) > 0 else 0.0


def randomised_decide(table: CellTable, group: IntArray) -> bool:
    """Whether every placement has enough randomised follows to fix its level to a quarter."""
    return bool(np.all(Ratio.of(*_per_group(table.sums["randomized"], group)).sd < CELLS.decided_sd))


def gmv_posterior(
    table: CellTable, group: IntArray, *, selected: float, gap: float, rng: np.random.Generator, n_draws: int
) -> tuple[FloatArray, FloatArray]:
    """Posterior of observed over predicted GMV of new fans; levels by a Bayesian bootstrap over fans.

    Randomised fans are too few to be told apart by placement: they speak of the level of all.
    """
    observed, predicted = table.sums["all"]
    if not (predicted.sum() > 0 and observed.sum() > 0):
        return _scores_alone(len(group), rng, n_draws)
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
    mixed = not table.coin.all()
    ranked = ~table.coin if mixed else table.coin
    n_groups, extra = int(group.max()) + 1, CELLS.level_events * unit
    log_levels = np.empty((n_draws, n_groups))
    weights = rng.exponential(size=(n_draws, len(cell)))
    overall = (weights @ observed + unit) / (weights @ predicted + unit)
    for j in range(n_groups):
        here = ranked & (group[cell] == j)
        # Some events of the overall level: a placement with few buyers must not promise zero or the moon.
        top = weights[:, here] @ observed[here] + extra * overall
        level = top / (weights[:, here] @ predicted[here] + extra)
        log_levels[:, j] = np.log(np.maximum(level, CELLS.least_level))
    # How placements differ was fitted with the scores, shrunk by how sure these very buyers make it; asking
    # them again would undo that. Only the level of all is moved, and each placement's doubt is its own.
    own = log_levels.std(axis=0) ** -2.0
    common = float(np.average(log_levels.mean(axis=0), weights=own))
    doubt = (own + 1.0 / (CELLS.placement_sd**2 + 1.0 / own.sum())) ** -0.5
    by_rank = Ratio(np.full(n_groups, common), np.hypot(doubt, table.level_sd))
    some = table.coin if mixed else np.zeros_like(table.coin)
    by_randomised = Ratio.of(
        np.full(n_groups, observed[some].sum()), np.full(n_groups, predicted[some].sum()), noise=unit
    )
    if some.any():
        all_ranked = np.log(
            np.maximum(weights[:, ranked] @ observed[ranked] + unit, CELLS.least_level * unit)
        )
        all_ranked -= np.log(weights[:, ranked] @ predicted[ranked] + unit)
        selected = chance_of_selection(
            Ratio(all_ranked.mean(keepdims=True), all_ranked.std(keepdims=True)),
            Ratio(by_randomised.log[:1], by_randomised.sd[:1]),
            before=float(np.clip(selected, 0.01, 0.99)),
        )
    return draw_levels(by_rank, by_randomised, selected=selected, rng=rng, n_draws=n_draws, gap=gap)


def _per_group(sums: tuple[FloatArray, FloatArray], group: IntArray) -> tuple[FloatArray, FloatArray]:
    n_groups = int(group.max()) + 1
    seen, expected = (np.asarray(np.bincount(group, x, n_groups), dtype=np.float64) for x in sums)
    return seen, expected


def _scores_alone(n_cells: int, rng: np.random.Generator, n_draws: int) -> tuple[FloatArray, FloatArray]:
    """No outcome at all to judge by: the scores stand, give or take a factor of about two."""
    level_sd, cell_sd = CELLS.alone_sd
    common = rng.normal(0.0, level_sd, (n_draws, 1)) + rng.normal(0.0, cell_sd, (n_draws, n_cells))
    return np.ones(n_cells), np.exp(common)
