"""Where the optimum can still be: each cell's spend, cut down by what it would cost to be elsewhere.

At prices p the Lagrangian bound is U = sum_c M_c + p . limits. A plan that keeps cell c within an interval I
is worth at
most U - (M_c - max over I of J_c), so an interval whose *regret* M_c - max_I J_c exceeds U - (best value
known) cannot
hold a better plan. With a small gap almost nothing is left: a short stretch around the best answer of most
cells, and a
choice between "nothing" and "past the steep part" for a few. Additive cells only. It must not import cvxpy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.supply.curves import POINTS, FloatArray
from targeting.allocation.solver.pricing import best_single
from targeting.allocation.solver.program import Program

FIRST_PIECES = 24
HALVINGS = 9
MARGIN = 0.15  # of a piece: no cut is closer to its ends


@dataclass(frozen=True)
class Pieces:
    """Intervals [low, high] of single cells' spend; `on` is False for the piece "cell is off" (spend 0,
    inactive).
    """

    cell: NDArray[np.int64]
    low: FloatArray
    high: FloatArray
    on: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.cell)

    def __getitem__(self, keep: NDArray[np.bool_] | NDArray[np.int64]) -> Pieces:
        return Pieces(self.cell[keep], self.low[keep], self.high[keep], self.on[keep])


def stack(parts: list[Pieces]) -> Pieces:
    """All pieces of several lists, in order of cell and spend."""
    joined = [np.concatenate([getattr(p, k) for p in parts]) for k in ("cell", "low", "high", "on")]
    order = np.lexsort((joined[2], joined[1], joined[0]))
    return Pieces(*(x[order] for x in joined))


def first_pieces(program: Program, spend: FloatArray) -> Pieces:
    """Every cell's domain in pieces: even ones, cut at the inflection and at the incumbent; knots of
    tabulated curves.
    """
    m = len(program.cell)
    low = np.where(program.switch, np.minimum(program.floor_on, program.upper), program.lower)
    marks = low[:, None] + (program.upper - low)[:, None] * np.linspace(0.0, 1.0, FIRST_PIECES + 1)
    extra = np.stack([program.curves.inflection_cny, spend], axis=1)
    marks = np.concatenate([marks, np.clip(extra, low[:, None], program.upper[:, None])], axis=1)
    at = np.flatnonzero(program.curves.family == POINTS)
    if len(at):
        knots = program.curves.points.x * program.curves.scale_cny[at][:, None]
        wide = np.repeat(low[:, None], knots.shape[1], axis=1)
        wide[at] = np.clip(knots, low[at][:, None], program.upper[at][:, None])
        marks = np.concatenate([marks, wide], axis=1)
    marks = np.sort(marks, axis=1)
    a, b = marks[:, :-1], marks[:, 1:]
    keep = (b > a) | ((np.arange(a.shape[1]) == 0) & (program.upper <= low)[:, None])
    keep &= ~(program.switch & (program.floor_on > program.upper))[:, None]
    cell = np.repeat(np.arange(m), a.shape[1]).reshape(a.shape)[keep]
    on = Pieces(cell, a[keep], b[keep], np.ones(len(cell), dtype=bool))
    off = np.flatnonzero(program.switch)
    zero = np.zeros(len(off))
    return stack([on, Pieces(off, zero, zero, np.zeros(len(off), dtype=bool))])


def piece_best(program: Program, weights: Mapping[str, FloatArray], pieces: Pieces) -> FloatArray:
    """Upper bound of each piece's price-adjusted value: exact maximum + rounding slack."""
    alpha, beta = _line(program, weights)
    c = pieces.cell
    top = best_single(program.curves.take(c), alpha[c], beta[c], pieces.low, pieces.high)
    counted = pieces.on & (program.switch | (program.lower > 0))[c]
    return top.value + top.slack + np.where(counted, weights["active"][c], 0.0)


def reduce(
    program: Program,
    weights: Mapping[str, FloatArray],
    pieces: Pieces,
    gap: float,
    *,
    halvings: int = HALVINGS,
) -> Pieces:
    """Drop the pieces whose regret exceeds `gap`, halving the others so that more can go."""
    for turn in range(halvings + 1):
        best = piece_best(program, weights, pieces)
        most = np.full(len(program.cell), -np.inf)
        np.maximum.at(most, pieces.cell, best)
        pieces = pieces[best >= most[pieces.cell] - gap]
        if turn == halvings:
            break
        again = pieces.on & (pieces.high - pieces.low > 1e-9 * (1e-300 + pieces.high))
        again &= program.curves.family[pieces.cell] != POINTS
        wide = pieces[again]
        middle = 0.5 * (wide.low + wide.high)
        left = Pieces(wide.cell, wide.low, middle, wide.on)
        right = Pieces(wide.cell, middle, wide.high, wide.on)
        pieces = stack([pieces[~again], left, right])
    return pieces


def merge(pieces: Pieces) -> Pieces:
    """Join neighbouring pieces of a cell: few pieces make a quick program, `split` cuts where that was too
    coarse.
    """
    touch = np.zeros(len(pieces), dtype=bool)
    touch[1:] = (pieces.cell[1:] == pieces.cell[:-1]) & pieces.on[1:] & pieces.on[:-1]
    touch[1:] &= pieces.low[1:] <= pieces.high[:-1]
    first = np.flatnonzero(~touch)
    last = np.r_[first[1:], len(pieces)] - 1
    return Pieces(pieces.cell[first], pieces.low[first], pieces.high[last], pieces.on[first])


def split(program: Program, pieces: Pieces, chosen: NDArray[np.int64], spend: FloatArray) -> Pieces:
    """Cut the `chosen` pieces at `spend` (one number per chosen piece) but not close to their ends, where
    little would be won; tabulated curves at the knot next to that.
    """
    low, high = pieces.low[chosen], pieces.high[chosen]
    margin = MARGIN * (high - low)
    at = _next_knot(program, pieces[chosen], np.clip(spend, low + margin, high - margin))
    rest = np.ones(len(pieces), dtype=bool)
    rest[chosen] = False
    cell, on = pieces.cell[chosen], pieces.on[chosen]
    return stack([pieces[rest], Pieces(cell, low, at, on), Pieces(cell, at, high, on)])


def _next_knot(program: Program, pieces: Pieces, spend: FloatArray) -> FloatArray:
    """(n,) the knot within each piece of a tabulated curve that is next to `spend`, else `spend`."""
    rank = np.cumsum(program.curves.family == POINTS) - 1
    out = spend.copy()
    for i in np.flatnonzero(program.curves.family[pieces.cell] == POINTS):
        cell = pieces.cell[i]
        knots = program.curves.points.x[rank[cell]] * program.curves.scale_cny[cell]
        inside = knots[(knots > pieces.low[i]) & (knots < pieces.high[i])]
        if len(inside):
            out[i] = inside[np.argmin(np.abs(inside - spend[i]))]
    return out


def _line(program: Program, weights: Mapping[str, FloatArray]) -> tuple[FloatArray, FloatArray]:
    alpha = weights["impressions"] + weights["reached"] + program.hazard * weights["fans"]
    return alpha, -weights["spend"]
