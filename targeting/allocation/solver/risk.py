"""Plans whose lower tail over the curve draws keeps a floor (constraint `risk`).

The worth of a plan in draw d is W_d(s). CVaR is min over weights q, 0 <= q <= 1 / (level n), sum q = 1, of
sum q_d W_d(s) (Rockafellar and Uryasev 2000), so the worst weights at s give its slope; quantile and chance
take the
draws around their edge instead and are checked on the draws as they are. Sequential linear programs
(`repair`) climb
under that extra row. CVaR has a bound of its own (`cvar`); for quantile and chance it is the one of the
problem without the risk row: valid, and as wide as the floor costs.
It must not import cvxpy.
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
from targeting.allocation.solver.blocks import jet
from targeting.allocation.solver.cellprices import row_prices
from targeting.allocation.solver.cvar import TailRows, bound, climb
from targeting.allocation.solver.layout import basic_weights, build
from targeting.allocation.solver.pricing import legal
from targeting.allocation.solver.repair import Curb, Repaired, repair


def lower_tail(totals: FloatArray, risk: Risk) -> float:
    """The number the floor is about. cvar: mean of the worst `level` share (the draw at the edge counts in
    part);
    quantile: what at least 1 - level of the draws reach; chance: what at least `level` of the draws reach.

    >>> lower_tail(np.array([4.0, 1.0, 3.0, 2.0]), Risk("r", "cvar", 0.5, 0.0))
    1.5
    """
    ordered = np.sort(totals)
    if risk.measure == "cvar":
        return float(_tail_weights(len(totals), risk.level) @ ordered)
    return float(ordered[_edge(len(totals), risk)])


def _held(risk: Risk, reached: float) -> bool:
    return reached >= risk.floor - SETTINGS.tail_held * abs(risk.floor)


def _tail_weights(n: int, level: float) -> FloatArray:
    return np.asarray(np.clip(level * n - np.arange(n), 0.0, 1.0) / (level * n))


def _edge(n: int, risk: Risk) -> int:
    must_reach = (1.0 - risk.level if risk.measure == "quantile" else risk.level) * n
    return n - max(int(np.ceil(must_reach - 1e-9)), 1)


def draw_totals(problem: Problem, spend_cny: FloatArray) -> FloatArray:
    """(n_draws,) worth of the plan in every draw."""
    if problem.market.draws is None or not len(problem.market.draws.hazard):
        raise CampaignError(
            "risk: the market has no draws; fit curves with draws or take the constraint away"
        )
    worth = problem.worth if problem.worth is not None else problem.objective
    return np.asarray(total(worth, outcomes(problem.market, spend_cny, draw=slice(None))))


@dataclass(frozen=True)
class _Tail:
    """The risk row at a spend: how far above the floor, and its slope (m,) in the program's variables."""

    problem: Problem
    program: Program
    risk: Risk

    def value(self, spend: FloatArray) -> float:
        """Lower tail at spend (m,)."""
        real = np.maximum(self.program.told(spend, len(self.problem.market)), 0.0)
        return lower_tail(draw_totals(self.problem, real), self.risk)

    def slope(self, spend: FloatArray) -> FloatArray:
        """(m,) derivative of the tail: the worst draws' slopes, weighted."""
        real = np.maximum(self.program.told(spend, len(self.problem.market)), 0.0)
        totals = draw_totals(self.problem, real)
        order, n = np.argsort(totals, kind="stable"), len(totals)
        weights = np.zeros(n)
        if self.risk.measure == "cvar":
            weights[order] = _tail_weights(n, self.risk.level)
        else:
            edge, reach = _edge(n, self.risk), max(1, int(SETTINGS.quantile_edge * n))
            near = order[max(0, edge - reach) : edge + reach + 1]
            weights[near] = 1.0 / len(near)
        slope = np.zeros(len(spend))
        for d in np.flatnonzero(weights):
            drawn, worth = self.drawn(int(d))
            slope += weights[d] * jet(drawn, worth, spend).gradient.ravel()
        return slope

    def drawn(self, d: int) -> tuple[Program, dict[str, FloatArray]]:
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


def _climb(
    program: Program, start: FloatArray, low: FloatArray, high: FloatArray, curb: Curb
) -> tuple[Repaired, float]:
    """Repair under the curb, aiming a little higher each time it ends a hair below the floor; (where, tail
    there).
    """
    aim, found = curb, repair(program, start, low, high, curb=curb)
    for _ in range(4):
        reached = curb.value(found.spend)
        if reached >= curb.floor - SETTINGS.tail_held * abs(curb.floor):
            break
        aim = replace(aim, floor=aim.floor + 1.5 * (curb.floor - reached))
        found = repair(program, found.spend, low, high, curb=aim)
    return found, curb.value(found.spend)


def solve_with_risk(
    problem: Problem, risk: Risk, solve_free: Callable[[Problem], Solution], *, gap_tol: float
) -> Solution:
    """The free optimum where it keeps the floor, else the best plan found that does, with the free bound.

    Raises:
        CampaignError: the market has no draws, or level is not within (0, 1).
        InfeasibleError: no plan was found whose tail reaches the floor; the message says how far it got.
    """
    if not 0 < risk.level < 1:
        raise CampaignError(
            f"constraint {risk.name!r}: level is {risk.level}, expected a number between 0 and 1"
        )
    free = solve_free(replace(problem, risk=None))
    if _held(risk, lower_tail(draw_totals(problem, free.spend_cny), risk)):
        return replace(free, shadow_prices={**free.shadow_prices, risk.name: 0.0})
    program = build(replace(problem, risk=None))
    tail = _Tail(problem, program, risk)
    start = legal(program, program.laid(free.spend_cny))
    on = ~program.switch | (start > 0)
    low = np.where(on, np.where(program.switch, program.floor_on, program.lower), 0.0)
    high = np.where(on, program.upper, 0.0)
    if risk.measure == "cvar":
        return _with_cvar(problem, risk, free, tail, (start, low, high), gap_tol)
    curb = Curb(tail.value, tail.slope, risk.floor)
    found, reached = _climb(program, start, low, high, curb)
    if not _held(risk, reached) or found.residual > 1e-7:
        safest = repair(program, start, low, high, curb=curb, safest=True)
        reached = tail.value(safest.spend)
        if not _held(risk, reached):
            raise _out_of_reach(risk, reached, "no plan found")
        found, reached = _climb(program, safest.spend, low, high, curb)
        if not _held(risk, reached):
            found = safest
    return _finished(problem, risk, free, tail, found.spend, found.curb_price, free.upper_bound, gap_tol)


def _with_cvar(
    problem: Problem,
    risk: Risk,
    free: Solution,
    tail: _Tail,
    where: tuple[FloatArray, FloatArray, FloatArray],
    gap_tol: float,
) -> Solution:
    """The CVaR floor with its own bound (`cvar`), which may also prove that no plan reaches it.

    Prices of rows are those of the bound; limits of single cells have none here.
    """
    program, (start, low, high) = tail.program, where
    pieces = functools.lru_cache(maxsize=None)(tail.drawn)
    assert problem.market.draws is not None
    rows = TailRows(program, pieces, len(problem.market.draws.hazard), risk.level, risk.floor)
    aim, short, tolerance = rows, SETTINGS.tail_held * abs(risk.floor), 0.1 * gap_tol * abs(free.value)
    found = climb(aim, start, low, high, safest=False)
    for attempt in range(5):
        if found.reached >= risk.floor - short and found.broken <= 1e-8:
            break
        if attempt == 1:
            safest = climb(rows, found.spend, low, high, safest=True)
            if safest.reached < risk.floor - short:
                most = [bound(rows, safest.spend, d, safest=True, tolerance=tolerance) for d in safest.duals]
                proven = min(most, default=np.inf) < risk.floor
                raise _out_of_reach(risk, safest.reached, "there is no plan" if proven else "no plan found")
            start = safest.spend
        aim = replace(aim, floor=aim.floor + max(1.5 * (risk.floor - found.reached), short))
        found = climb(aim, found.spend if attempt != 1 else start, low, high, safest=False)
    else:
        found = replace(found, spend=start)
    bounds = [bound(rows, found.spend, d, safest=False, tolerance=tolerance) for d in found.duals]
    if not bounds:
        return _finished(problem, risk, free, tail, found.spend, 0.0, free.upper_bound, gap_tol)
    prices, price, _q = found.duals[int(np.argmin(bounds))]
    own = program.lawful(prices)
    named = row_prices(problem, own, program.told(found.spend, len(problem.market)))
    size = 1e-7 * abs(free.value) / max(problem.budget_cny, 1e-300)  # below is the interior point's rounding
    binding = tuple(n for n, p in named.items() if p > size)
    free = replace(free, shadow_prices=named, binding=binding, yuan_price=float(abs(own[0])))
    return _finished(problem, risk, free, tail, found.spend, price, min(free.upper_bound, *bounds), gap_tol)


def _out_of_reach(risk: Risk, reached: float, verdict: str) -> InfeasibleError:
    return InfeasibleError(
        f"{verdict} whose {risk.measure} {risk.level:g} reaches {risk.floor:g}: the "
        f"safest reaches {reached:g}; lower the floor of {risk.name!r} by {risk.floor - reached:g}",
        conflict=(risk.name,),
        relaxation={risk.name: risk.floor - reached},
    )


def _finished(
    problem: Problem,
    risk: Risk,
    free: Solution,
    tail: _Tail,
    spend: FloatArray,
    price: float,
    top: float,
    gap_tol: float,
) -> Solution:
    """The plan at spend (m,), its value from the true curves."""
    real = np.maximum(tail.program.told(spend, len(problem.market)), 0.0)
    value = float(total(problem.objective, outcomes(problem.market, real)))
    gap = (top - value) / max(abs(value), 1e-300)
    return replace(
        free,
        status="optimal" if gap <= gap_tol else "time_limit" if free.status == "time_limit" else "within_gap",
        spend_cny=real,
        value=value,
        upper_bound=max(top, value),
        shadow_prices={**free.shadow_prices, risk.name: price},
        binding=tuple(dict.fromkeys((*free.binding, risk.name))),
    )
