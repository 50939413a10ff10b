"""Marginal floors: spend stops where the last yuan returned the floor.

Exists because the return of a cell's last yuan also falls with what the other placements of its segment
spend, which no limit of a single cell can say. `stopped` writes what a cell alone can keep as limits: nothing
or at least the spend from which an S-curve is steep enough, at most the spend at which it stops. That is the
whole constraint where cells are additive, and a relaxation whose bound holds where placements compete.

One floor m for every yuan is the price m on spend: the plan is then the best of value - m spend, and so is
its certificate: no plan earns more after m a yuan, so `upper_bound` is the value plus what value - m spend
may miss, and no bound on the value of plans that spend more. Where floors differ, or rows and minimums hold
a plan below them, segments whose placements fall below the floor together are capped where all of them
return it; what that may cost is in the gap that is reported.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.errors import SolverError
from models.supply.curves import POINTS, FloatArray
from targeting.allocation.moves import Neighbours, trial_gains
from targeting.allocation.outcomes import outcomes, total
from targeting.allocation.problem import Market, Problem, Solution
from targeting.allocation.rooms import fills
from targeting.allocation.settings import SETTINGS
from targeting.allocation.solver.room import solve_in_rooms
from targeting.allocation.solver.solve import Warm, solve

BoolArray = NDArray[np.bool_]
FEN = 0.01  # yuan: the checker looks at the last fen, which on a flat start returns less than the last bit


def solve_with_stops(
    problem: Problem, *, gap_tol: float = 1e-6, time_limit_s: float = 60.0, warm: Warm | None = None
) -> Solution:
    """`solve`, with every marginal floor kept as `Limits.marginal_floor` defines it.

    Raises:
        InfeasibleError, DataError, SolverError: as `solve`.
    """
    if fills(problem.market):

        def at_a_load(asked: Problem, seconds: float, last: Warm) -> Solution:
            near = max(gap_tol, SETTINGS.solved_at_load * SETTINGS.room_gap)
            return solve_with_stops(asked, gap_tol=near, time_limit_s=seconds, warm=last)

        return solve_in_rooms(problem, at_a_load, gap_tol=gap_tol, time_limit_s=time_limit_s, warm=warm)
    if not (problem.limits.marginal_floor > 0).any():
        return solve(problem, gap_tol=gap_tol, time_limit_s=time_limit_s, warm=warm)
    near, capped = Neighbours.of(problem.market), stopped(problem)
    priced = _solve_at_price(problem, near, gap_tol=gap_tol, time_limit_s=time_limit_s)
    if priced is not None:
        return priced
    alone = np.minimum(capped.limits.upper_cny, problem.budget_cny)
    found = solve(capped, gap_tol=gap_tol, time_limit_s=time_limit_s, warm=warm)
    bound = found.upper_bound
    for _ in range(SETTINGS.stop_rounds):
        low = below_floor(problem, found.spend_cny, near)
        if not low.any():
            return _certified(found, bound=bound, gap_tol=gap_tol)
        together = np.isin(near.component, near.component[low]) & (problem.limits.marginal_floor > 0)
        stops = _stopping_together(problem, found.spend_cny, alone, together, near)
        stops = np.where(
            low & (found.spend_cny < 0.99 * stops), 0.0, stops
        )  # below, on its flat start: closed
        capped = _capped(capped, np.where(together, stops, np.inf))
        found = solve(capped, gap_tol=gap_tol, time_limit_s=time_limit_s)
    raise SolverError(
        "marginal_floor: no plan was found in which every cell stops in time; please report this brief"
    )


def _solve_at_price(
    problem: Problem, near: Neighbours, *, gap_tol: float, time_limit_s: float
) -> Solution | None:
    """The best plan of value - floor x spend; None where that is not the same question, or breaks a floor."""
    price = _price_of_floor(problem)
    if price is None or near.seat.max(initial=0) == 0:  # cells that stand alone stop exactly (`stopped`)
        return None
    floor, warm = float(problem.limits.marginal_floor[0]), Warm()

    def solved(share: float) -> tuple[Solution, float]:
        spend = np.minimum(problem.objective.get("spend", 0.0), -share * price)
        asked = replace(problem, objective={**problem.objective, "spend": spend + np.zeros(len(near.seat))})
        found = solve(asked, gap_tol=gap_tol, time_limit_s=time_limit_s, warm=warm)
        metrics = outcomes(problem.market, found.spend_cny)
        return found, float(total(problem.objective, metrics))

    found, value = solved(1.0)
    if below_floor(problem, found.spend_cny, near).any():
        return None
    names = [s for s in problem.limits.sources if s.side == "marginal_floor" and floor in s.value]
    rise = max(solved(1.0 - SETTINGS.stop_shift)[1] - solved(1.0 + SETTINGS.stop_shift)[1], 0.0)
    held = found.yuan_price or 0.0
    prices, binding = dict(found.shadow_prices), list(found.binding)
    if held > 0:
        prices["total"], held = prices["total"] + price, held + price
    for source in names if rise > SETTINGS.price_nothing * abs(value) else []:
        per_unit = rise / (2 * SETTINGS.stop_shift * floor)
        prices[source.name] = per_unit * float(np.max(source.per_step))
        binding.append(source.name)
    return replace(
        found, value=value, upper_bound=value + found.upper_bound - found.value, shadow_prices=prices,
        binding=tuple(binding), yuan_price=held if found.yuan_price is not None else None,
    )  # fmt: skip


def _price_of_floor(problem: Problem) -> float | None:
    """What the floor is in the objective per yuan, where there is one for all cells; else None."""
    floor, worth = problem.limits.marginal_floor, problem.worth or problem.objective
    if problem.risk is not None or len(worth) != 1 or np.ptp(floor) > 0:
        return None
    [(metric, each)] = worth.items()
    kept = np.asarray(problem.objective.get(metric, 0.0)) / np.where(each != 0, each, np.inf)
    return float(kept[0] * floor[0]) if kept.ndim and kept[0] > 0 and np.ptp(kept) == 0 else None


def stopped(problem: Problem) -> Problem:
    """The problem with limits that every plan keeps whose cells all return their floors.

    Each cell gets nothing, or a spend between the one from which its curve is steep enough (of a table, from
    its first steep enough piece) and the one at which it would stop alone.
    """
    limits = problem.limits
    floored = limits.marginal_floor > 0
    if not floored.any():
        return problem
    upper, least = np.minimum(limits.upper_cny, problem.budget_cny), limits.min_if_used_cny
    start, stop = _stretch(problem)
    upper = np.where(floored, np.minimum(upper, stop), upper)
    least = np.where(floored, np.maximum(least, start), least)
    upper = np.where(floored, np.minimum(upper, limits.upper_cny), limits.upper_cny)
    return replace(problem, limits=replace(limits, upper_cny=upper, min_if_used_cny=least))


def _stretch(problem: Problem) -> tuple[FloatArray, FloatArray]:
    """(n_cells,) first and last spend at which a cell alone could return its floor; (0, 0) where there is
    none.

    Its last yuan returns a'(s) (shown + converted exp(-x)), x = hazard a(s) / users. Others take from that
    (for x up to `crowded`; beyond it their lower value could hide it, so x counts as that much at most).
    """
    market, worth = problem.market, problem.worth or problem.objective
    zero = np.zeros(len(market))
    shown = zero + worth.get("impressions", 0.0) + worth.get("entries", 0.0) * market.entry
    converted = market.hazard * (worth.get("fans", 0.0) + worth.get("gmv", 0.0) * market.gmv_per_fan_cny)
    gain, curves, floor = shown + converted, market.supply, problem.limits.marginal_floor
    slope = np.where((floor > 0) & (gain > 0), floor / np.where(gain > 0, gain, 1.0), np.inf)
    high = np.minimum(curves.inverse_slope(slope), problem.budget_cny)
    low = np.minimum(curves.inflection_cny, high)
    start = _steep_from(market, slope)
    crowd = np.isfinite(market.users) & (curves.family != POINTS)
    if not crowd.any():
        return start, high
    for _ in range(SETTINGS.stop_bisections):
        middle = 0.5 * (low + high)
        x = np.minimum(market.hazard * curves.value(middle) / market.users, SETTINGS.crowded)
        enough = curves.slope(middle) * (shown + converted * np.exp(-x)) >= floor
        low, high = np.where(crowd & enough, middle, low), np.where(crowd & ~enough, middle, high)
    return start, high


def _steep_from(market: Market, slope: FloatArray) -> FloatArray:
    """(n_cells,) spend below which the curve is less steep than `slope`: 0 where it starts steep enough."""
    start = market.supply.inverse_slope(slope, rising=True)
    start = np.where(np.isfinite(start), start, 0.0)
    at = np.flatnonzero(market.supply.family == POINTS)
    if len(at):
        knots, scale = market.supply.points, market.supply.scale_cny[at]
        steep = knots.gradients * (market.supply.top[at] / scale)[:, None] >= slope[at][:, None]
        first = np.take_along_axis(knots.x, steep.argmax(axis=1)[:, None], axis=1)[:, 0] * scale
        start[at] = np.where(steep.any(axis=1), first, 0.0)
    return start


def stopping_spend(
    problem: Problem,
    others: FloatArray,
    most: FloatArray,
    near: Neighbours,
    *,
    enough: float = 1.0 + SETTINGS.stop_safe,
) -> FloatArray:
    """(n_cells,) largest spend up to `most` at which the last yuan returns `enough` times the floor, the
    other cells at `others`; `most` where there is no floor.
    """
    floor = problem.limits.marginal_floor
    trials = np.linspace(0.0, 1.0, SETTINGS.stop_grid)[:, None] * most
    good = _last_yuan(problem, others, trials, near) >= enough * floor
    best = np.where(good, trials, 0.0).max(axis=0)
    top = np.minimum(best + most / (SETTINGS.stop_grid - 1), most)
    for _ in range(SETTINGS.stop_halvings):
        middle = 0.5 * (best + top)
        good = _last_yuan(problem, others, middle[None, :], near)[0] >= enough * floor
        best, top = np.where(good, middle, best), np.where(good, top, middle)
    return np.where(floor > 0, best, most)


def _stopping_together(
    problem: Problem, spend: FloatArray, alone: FloatArray, moving: BoolArray, near: Neighbours
) -> FloatArray:
    """Spend at which the moving cells return the floor given each other: cell after cell, repeated."""
    spend = np.array(spend, dtype=float)
    for _ in range(SETTINGS.stop_sweeps):
        before = spend
        for seat in range(int(near.seat.max(initial=-1)) + 1):
            here = moving & (near.seat == seat)
            if here.any():
                spend = np.where(here, stopping_spend(problem, spend, alone, near), spend)
        if np.abs(spend - before).max(initial=0.0) <= 1e-9 * problem.budget_cny:
            break
    return spend


def below_floor(problem: Problem, spend: FloatArray, near: Neighbours | None = None) -> BoolArray:
    """(n_cells,) cells whose last yuan returned less than their floor."""
    if not (problem.limits.marginal_floor > 0).any():
        return np.zeros(len(spend), dtype=bool)
    near = near or Neighbours.of(problem.market)
    last = np.minimum(
        *(_last_yuan(problem, spend, spend[None, :], near, least_step=step)[0] for step in (0.0, FEN))
    )
    return np.asarray(last < problem.limits.marginal_floor * (1 - SETTINGS.stop_forgiven))


def _capped(problem: Problem, most: FloatArray) -> Problem:
    """Upper limits lowered to `most`."""
    upper = np.minimum(problem.limits.upper_cny, most)
    return replace(problem, limits=replace(problem.limits, upper_cny=upper))


def _last_yuan(
    problem: Problem, spend: FloatArray, trials: FloatArray, near: Neighbours, *, least_step: float = 0.0
) -> FloatArray:
    """(n_trials, n_cells) worth per yuan of the last millionth of one cell's trial, or of `least_step` if
    that is more; inf at 0.
    """
    worth = problem.worth or problem.objective
    step = np.minimum(trials, np.maximum(1e-6 * trials, least_step))
    here, before = (
        trial_gains(problem.market, spend_cny=spend, trials_cny=t, coefficients=worth, neighbours=near)
        for t in (trials, trials - step)
    )
    return np.where(step > 0, (here - before) / np.where(step > 0, step, 1.0), np.inf)


def _certified(found: Solution, *, bound: float, gap_tol: float) -> Solution:
    """The plan with the bound of the relaxation."""
    whole = replace(found, upper_bound=max(bound, found.value))
    if whole.status == "optimal" and whole.gap > gap_tol:
        return replace(whole, status="within_gap")
    return whole
