"""On/off limits where spend carries over: they speak of what a slot itself spends, not of what is at work
there.

Exists because the optimiser's variables are then effective spends, in which "0 or at least this" is no
limit of a single cell. A node decides some cells on or off, which are plain limits of own spend; the others
may spend anything, and count in `active` rows by their share of what they could spend at most. So every
node relaxes the problem and its bound is honest. Nodes are solved by the caller's solver; it must not
import it.
"""

from __future__ import annotations

import heapq
import itertools
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.errors import InfeasibleError, SolverError
from models.supply.curves import FloatArray
from targeting.allocation.outcomes import outcomes, total
from targeting.allocation.problem import Metric, Problem, Row, Solution, relative_gap
from targeting.allocation.solver.generation import Deadline

BoolArray = NDArray[np.bool_]
State = NDArray[np.int8]  # per cell: 1 on, 0 off, OPEN undecided
Solve = Callable[[Problem, float], Solution]  # problem, seconds
OPEN = -1
MOST_NODES = 4000
_NONE = 1e-9  # of the budget: own spend below this is none
_SECONDS = 0.25  # the least a node is given

logger = logging.getLogger(__name__)


def switched(problem: Problem) -> BoolArray:
    """(n_cells,) cells that are on or off by their own spend; none where nothing carries over."""
    market, limits = problem.market, problem.limits
    if market.carryover <= 0 and market.carry_in_cny is None:
        return np.zeros(len(market), dtype=bool)
    counted = np.zeros(len(market))
    for weights in (problem.objective, *(row.coefficients for row in problem.rows)):
        counted = counted + np.abs(np.asarray(weights.get("active", 0.0), dtype=float))
    return (limits.lower_cny <= 0) & ((limits.min_if_used_cny > 0) | (counted > 0))


@dataclass
class _Search:
    problem: Problem
    switch: BoolArray
    solve: Solve
    gap_tol: float
    deadline: Deadline
    best: Solution | None = None
    rounds: int = 0
    tried: set[bytes] = field(default_factory=set)

    @property
    def value(self) -> float:
        return self.best.value if self.best is not None else -np.inf

    def node(self, state: State) -> tuple[Solution, float] | None:
        """The relaxation's answer and its bound on every plan of the node; None where there is none."""
        left = self.deadline.seconds - self.deadline.elapsed
        relaxed, constant = _decided(self.problem, state)
        try:
            found = self.solve(relaxed, max(left, _SECONDS))
        except InfeasibleError:
            return None
        self.rounds += found.rounds
        return found, found.upper_bound + constant

    def offer(self, found: Solution, state: State) -> bool:
        """Keep the node's answer if it is a plan of the problem itself; says whether it is one."""
        spend = np.where(found.spend_cny > _NONE * self.problem.budget_cny, found.spend_cny, 0.0)
        least = np.maximum(self.problem.limits.min_if_used_cny, self.problem.limits.lower_cny)
        used = spend > 0
        if (used & (spend < least * (1 - 1e-8))).any():
            return False
        spend = np.where(used, np.maximum(spend, least), spend)
        metrics = outcomes(self.problem.market, spend)
        if any("active" in row.coefficients and not _holds(row, metrics) for row in self.problem.rows):
            return False
        value = float(total(self.problem.objective, metrics))
        if value > self.value:
            self.best = replace(found, spend_cny=spend, value=value)
        return True

    def dive(self, found: Solution, state: State) -> None:
        """A plan from a relaxation: the cells that spend enough stay on, as many as may be on, the
        others go.
        """
        least = np.maximum(self.problem.limits.min_if_used_cny, 1e-6 * self.problem.budget_cny)
        order = np.argsort(-np.where(state == 1, np.inf, found.spend_cny / least), kind="stable")
        pattern = np.where(self.switch, 0, state).astype(np.int8)
        for cell in order[self.switch[order]]:
            if state[cell] == 0 or (state[cell] == OPEN and found.spend_cny[cell] < 0.5 * least[cell]):
                continue
            pattern[cell] = 1
            trial: dict[Metric, FloatArray] = {"active": np.where(self.switch, pattern, 1).astype(float)}
            counting = (r for r in self.problem.rows if set(r.coefficients) == {"active"})
            if any(float(total(r.coefficients, trial)) > r.upper + 1e-9 for r in counting):
                pattern[cell] = 0
        if pattern.tobytes() in self.tried:
            return
        self.tried.add(pattern.tobytes())
        try:
            answer = self.node(pattern)
        except SolverError as error:
            logger.warning("a pattern of cells was left out: %s", error)
            return
        if answer is not None:
            self.offer(answer[0], pattern)


def solve_on_own(problem: Problem, solve: Solve, *, gap_tol: float, time_limit_s: float) -> Solution:
    """The best plan whose on/off limits hold for own spend, with the bound of the tree.

    Raises:
        InfeasibleError: no plan, proven.
        SolverError: time was over before a plan was found.
    """
    deadline = Deadline.of(time_limit_s)
    switch = switched(problem)
    search = _Search(problem, switch, solve, gap_tol, deadline)
    state = np.where(switch, OPEN, 1).astype(np.int8)
    count, closed = itertools.count(), -np.inf
    queue: list[tuple[float, int, State, Solution]] = []

    def visit(state: State, ceiling: float) -> None:
        nonlocal closed
        try:
            answer = search.node(state)
        except SolverError as error:
            logger.warning("a branch was left open: %s", error)
            closed = max(closed, ceiling)
            return
        if answer is None:
            return
        found, bound = answer
        if not search.offer(found, state):
            search.dive(found, state)
        bound = min(bound, ceiling)
        if relative_gap(bound, search.value) > 0:
            heapq.heappush(queue, (-bound, next(count), state, found))

    visit(state, np.inf)
    for _ in range(MOST_NODES):
        top = max(-queue[0][0] if queue else -np.inf, closed)
        if not queue or deadline.over or relative_gap(top, search.value) <= gap_tol:
            break
        negative, _number, state, found = heapq.heappop(queue)
        cell = _where_to_cut(problem, state, found)
        if cell is None:
            closed = max(closed, -negative)
            continue
        for choice in (1, 0):
            child = state.copy()
            child[cell] = choice
            visit(child, -negative)
    top = max(-queue[0][0] if queue else -np.inf, closed)
    return _answer(search, top)


def _answer(search: _Search, top: float) -> Solution:
    best, deadline = search.best, search.deadline
    if best is None and top == -np.inf:
        names = tuple(dict.fromkeys((*search.problem.limits.names, *(r.name for r in search.problem.rows))))
        raise InfeasibleError("no plan satisfies the on/off limits together with the others", conflict=names)
    if best is None:
        raise SolverError(
            "allocation: no plan with its on/off limits was found in time; raise the time limit"
        )
    bound = max(top, best.value)
    closed = relative_gap(bound, best.value) <= search.gap_tol
    status: Literal["optimal", "within_gap", "time_limit"]
    status = "optimal" if closed else "time_limit" if deadline.over else "within_gap"
    return replace(
        best, status=status, upper_bound=bound, seconds=deadline.elapsed, rounds=search.rounds
    )  # fmt: skip


def _holds(row: Row, metrics) -> bool:  # type: ignore[no-untyped-def]
    lhs = float(total(row.coefficients, metrics))
    slack = 1e-8 * max(sum(float(np.abs(metrics[m] * c).sum()) for m, c in row.coefficients.items()), 1e-300)
    return row.lower - slack <= lhs <= row.upper + slack


def _decided(problem: Problem, state: State) -> tuple[Problem, float]:
    """The node's relaxation, without on/off limits, and what it leaves out of the objective."""
    limits, most = problem.limits, np.minimum(problem.limits.upper_cny, problem.budget_cny)
    lower = np.where(state == 1, np.maximum(limits.min_if_used_cny, limits.lower_cny), limits.lower_cny)
    lower = np.where((state == 1) | (limits.lower_cny > 0), lower, 0.0)
    plain = replace(
        limits,
        lower_cny=lower,
        upper_cny=np.where(state == 0, 0.0, limits.upper_cny),
        min_if_used_cny=np.zeros(len(state)),
    )
    per_yuan = np.where((state == OPEN) & (most > 0), 1.0 / np.where(most > 0, most, 1.0), 0.0)
    rows: list[Row] = []
    for row in problem.rows:
        if "active" not in row.coefficients:
            rows.append(row)
            continue
        for side, sign in (("upper", 1.0), ("lower", -1.0)):
            if np.isfinite(getattr(row, side)):
                weights, constant = _linear(row.coefficients, state, per_yuan, sign)
                other = {"upper": np.inf, "lower": -np.inf, side: getattr(row, side) - constant}
                rows.append(replace(row, coefficients=weights, **other))
    objective, constant = _linear(problem.objective, state, per_yuan, -1.0)
    return replace(problem, limits=plain, rows=tuple(rows), objective=objective), constant


def _linear(weights, state: State, per_yuan: FloatArray, sign: float):  # type: ignore[no-untyped-def]
    """The weights with `active` of open cells replaced by what is linear and, times `sign`, never more.

    Between s / most and 1 the smaller of w active is w s / most for w > 0 and w for w < 0.
    """
    if "active" not in weights:
        return dict(weights), 0.0
    w = np.asarray(weights["active"], dtype=float)
    slope = (state == OPEN) & (sign * w > 0)
    fixed = (state == 1) | ((state == OPEN) & ~slope & (per_yuan > 0))
    plain: dict[Metric, FloatArray] = {m: c for m, c in weights.items() if m != "active"}
    plain["spend"] = np.asarray(plain.get("spend", 0.0) + np.where(slope, w * per_yuan, 0.0))
    return plain, float(w[fixed].sum())


def _where_to_cut(problem: Problem, state: State, found: Solution) -> int | None:
    """The open cell whose spend is furthest from what its limit allows, else the one that spends most."""
    spend, least = found.spend_cny, problem.limits.min_if_used_cny
    undecided = state == OPEN
    if not undecided.any():
        return None
    between = np.where(
        undecided & (least > 0), np.minimum(spend, least - spend) / np.maximum(least, 1e-300), 0.0
    )
    if between.max() > 1e-9:
        return int(np.argmax(between))
    spending = np.where(undecided, spend, -1.0)
    return int(np.argmax(spending))
