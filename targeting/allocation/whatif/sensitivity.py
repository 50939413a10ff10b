"""Which uncertainty is worth an experiment: what knowing one cell's curve would add to the plan.

Exists because exploration costs money and most uncertainty does not change the plan. For each cell the
expected value of perfect information is taken over the market's draws (Raiffa & Schlaifer, Applied
Statistical Decision Theory, 1961): if draw d of this cell were known to be true, its spend would move until
it returns the hurdle; the gain of that move is averaged over the draws. Money moves at the plan's shadow
price, which is exact to first order where many cells share the budget and never less than the gain of this
cell's own move at a fixed budget (weak duality). It must not import the solver.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import polars as pl

from models.errors import CampaignError
from models.supply.curves import CurveSet, FloatArray
from targeting.allocation.explain.words import hurdle, value_coefficients
from targeting.allocation.moves import Neighbours, trial_gains
from targeting.allocation.problem import Market, Metric, Problem, Solution
from targeting.allocation.settings import SETTINGS

SCHEMA = {
    "segment": pl.String,
    "placement": pl.String,
    "slot": pl.Int64,
    "spend_cny": pl.Float64,
    "evpi": pl.Float64,
    "best_spend_low_cny": pl.Float64,
    "best_spend_high_cny": pl.Float64,
    "probe_cny": pl.Float64,
    "probe_cost": pl.Float64,
    "worth_probing": pl.Boolean,
}


def value_of_information(problem: Problem, solution: Solution, *, max_draws: int = 100) -> pl.DataFrame:
    """What knowing each cell's curve, hazard and GMV per fan would add to the plan, largest first.

    Args:
        problem: with draws in its market.
        solution: the plan to improve on.
        max_draws: draws looked at (the first ones).

    Returns:
        One row per cell: spend_cny; evpi, in the unit of the objective's value, over the plan's horizon;
        best_spend_low_cny and best_spend_high_cny, 10th and 90th percentile of the best spend if the truth
        were known; probe_cny, a spend that would tell (the mean distance between planned and best spend);
        probe_cost, the expected value lost by moving that much money here (or away) once; worth_probing, evpi
        > probe_cost.

    Raises:
        CampaignError: the market has no draws.
    """
    market = problem.market
    draws = market.draws
    if draws is None or len(draws.hazard) == 0:
        raise CampaignError(
            "value of information: the curves came without uncertainty, so there is nothing to learn; "
            "plan from logs"
        )
    near, value, price = Neighbours.of(market), value_coefficients(problem), hurdle(problem, solution)
    spend = solution.spend_cny
    trials = _trials(problem, spend)
    count = min(len(draws.hazard), max_draws)
    gain, best = np.zeros((count, len(market))), np.zeros((count, len(market)))
    for d in range(count):
        for seat in range(int(near.seat.max()) + 1):
            here = near.seat == seat
            known = _known(market, draw=d, cells=here)
            net = _net(known, spend, trials, value, price, near)
            gain[d, here] = net.max(axis=0)[here]
            best[d, here] = np.take_along_axis(trials, net.argmax(axis=0)[None, :], axis=0)[0][here]
    probe = np.abs(best - spend).mean(axis=0)
    reach = np.vstack([spend + probe, np.maximum(spend - probe, 0.0)])
    inside = np.clip(
        reach, problem.limits.lower_cny, np.minimum(problem.limits.upper_cny, problem.budget_cny)
    )
    cost = np.maximum(-_net(market, spend, inside, value, price, near).max(axis=0), 0.0)
    low, high = np.quantile(best, [0.1, 0.9], axis=0)
    evpi = gain.mean(axis=0)
    columns = [spend, evpi, low, high, probe, cost, (evpi > cost) & (probe > 1e-6 * problem.budget_cny)]
    names = list(SCHEMA)[3:]
    cells = market.cells.select(pl.col("segment", "placement"), pl.col("slot").cast(pl.Int64))
    added = [pl.Series(name, column, dtype=SCHEMA[name]) for name, column in zip(names, columns, strict=True)]
    return cells.with_columns(added).sort("evpi", descending=True, maintain_order=True)


def affordable_probes(
    information: pl.DataFrame, *, budget_cny: float, max_share: float = 0.1
) -> pl.DataFrame:
    """The experiments to do: those that pay, best net gain per yuan first, while they fit into the money.

    Args:
        information: result of `value_of_information`.
        budget_cny: the campaign's budget.
        max_share: most of it that may go to learning.

    Returns:
        Rows of `information`: together their probe_cny is at most `max_share` of the budget.
    """
    net = (pl.col("evpi") - pl.col("probe_cost")) / pl.col("probe_cny")
    paying = information.filter("worth_probing").sort(net, descending=True, maintain_order=True)
    left, kept = max_share * budget_cny, []
    for probe_cny in paying["probe_cny"].to_list():
        kept.append(probe_cny <= left)
        left -= probe_cny if kept[-1] else 0.0
    return paying.filter(pl.Series(kept, dtype=pl.Boolean))


def _trials(problem: Problem, spend: FloatArray) -> FloatArray:
    """(n_trials, n_cells) allowed spends of each cell, the plan's own first."""
    limits = problem.limits
    top = np.minimum(limits.upper_cny, problem.budget_cny)
    share = np.concatenate([[0.0], np.geomspace(1e-4, 1.0, SETTINGS.known_spends)])[:, None]
    wide = limits.lower_cny + share * np.maximum(top - limits.lower_cny, 0.0)
    around = spend * np.linspace(0.5, 1.5, SETTINGS.known_spends // 2)[:, None]
    tried = np.clip(np.vstack([wide, around]), limits.lower_cny, np.maximum(top, limits.lower_cny))
    off = (limits.lower_cny <= 0) & (tried < limits.min_if_used_cny)
    return np.vstack([spend, np.where(off, 0.0, tried)])


def _net(
    market: Market,
    spend: FloatArray,
    trials: FloatArray,
    value: Mapping[Metric, FloatArray],
    price: FloatArray,
    near: Neighbours,
) -> FloatArray:
    """(n_trials, n_cells) value gained less the hurdle paid when one cell alone moves to its trial."""
    gains = trial_gains(market, spend_cny=spend, trials_cny=trials, coefficients=value, neighbours=near)
    paid = np.where(np.isfinite(price), price, 0.0) * (trials - spend)
    return gains - paid


def _known(market: Market, *, draw: int, cells: FloatArray) -> Market:
    """The market with the given cells as in one draw and all others as expected."""
    draws = market.draws
    if draws is None:
        return market
    true, mean = draws.supply.draw(draw), market.supply

    def mixed(a: FloatArray, b: FloatArray) -> FloatArray:
        return np.where(cells, a, b)

    supply = CurveSet(
        mean.family,
        mixed(true.top, mean.top),
        mixed(true.scale_cny, mean.scale_cny),
        mixed(true.shape, mean.shape),
        mixed(true.base, mean.base),
        mean.knots,
    )
    return replace(
        market,
        supply=supply,
        hazard=mixed(draws.hazard[draw], market.hazard),
        gmv_per_fan_cny=mixed(draws.gmv_per_fan_cny[draw], market.gmv_per_fan_cny),
        draws=None,
    )
