"""Marginal floors where placements compete: spend stops where the last yuan returned the floor.

Exists because the return of a cell's last yuan also falls with what the other placements of its segment
spend, which no limit of a single cell can say. Capping each cell where it would stop alone is a relaxation,
since placements compete: its bound holds for the true problem. Segments whose placements then fall below
the floor together are capped where all of them return it; what that may cost is in the gap that is reported.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.curves import FloatArray
from models.errors import SolverError
from targeting.allocation.explain.trial import Neighbours, trial_gains
from targeting.allocation.problem import Problem, Solution

if TYPE_CHECKING:
    from targeting.allocation.solver.solve import Warm

BoolArray = NDArray[np.bool_]
_ROUNDS, _SWEEPS = 6, 12
_SAFE = 2e-4  # the floor is kept by this share, so that whole 厘 and differences do not break it
_GRID, _HALVINGS = 40, 25


def solve_with_stops(
    problem: Problem, *, gap_tol: float = 1e-6, time_limit_s: float = 60.0, warm: Warm | None = None
) -> Solution:
    """`solve`, with every marginal floor kept as `Limits.marginal_floor` defines it.

    Raises:
        InfeasibleError, DataError, SolverError: as `solve`.
    """
    from targeting.allocation.solver.solve import solve

    if not (problem.limits.marginal_floor > 0).any():
        return solve(problem, gap_tol=gap_tol, time_limit_s=time_limit_s, warm=warm)
    near, zero = Neighbours.of(problem.market), np.zeros(len(problem.market))
    alone = np.minimum(problem.limits.upper_cny, problem.budget_cny)
    if problem.market.carryover == 0 or problem.market.supply.concave.all():
        alone = stopping_spend(problem, zero, alone, near)  # else earlier slots may lift later ones
    capped = _capped(problem, alone)
    found = solve(capped, gap_tol=gap_tol, time_limit_s=time_limit_s, warm=warm)
    bound = found.upper_bound
    for _ in range(_ROUNDS):
        low = below_floor(problem, found.spend_cny, near)
        if not low.any():
            return _certified(found, bound=bound, gap_tol=gap_tol)
        together = np.isin(near.component, near.component[low]) & (problem.limits.marginal_floor > 0)
        stops = _stopping_together(problem, found.spend_cny, alone, together, near)
        capped = _capped(capped, np.where(together, stops, np.inf))
        found = solve(capped, gap_tol=gap_tol, time_limit_s=time_limit_s)
    raise SolverError(
        "marginal_floor: no plan was found in which every cell stops in time; please report this brief"
    )


def stopping_spend(problem: Problem, others: FloatArray, most: FloatArray, near: Neighbours) -> FloatArray:
    """(n_cells,) largest spend up to `most` at which the last yuan returns the floor, the other cells at
    `others`.

    Never below the lower limit; `most` where there is no floor.
    """
    floor, lower = problem.limits.marginal_floor, np.minimum(problem.limits.lower_cny, most)
    enough = floor * (1 + _SAFE)
    trials = lower + np.linspace(0.0, 1.0, _GRID)[:, None] * (most - lower)
    good = _last_yuan(problem, others, trials, near) >= enough
    best = np.where(good, trials, lower).max(axis=0)
    top = np.minimum(best + (most - lower) / (_GRID - 1), most)
    for _ in range(_HALVINGS):
        middle = 0.5 * (best + top)
        good = _last_yuan(problem, others, middle[None, :], near)[0] >= enough
        best, top = np.where(good, middle, best), np.where(good, top, middle)
    return np.where(floor > 0, best, most)


def _stopping_together(
    problem: Problem, spend: FloatArray, alone: FloatArray, moving: BoolArray, near: Neighbours
) -> FloatArray:
    """Spend at which the moving cells return the floor given each other: cell after cell, repeated."""
    spend = np.array(spend, dtype=float)
    for _ in range(_SWEEPS):
        before = spend
        for seat in range(int(near.seat.max(initial=-1)) + 1):
            here = moving & (near.seat == seat)
            if here.any():
                spend = np.where(here, stopping_spend(problem, spend, alone, near), spend)
        if np.abs(spend - before).max(initial=0.0) <= 1e-9 * problem.budget_cny:
            break
    return spend


def below_floor(problem: Problem, spend: FloatArray, near: Neighbours | None = None) -> BoolArray:
    """(n_cells,) cells whose last yuan returned less than their floor though no lower limit asks for it."""
    if not (problem.limits.marginal_floor > 0).any():
        return np.zeros(len(spend), dtype=bool)
    near = near or Neighbours.of(problem.market)
    last = _last_yuan(problem, spend, spend[None, :], near)[0]
    kept_anyway = spend <= problem.limits.lower_cny * (1 + 1e-9)
    return (last < problem.limits.marginal_floor * (1 + 0.25 * _SAFE)) & ~kept_anyway


def _capped(problem: Problem, most: FloatArray) -> Problem:
    """Upper limits lowered to `most`, but not below a lower limit."""
    upper = np.maximum(np.minimum(problem.limits.upper_cny, most), problem.limits.lower_cny)
    return replace(problem, limits=replace(problem.limits, upper_cny=upper))


def _last_yuan(problem: Problem, spend: FloatArray, trials: FloatArray, near: Neighbours) -> FloatArray:
    """(n_trials, n_cells) worth per yuan of the last fen when one cell alone has its trial; inf at 0."""
    worth = problem.worth or problem.objective
    step = np.minimum(trials, np.maximum(1e-6 * trials, 0.01))
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
