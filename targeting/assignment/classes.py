"""People with the very same open switches, taken together.

Scores may be coarse (a leaf, a segment mean): then whole crowds stand on the same line, and no set of prices
tells them apart. A class is one variable of the linear program with the size of the crowd as its bound; how
many of the class switch is spread over its members in the order of their ids. Must not import a solver.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.supply.curves import FloatArray
from targeting.assignment.switches import IntArray, Switches, runs

# With fewer switches than this the program is small enough as it is.
CROWD = 5_000


@dataclass(frozen=True)
class Classes:
    """Which switches stand for which.

    Attributes:
        kept: switches of each class's first member, in order.
        size: (n_kept,) members of the class.
        stands: (n_switches,) position in `kept` of the switch that stands for this one.
        rank: (n_switches,) the person's place in the class, from 0.
    """

    kept: IntArray
    size: FloatArray
    stands: IntArray
    rank: IntArray

    @classmethod
    def of(cls, switches: Switches, n_placements: int) -> Classes:
        """The classes, or everybody apart where there are few switches."""
        n = len(switches)
        if n <= CROWD:
            every = np.arange(n)
            return cls(every, np.ones(n), every, np.zeros(n, dtype=np.int64))
        starts, lengths = runs(switches.user)
        person = np.repeat(np.arange(len(starts)), lengths)
        group = alike(_table(switches, person, len(starts), n_placements))
        order = np.argsort(group, kind="stable")
        first, sizes = runs(group[order])
        leader, place = np.empty_like(group), np.empty_like(group)
        leader[order] = np.repeat(order[first], sizes)
        place[order] = np.arange(len(order)) - np.repeat(first, sizes)
        count = np.empty(len(order))
        count[order] = np.repeat(sizes, sizes)
        leads = leader[person] == person
        position = np.cumsum(leads) - 1
        stands = position[starts[leader[person]] + np.arange(n) - starts[person]]
        return cls(np.flatnonzero(leads), count[person[leads]], stands, place[person])

    def spread(
        self, count: FloatArray, switches: Switches, *, tolerance: float
    ) -> tuple[NDArray[np.bool_], IntArray]:
        """Which switches are made, and which people are left undecided.

        Args:
            count: (n_kept,) members that make the switch, not always whole.
            switches: all of them.
            tolerance: what counts as whole.
        """
        whole = np.floor(count + tolerance)
        rest = np.maximum(count - whole, 0.0)
        rest[rest <= tolerance] = 0.0
        user = switches.user[self.kept]
        start, lengths = runs(user)
        before = np.cumsum(whole) - whole
        before -= np.repeat(before[start], lengths)
        settled = np.repeat(np.add.reduceat(whole, start) if len(start) else whole, lengths)
        split = np.repeat(np.ceil(np.add.reduceat(rest, start)) if len(start) else rest, lengths)
        at, rank = self.stands, self.rank
        made = (rank >= before[at]) & (rank < before[at] + whole[at])
        open_ = (rank >= settled[at]) & (rank < settled[at] + split[at])
        return made, np.unique(switches.user[open_])


def _table(switches: Switches, person: IntArray, n_people: int, n_placements: int) -> FloatArray:
    """(n_people, ...) each person's switches side by side: equal rows are people alike."""
    width = 2 + len(switches.use)
    table = np.zeros((n_people, n_placements + 1, width))
    to = switches.to.astype(np.int64)
    table[person, to, 0] = 1.0
    table[person, to, 1] = switches.gain
    table[person, to, 2:] = switches.use.T
    return table.reshape(n_people, -1)


def alike(table: FloatArray) -> IntArray:
    """(n_people,) equal numbers for equal rows.

    Rows are sorted by a sum with fixed odd weights and then compared exactly with the row before, so two
    different rows are never one class; that equal rows with a stranger of the same sum between them become
    two classes does no harm.
    """
    mark = np.zeros(len(table))
    for i in range(table.shape[1]):
        mark += table[:, i] * np.sqrt(2.0 + i)
    order = np.argsort(mark, kind="stable")
    new = np.r_[True, (table[order][1:] != table[order][:-1]).any(axis=1)]
    group = np.empty(len(table), dtype=np.int64)
    group[order] = np.cumsum(new) - 1
    return group
