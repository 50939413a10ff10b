"""A mixed-integer program that is a true upper bound: additive cells, every row, the pieces `domains` left
over.

In each piece the curve lies under its supporting lines y <= slope s + max over the piece of (y - slope s),
each maximum
exact (`pricing.best_single`), so the program relaxes the problem and its dual bound bounds every plan. Where
some row
or the objective gains from a *small* y, supporting lines from below are added. Rows and bounds hold to
HiGHS's
tolerance (1e-9 of the scaled rows); `SLACK` puts that, priced, on top of the bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from models.errors import SolverError
from models.supply.curves import FloatArray
from targeting.allocation.solver.branch.domains import Pieces
from targeting.allocation.solver.highs import run_highs
from targeting.allocation.solver.pricing import best_single
from targeting.allocation.solver.program import Program

TOLERANCE = 1e-9
SLACK = 20.0  # times TOLERANCE times what a whole row is worth at its price
LINES = 10


@dataclass(frozen=True)
class Choice:
    """Bound of the program, the piece chosen for each cell (m,) and the spend (m,); `plan` False where there
    is none.

    `error` (m,) is how far each chosen point is above (> 0) or under its curve, in objective units.
    """

    bound: float
    piece: np.ndarray
    spend: FloatArray
    plan: bool
    error: FloatArray


def solve_pieces(
    program: Program,
    pieces: Pieces,
    marks: list[FloatArray],
    prices: FloatArray,
    *,
    rel_gap: float,
    seconds: float,
) -> Choice:
    """Best choice of one piece per cell under all rows.

    Args:
        program: additive cells.
        pieces: what is left of each cell's domain.
        marks: spends (m,) where lines touch the curves; they are densest around the last one.
        prices: (r,) of the rows, to price the solver's tolerances.
        rel_gap, seconds: when HiGHS may stop; its bound stays valid.

    Raises:
        SolverError: no bound came back.
    """
    import cvxpy as cp

    scaled = _Scaled.of(program, pieces)
    floor = _needs_floor(program, scaled)
    model, (delta, s, y) = _model(program, pieces, scaled, _lines(program, pieces, marks, floor))
    options = {
        "mip_rel_gap": rel_gap, "time_limit": float(seconds), "mip_feasibility_tolerance": TOLERANCE,
        "primal_feasibility_tolerance": TOLERANCE, "dual_feasibility_tolerance": TOLERANCE,
    }  # fmt: skip
    try:
        run_highs(model, options)
    except (cp.error.SolverError, ValueError) as error:
        raise SolverError(f"allocation: HiGHS failed on the piecewise program ({error})") from error
    m, nothing = len(program.cell), np.zeros(len(program.cell), dtype=np.int64)
    if model.status in ("infeasible", "infeasible_inaccurate"):
        return Choice(-np.inf, nothing, marks[-1], False, np.zeros(m))
    highest = _dual_bound(model)
    if not np.isfinite(highest):
        raise SolverError(f"allocation: the piecewise program ended as {model.status!r} without a bound")
    bound = highest * scaled.worth + SLACK * TOLERANCE * scaled.stake(prices)
    if delta.value is None or s.value is None or y.value is None:
        return Choice(bound, nothing, marks[-1], False, np.zeros(m))
    chosen = np.zeros(m, dtype=np.int64)
    order = np.argsort(delta.value, kind="stable")
    chosen[pieces.cell[order]] = order
    spend = np.clip((s.value * scaled.money)[chosen], pieces.low[chosen], pieces.high[chosen])
    claimed = (y.value * scaled.unit)[chosen]
    off = (claimed - program.curves.value(spend)) / scaled.unit[chosen] * scaled.weight(prices)[chosen]
    return Choice(bound, chosen, spend, True, off)


@dataclass(frozen=True)
class _Scaled:
    """Coefficients in units in which every piece's spend and value reach 1, and so do the rows and the goal.

    Attributes:
        money, unit: (n,) the largest spend and value of each piece.
        worth: what the goal is divided by.
        goal: (n,) each, of spend, value and on; in scaled units times `worth`.
        rows: sparse (r, n) each, in scaled units times `size` (r,).
    """

    money: FloatArray
    unit: FloatArray
    worth: float
    goal: tuple[FloatArray, FloatArray, FloatArray]
    rows: tuple[sparse.csr_matrix, sparse.csr_matrix, sparse.csr_matrix]
    size: FloatArray

    @classmethod
    def of(cls, program: Program, pieces: Pieces) -> _Scaled:
        """The coefficients of the objective and of every row."""
        money = _positive(pieces.high)
        unit = _positive(program.curves.take(pieces.cell).value(pieces.high))
        c_y, c_s, c_on = _coefficients(program, program.objective, pieces)
        a_y, a_s, a_on = _row_coefficients(program, program.matrix, pieces)
        goal = c_s * money, c_y * unit, c_on
        rows = a_s @ sparse.diags(money), a_y @ sparse.diags(unit), a_on
        worth = max(float(np.abs(goal[1]).mean()), float(np.abs(goal[0]).max()), 1e-300)
        return cls(money, unit, worth, goal, rows, np.maximum(_absolute(rows), _limit_size(program)))

    def stake(self, prices: FloatArray) -> float:
        """What all rows and pieces are worth: a share of it is what the solver's tolerances may hide."""
        return float(np.abs(prices * self.size).sum()) + self.worth * len(self.money)

    def weight(self, prices: FloatArray) -> FloatArray:
        """(n,) what each piece's value may matter to the goal and the rows, whose effects must not cancel."""
        price = np.maximum(np.abs(prices), self.worth / self.size)
        return np.asarray(np.abs(self.goal[1]) + price @ abs(self.rows[1]))


def _model(program: Program, pieces: Pieces, scaled: _Scaled, lines):  # type: ignore[no-untyped-def]
    """The cvxpy program with its variables: piece chosen, spend and value in it."""
    import cvxpy as cp

    n, m = len(pieces), len(program.cell)
    delta, s, y = cp.Variable(n, boolean=True), cp.Variable(n, nonneg=True), cp.Variable(n)
    k, side, slope, level = lines
    pick = sparse.csr_matrix((np.ones(len(k)), (np.arange(len(k)), k)), shape=(len(k), n))
    steep, offset = slope * scaled.money[k] / scaled.unit[k], level / scaled.unit[k]
    over = pick @ y - cp.multiply(steep, pick @ s) - cp.multiply(offset, pick @ delta)
    choose = sparse.csr_matrix((np.ones(n), (pieces.cell, np.arange(n))), shape=(m, n))
    inverse = sparse.diags(1.0 / scaled.size)
    lhs = sum(inverse @ part @ x for part, x in zip(scaled.rows, (s, y, delta), strict=True))
    ups, downs = (
        np.flatnonzero(np.isfinite(program.row_upper)),
        np.flatnonzero(np.isfinite(program.row_lower)),
    )
    constraints = [
        choose @ delta == 1,
        s >= cp.multiply(pieces.low / scaled.money, delta),
        s <= cp.multiply(pieces.high / scaled.money, delta),
        cp.multiply(side, over) <= 0,
        lhs[ups] <= (program.row_upper / scaled.size)[ups],
    ]
    if len(downs):
        constraints.append(lhs[downs] >= (program.row_lower / scaled.size)[downs])
    goal = sum((c / scaled.worth) @ x for c, x in zip(scaled.goal, (s, y, delta), strict=True))
    return cp.Problem(cp.Maximize(goal), constraints), (delta, s, y)


def _positive(x: FloatArray) -> FloatArray:
    """x where it is > 0, else the smallest that is."""
    return np.where(x > 0, x, x[x > 0].min(initial=np.inf) if (x > 0).any() else 1.0)


def _dual_bound(model: Any) -> float:
    """HiGHS's bound of a maximisation (cvxpy hands HiGHS the minimisation), nan where there is none."""
    info = getattr(model.solver_stats, "extra_stats", None)
    return -float(getattr(info, "mip_dual_bound", np.nan))


def _coefficients(program: Program, weights: Mapping[str, FloatArray], pieces: Pieces):  # type: ignore[no-untyped-def]
    c = pieces.cell
    y = weights["impressions"] + weights["reached"] + program.hazard * weights["fans"]
    counted = pieces.on & (program.switch | (program.lower > 0))[c]
    return y[c], weights["spend"][c], np.where(counted, weights["active"][c], 0.0)


def _row_coefficients(program, rows, pieces):  # type: ignore[no-untyped-def]
    y = rows["impressions"] + rows["reached"] + rows["fans"] @ sparse.diags(program.hazard)
    counted = (pieces.on & (program.switch | (program.lower > 0))[pieces.cell]).astype(float)
    c = pieces.cell
    return (
        sparse.csr_matrix(y)[:, c],
        sparse.csr_matrix(rows["spend"])[:, c],
        sparse.csr_matrix(rows["active"])[:, c] @ sparse.diags(counted),
    )


def _absolute(parts) -> FloatArray:  # type: ignore[no-untyped-def]
    return np.asarray(sum(np.asarray(abs(p).sum(axis=1)).ravel() for p in parts)) / 2.0


def _limit_size(program: Program) -> FloatArray:
    both = [np.where(np.isfinite(x), np.abs(x), 0.0) for x in (program.row_lower, program.row_upper)]
    return np.maximum(np.maximum(*both), 1e-300)


def _needs_floor(program: Program, scaled: _Scaled):  # type: ignore[no-untyped-def]
    """(n,) pieces whose y some row or the objective would like to be small."""
    a_y, c_y = scaled.rows[1], scaled.goal[1]
    capped = sparse.diags(np.isfinite(program.row_upper).astype(float)) @ a_y
    floored = sparse.diags(np.isfinite(program.row_lower).astype(float)) @ a_y
    hurts = np.asarray((capped > 0).sum(axis=0)).ravel() + np.asarray((floored < 0).sum(axis=0)).ravel()
    return (hurts > 0) | (c_y < 0)


def _lines(program: Program, pieces: Pieces, marks: list[FloatArray], floor):  # type: ignore[no-untyped-def]
    """Supporting lines (piece, side, slope, level): side * (y - slope s - level) <= 0."""
    n = len(pieces)
    curves = program.curves.take(pieces.cell)
    width = pieces.high - pieces.low
    near = np.clip(marks[-1][pieces.cell], pieces.low, pieces.high)
    spread = np.concatenate([-np.geomspace(1.0, 1e-4, LINES), [0.0], np.geomspace(1e-4, 1.0, LINES)])
    chord = (curves.value(pieces.high) - curves.value(pieces.low)) / np.where(width > 0, width, 1.0)
    slopes = [np.where(width > 0, chord, 0.0)]
    for f in spread:
        point = np.where(f < 0, near + f * (near - pieces.low), near + f * (pieces.high - near))
        slopes.append(np.minimum(curves.slope(point), 1e12))
    slopes += [
        np.minimum(curves.slope(np.clip(p[pieces.cell], pieces.low, pieces.high)), 1e12) for p in marks[:-1]
    ]
    slope = np.array(slopes)
    upper = best_single(curves, np.ones((1, n)), slope, pieces.low, pieces.high)
    k = np.tile(np.arange(n), len(slopes))
    parts = [(k, np.ones(len(k)), slope.ravel(), (upper.value + upper.slack).ravel())]
    if floor.any():
        low = best_single(curves, -np.ones((1, n)), -slope, pieces.low, pieces.high)
        at = np.flatnonzero(np.tile(floor, len(slopes)))
        parts.append((k[at], -np.ones(len(at)), slope.ravel()[at], -(low.value + low.slack).ravel()[at]))
    kept = [np.concatenate(x) for x in zip(*parts, strict=True)]
    _, first = np.unique(np.stack([kept[0], kept[1], kept[2]]), axis=1, return_index=True)
    return kept[0][first], kept[1][first], kept[2][first], kept[3][first]
