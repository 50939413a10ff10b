"""CVaR floors with a certificate: Rockafellar and Uryasev's rows for the climb, their multipliers for the
bound.

CVaR(s) = min over weights q (0 <= q <= 1 / (level n), sum q = 1) of sum_d q_d W_d(s), so with *any* such q
and any price y >= 0 no plan that keeps the floor earns more than

    max_s V(s) + y (sum_d q_d W_d(s) - floor)             (and the prices of the other rows).

That sum of concave pieces (central curves, every draw of the tail) is bounded piece by piece: each piece
gives its gradient at the plan away as a price of spend, after which its own maximum is at the plan, too,
where curves are concave; `certificate.ceiling` bounds it whatever its shape. It must not import `solve`.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from models.supply.curves import FloatArray
from targeting.allocation.settings import SETTINGS
from targeting.allocation.solver.arrays import BASIC, Program
from targeting.allocation.solver.blocks import block_value, jet
from targeting.allocation.solver.certificate import ceiling, lagrangian_bound
from targeting.allocation.solver.newton import block_diagonal
from targeting.allocation.solver.repair import Walk, ranges

if TYPE_CHECKING:
    import cvxpy as cp

Dual = tuple[FloatArray, float, FloatArray]  # prices (r,), price of the floor, q (n_draws,)
Piece = tuple[Program, Mapping[str, FloatArray]]  # a draw's curves and what its metrics are worth


@dataclass(frozen=True)
class TailRows:
    """The CVaR row.

    Attributes:
        program: central curves and the other rows.
        piece: draw -> its curves and weights.
        count: number of draws; level, floor: of the row.
    """

    program: Program
    piece: Callable[[int], Piece]
    count: int
    level: float
    floor: float

    def worths(self, spend: FloatArray) -> FloatArray:
        """(n_draws,) worth of spend (m,) in every draw."""
        return np.array([block_value(*self.piece(d), spend).sum() for d in range(self.count)])

    def slopes(self, spend: FloatArray) -> FloatArray:
        """(n_draws, m) their gradients."""
        return np.array([jet(*self.piece(d), spend).gradient.ravel() for d in range(self.count)])

    @property
    def even(self) -> FloatArray:
        """(n_draws,) equal weights."""
        return np.full(self.count, 1.0 / self.count)

    def cvar(self, worths: FloatArray) -> float:
        """Mean of the worst `level` share; the draw at the edge counts in part."""
        k = self.level * self.count
        return float(np.clip(k - np.arange(self.count), 0.0, 1.0) @ np.sort(worths)) / k


@dataclass(frozen=True)
class Climbed:
    """Where a climb ended: spend (m,), CVaR there, and the multipliers of its last programs.

    `duals` are (prices (r,), price of the floor, q (n_draws,)), newest last.
    """

    spend: FloatArray
    reached: float
    broken: float
    duals: list[Dual]


def climb(rows: TailRows, start: FloatArray, low: FloatArray, high: FloatArray, *, safest: bool) -> Climbed:
    """Sequential quadratic programs in a trust region, the tail's worst draws chosen by the program itself.

    Args:
        rows: the floor.
        start: spend (m,); low, high: its box.
        safest: climb CVaR instead of the objective.
    """
    walk = Walk(rows.program, low, high, None, False)
    spend = np.clip(start, low, high)
    worths = rows.worths(spend)
    value, over = walk.merit(spend)
    radius, penalty = 1.0, 10.0
    duals: list[Dual] = []
    whole = max(abs(rows.floor), 1e-300)

    def merit(value: float, over: float, worths: FloatArray) -> float:
        reached = rows.cvar(worths)
        if safest:
            return reached / whole - penalty * over
        short = max(rows.floor - reached, 0.0) / whole
        return value / unit - penalty * (over + short)

    for _ in range(SETTINGS.tail_steps):
        unit = max(abs(value), 1e-300)
        last = duals[-1] if duals else None
        found = _step(rows, walk, spend, worths, radius, penalty, last, safest=safest)
        if found is None:
            break
        trial, dual = found
        duals = [*duals[-3:], dual]
        spend_before = spend
        new_worths, (new_value, new_over) = rows.worths(trial), walk.merit(trial)
        gain = merit(new_value, new_over, new_worths) - merit(value, over, worths)
        if gain > 1e-13:
            spend, worths, value, over = trial, new_worths, new_value, new_over
            radius = min(radius * 1.5, 1.0)
        else:
            radius *= 0.4
        still = np.abs(trial - spend_before).max() <= 1e-9 * np.abs(spend).sum()
        if still or 0 <= gain < SETTINGS.tail_settled or radius < SETTINGS.tail_radius:
            break
    return Climbed(spend, rows.cvar(worths), over, duals)


def _step(
    rows: TailRows,
    walk: Walk,
    spend: FloatArray,
    worths: FloatArray,
    radius: float,
    penalty: float,
    last: Dual | None,
    *,
    safest: bool,
) -> tuple[FloatArray, Dual] | None:
    """Best point of the quadratic problem with (prices, price of the floor, q); None where CLARABEL fails."""
    import cvxpy as cp

    program, low, high, n = rows.program, walk.low, walk.high, rows.count
    here = jet(program, program.weights(np.zeros(len(program.row_lower))), spend)
    scale, whole = ranges(spend, low, high), max(abs(rows.floor), 1e-300)
    worth = max(float(np.abs(here.value).sum()), 1e-300)
    unit = whole if safest else worth
    lines, limit, size = walk.lines(spend, scale)
    k, share = len(limit), 1.0 / (rows.level * n)
    d, slack, u = cp.Variable(len(spend)), cp.Variable(k, nonneg=True), cp.Variable(n, nonneg=True)
    t, short = cp.Variable(), cp.Variable(nonneg=True)
    held = [
        lines @ d - slack <= limit,
        t - u - (rows.slopes(spend) * scale / whole) @ d <= worths / whole,
        d >= np.minimum(np.maximum((low - spend) / scale, -radius), 0.0),
        d <= np.maximum(np.minimum((high - spend) / scale, radius), 0.0),
    ]
    bend = 0.5 * cp.sum_squares(_curvature(rows, spend, scale, last, unit, safest) @ d)
    goal = t - share * cp.sum(u) - bend - penalty * cp.sum(slack)
    if not safest:
        held.append(-t + share * cp.sum(u) - short <= -rows.floor / whole)
        rise = np.clip(here.gradient.ravel() * scale / worth, -1e9, 1e9)
        goal = rise @ d - bend - penalty * (cp.sum(slack) + short)
    _solve(cp.Problem(cp.Maximize(goal), held))
    if d.value is None:
        return None
    dual = np.concatenate([np.maximum(np.ravel(held[i].dual_value), 0.0) for i in (0, 1)])
    y = float(dual[k:].sum())
    q = np.minimum(dual[k:] / y, share) if y > 0 else rows.even
    prices = program.by_row(dual[:k] * unit / size[:k])
    return np.clip(spend + d.value * scale, low, high), (prices, 1.0 if safest else y * worth / whole, q)


def _solve(model: cp.Problem) -> None:
    """Solve with CLARABEL; the variables stay empty where it fails."""
    import cvxpy as cp

    with warnings.catch_warnings(), contextlib.suppress(cp.error.SolverError, ValueError):
        warnings.simplefilter("ignore")  # an inaccurate step is judged on the true curves
        model.solve(solver=cp.CLARABEL)


def _curvature(
    rows: TailRows, spend: FloatArray, scale: FloatArray, last: Dual | None, unit: float, safest: bool
) -> sparse.csr_matrix:
    """F with F'F = minus the Hessian of the Lagrangian at the last multipliers, bent until it curves down."""
    program = rows.program
    prices, y, q = last if last is not None else (np.zeros(len(program.row_lower)), float(safest), rows.even)
    hessian = jet(program, program.weights(prices, objective=0.0 if safest else 1.0), spend).hessian
    for d in np.flatnonzero(q * y > 1e-9 * y / rows.count).tolist():
        hessian = hessian + y * q[d] * jet(*rows.piece(d), spend).hessian
    wide = program.grid(scale)
    down = -hessian * wide[:, :, None] * wide[:, None, :] / unit
    values, vectors = np.linalg.eigh(down)
    factor = np.sqrt(np.maximum(values, 1e-6))[:, :, None] * vectors.transpose(0, 2, 1)
    return block_diagonal(factor, program.width)


def bound(rows: TailRows, spend: FloatArray, dual: Dual, *, safest: bool, tolerance: float) -> float:
    """No plan that keeps the floor earns more (`safest`: no plan at all has more CVaR).

    Args:
        rows: the floor.
        spend: (m,) where the pieces' gradients are taken: the better the plan, the tighter.
        dual: any (prices, price of the floor >= 0, q with 0 <= q <= 1 / (level n)); q is brought to sum 1.
        safest: leave the objective out.
        tolerance: what the pieces' bounds may be too high by, together.
    """
    program, (prices, y, q) = rows.program, dual
    prices, q = program.lawful(prices), _whole(q, 1.0 / (rows.level * rows.count))
    weights = program.weights(prices, objective=0.0 if safest else 1.0)
    tail = np.flatnonzero(q * y > 0)
    each = np.full(program.n_blocks, tolerance / (program.n_blocks * (1 + len(tail))))
    given = jet(program, weights, spend).gradient.ravel()
    rest = given.copy()
    top = ceiling(program, _less(weights, given), spend, each)
    most = lagrangian_bound(program, prices, top)
    for d in tail.tolist():
        drawn, worth = rows.piece(d)
        scaled = {k: y * q[d] * worth[k] for k in BASIC}
        given = jet(drawn, scaled, spend).gradient.ravel()
        top = ceiling(drawn, _less(scaled, given), spend, each)
        most += float(top.bound.sum()) + 1e-15 * float(np.abs(top.bound).sum())
        rest += given
    bottom = np.where(program.switch, 0.0, program.lower)
    most += float(np.maximum(rest * bottom, rest * program.upper).sum())
    return most if safest else most - y * rows.floor


def _less(weights: Mapping[str, FloatArray], price: FloatArray) -> dict[str, FloatArray]:
    return {**weights, "spend": weights["spend"] - price}


def _whole(q: FloatArray, most: float) -> FloatArray:
    """Weights within [0, most] that sum to 1: what is missing goes where there is room."""
    q = np.clip(q, 0.0, most)
    if q.sum() > 1.0:
        return np.asarray(q / q.sum())
    room = most - q
    return np.asarray(q + room * ((1.0 - q.sum()) / max(room.sum(), 1e-300)))
