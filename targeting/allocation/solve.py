"""`solve`: the best plan with a certificate.

    column generation -> Newton polish -> Lagrangian bound; where cells are on/off or S-shaped and the gap stays open,
    `branch` closes it. Value and feasibility of what is returned are recomputed from the true curves.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from models.curves import FloatArray
from models.errors import DataError, InfeasibleError, SolverError
from targeting.allocation.branch.domains import first_pieces, merge, reduce, split
from targeting.allocation.branch.milp import solve_pieces
from targeting.allocation.cellprices import limit_prices
from targeting.allocation.branch.tree import Visit, explore
from targeting.allocation.certificate import ceiling, lagrangian_bound
from targeting.allocation.generation import Deadline, Relaxed, generate, seed
from targeting.allocation.master import Pool, mixed_spend, solve_master
from targeting.allocation.outcomes import outcomes, total
from targeting.allocation.polish import Polished, polish, violation
from targeting.allocation.pricing import legal
from targeting.allocation.problem import Problem, Solution
from targeting.allocation.program import CARRY, Program, build
from targeting.allocation.repair import repair
from targeting.allocation.risk import solve_with_risk

TURNS = 40
MOST_WHOLE = 300  # blocks up to which the columns are also chosen whole, by a mixed-integer program
FEASIBLE = 1e-8  # relative violation that counts as none


@dataclass
class Warm:
    """What a solve leaves for the next one on the same market and rows: its columns and prices."""

    sheets: list[FloatArray] = field(default_factory=list)
    prices: FloatArray | None = None


@dataclass
class _Best:
    spend: FloatArray | None = None
    value: float = -np.inf
    bound: float = np.inf
    prices: FloatArray | None = None


def solve(
    problem: Problem, *, gap_tol: float = 1e-6, time_limit_s: float = 60.0, warm: Warm | None = None
) -> Solution:
    """The best plan, an upper bound on any plan's value, and the price of every limit.

    Args:
        problem: market, objective, limits and rows.
        gap_tol: relative gap at which to stop, > 0.
        time_limit_s: > 0; what is found by then is returned with its (valid, wider) bound.
        warm: columns of an earlier solve of the same market and rows; updated in place.

    Raises:
        DataError: `gap_tol` or `time_limit_s` is not positive, or the arrays are not numbers.
        InfeasibleError: no plan satisfies the rows and limits.
        SolverError: the optimiser failed; no plan is passed on.
    """
    if not gap_tol > 0:
        raise DataError(f"gap_tol is {gap_tol}, expected a number > 0 (1e-6 is usual)")
    if not time_limit_s > 0:
        raise DataError(f"time_limit_s is {time_limit_s}, expected seconds > 0")
    if problem.risk is not None:
        return solve_with_risk(
            problem,
            problem.risk,
            lambda free: solve(free, gap_tol=gap_tol, time_limit_s=time_limit_s, warm=warm),
            gap_tol=gap_tol,
        )
    deadline = Deadline.of(time_limit_s)
    program = build(problem)
    _check_boxes(problem, program)
    pool = Pool.of(program)
    for spend in (warm.sheets if warm and warm.sheets else seed(program)):
        pool.add(legal(program, spend))
    best = _Best()
    relaxed = generate(pool, deadline, tolerance=max(gap_tol, 1e-4))
    if not relaxed.feasible:
        relaxed = _phase_one(problem, pool, deadline, gap_tol)
    rounds = relaxed.rounds
    for tolerance in (1e-4, 1e-6, 1e-8):
        _consider(problem, pool, best, relaxed, gap_tol)
        if _gap(best) <= gap_tol or deadline.over:
            break
        relaxed = generate(pool, deadline, tolerance=min(tolerance * 1e-2, gap_tol * 0.1), max_rounds=20)
        rounds += relaxed.rounds
    if _gap(best) > gap_tol and not deadline.over:
        additive = program.width == 1 and not np.isfinite(program.users).any()
        close = _close if additive else _search
        rounds += close(problem, pool, best, relaxed, gap_tol, deadline)
    if best.spend is None:
        raise SolverError("allocation: no plan that holds on the true curves was found")
    if warm is not None:
        warm.sheets, warm.prices = [s.spend for s in pool.sheets[-12:]], best.prices
    return _solution(problem, program, best, gap_tol, deadline, rounds)


def _check_boxes(problem: Problem, program: Program) -> None:
    bad = program.lower > program.upper * (1 + 1e-12)
    if bad.any():
        cell = int(program.cell[np.argmax(bad)])
        names = tuple(k for k, v in problem.limits.names.items() if v[cell])
        who = problem.market.cells.row(cell, named=True)
        where = f"{who.get('segment')} / {who.get('placement')}"
        raise InfeasibleError(
            f"{where}: least spend {problem.limits.lower_cny[cell]:g} CNY is above the most it may have "
            f"({min(problem.limits.upper_cny[cell], problem.budget_cny):g} CNY); set by {', '.join(names) or 'total'}",
            conflict=names or ("total",),
        )


def _phase_one(problem: Problem, pool: Pool, deadline: Deadline, gap_tol: float) -> Relaxed:
    """Find a feasible mixture, or prove by the bound that there is none."""
    relaxed = generate(pool, deadline, tolerance=1e-7, objective=0.0)
    if relaxed.estimate < -1e-8:
        raise _no_plan(pool.program, relaxed.prices)
    relaxed = generate(pool, deadline, tolerance=max(gap_tol, 1e-4))
    return relaxed


def _improve(
    problem: Problem, program: Program, best: _Best, start: FloatArray, prices: FloatArray
) -> Polished:
    """Newton from `start` with its on/off pattern, the slower repair where that fails; offers what they find."""
    on = ~program.switch | (start >= 0.5 * program.floor_on) & (start > 1e-9 * program.upper)
    low = np.where(on, np.where(program.switch, program.floor_on, program.lower), 0.0)
    high = np.where(on, program.upper, 0.0)
    done = polish(program, start, prices, low, high)
    held = [_offer(problem, program, best, spend) for spend in (done.spend, legal(program, start))]
    if done.residual > 1e-7 or not held[0]:
        near = repair(program, start, low, high)
        _offer(problem, program, best, near.spend)
        again = polish(program, near.spend, near.prices, low, high)
        _offer(problem, program, best, again.spend)
        done = again if again.residual < done.residual else done
    return done


def _no_plan(program: Program, prices: FloatArray) -> InfeasibleError:
    """The error for a proven contradiction; `conflict.explain` says more."""
    names = tuple(dict.fromkeys(n for n, p in zip(program.row_name, prices, strict=True) if p != 0)) or ("total",)
    return InfeasibleError(f"no plan satisfies {' and '.join(names)} together", conflict=names)


def _consider(problem: Problem, pool: Pool, best: _Best, relaxed: Relaxed, gap_tol: float) -> None:
    """Polish the mixture to a plan, bound it, keep what is better."""
    program = pool.program
    done = _improve(problem, program, best, relaxed.spend, relaxed.prices)
    if program.switch.any() and program.n_blocks <= MOST_WHOLE:
        whole = solve_master(pool, penalty=1e3, integral=True)
        _improve(problem, program, best, mixed_spend(pool, whole), relaxed.prices)
    for prices, spend in ((done.prices, done.spend), (relaxed.prices, relaxed.spend)):
        bound_at(program, best, prices, spend, gap_tol)
        if _gap(best) <= gap_tol:
            return


def _close(
    problem: Problem, pool: Pool, best: _Best, relaxed: Relaxed, gap_tol: float, deadline: Deadline
) -> int:
    """Piecewise programs on ever smaller domains until the gap is closed; gives the number of them."""
    program = pool.program
    prices = program.lawful(best.prices if best.prices is not None else relaxed.prices)
    weights = program.weights(prices)
    incumbent = legal(program, best.spend if best.spend is not None else relaxed.spend)
    root = lagrangian_bound(program, prices, ceiling(program, weights, incumbent, np.zeros(program.n_blocks)))
    pieces, marks, known = first_pieces(program, incumbent), [incumbent], -np.inf
    pieces = merge(reduce(program, weights, pieces, root - best.value, halvings=5))
    for turn in range(1, TURNS + 1):
        if best.value > known:
            known = best.value
            pieces = reduce(program, weights, pieces, root - best.value, halvings=0)
        seconds = max(0.5, deadline.seconds - deadline.elapsed)
        rel_gap = max(0.2 * gap_tol, 0.02 * min(_gap(best), 1.0))
        choice = solve_pieces(program, pieces, marks, prices, rel_gap=rel_gap, seconds=seconds)
        best.bound = min(best.bound, choice.bound + program.constant)
        if not choice.plan and choice.bound == -np.inf and best.spend is None:
            raise _no_plan(program, prices)
        if not choice.plan:
            return turn
        low, high = pieces.low[choice.piece], pieces.high[choice.piece]
        done = polish(program, choice.spend, prices, low, high)
        for spend in (done.spend, choice.spend):
            _offer(problem, program, best, spend)
        if _gap(best) <= gap_tol or deadline.over:
            return turn
        marks = [*marks, done.spend, choice.spend]
        error, size = np.abs(choice.error), abs(best.value) if best.spend is not None else 0.0
        coarse = error > max(0.1 * gap_tol * size, 0.2 * error.max()) / len(low)
        coarse &= (pieces.high > pieces.low)[choice.piece]
        concave = program.curves.concave | (low >= program.curves.inflection_cny)
        coarse &= ~concave | (choice.error < 0) | (turn > 3)  # new lines are enough above a concave stretch
        pieces = split(pieces, choice.piece[coarse], choice.spend[coarse])
    return turn


def _search(
    problem: Problem, pool: Pool, best: _Best, relaxed: Relaxed, gap_tol: float, deadline: Deadline
) -> int:
    """Branch and price; gives the number of rounds."""
    rounds = 0

    def visit(node_pool: Pool, node: Relaxed) -> Visit:
        nonlocal rounds
        rounds += node.rounds
        own = _Best(best.spend, best.value, np.inf, None)
        _consider(problem, node_pool, own, node, gap_tol)
        if own.value > best.value:
            best.spend, best.value = own.spend, own.value
        return Visit(own.bound, best.value)

    bound = explore(
        pool, relaxed, best.bound, visit=visit, best=best.value, gap=_relative, gap_tol=gap_tol, deadline=deadline
    )
    best.bound = min(best.bound, max(bound, best.value))
    return rounds


def bound_at(program: Program, best: _Best, prices: FloatArray, spend: FloatArray, gap_tol: float) -> None:
    """Lower the bound with the Lagrangian at these prices where that helps."""
    lawful = program.lawful(prices)
    size = abs(best.value) if np.isfinite(best.value) else 1.0
    tolerance = np.full(program.n_blocks, 0.1 * gap_tol * size / program.n_blocks)
    bound = lagrangian_bound(program, lawful, ceiling(program, program.weights(lawful), legal(program, spend), tolerance))
    if bound < best.bound:
        best.bound, best.prices = bound, lawful


def _offer(problem: Problem, program: Program, best: _Best, spend: FloatArray) -> bool:
    """Keep a plan if it earns more than the best so far; says whether it holds on the true curves."""
    spend = legal(program, spend)
    if np.abs(violation(program, spend)).max(initial=0.0) > FEASIBLE:
        return False
    real = program.spend(spend, len(problem.market))
    value = float(total(problem.objective, outcomes(problem.market, np.maximum(real, 0.0))))
    if value > best.value:
        best.spend, best.value = spend, value
    return True


def _gap(best: _Best) -> float:
    return _relative(best.bound, best.value)


def _relative(bound: float, value: float) -> float:
    """Relative gap; inf while there is no plan, or no bound."""
    if bound == -np.inf:
        return 0.0
    if not (np.isfinite(bound) and np.isfinite(value)):
        return np.inf
    return max(bound - value, 0.0) / max(abs(value), 1e-300)


def _solution(
    problem: Problem, program: Program, best: _Best, gap_tol: float, deadline: Deadline, rounds: int
) -> Solution:
    assert best.spend is not None and best.prices is not None
    prices: dict[str, float] = {"total": 0.0}
    for name, price in zip(program.row_name, best.prices, strict=True):
        if name != CARRY:
            prices[name] = prices.get(name, 0.0) + abs(float(price))
    binding = tuple(dict.fromkeys(n for n, p in zip(program.row_name, best.prices, strict=True) if p != 0 and n != CARRY))
    of_cells = limit_prices(problem, program, best.prices, best.spend)
    prices |= {name: prices.get(name, 0.0) + price for name, price in of_cells.items()}
    binding = tuple(dict.fromkeys((*binding, *of_cells)))
    status = "optimal" if _gap(best) <= gap_tol else "time_limit" if deadline.over else "within_gap"
    return Solution(
        status=status,  # type: ignore[arg-type]
        spend_cny=np.maximum(program.spend(best.spend, len(problem.market)), 0.0),
        value=best.value,
        upper_bound=max(best.bound, best.value),
        shadow_prices=prices,
        binding=binding,
        seconds=deadline.elapsed,
        rounds=rounds,
    )
