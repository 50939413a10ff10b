"""Branch and price: smaller boxes until mixtures are no better than plans, for any kind of block.

A node is the program on smaller boxes; its bound is the Lagrangian bound on those boxes, so it is as honest
as the
root's. The block whose mixture promises most above the value of its average is cut: an on/off cell into off
and on,
any other at its average spend. Nodes that promise less than the best plan are dropped; the bound of the
whole is the
largest one still open.
"""

from __future__ import annotations

import heapq
import itertools
import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.errors import SolverError
from models.supply.curves import POINTS
from targeting.allocation.solver.blocks import block_value
from targeting.allocation.solver.generation import Deadline, Relaxed, generate
from targeting.allocation.solver.master import Pool
from targeting.allocation.solver.pricing import legal
from targeting.allocation.solver.program import Program

ROUNDS = 12
MOST_NODES = 2000
HARDLY = (
    1e-30  # of its ceiling: a cell cut to "on" without a least spend has at least this, and so counts as on
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Visit:
    """What the caller's bounding of a node gives back: its bound, and the best value of any plan so far."""

    bound: float
    best: float


def explore(
    pool: Pool,
    root: Relaxed,
    root_bound: float,
    *,
    visit: Callable[[Pool, Relaxed], Visit],
    best: float,
    gap: Callable[[float, float], float],
    gap_tol: float,
    deadline: Deadline,
) -> float:
    """Best-first search; gives the bound of the whole tree.

    Args:
        pool: columns of the root.
        root: its relaxation; root_bound: its bound.
        visit: bounds a node and offers its plans.
        best: value of the best plan so far.
        gap: relative gap of (bound, best).
        gap_tol: stop at this gap.
        deadline: or then.
    """
    count = itertools.count()
    queue = [(-root_bound, next(count), pool, root)]
    closed = -np.inf  # largest bound of what was cut off within the tolerance
    for _ in range(MOST_NODES):
        if not queue or gap(max(-queue[0][0], closed), best) <= gap_tol or deadline.over:
            break
        negative, _number, parent, relaxed = heapq.heappop(queue)
        children = _children(parent.program, parent, relaxed)
        if not children:
            closed = max(closed, -negative)
            continue
        for child in children:
            own = Pool(child, parent.group)
            for sheet in {id(s): s for s in parent.sheets}.values():
                own.add(legal(child, sheet.spend))
            try:
                found = generate(own, deadline, tolerance=max(1e-7, 0.1 * gap_tol), max_rounds=ROUNDS)
                seen = visit(own, found)
            except SolverError as error:  # the parent's bound holds for the child
                logger.warning("a branch was left open: %s", error)
                closed = max(closed, -negative)
                continue
            best, bound = seen.best, min(seen.bound, -negative)
            if gap(bound, best) > 0:
                heapq.heappush(queue, (-bound, next(count), own, found))
    return max(-queue[0][0] if queue else -np.inf, closed)


def _children(program: Program, pool: Pool, relaxed: Relaxed) -> list[Program]:
    cell = _where_to_cut(program, pool, relaxed)
    if cell is None:
        cell = _most_convex(program)
    if cell is None:
        return []
    lower, upper, switch = program.lower.copy(), program.upper.copy(), program.switch.copy()
    if program.switch[cell]:
        switch[cell] = False
        upper[cell] = 0.0
        off = program.restricted(lower, upper, switch)
        lower, upper = lower.copy(), program.upper.copy()
        lower[cell] = min(max(program.floor_on[cell], HARDLY * program.upper[cell]), program.upper[cell])
        return [off, program.restricted(lower, upper, switch)]
    bend = float(program.curves.inflection_cny[cell])
    at = bend if program.lower[cell] < bend < program.upper[cell] else float(relaxed.spend[cell])
    width = program.upper[cell] - program.lower[cell]
    at = min(max(at, program.lower[cell] + 0.05 * width), program.upper[cell] - 0.05 * width)
    below, above = upper.copy(), lower.copy()
    below[cell], above[cell] = at, at
    return [program.restricted(lower, below, switch), program.restricted(above, upper, switch)]


def _where_to_cut(program: Program, pool: Pool, relaxed: Relaxed) -> int | None:
    """The cell of the block whose mixture promises most above the value of its average."""
    share = relaxed.mixture.share[:, pool.group]
    if share.shape[0] != len(pool.sheets):
        share = share[: len(pool.sheets)]
    sheets = pool.sheets[: share.shape[0]]
    weights = program.weights(relaxed.prices)
    values = np.array([block_value(program, weights, s.spend) for s in sheets])
    average = legal(program, relaxed.spend)
    loss = (share * values).sum(axis=0) - block_value(program, weights, average)
    spends = np.array([s.spend for s in sheets])
    wide = np.repeat(share, program.width, axis=1)
    spread = (wide * np.abs(spends - relaxed.spend)).sum(axis=0)
    on = (wide * (spends > 0)).sum(axis=0)
    split = np.where(program.switch & (on > 1e-6) & (on < 1 - 1e-6), 1e6, 0.0)
    room = program.upper - program.lower
    score = split + spread / np.maximum(np.atleast_2d(program.curves.scale_cny).max(axis=0), 1e-300)
    score = np.where((room > 1e-9 * np.maximum(program.upper, 1e-300)) & (spread > 0), score, 0.0)
    grid = program.grid(score)
    usable = grid.max(axis=1) > 0
    if not usable.any():
        return None
    block = int(np.argmax(np.where(usable, loss, -np.inf)))
    return block * program.width + int(np.argmax(grid[block]))


def _most_convex(program: Program) -> int | None:
    """The cell that may spend most where its curve is not concave: keeps a bound open without a mixture."""
    curves, room = program.curves, program.upper - program.lower
    bent = ~curves.concave & ((curves.family == POINTS) | (program.lower < curves.inflection_cny))
    share = np.where(bent, room / np.maximum(curves.scale_cny, 1e-300), 0.0)
    cell = int(np.argmax(share))
    return cell if room[cell] > 1e-6 * program.upper[cell] and share[cell] > 0 else None
