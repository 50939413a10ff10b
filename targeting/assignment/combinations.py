"""All combinations of what a few people may choose, as far as they can still matter. No solver."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from models.supply.curves import FloatArray
from targeting.assignment.classes import alike
from targeting.assignment.switches import IntArray

COMBINATIONS = 20_000  # of half a group
CROWDED = 500  # from here on equal combinations are sought
PARTNERS = 16  # in the other half, for each combination of the one
# A search tree wastes its branches in many dimensions: with nine limits partners up to twice as far are two
# to seven times as fast to find and lead to no wider gap.
MANY_LIMITS, ROUGHLY = 4, 1.0


@dataclass(frozen=True)
class Options:
    """What several people may choose, against what they choose now.

    Attributes:
        gain: (n_options, n_people) worth added.
        change: (n_rows, n_options, n_people) amounts added to the limits.
        loss: (n_options, n_people) >= 0, what is lost against the best at the prices; inf: no such option.
    """

    gain: FloatArray
    change: FloatArray
    loss: FloatArray

    def after(self, first: int) -> Options:
        """Without the first people."""
        return Options(self.gain[:, first:], self.change[:, :, first:], self.loss[:, first:])


@dataclass(frozen=True)
class Combinations:
    """Choices of several people together.

    Attributes:
        gain, lost: (n,) worth added, and lost at the prices.
        change: (n_rows, n) amounts added.
        steps: per person (parent, pick): the combination before this person's pick, and the pick.
    """

    gain: FloatArray
    lost: FloatArray
    change: FloatArray
    steps: tuple[tuple[IntArray, IntArray], ...]

    def picks(self, at: int) -> IntArray:
        """(n_people,) the picks of one combination."""
        found = []
        for parent, pick in reversed(self.steps):
            found.append(pick[at])
            at = int(parent[at])
        return np.array(found[::-1], dtype=np.int64)


def combine(options: Options, *, spare: float) -> Combinations:
    """All combinations of the first people's options that together lose at most `spare`.

    It ends before the person with whom there would be more than `COMBINATIONS`.
    """
    total, moved, lost = np.zeros(1), np.zeros((len(options.change), 1)), np.zeros(1)
    steps: list[tuple[IntArray, IntArray]] = []
    for i in range(options.gain.shape[1]):
        there = np.flatnonzero(np.isfinite(options.loss[:, i]))
        fits = lost[:, None] + options.loss[there, i] <= spare
        if int(fits.sum()) > COMBINATIONS or not fits.any():
            break
        parent, which = np.nonzero(fits)
        pick = there[which]
        total = total[parent] + options.gain[pick, i]
        moved = moved[:, parent] + options.change[:, pick, i]
        lost = lost[parent] + options.loss[pick, i]
        if len(lost) > CROWDED:  # equal ones, which coarse numbers make in plenty, are one
            kept = np.unique(alike(np.column_stack([total, lost, moved.T])), return_index=True)[1]
            total, moved, lost = total[kept], moved[:, kept], lost[kept]
            parent, pick = parent[kept], pick[kept]
        steps.append((parent, pick))
    return Combinations(total, lost, moved, tuple(steps))


def pairs(
    first: Combinations, second: Combinations, *, prices: FloatArray, room: FloatArray
) -> tuple[IntArray, IntArray]:
    """Which combinations of one half go with which of the other, as two lists of positions.

    All pairs would be too many. At the prices, the distance to the bound of a pair that keeps the limits is
    the sum of its losses and of what it leaves unused, which is an L1 distance between the two halves; the
    nearest partners of each come from a k-d tree.

    Args:
        first, second: the halves.
        prices: (n_rows,) of the limits.
        room: (n_rows,) what is left of every limit with a price before either half changes anything.
    """
    n = len(first.gain)
    if not second.steps:
        return np.arange(n), np.zeros(n, dtype=np.int64)
    priced = np.flatnonzero(prices)
    weight = np.abs(prices[priced])[:, None]
    wanted = np.vstack([weight * (room[priced, None] - first.change[priced]), np.zeros((1, n))]).T
    there = np.vstack([weight * second.change[priced], second.lost[None, :]]).T
    roughly = ROUGHLY if priced.size > MANY_LIMITS else 0.0
    found = cKDTree(there).query(wanted, k=min(PARTNERS, len(there)), p=1, eps=roughly)
    partners = found[1].reshape(n, -1)
    return np.repeat(np.arange(n), partners.shape[1]), partners.ravel()
