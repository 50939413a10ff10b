"""Plans whose lower tail over the curve draws keeps a floor (constraint `risk`).

The worth of a plan in draw d is W_d(s). CVaR is min over weights q, 0 <= q <= 1 / (level n), sum q = 1, of
sum q_d W_d(s) (Rockafellar and Uryasev 2000), so the worst weights at s give its slope. A chance floor is
climbed as a CVaR floor on the least of the draws that must reach it, those that do best at the plan, chosen
again where the climb ends, and checked on the draws as they are. CVaR has a bound of its own; a chance floor
has that of the problem without it: valid, and as wide as the floor costs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from models.errors import CampaignError, InfeasibleError
from models.supply.curves import FloatArray
from targeting.allocation.outcomes import outcomes, total
from targeting.allocation.problem import Problem, Risk, Solution
from targeting.allocation.settings import SETTINGS
from targeting.allocation.solver.arrays import Program
from targeting.allocation.solver.cellprices import row_prices
from targeting.allocation.solver.cvar import Climbed, TailRows, bound, climb
from targeting.allocation.solver.deadline import Deadline
from targeting.allocation.solver.layout import basic_weights, build
from targeting.allocation.solver.pieces import Piece
from targeting.allocation.solver.pricing import legal


def lower_tail(totals: FloatArray, risk: Risk) -> float:
    """The number the floor is about. cvar: mean of the worst `level` share (the draw at the edge counts in
    part); chance: what at least `level` of the draws reach.

    >>> lower_tail(np.array([4.0, 1.0, 3.0, 2.0]), Risk("r", "cvar", 0.5, 0.0))
    1.5
    """
    ordered = np.sort(totals)
    if risk.measure == "cvar":
        share = risk.level * len(totals)
        return float(np.clip(share - np.arange(len(totals)), 0.0, 1.0) @ ordered) / share
    return float(ordered[len(totals) - _must_reach(len(totals), risk)])


def _must_reach(n: int, risk: Risk) -> int:
    return max(int(np.ceil(risk.level * n - 1e-9)), 1)


def draw_totals(problem: Problem, spend_cny: FloatArray) -> FloatArray:
    """(n_draws,) worth of the plan in every draw."""
    if problem.market.draws is None or not len(problem.market.draws.hazard):
        raise CampaignError(
            "risk: the market has no draws; fit curves with draws or take the constraint away"
        )
    worth = problem.worth if problem.worth is not None else problem.objective
    return np.asarray(total(worth, outcomes(problem.market, spend_cny, draw=slice(None))))


@dataclass(frozen=True, eq=False)
class _Tail:
    """The floor in the program's variables."""

    problem: Problem
    program: Program
    risk: Risk

    def real(self, spend: FloatArray) -> FloatArray:
        """(m,) -> (n_cells,)."""
        return np.maximum(self.program.told(spend, len(self.problem.market)), 0.0)

    def at(self, spend: FloatArray) -> float:
        """Lower tail at spend (m,)."""
        return lower_tail(draw_totals(self.problem, self.real(spend)), self.risk)

    def rows(self, spend: FloatArray, floor: float) -> TailRows:
        """A floor on all draws, or near spend (m,) on the least of those that must reach it."""
        totals = draw_totals(self.problem, self.real(spend))
        draws, level = np.arange(len(totals)), self.risk.level
        if self.risk.measure == "chance":
            draws = np.argsort(-totals, kind="stable")[: _must_reach(len(totals), self.risk)]
            level = max(SETTINGS.chance_edge, 1.0 / len(draws))
        return TailRows(self.program, self.drawn, draws, level, floor)

    @functools.cached_property
    def drawn(self) -> Callable[[int], Piece]:
        """A draw's piece, made once."""
        return functools.lru_cache(maxsize=None)(self._drawn)

    def _drawn(self, d: int) -> Piece:
        """One draw's curves in the program's layout, and what its metrics are worth."""
        market, program = self.problem.market, self.program
        assert market.draws is not None
        alive, at = program.cell >= 0, np.maximum(program.cell, 0)
        curves = market.draws.supply.draw(d).take(at)
        if not alive.all():
            curves = curves.rescaled(top=alive.astype(float))
        drawn = replace(market, gmv_per_fan_cny=market.draws.gmv_per_fan_cny[d])
        worth = self.problem.worth if self.problem.worth is not None else self.problem.objective
        return (
            replace(program, curves=curves, hazard=program.laid(market.draws.hazard[d])),
            basic_weights(drawn, worth, program.laid),
        )


def keep_floor(
    problem: Problem, risk: Risk, free: Solution, *, gap_tol: float, deadline: Deadline
) -> Solution:
    """The free optimum where it keeps the floor, else the best plan found that does, with a bound.

    Prices of rows are then those of the bound; limits of single cells have none.

    Raises:
        CampaignError: the market has no draws, or level is not within (0, 1).
        InfeasibleError: no plan was found whose tail reaches the floor; the message says how far it got.
    """
    if not 0 < risk.level < 1:
        raise CampaignError(
            f"constraint {risk.name!r}: level is {risk.level}, expected a number between 0 and 1"
        )
    short = SETTINGS.tail_held * abs(risk.floor)
    if lower_tail(draw_totals(problem, free.spend_cny), risk) >= risk.floor - short:
        return replace(free, shadow_prices={**free.shadow_prices, risk.name: 0.0})
    program = build(replace(problem, risk=None))
    tail = _Tail(problem, program, risk)
    start = legal(program, program.laid(free.spend_cny))
    on = ~program.switch | (start > 0)
    low = np.where(on, np.where(program.switch, program.floor_on, program.lower), 0.0)
    box, close = (low, np.where(on, program.upper, 0.0)), max(0.1 * gap_tol, SETTINGS.tail_gap)
    tolerance = close * abs(free.value)
    found = _reached(tail, start, box, deadline, tolerance)
    if risk.measure == "chance" or not found.duals:
        price = found.duals[-1][1] if found.duals else 0.0
        return _finished(tail, free, found.spend, price, free.upper_bound, gap_tol)
    rows = tail.rows(found.spend, risk.floor)
    prices, price, _q = found.duals[-1]
    closest = bound(rows, found.spend, found.duals[-1], safest=False, tolerance=tolerance, deadline=deadline)
    own = program.lawful(prices)
    named = row_prices(problem, own, tail.real(found.spend))
    size = 1e-7 * abs(free.value) / max(problem.budget_cny, 1e-300)  # below is the interior point's rounding
    binding = tuple(n for n, p in named.items() if p > size)
    free = replace(free, shadow_prices=named, binding=binding, yuan_price=float(abs(own[0])))
    return _finished(tail, free, found.spend, price, min(free.upper_bound, closest), gap_tol)


def _reached(
    tail: _Tail, start: FloatArray, box: tuple[FloatArray, FloatArray], deadline: Deadline, tolerance: float
) -> Climbed:
    """The best plan found that keeps the floor, aiming a little higher each time it ends below."""
    risk, short, aim = tail.risk, SETTINGS.tail_held * abs(tail.risk.floor), tail.risk.floor
    under = aim
    found = climb(tail.rows(start, aim), start, *box, safest=False, deadline=deadline)
    for attempt in range(SETTINGS.tail_aims):
        missing = risk.floor - tail.at(found.spend)
        if missing <= short and found.broken <= 1e-8:
            return _lowered(tail, found, (under, aim), box, deadline) if risk.measure == "chance" else found
        start, under = found.spend, aim
        if attempt == 1:
            start = _safest(tail, start, box, deadline, tolerance)
        aim += max(1.5 * missing, short)
        found = climb(tail.rows(start, aim), start, *box, safest=False, deadline=deadline)
    return replace(found, spend=_safest(tail, start, box, deadline, tolerance))


def _lowered(
    tail: _Tail,
    found: Climbed,
    aims: tuple[float, float],
    box: tuple[FloatArray, FloatArray],
    deadline: Deadline,
) -> Climbed:
    """A plan that earns more than `found`, aiming between what was too low and what was enough."""
    under, over = aims
    for _ in range(SETTINGS.chance_choices):
        aim = 0.5 * (under + over)
        trial = climb(tail.rows(found.spend, aim), found.spend, *box, safest=False, deadline=deadline)
        kept = tail.at(trial.spend) >= tail.risk.floor and trial.broken <= 1e-8
        under, over = (under, aim) if kept else (aim, over)
        found = trial if kept and trial.value > found.value else found
    return found


def _safest(
    tail: _Tail, start: FloatArray, box: tuple[FloatArray, FloatArray], deadline: Deadline, tolerance: float
) -> FloatArray:
    """A plan (m,) with the highest tail found.

    Raises:
        InfeasibleError: it is below the floor.
    """
    risk, best = tail.risk, start
    for _ in range(SETTINGS.chance_choices if risk.measure == "chance" else 1):
        rows = tail.rows(best, risk.floor)
        found = climb(rows, best, *box, safest=True, deadline=deadline)
        if tail.at(found.spend) <= tail.at(best):
            break
        best = found.spend
    reached = tail.at(best)
    if reached < risk.floor - SETTINGS.tail_held * abs(risk.floor):
        asked = found.duals[-1:] if risk.measure == "cvar" else []
        most = [bound(rows, best, d, safest=True, tolerance=tolerance, deadline=deadline) for d in asked]
        proven = min(most, default=np.inf) < risk.floor
        raise _out_of_reach(risk, reached, "there is no plan" if proven else "no plan found")
    return best


def _out_of_reach(risk: Risk, reached: float, verdict: str) -> InfeasibleError:
    return InfeasibleError(
        f"{verdict} whose {risk.measure} {risk.level:g} reaches {risk.floor:g}: the "
        f"safest reaches {reached:g}; lower the floor of {risk.name!r} by {risk.floor - reached:g}",
        conflict=(risk.name,),
        relaxation={risk.name: risk.floor - reached},
    )


def _finished(
    tail: _Tail, free: Solution, spend: FloatArray, price: float, top: float, gap_tol: float
) -> Solution:
    """The plan at spend (m,), its value from the true curves."""
    real, name = tail.real(spend), tail.risk.name
    value = float(total(tail.problem.objective, outcomes(tail.problem.market, real)))
    gap = (top - value) / max(abs(value), 1e-300)
    return replace(
        free,
        status="optimal" if gap <= gap_tol else "time_limit" if free.status == "time_limit" else "within_gap",
        spend_cny=real,
        value=value,
        upper_bound=max(top, value),
        shadow_prices={**free.shadow_prices, name: price},
        binding=tuple(dict.fromkeys((*free.binding, name))),
    )
