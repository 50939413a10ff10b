"""How much a block can earn at most from several sets of curves at once: central ones and draws of a tail.

Each piece gives its gradient at a point away as a price of spend, after which its own maximum is near that
point, too; `certificate.ceiling` bounds it whatever its shape, and what was given away is linear. The excess
of that sum shrinks with the square of the box, so boxes that could still hold more than the plan are cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from models.supply.curves import FloatArray
from targeting.allocation.settings import SETTINGS
from targeting.allocation.solver.arrays import BASIC, Program
from targeting.allocation.solver.blocks import block_value, jet
from targeting.allocation.solver.certificate import ceiling
from targeting.allocation.solver.deadline import Deadline

Piece = tuple[Program, Mapping[str, FloatArray]]  # a draw's curves and what its metrics are worth


@dataclass(frozen=True)
class _Boxes:
    """Parts of blocks: number of the block (n,), what its cells may spend (n, width), who may be off, and by
    how much the box that each was cut from is above what is looked for (n,): how exactly to look.
    """

    block: NDArray[np.int64]
    low: FloatArray
    high: FloatArray
    switch: NDArray[np.bool_]
    excess: FloatArray

    def take(self, keep: NDArray[np.bool_]) -> _Boxes:
        return _Boxes(*(getattr(self, f.name)[keep] for f in fields(self)))

    def cut(self, best: FloatArray, width: FloatArray) -> _Boxes:
        """Every box in two, where its relatively widest cell (of `width`) is nearest to `best` (n, width)."""
        n = np.arange(len(self.block))
        cell = ((self.high - self.low) / np.maximum(width, 1e-300)).argmax(axis=1)
        low, high, at = self.low[n, cell], self.high[n, cell], best[n, cell]
        far = np.where(high - at > at - low, high, low)
        middle = np.where((at > low) & (at < high), at + SETTINGS.tail_cut * (far - at), 0.5 * (low + high))
        below, above = self.high.copy(), self.low.copy()
        below[n, cell] = above[n, cell] = middle
        return _Boxes(
            np.tile(self.block, 2), np.vstack([self.low, above]), np.vstack([below, self.high]),
            np.vstack([self.switch, self.switch & (above <= 0)]), np.tile(self.excess, 2),
        )  # fmt: skip


def most_of(pieces: Sequence[Piece], spend: FloatArray, tolerance: float, deadline: Deadline) -> FloatArray:
    """(n_blocks,) bound of the sum of the pieces' price-adjusted values.

    Args:
        pieces: the same blocks and limits, each with its curves and weights.
        spend: (m,) the plan.
        tolerance: what the bounds may be too high by, together.
        deadline: of cutting boxes.
    """
    program = pieces[0][0]
    n, grid, each = program.n_blocks, program.grid, tolerance / program.n_blocks
    best = grid(spend)
    goal = np.asarray(sum(block_value(p, w, spend) for p, w in pieces)) + each
    boxes = _Boxes(
        np.arange(n), grid(program.lower), grid(program.upper), grid(program.switch), 0.01 * np.abs(goal)
    )
    bound = np.full(n, -np.inf)
    for level in range(SETTINGS.tail_cuts):
        top = _most_in(
            pieces, boxes, best, np.maximum(each, 0.1 * boxes.excess) / (2 * len(pieces)), deadline
        )
        more = top > goal[boxes.block]
        last = level == SETTINGS.tail_cuts - 1 or deadline.over
        if last or more.sum() > SETTINGS.tail_boxes * n:
            more[:] = False
        np.maximum.at(bound, boxes.block[~more], top[~more])
        if not more.any():
            break
        left = boxes.take(more)
        left.excess[:] = (top - goal[boxes.block])[more]
        boxes = left.cut(best[left.block], grid(program.upper)[left.block])
    return bound


def _most_in(
    pieces: Sequence[Piece], boxes: _Boxes, best: FloatArray, tolerance: FloatArray, deadline: Deadline
) -> FloatArray:
    """(n,) bound of every box: pieces less their gradients at the plan's nearest point, then these."""
    k, block = best.shape[1], boxes.block
    at = (block[:, None] * k + np.arange(k)).ravel()
    low, high, switch = boxes.low.ravel(), boxes.high.ravel(), boxes.switch.ravel()
    spend = np.clip(best[block].ravel(), np.where(switch, 0.0, low), high)
    top, rest = np.zeros(len(block)), np.zeros(len(at))
    for program, weights in pieces:
        part = replace(
            program, cell=program.cell[at], curves=program.curves.take(at), hazard=program.hazard[at],
            users=program.users[block], lower=low, upper=high, switch=switch,
            floor_on=np.minimum(program.floor_on[at], high),
        )  # fmt: skip
        worth = {name: weights[name][at] for name in BASIC}
        given = jet(part, worth, spend).gradient.ravel()
        given = np.where(np.isfinite(given), given, 0.0)
        worth["spend"] = worth["spend"] - given
        found = ceiling(part, worth, spend, tolerance, deadline)
        top += found.bound + 1e-15 * np.abs(found.bound)
        rest += given
    bottom = np.where(switch, 0.0, low)
    return np.asarray(top + part.grid(np.maximum(rest * bottom, rest * high)).sum(axis=1))
