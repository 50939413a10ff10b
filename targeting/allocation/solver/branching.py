"""The outer tree: smaller boxes until mixtures are no better than plans, for any kind of block.

A node is the program on smaller boxes; its bound is the Lagrangian bound on those boxes, so it is as honest
as the root's. The block whose mixture is furthest from its average spend is cut: an on/off cell into off
and on, any other at its average spend. Nodes that promise less than the best plan are dropped; the
bound of the whole is the largest one still open.
"""

from __future__ import annotations

import heapq
import itertools
import logging
from dataclasses import dataclass, field, replace

import numpy as np

from models.errors import InfeasibleError, SolverError, UndecidedError
from models.supply.curves import POINTS, FloatArray
from targeting.allocation.problem import relative_gap
from targeting.allocation.settings import SETTINGS
from targeting.allocation.solver.arrays import Program
from targeting.allocation.solver.certificate import ceiling, lagrangian_bound
from targeting.allocation.solver.deadline import Deadline
from targeting.allocation.solver.generation import Relaxed, generate
from targeting.allocation.solver.incumbent import Incumbent
from targeting.allocation.solver.master import Pool
from targeting.allocation.solver.pricing import legal

logger = logging.getLogger(__name__)


def no_plan(program: Program, prices: FloatArray) -> InfeasibleError:
    """The error for a proven contradiction; `conflict.explain` says more."""
    priced = (n for n, p in zip(program.row_name, prices, strict=True) if p != 0)
    names = tuple(dict.fromkeys(priced)) or ("total",)
    return InfeasibleError(f"no plan satisfies {' and '.join(names)} together", conflict=names)


def proof_of_none(pool: Pool, deadline: Deadline) -> FloatArray | None:
    """Row prices (r,) at which every plan breaks the rows more than it keeps them; None where none are found.

    At such prices the bound of "minus the violation" is below 0, and it is one for every plan (Farkas).
    """
    program = pool.program
    for _ in range(SETTINGS.node_looks):
        relaxed = generate(pool, deadline, tolerance=1e-7, objective=0.0, beaten=-SETTINGS.feasible)
        if relaxed.estimate >= -SETTINGS.feasible:
            return None
        weights = program.weights(relaxed.prices, objective=0.0)
        each = np.full(program.n_blocks, 0.1 * abs(relaxed.estimate) / program.n_blocks)
        top = ceiling(program, weights, legal(program, relaxed.spend), each, deadline)
        if lagrangian_bound(program, relaxed.prices, top) < -0.1 * SETTINGS.feasible:
            return relaxed.prices
        pool.add(top.spend)
    return None


def _look(pool: Pool, own: Incumbent, deadline: Deadline) -> Relaxed:
    """Relax a node: plans, and a bound no closer than it takes to tell whether it can hold a better plan.

    Args:
        pool: columns of the node; grows.
        own: gets what is found; its bound is -inf where the node is proven to have no plan, at the prices
            that come back.
        deadline: stops early.
    """
    program, tolerance = pool.program, max(1e-7, 0.1 * own.gap_tol)
    for attempt in range(SETTINGS.node_looks):
        found = generate(
            pool, deadline, tolerance=tolerance, max_rounds=SETTINGS.node_rounds, beaten=own.value
        )
        if not attempt and not found.feasible:
            proof = proof_of_none(pool, deadline)
            if proof is not None:
                own.bound = -np.inf
                return replace(found, prices=proof)
        starts = [found.spend, _countable(program, found.spend)] if program.switch.any() else [found.spend]
        done, *_others = (own.improve(program, start, found.prices) for start in starts)
        over = max(found.estimate - own.value, 0.0)
        whole = found.estimate - found.mixture.value <= 0.2 * over
        if not (whole and over > 1e-3 * abs(own.value)):
            own.bound_at(program, done.prices, done.spend)  # Newton's prices do not wander
        if own.closed:
            break
        missed = own.bound_at(
            program, found.prices, found.spend, within=0.15 * min(over, abs(found.estimate))
        )
        settled = whole and own.bound - own.value < 1.3 * over
        if own.spend is None or own.closed or deadline.over or settled:
            break
        pool.add(missed)  # pricing climbs; the certificate has seen a higher hill
    return found


def _countable(program: Program, spend: FloatArray) -> FloatArray:
    """Spend (m,) with as many cells on as rows that count cells allow, the fullest ones first."""
    counts = program.matrix["active"]
    limited = np.flatnonzero(np.isfinite(program.row_upper) & (np.diff(counts.indptr) > 0))
    fullness = spend / np.maximum(program.floor_on, 1e-6 * np.maximum(program.upper, 1e-300))
    fullness = np.where(program.switch, fullness, np.inf)
    weight, left = counts[limited].toarray(), program.row_upper[limited] + 1e-9
    on = np.zeros(len(spend), dtype=bool)
    for cell in np.argsort(-fullness, kind="stable").tolist():
        if fullness[cell] >= 0.5 and (weight[:, cell] <= left).all():
            on[cell] = True
            left = left - weight[:, cell]
    least = np.where(program.switch, np.maximum(program.floor_on, SETTINGS.hardly * program.upper), 0.0)
    return np.where(on, np.maximum(spend, least), 0.0)


@dataclass
class _Tree:
    """Open nodes, most promising first, and the largest bound of what was cut off within the tolerance."""

    best: Incumbent
    deadline: Deadline
    queue: list[tuple[float, int, Pool, Relaxed]] = field(default_factory=list)
    closed: float = -np.inf
    rounds: int = 0
    number: itertools.count[int] = field(default_factory=itertools.count)

    @property
    def bound(self) -> float:
        """The most that any plan of an open node could earn."""
        return max(-self.queue[0][0] if self.queue else -np.inf, self.closed)

    def visit(self, pool: Pool, most: float) -> Relaxed | None:
        """Solve a node's relaxation, take its plans, keep it open with its bound (no more than `most`)."""
        own, root = replace(self.best, bound=np.inf), most == np.inf
        found = None
        try:
            found = _look(pool, own, self.deadline)
        except UndecidedError:
            logger.info("time was up inside a branch")
        except SolverError as error:  # the parent's bound holds for the child
            if root:
                raise
            logger.warning("a branch was left open: %s", error)
        if found is None:
            self.closed = max(self.closed, most)
            return None
        self.rounds += found.rounds
        if own.value > self.best.value:  # prices of a part are none of the whole
            self.best.spend, self.best.value, self.best.polished = own.spend, own.value, None
        if self.best.prices is None or (root and own.bound < self.best.bound):
            self.best.prices = own.prices
        bound = min(own.bound, most)
        if relative_gap(bound, self.best.value) > 0:
            heapq.heappush(self.queue, (-bound, next(self.number), pool, found))
        return found


def close(pool: Pool, best: Incumbent, deadline: Deadline) -> int:
    """Search until the gap is within the tolerance or time is up; gives the number of programs solved.

    Raises:
        InfeasibleError: every node is proven to have no plan.
    """
    tree = _Tree(best, deadline)
    root = tree.visit(pool, np.inf)
    for _ in range(SETTINGS.most_nodes):
        if deadline.over or not tree.queue or relative_gap(tree.bound, best.value) <= best.gap_tol:
            break
        negative, _number, parent, at = heapq.heappop(tree.queue)
        children = _children(parent.program, parent, at)
        if not children:
            tree.closed = max(tree.closed, -negative)
        for child in children:
            tree.visit(parent.within(child), -negative)
    if best.spend is None and root is not None and tree.bound == -np.inf:
        raise no_plan(pool.program, root.prices)
    best.bound = min(best.bound, max(tree.bound, best.value))
    return tree.rounds


def _children(program: Program, pool: Pool, relaxed: Relaxed) -> list[Program]:
    cell = _where_to_cut(program, pool, relaxed)
    if cell is None:
        cell = _most_convex(program)
    if cell is None:
        return []
    low, high = program.lower[cell], program.upper[cell]
    if program.switch[cell]:
        least = min(max(program.floor_on[cell], SETTINGS.hardly * high), high)
        return [program.narrowed(cell, 0.0, 0.0), program.narrowed(cell, least, high)]
    bend = float(program.curves.inflection_cny[cell])
    at = bend if low < bend < high else float(relaxed.spend[cell])
    at = min(max(at, low + 0.05 * (high - low)), high - 0.05 * (high - low))
    return [program.narrowed(cell, low, at), program.narrowed(cell, at, high)]


def _where_to_cut(program: Program, pool: Pool, relaxed: Relaxed) -> int | None:
    """The cell to cut: in the block whose mixture is furthest from its average, the least sure one."""
    share = relaxed.mixture.share[: len(pool.sheets), pool.group]
    spends = np.array([s.spend for s in pool.sheets[: share.shape[0]]])
    wide = np.repeat(share, program.width, axis=1)
    spread = (wide * np.abs(spends - relaxed.spend)).sum(axis=0)
    on = (wide * (spends > 0)).sum(axis=0)
    split = np.where(program.switch & (on > 1e-6) & (on < 1 - 1e-6), 1e6, 0.0)
    room = program.upper - program.lower
    score = split + spread / np.maximum(np.atleast_2d(program.curves.scale_cny).max(axis=0), 1e-300)
    score = np.where((room > 1e-9 * np.maximum(program.upper, 1e-300)) & (spread > 0), score, 0.0)
    block_spread = np.where(program.grid(score).max(axis=1) > 0, program.grid(spread).sum(axis=1), 0.0)
    if not score.any():
        return None
    block = int(np.argmax(block_spread))
    return block * program.width + int(np.argmax(program.grid(score)[block]))


def _most_convex(program: Program) -> int | None:
    """The cell that may spend most where its curve is not concave: keeps a bound open without a mixture."""
    curves, room = program.curves, program.upper - program.lower
    bent = ~curves.concave & ((curves.family == POINTS) | (program.lower < curves.inflection_cny))
    wide = room / np.maximum(curves.scale_cny, 1e-300)
    share = (
        np.where(bent, wide, 0.0)
        if bent.any()
        else np.where(np.isfinite(program.users).repeat(program.width), wide, 0.0)
    )
    cell = int(np.argmax(share))
    return cell if room[cell] > 1e-6 * program.upper[cell] and share[cell] > 0 else None
