"""Risk floors: the best plan found whose lower tail over the draws is high enough, with a bound that holds.

Exists because the tail couples all cells and all draws, which the solver's rows do not see. The plan without
the floor is a relaxation, so its bound holds; where it breaks the floor, the market is leaned towards the
draws that hurt and solved again, from a little to fully, until the floor is kept. Candidates are judged on the
true draws and rows. Nothing proves the best optimal: the gap to the relaxation is what is reported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from models.curves import FloatArray
from models.errors import CampaignError, InfeasibleError, SolverError
from targeting.allocation.outcomes import outcomes, total
from targeting.allocation.problem import Market, Problem, Risk, Solution

Solver = Callable[[Problem], Solution]
_LEANS = (0.15, 0.3, 0.5, 0.75, 1.0)
_ROUNDS = 3
_TOLERANCE = 1e-9
_SAFE = 1e-5  # the floor is kept by this share, so that whole 厘 do not break it


def solve_with_caution(problem: Problem, *, solve: Solver, gap_tol: float) -> Solution:
    """The solver's plan where it keeps the risk floor, else the best that leaning towards bad draws finds.

    Args:
        problem: with or without a risk floor.
        solve: solves a problem; it may keep its risk floor itself or leave it to this module.
        gap_tol: for the status.

    Raises:
        CampaignError: a risk floor without draws.
        InfeasibleError: no candidate keeps the floor; `relaxation` says what the best of them lacks.
    """
    free = replace(problem, risk=None)
    relaxed = solve(problem)
    if problem.risk is None:
        return relaxed
    totals = worth_by_draw(problem, relaxed.spend_cny)
    if tail(problem.risk, totals) >= problem.risk.floor * (1 - _TOLERANCE * np.sign(problem.risk.floor)):
        return relaxed
    found, best_tail = _search(problem, free, relaxed, solve)
    if found is None:
        raise InfeasibleError(
            f"no plan was found that keeps '{problem.risk.name}' ({problem.risk.measure} at least "
            f"{problem.risk.floor:,.6g}); the best reaches {best_tail:,.6g}: lower the floor "
            f"or raise the budget",
            conflict=(problem.risk.name,),
            relaxation={problem.risk.name: problem.risk.floor - best_tail},
        )
    binding = tuple(dict.fromkeys((*found.binding, problem.risk.name)))
    found = replace(found, upper_bound=max(relaxed.upper_bound, found.value), binding=binding)
    return replace(found, status="optimal" if found.gap <= gap_tol else "within_gap")


def worth_by_draw(problem: Problem, spend_cny: FloatArray) -> FloatArray:
    """(n_draws,) what the brief counts as value of a spend (n_cells,), draw by draw."""
    draws = problem.market.draws
    if draws is None:
        raise CampaignError(
            "risk needs draws of the curves and there are none; take the risk constraint away"
        )
    count = len(draws.hazard)
    worth = problem.worth or problem.objective
    return np.array([float(total(worth, outcomes(problem.market, spend_cny, draw=d))) for d in range(count)])


def tail(risk: Risk, totals: FloatArray) -> float:
    """The number that must reach the floor: sum of weight x total over the tail's draws."""
    return float(_tail_weights(risk, totals) @ totals)


def _tail_weights(risk: Risk, totals: FloatArray) -> FloatArray:
    """(n_draws,) weights of the draws that make the tail; they sum to 1."""
    n, order = len(totals), np.argsort(totals, kind="stable")
    weights = np.zeros(n)
    if risk.measure == "cvar":
        left = risk.level * n - np.arange(n)
        weights[order] = np.clip(left, 0.0, 1.0) / (risk.level * n)
        return weights
    reach = (1.0 - risk.level if risk.measure == "quantile" else risk.level) * n
    weights[order[n - max(int(np.ceil(reach - 1e-9)), 1)]] = 1.0
    return weights


def _search(
    problem: Problem, free: Problem, relaxed: Solution, solve: Solver
) -> tuple[Solution | None, float]:
    """The best candidate that keeps floor and rows, and the highest tail of those that keep the rows."""
    assert problem.risk is not None
    best: Solution | None = None
    highest, start = -np.inf, relaxed.spend_cny
    safe = problem.risk.floor + _SAFE * abs(problem.risk.floor)
    for _ in range(_ROUNDS):
        reached = -np.inf
        for lean in _LEANS:
            weights = _tail_weights(_smooth(problem.risk), worth_by_draw(problem, start))
            try:
                candidate = solve(replace(free, market=leaned(problem.market, weights, lean)))
            except (InfeasibleError, SolverError):
                continue  # the rows are tighter on the leaned market than in truth
            if not _keeps_rows(problem, candidate.spend_cny):
                continue
            kept = tail(problem.risk, worth_by_draw(problem, candidate.spend_cny))
            value = float(total(problem.objective, outcomes(problem.market, candidate.spend_cny)))
            if kept > reached:
                reached, start = kept, candidate.spend_cny
            if kept >= safe and (best is None or value > best.value):
                best = replace(candidate, value=value)
        if reached <= highest:
            break
        highest = reached
    return best, highest


def _smooth(risk: Risk) -> Risk:
    """A quantile leans on a single draw; the mean of the tail below it is steadier to lean on."""
    if risk.measure == "cvar":
        return risk
    level = risk.level if risk.measure == "quantile" else 1.0 - risk.level
    return replace(risk, measure="cvar", level=level)


def leaned(market: Market, weights: FloatArray, lean: float) -> Market:
    """The market whose parameters are (1 - lean) expected + lean x their mean over the weighted draws."""
    draws = market.draws
    if draws is None:
        return market

    def mixed(expected: FloatArray, drawn: FloatArray) -> FloatArray:
        return (1.0 - lean) * expected + lean * (weights @ drawn)

    mean, drawn = market.supply, draws.supply
    count = len(weights)

    def rows(parameter: FloatArray) -> FloatArray:
        return np.broadcast_to(parameter, (count, len(market)))

    supply = replace(
        mean,
        top=mixed(mean.top, rows(drawn.top)),
        scale_cny=mixed(mean.scale_cny, rows(drawn.scale_cny)),
        shape=mixed(mean.shape, rows(drawn.shape)),
        base=mixed(mean.base, rows(drawn.base)),
    )
    return replace(
        market,
        supply=supply,
        hazard=mixed(market.hazard, draws.hazard),
        gmv_per_fan_cny=mixed(market.gmv_per_fan_cny, draws.gmv_per_fan_cny),
        draws=None,
    )


def _keeps_rows(problem: Problem, spend: FloatArray) -> bool:
    metrics = outcomes(problem.market, spend)
    for row in problem.rows:
        actual = float(total(row.coefficients, metrics))
        parts = {m: np.abs(metrics[m] * c) for m, c in row.coefficients.items()}
        size = 1e-9 * float(sum(part.sum() for part in parts.values()))
        if actual > row.upper + size or actual < row.lower - size:
            return False
    return True
