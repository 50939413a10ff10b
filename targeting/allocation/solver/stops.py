"""Marginal floors: spend stops where the last yuan returned the floor.

Exists because the return of a cell's last yuan also falls with what the other placements of its segment
spend, which no limit of a single cell can say. `stopped` writes what a cell alone can keep as limits: nothing
or at least the spend from which an S-curve is steep enough, at most the spend at which it stops. That is the
whole constraint where cells are additive, and a relaxation whose bound holds where placements compete.

One floor m for every yuan is the price m on spend: the plan is then the best of value - m spend, and so is
its certificate: no plan earns more after m a yuan, so `upper_bound` is the value plus what value - m spend
may miss, and no bound on the value of plans that spend more. Floors of some cells, or beside rows that ask
for spend, are prices too, cell by cell, found by asking again (`_floored`); what that may cost against the
limits alone is in the gap that is reported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.errors import SolverError
from models.supply.curves import POINTS, FloatArray
from targeting.allocation.moves import Neighbours, trial_gains
from targeting.allocation.outcomes import outcomes, total
from targeting.allocation.problem import Market, Metric, Problem, Solution
from targeting.allocation.rooms import fills
from targeting.allocation.settings import SETTINGS
from targeting.allocation.solver.deadline import Deadline
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
    deadline, near = Deadline.of(time_limit_s), Neighbours.of(problem.market)
    own = warm if warm is not None else Warm()

    def solved(asked: Problem) -> Solution:
        return _floored(asked, near, own, gap_tol=gap_tol, deadline=deadline)

    return _with_prices(problem, solved(problem), solved)


def _with_prices(problem: Problem, found: Solution, solved: Callable[[Problem], Solution]) -> Solution:
    """The plan with what floors cost: the slope of the value as all of them move."""
    limits, shift = problem.limits, SETTINGS.stop_shift
    lower, higher = (
        solved(replace(problem, limits=replace(limits, marginal_floor=share * limits.marginal_floor))).value
        for share in (1.0 - shift, 1.0 + shift)
    )
    if not lower - higher > SETTINGS.price_nothing * abs(found.value):
        return found
    prices, binding = dict(found.shadow_prices), list(found.binding)
    for source in limits.sources:
        binds = source.value == limits.marginal_floor
        if source.side == "marginal_floor" and binds.any():
            per_unit = (lower - higher) / (2 * shift * float(source.value[binds].max()))
            prices[source.name] = per_unit * float(np.max(source.per_step))
            binding.append(source.name)
    return replace(found, shadow_prices=prices, binding=tuple(dict.fromkeys(binding)))


def _floored(
    problem: Problem, near: Neighbours, warm: Warm, *, gap_tol: float, deadline: Deadline
) -> Solution:
    """The best plan within what cells alone can keep, or else at prices on the spend of cells.

    A cell whose last yuan returns less than its floor is charged more for a yuan, in the proportion of the
    two, until it stops there; where the budget or a row charges it already, by so much less.
    """

    def solved(asked: Problem) -> Solution:
        left = deadline.left(deadline.seconds)
        found = solve(asked, gap_tol=gap_tol, time_limit_s=left, warm=warm)
        value = float(total(problem.objective, outcomes(problem.market, found.spend_cny)))
        return replace(found, value=value, upper_bound=value + found.upper_bound - found.value)

    floor, each = problem.limits.marginal_floor, _in_objective(problem)
    one_for_all = problem.risk is None and np.ptp(floor) == 0 and np.ptp(each) == 0 and each[0] > 0
    bound, best = np.inf, None
    if not one_for_all or near.seat.max(initial=0) == 0:  # cells that stand alone stop exactly
        found = solved(stopped(problem))
        bound = found.upper_bound
        if not below_floor(problem, found.spend_cny, near).any():
            return found
    charged = -np.asarray(problem.objective.get("spend", 0.0)) + np.zeros(len(floor))
    extra = np.maximum(each * floor - charged, 0.0)
    for _ in range(SETTINGS.stop_rounds):
        objective: dict[Metric, FloatArray] = {**problem.objective, "spend": -(charged + extra)}
        found = solved(replace(problem, objective=objective))
        paid, spend = found.yuan_price or 0.0, found.spend_cny
        if not below_floor(problem, spend, near).any():
            gained = np.inf if best is None else found.value - best.value
            best = _told(found, bound, least=float(extra.min())) if gained > 0 else best
            if not (paid > 0 and gained > gap_tol * abs(found.value)):
                break
        last = _last_yuan(problem, spend, spend[None, :], near)[0]
        asks = (charged + extra + paid) * floor / np.where(last > 0, last, np.inf)
        asks = np.where(np.isfinite(last), asks, each * floor)
        extra = np.where(floor > 0, np.maximum(asks - charged - paid, 0.0), 0.0)
    if best is None:
        raise SolverError(
            "marginal_floor: no plan was found in which every cell stops in time; please report this brief"
        )
    return best


def _told(found: Solution, bound: float, *, least: float) -> Solution:
    """The plan, a yuan's price with what is charged for all of them (`least`), and its bound where one of all
    plans is known.
    """
    paid = found.yuan_price
    prices = dict(found.shadow_prices)
    if paid:
        prices["total"], paid = prices["total"] + least, paid + least
    most = max(bound, found.value) if np.isfinite(bound) else found.upper_bound
    return replace(found, shadow_prices=prices, yuan_price=paid, upper_bound=most)


def _in_objective(problem: Problem) -> FloatArray:
    """(n_cells,) what a unit of worth counts in the objective; 0 where it does not."""
    worth = problem.worth or problem.objective
    found = np.zeros(len(problem.market))
    for metric, each in worth.items():
        kept = np.asarray(problem.objective.get(metric, 0.0))
        found = np.maximum(found, kept / np.where(each != 0, each, np.inf))
    return found


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


def below_floor(problem: Problem, spend: FloatArray, near: Neighbours | None = None) -> BoolArray:
    """(n_cells,) cells whose last yuan returned less than their floor."""
    if not (problem.limits.marginal_floor > 0).any():
        return np.zeros(len(spend), dtype=bool)
    near = near or Neighbours.of(problem.market)
    last = np.minimum(
        *(_last_yuan(problem, spend, spend[None, :], near, least_step=step)[0] for step in (0.0, FEN))
    )
    return np.asarray(last < problem.limits.marginal_floor * (1 - SETTINGS.stop_forgiven))


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
