"""CVaR floors with a certificate: Rockafellar and Uryasev's rows for the climb, their multipliers for the
bound.

CVaR(s) = min over weights q (0 <= q <= 1 / (level n), sum q = 1) of sum_d q_d W_d(s), so with *any* such q
and any price y >= 0 no plan that keeps the floor earns more than

    max_s V(s) + y (sum_d q_d W_d(s) - floor)             (and the prices of the other rows).

That sum of pieces (central curves, every draw of the tail) is bounded by `pieces`. It must not import
`solve`.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.supply.curves import FloatArray
from targeting.allocation.settings import SETTINGS
from targeting.allocation.solver.arrays import BASIC, Program
from targeting.allocation.solver.blocks import block_value, jacobian, jet
from targeting.allocation.solver.deadline import Deadline
from targeting.allocation.solver.newton import block_diagonal
from targeting.allocation.solver.pieces import Piece, most_of
from targeting.allocation.solver.polish import lines, violation

if TYPE_CHECKING:
    import cvxpy as cp

Dual = tuple[FloatArray, float, FloatArray]  # prices (r,), price of the floor, q (n_draws,)


@dataclass(frozen=True)
class TailRows:
    """The CVaR row.

    Attributes:
        program: central curves and the other rows.
        drawn: draw -> its curves and weights.
        draws: (n,) the draws that the floor is about; level, floor: of the row.
    """

    program: Program
    drawn: Callable[[int], Piece]
    draws: NDArray[np.int64]
    level: float
    floor: float

    @property
    def count(self) -> int:
        """Number of draws."""
        return len(self.draws)

    def piece(self, i: int) -> Piece:
        """Of the i-th draw."""
        return self.drawn(int(self.draws[i]))

    def worths(self, spend: FloatArray) -> FloatArray:
        """(n,) worth of spend (m,) in every draw."""
        return np.array([block_value(*self.piece(d), spend).sum() for d in range(self.count)])

    def slopes(self, spend: FloatArray) -> FloatArray:
        """(n, m) their gradients."""
        return np.array([jet(*self.piece(d), spend).gradient.ravel() for d in range(self.count)])

    @property
    def even(self) -> FloatArray:
        """(n,) equal weights."""
        return np.full(self.count, 1.0 / self.count)

    def cvar(self, worths: FloatArray) -> float:
        """Mean of the worst `level` share; the draw at the edge counts in part."""
        k = self.level * self.count
        return float(np.clip(k - np.arange(self.count), 0.0, 1.0) @ np.sort(worths)) / k

    def state(self, spend: FloatArray) -> _State:
        """What a climb looks at, at spend (m,)."""
        program = self.program
        value = float(block_value(program, program.weights(np.zeros(len(program.row_lower))), spend).sum())
        return _State(spend, value, float(np.abs(violation(program, spend)).sum()), self.worths(spend))


@dataclass(frozen=True)
class _State:
    """A spend (m,), what it earns, the sum of relative violations of rows, its worth in every draw (n,)."""

    spend: FloatArray
    value: float
    broken: float
    worths: FloatArray


@dataclass(frozen=True)
class Climbed:
    """Where a climb ended: spend (m,), its value, CVaR there, and the multipliers of its last programs.

    `duals` are (prices (r,), price of the floor, q (n,)), newest last.
    """

    spend: FloatArray
    value: float
    reached: float
    broken: float
    duals: list[Dual]


def climb(
    rows: TailRows, start: FloatArray, low: FloatArray, high: FloatArray, *, safest: bool, deadline: Deadline
) -> Climbed:
    """Sequential quadratic programs in a trust region, the tail's worst draws chosen by the program itself.

    Args:
        rows: the floor.
        start: spend (m,); low, high: its box.
        safest: climb CVaR instead of the objective.
        deadline: stops early.
    """
    at = rows.state(np.clip(start, low, high))
    radius, penalty, whole = 1.0, 10.0, max(abs(rows.floor), 1e-300)
    duals: list[Dual] = []

    def merit(there: _State, unit: float) -> float:
        reached = rows.cvar(there.worths)
        if safest:
            return reached / whole - penalty * there.broken
        short = max(rows.floor - reached, 0.0) / whole
        return there.value / unit - penalty * (there.broken + short)

    for _ in range(SETTINGS.tail_steps):
        found = None if deadline.over else _step(rows, at, low, high, radius, penalty, duals, safest=safest)
        if found is None:
            break
        trial, dual = rows.state(found[0]), found[1]
        duals = [*duals[-1:], dual]
        unit = max(abs(at.value), 1e-300)
        gain = merit(trial, unit) - merit(at, unit)
        still = np.abs(trial.spend - at.spend).max() <= 1e-9 * np.abs(at.spend).sum()
        if gain > 1e-13:
            at, radius = trial, min(radius * 1.5, 1.0)
        else:
            radius *= 0.4
        if still or 0 <= gain < SETTINGS.tail_settled or radius < SETTINGS.tail_radius:
            break
    return Climbed(at.spend, at.value, rows.cvar(at.worths), at.broken, duals)


def _step(
    rows: TailRows,
    at: _State,
    low: FloatArray,
    high: FloatArray,
    radius: float,
    penalty: float,
    duals: list[Dual],
    *,
    safest: bool,
) -> tuple[FloatArray, Dual] | None:
    """Best point of the quadratic problem with (prices, price of the floor, q); None where CLARABEL fails."""
    import cvxpy as cp

    program, spend, n, last = rows.program, at.spend, rows.count, duals[-1] if duals else None
    here = jet(program, program.weights(np.zeros(len(program.row_lower))), spend)
    scale, whole = _ranges(spend, low, high), max(abs(rows.floor), 1e-300)
    worth = max(float(np.abs(here.value).sum()), 1e-300)
    unit = whole if safest else worth
    rising, limit, size = _rows_as_lines(program, spend, scale)
    k, share = len(limit), 1.0 / (rows.level * n)
    d, slack, u = cp.Variable(len(spend)), cp.Variable(k, nonneg=True), cp.Variable(n, nonneg=True)
    t, short = cp.Variable(), cp.Variable(nonneg=True)
    held = [
        rising @ d - slack <= limit,
        t - u - (rows.slopes(spend) * scale / whole) @ d <= at.worths / whole,
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


def _ranges(spend: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """(m,) how far a step may reach: a cell's range, or four times its spend where that is less."""
    wide = high - low
    return np.maximum(np.minimum(wide, np.maximum(4.0 * spend, 0.05 * wide)), 1e-150)


def _rows_as_lines(
    program: Program, spend: FloatArray, scale: FloatArray
) -> tuple[sparse.csr_matrix, FloatArray, FloatArray]:
    """Scaled rows as lines <= limit, with the size each was divided by: upper limits, then lower ones."""
    ups, downs = program.ups, program.downs
    lhs, size = lines(program, spend)
    a = jacobian(program, spend, np.arange(len(program.row_lower)))
    scaled = sparse.diags(1.0 / size) @ a @ sparse.diags(scale)
    limit = np.r_[((program.row_upper - lhs) / size)[ups], ((lhs - program.row_lower) / size)[downs]]
    return sparse.vstack([scaled[ups], -scaled[downs]], "csr"), limit, np.r_[size[ups], size[downs]]


def bound(
    rows: TailRows, spend: FloatArray, dual: Dual, *, safest: bool, tolerance: float, deadline: Deadline
) -> float:
    """No plan that keeps the floor earns more (`safest`: no plan at all has more CVaR).

    Args:
        rows: the floor.
        spend: (m,) where the pieces' gradients are taken: the better the plan, the tighter.
        dual: any (prices, price of the floor >= 0, q with 0 <= q <= 1 / (level n)); q is brought to sum 1.
        safest: leave the objective out.
        tolerance: what the pieces' bounds may be too high by, together.
        deadline: of cutting what blocks may spend.
    """
    program, (prices, y, q) = rows.program, dual
    prices, q = program.lawful(prices), _whole(q, 1.0 / (rows.level * rows.count))
    pieces = [(program, program.weights(prices, objective=0.0 if safest else 1.0))]
    for d in np.flatnonzero(q * y > 0).tolist():
        drawn, worth = rows.piece(d)
        pieces.append((drawn, {k: y * q[d] * worth[k] for k in BASIC}))
    top = most_of(pieces, spend, tolerance, deadline)
    most = float(top.sum() + program.price_limits(prices))
    most += 1e-15 * float(np.abs(top).sum() + abs(program.price_limits(prices)))
    return most if safest else most - y * rows.floor


def _whole(q: FloatArray, most: float) -> FloatArray:
    """Weights within [0, most] that sum to 1, few of them: dust is left out, what is missing goes to the
    largest that have room.
    """
    order = np.argsort(-q, kind="stable")
    q = np.clip(np.where(q > 1e-6 * most, q, 0.0), 0.0, most)
    if q.sum() > 1.0:
        return np.asarray(q / q.sum())
    room = (most - q)[order]
    q[order] += np.clip(1.0 - q.sum() - (np.cumsum(room) - room), 0.0, room)
    return q
