"""`solve`: the best plan with a certificate.

    prices by the dual, or of the last plan -> Newton -> Lagrangian bound
    -> column generation and the tree, where a gap stays open.

Value and feasibility of what is returned are recomputed from the true curves (`incumbent`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from models.errors import CampaignError, InfeasibleError, UndecidedError
from models.supply.curves import FloatArray
from targeting.allocation.problem import Problem, Solution
from targeting.allocation.solver.arrays import Program
from targeting.allocation.solver.branching import close, no_plan
from targeting.allocation.solver.cellprices import named_prices
from targeting.allocation.solver.deadline import Deadline
from targeting.allocation.solver.dual import descend, least_value
from targeting.allocation.solver.generation import least
from targeting.allocation.solver.incumbent import Incumbent
from targeting.allocation.solver.layout import build
from targeting.allocation.solver.master import Pool
from targeting.allocation.solver.pricing import legal, price
from targeting.allocation.solver.risk import keep_floor


@dataclass
class Warm:
    """What a solve leaves for the next on the same market and rows: plan, prices, arrivals in rooms."""

    spend: FloatArray | None = None
    prices: FloatArray | None = None
    came: FloatArray | None = None


def solve(
    problem: Problem, *, gap_tol: float = 1e-6, time_limit_s: float = 60.0, warm: Warm | None = None
) -> Solution:
    """The best plan, an upper bound on any plan's value, and the price of every limit.

    Args:
        problem: market, objective, limits and rows.
        gap_tol: relative gap at which to stop, > 0.
        time_limit_s: > 0; what is found by then is returned with its (valid, wider) bound.
        warm: of an earlier solve of the same market and rows; updated in place.

    Raises:
        CampaignError: `gap_tol` or `time_limit_s` is not positive.
        InfeasibleError: no plan satisfies the rows and limits.
        UndecidedError: time was up with no plan, and no proof that there is none.
        SolverError: the optimiser failed; no plan is passed on.
    """
    if not gap_tol > 0:
        raise CampaignError(f"gap_tol is {gap_tol}, expected a number > 0 (1e-6 is usual)")
    if not time_limit_s > 0:
        raise CampaignError(f"time_limit_s is {time_limit_s}, expected seconds > 0")
    deadline = Deadline.of(time_limit_s)
    if problem.risk is not None:
        free = solve(replace(problem, risk=None), gap_tol=gap_tol, time_limit_s=time_limit_s, warm=warm)
        return keep_floor(problem, problem.risk, free, gap_tol=gap_tol, deadline=deadline)
    program = build(problem)
    _check_boxes(problem, program)
    best = Incumbent(problem, gap_tol, deadline)
    warm = warm if warm is not None else Warm()
    best.offer(program, least(program))
    seen, rounds = _by_prices(program, best, warm, deadline), 0
    if not (best.closed or (deadline.over and best.spend is not None)):
        pool = Pool.of(program)
        unpriced, _value = price(program, program.weights(np.zeros(len(program.row_lower))))
        for column in (least(program), *seen, unpriced):
            pool.add(legal(program, column))
        rounds = close(pool, best, deadline)
    return _finish(program, best, warm, deadline, rounds)


def _by_prices(program: Program, best: Incumbent, warm: Warm, deadline: Deadline) -> list[FloatArray]:
    """Newton from the last plan and prices, then from the dual's; gives answers (m,) seen on the way."""
    last, prices = warm.spend, warm.prices
    if last is None or prices is None or (len(prices), len(last)) != program.matrix["spend"].shape:
        prices = None
    else:
        done = best.improve(program, legal(program, last), prices)
        best.bound_at(program, done.prices, done.spend)
        if best.closed:
            return []
    worst = least_value(program) if best.spend is None else best.value
    found = descend(program, prices, least=worst, deadline=deadline)
    if found is None:
        return []
    if found.lowest < worst and best.spend is None:
        best.bound_at(program, found.prices, found.spends[-1])
        if best.bound < worst:
            raise no_plan(program, found.prices)
    done = best.improve(program, found.spends[-1], found.prices)
    best.bound_at(program, done.prices, done.spend)
    if not best.closed:
        best.bound_at(program, found.prices, found.spends[-1])
    return found.spends


def _check_boxes(problem: Problem, program: Program) -> None:
    bad = program.lower > program.upper * (1 + 1e-12)
    if bad.any():
        cell = int(program.cell[np.argmax(bad)])
        names = tuple(k for k, v in problem.limits.names.items() if v[cell])
        who = problem.market.cells.row(cell, named=True)
        where = f"{who.get('segment')} / {who.get('placement')}"
        raise InfeasibleError(
            f"{where}: least spend {problem.limits.lower_cny[cell]:g} CNY is above the most it may have "
            f"({min(problem.limits.upper_cny[cell], problem.budget_cny):g} CNY); "
            f"set by {', '.join(names) or 'total'}",
            conflict=names or ("total",),
        )


def _finish(program: Program, best: Incumbent, warm: Warm, deadline: Deadline, rounds: int) -> Solution:
    if best.spend is None:
        raise UndecidedError(
            f"within {deadline.seconds:g} s no plan was found, and none was proven impossible; "
            "raise the time limit or loosen a constraint"
        )
    warm.spend, warm.prices = best.spend, best.prices
    named = named_prices(best, program)
    spend = np.maximum(program.told(best.spend, len(best.problem.market)), 0.0)
    return Solution(
        status="optimal" if best.closed else "time_limit" if deadline.over else "within_gap",
        spend_cny=spend,
        value=best.value,
        upper_bound=max(best.bound, best.value),
        shadow_prices=named.prices,
        binding=named.binding,
        seconds=deadline.elapsed,
        rounds=rounds,
        yuan_price=named.yuan_price,
    )
