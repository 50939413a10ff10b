"""Closing the gap: which method where, and the loop around each.

Additive cells go to the piecewise program on what `domains` leaves of them; everything else to branch and
price.
"""

from __future__ import annotations

import logging

import numpy as np

from models.errors import InfeasibleError, SolverError
from models.supply.curves import FloatArray
from targeting.allocation.problem import relative_gap
from targeting.allocation.solver.branch.domains import Pieces, first_pieces, merge, reduce, split
from targeting.allocation.solver.branch.milp import Choice, solve_pieces
from targeting.allocation.solver.branch.tree import Visit, explore
from targeting.allocation.solver.certificate import ceiling, lagrangian_bound
from targeting.allocation.solver.generation import Deadline, Relaxed
from targeting.allocation.solver.incumbent import Incumbent
from targeting.allocation.solver.master import Pool, mixed_spend, solve_master
from targeting.allocation.solver.polish import polish
from targeting.allocation.solver.pricing import legal
from targeting.allocation.solver.program import Program

TURNS = 40
PROGRESS = 0.1  # share of the gap that a turn must close for its lines alone to be worth another
MOST_WHOLE = 300  # blocks up to which the columns are also chosen whole, by a mixed-integer program

logger = logging.getLogger(__name__)


def no_plan(program: Program, prices: FloatArray) -> InfeasibleError:
    """The error for a proven contradiction; `conflict.explain` says more."""
    priced = (n for n, p in zip(program.row_name, prices, strict=True) if p != 0)
    names = tuple(dict.fromkeys(priced)) or ("total",)
    return InfeasibleError(f"no plan satisfies {' and '.join(names)} together", conflict=names)


def consider(pool: Pool, best: Incumbent, relaxed: Relaxed) -> None:
    """Polish the mixture to a plan, bound it, keep what is better."""
    program = pool.program
    spend, prices = best.improve(program, relaxed.spend, relaxed.prices)
    if program.switch.any() and program.n_blocks <= MOST_WHOLE:
        try:
            whole = solve_master(pool, penalty=1e3, integral=True)
        except SolverError as error:  # only a proposal for a plan is lost
            logger.warning("columns were not chosen whole: %s", error)
        else:
            best.improve(program, mixed_spend(pool, whole), relaxed.prices)
    for at, start in ((prices, spend), (relaxed.prices, relaxed.spend)):
        best.bound_at(program, at, start)
        if best.closed:
            return


def close(pool: Pool, best: Incumbent, relaxed: Relaxed, deadline: Deadline) -> int:
    """Shrink the gap until it is within the tolerance or time is up; gives the number of programs solved.

    Raises:
        InfeasibleError: the relaxation itself has no plan.
    """
    program = pool.program
    if program.width == 1 and not np.isfinite(program.users).any():
        return _by_pieces(program, best, relaxed, deadline)
    return _by_tree(pool, best, relaxed, deadline)


def _by_pieces(program: Program, best: Incumbent, relaxed: Relaxed, deadline: Deadline) -> int:
    prices = program.lawful(best.prices if best.prices is not None else relaxed.prices)
    weights = program.weights(prices)
    start = legal(program, best.spend if best.spend is not None else relaxed.spend)
    top = ceiling(program, weights, start, np.zeros(program.n_blocks))
    root = lagrangian_bound(program, prices, top)
    marks, known = [start], -np.inf
    pieces = merge(reduce(program, weights, first_pieces(program, start), root - best.value, halvings=5))
    for turn in range(1, TURNS + 1):
        if best.value > known:
            known = best.value
            pieces = reduce(program, weights, pieces, root - best.value, halvings=0)
        seconds = max(0.5, deadline.seconds - deadline.elapsed)
        rel_gap = max(0.2 * best.gap_tol, 0.02 * min(best.gap, 1.0))
        try:
            choice = solve_pieces(program, pieces, marks, prices, rel_gap=rel_gap, seconds=seconds)
        except SolverError as error:
            if best.spend is None:
                raise
            logger.warning("the gap stays at %.2g: %s", best.gap, error)
            return turn
        before = best.bound
        best.bound = min(best.bound, choice.bound + program.constant)
        if not choice.plan and choice.bound == -np.inf and best.spend is None:
            raise no_plan(program, prices)
        if not choice.plan:
            return turn
        low, high = pieces.low[choice.piece], pieces.high[choice.piece]
        done = polish(program, choice.spend, prices, low, high)
        for spend in (done.spend, choice.spend):
            best.offer(program, spend)
        if best.closed or deadline.over:
            return turn
        marks = [*marks, done.spend, choice.spend]
        stuck = not best.bound < before - PROGRESS * max(before - best.value, 0.0) and best.value <= known
        coarse = _too_coarse(program, pieces, choice, best, stuck=stuck)
        if stuck and not coarse.any():
            return turn  # what is left of the gap is HiGHS's tolerances
        pieces = split(program, pieces, choice.piece[coarse], choice.spend[coarse])
    return TURNS


def _too_coarse(program: Program, pieces: Pieces, choice: Choice, best: Incumbent, *, stuck: bool):  # type: ignore[no-untyped-def]
    """(m,) cells whose chosen piece must be cut; above a concave stretch new lines are enough, unless they
    no longer help.
    """
    error, size = np.abs(choice.error), abs(best.value) if best.spend is not None else 0.0
    coarse = error > max(0.1 * best.gap_tol * size, 0.2 * error.max()) / len(error)
    coarse &= (pieces.high > pieces.low)[choice.piece]
    concave = program.curves.concave | (pieces.low[choice.piece] >= program.curves.inflection_cny)
    return coarse & (~concave | (choice.error < 0) | stuck)


def _by_tree(pool: Pool, best: Incumbent, relaxed: Relaxed, deadline: Deadline) -> int:
    rounds = 0

    def visit(node: Pool, found: Relaxed) -> Visit:
        nonlocal rounds
        rounds += found.rounds
        own = Incumbent(best.problem, best.gap_tol, best.spend, best.value)
        consider(node, own, found)
        if own.value > best.value:
            best.spend, best.value = own.spend, own.value
        return Visit(own.bound, best.value)

    bound = explore(
        pool,
        relaxed,
        best.bound,
        visit=visit,
        best=best.value,
        gap=relative_gap,
        gap_tol=best.gap_tol,
        deadline=deadline,
    )
    best.bound = min(best.bound, max(bound, best.value))
    return rounds
