"""Switches: the few changes of a choice that are still open, and the small programs over them.

Near the right prices almost everybody's choice is clear. What is not clear is written as switches of one
person from the present choice to another, each with the worth and the amounts it adds; a linear program over
them moves the prices (`boxstep`), a whole-number one makes the last choices (`rounding`). Must not import a
solver.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.supply.curves import FloatArray
from targeting.assignment.problem import Choice, People, as_picks, with_none

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Switches:
    """Open changes of choices.

    Attributes:
        user: (n_switches,) whose.
        to: (n_switches,) placement number, -1 for none.
        gain: (n_switches,) worth added.
        use: (n_rows, n_switches) amounts added to every limit.
        ease: (n_switches,) how near: 0 is a tie, 1 the edge of what was asked for.
    """

    user: IntArray
    to: Choice
    gain: FloatArray
    use: FloatArray
    ease: FloatArray

    def __len__(self) -> int:
        return len(self.user)

    def take(self, at: NDArray[np.bool_] | IntArray) -> Switches:
        """Some of them."""
        return Switches(self.user[at], self.to[at], self.gain[at], self.use[:, at], self.ease[at])


def runs(values: IntArray) -> tuple[IntArray, IntArray]:
    """(start, length) of each run of equal neighbours."""
    new = np.r_[True, values[1:] != values[:-1]][: len(values)]
    start = np.flatnonzero(new)
    return start, np.diff(np.r_[start, len(values)])


def all_switches(people: People, choice: Choice, at: IntArray) -> Switches:
    """Every other offer of the people at `at`, and none."""
    use = people.uses(at)
    worth = with_none(people.worth[:, at])
    now = as_picks(choice[at], len(worth))
    here = np.arange(len(at))
    open_ = np.isfinite(worth)
    open_[now, here] = False
    return _switches(worth, use, now, open_, at, np.zeros_like(worth))


def near_switches(people: People, prices: FloatArray, choice: Choice, reach: FloatArray) -> Switches:
    """Switches that some prices within `reach` (n_rows,) of `prices` would make.

    The person's lead over the other offer is at most sum_c reach_c |A^c_now - A^c_other|.
    """
    parts = []
    for chunk in people.chunks():
        left = with_none(people.left_over(prices, chunk))
        here = np.arange(left.shape[1])
        now = as_picks(choice[chunk], len(left))
        lead = left[now, here] - left
        widest = _widest(people, chunk, reach)
        maybe = np.flatnonzero(((lead <= widest) & (np.arange(len(left))[:, None] != now)).any(axis=0))
        if not len(maybe):
            continue
        at = maybe + chunk.start
        use, now, lead = people.uses(at), now[maybe], lead[:, maybe]
        change = np.abs(use - use[:, now, np.arange(len(at))][:, None, :])
        sway = np.einsum("c,cju->ju", reach, change)
        open_ = (lead <= sway) & (sway > 0)
        ease = np.divide(np.maximum(lead, 0.0), sway, out=np.zeros_like(sway), where=open_)
        worth = with_none(people.worth[:, at])
        parts.append(_switches(worth, use, now, open_, at, ease))
    return _joined(parts, len(people.rows))


def _widest(people: People, chunk: slice, reach: FloatArray) -> FloatArray:
    """(n_at,) at least what prices within reach can do to a person: a cheap sieve before the exact look."""
    most = np.zeros(chunk.stop - chunk.start)
    for c, row in enumerate(people.rows):
        for use in row.use:
            if use is not None and reach[c] > 0:
                most += reach[c] * use[chunk]
    return most


def _switches(
    worth: FloatArray,
    use: FloatArray,
    now: IntArray,
    open_: NDArray[np.bool_],
    at: IntArray,
    ease: FloatArray,
) -> Switches:
    """The open cells of (n_placements + 1, n_at) tables as a list, ordered by person."""
    who, to = np.nonzero(open_.T)
    return Switches(
        user=at[who],
        to=np.where(to == len(worth) - 1, -1, to).astype(np.int16),
        gain=worth[to, who] - worth[now[who], who],
        use=use[:, to, who] - use[:, now[who], who],
        ease=ease[to, who],
    )


def _joined(parts: list[Switches], n_rows: int) -> Switches:
    if not parts:
        nothing = np.zeros(0)
        return Switches(
            nothing.astype(np.int64), nothing.astype(np.int16), nothing, np.zeros((n_rows, 0)), nothing
        )
    return Switches(
        np.concatenate([p.user for p in parts]),
        np.concatenate([p.to for p in parts]),
        np.concatenate([p.gain for p in parts]),
        np.concatenate([p.use for p in parts], axis=1),
        np.concatenate([p.ease for p in parts]),
    )
