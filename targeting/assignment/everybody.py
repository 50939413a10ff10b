"""Everybody, in one part or in many: each question to them is asked part by part and the answers are added.

The algorithm knows people through this class alone. Where the parts are (one table in memory, files on a
disk, partitions of a cluster) is in `each`, which asks a question of every part and brings back the answers;
a question is a function of a part and its number that can travel, and an answer is a few sums, a sample, or
the people next to a tie. No solver, no tables, no disk.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Protocol, TypeVar

import numpy as np

from models.supply.curves import FloatArray
from targeting.assignment.crowd import NONE, Choice, IntArray, People, Row, most_left, scales, together
from targeting.assignment.effort import EFFORT

T = TypeVar("T")


class Each(Protocol):
    """Asks every part a question; answers in the order of the parts."""

    def __call__(self, question: Callable[[People, int], T]) -> Iterable[T]:
        """The answers."""


@dataclass(frozen=True)
class Everybody:
    """All people under the limits.

    Attributes:
        rows: the limits, the budget first; without amounts, these are in the parts.
        each: asks every part.
        size: people.
        worth_scale, use_scale: as of `People`, of all parts.
        reachable: worth if nothing were scarce: sum over people of their best offer, at least 0. A yardstick.
        least: less than any assignment is worth: everybody's worst offer, with room for rounding errors.
    """

    rows: tuple[Row, ...]
    each: Each
    size: int
    worth_scale: float
    use_scale: FloatArray
    reachable: float
    least: float

    @classmethod
    def of(cls, people: People) -> Everybody:
        """Everybody in one part."""
        return cls.over(people.rows, lambda question: [question(people, 0)])

    @classmethod
    def over(cls, rows: Iterable[Row], each: Each) -> Everybody:
        """Everybody in the parts that `each` asks."""
        counted, best, worst, sizes = zip(*each(_survey), strict=True)
        scale = scales(np.sum(sizes, axis=0))
        reachable = math.fsum(best)
        return cls(
            rows=tuple(replace(row, use=()) for row in rows),
            each=each,
            size=sum(counted),
            worth_scale=float(scale[0]),
            use_scale=scale[1:],
            reachable=reachable,
            least=math.fsum(worst) - 1e-9 * (reachable + float(scale[0])),
        )

    @cached_property
    def lower(self) -> FloatArray:
        """(n_rows,)."""
        return np.array([row.lower for row in self.rows])

    @cached_property
    def upper(self) -> FloatArray:
        """(n_rows,)."""
        return np.array([row.upper for row in self.rows])

    def sample(self, step: int) -> Everybody:
        """Every `step`-th person of each part, with their share of the limits, in memory."""
        people = together(list(self.each(partial(_every, step=step))))
        return Everybody.of(people.limited(share=len(people) / self.size))


@dataclass(frozen=True)
class Reply:
    """What everybody chooses at some prices.

    Attributes:
        prices: (n_rows,) worth per unit of each limit.
        bound: U(prices), at least the worth of any assignment within the limits.
        surplus: the part of it that people have, without the limits' own.
        used: (n_rows,) amounts the choices take.
    """

    prices: FloatArray
    bound: float
    surplus: float
    used: FloatArray


def reply(everybody: Everybody, prices: FloatArray) -> Reply:
    """U(prices), in one pass over the people.

    Args:
        everybody: offers and limits.
        prices: (n_rows,); made 0 where their sign does not fit the limit (a price below 0 needs a floor).
    """
    prices = np.where(prices > 0, np.where(np.isfinite(everybody.upper), prices, 0.0), prices)
    prices = np.where(prices < 0, np.where(np.isfinite(everybody.lower), prices, 0.0), prices)
    surpluses, used = zip(*everybody.each(partial(_answer, prices=prices)), strict=True)
    surplus = math.fsum(surpluses)
    ends = np.where(prices > 0, everybody.upper, np.where(prices < 0, everybody.lower, 0.0))
    return Reply(prices, surplus + float(prices @ ends), surplus, np.sum(used, axis=0))


@dataclass(frozen=True)
class Near:
    """Those whose choice is open in a box of prices; everybody else chooses the same all over it.

    Attributes:
        people: those whose choice is open, by id, with what the others leave them of the limits.
        part, at: (n,) the part each is in, and the place there.
        worth: of what everybody else chooses.
    """

    people: People
    part: IntArray
    at: IntArray
    worth: float


def within(everybody: Everybody, low: FloatArray, high: FloatArray) -> Near:
    """Those whose choice is open for prices between low and high, in one pass.

    What an offer uses costs least at one end of the box and most at the other. Who has one offer that is
    worth more at its least than any other at its most is decided.
    """
    return _near(everybody.each(partial(_open, low=low, high=high)))


def all_of(everybody: Everybody) -> Near:
    """Everybody, as if no choice were decided."""
    return _near(everybody.each(_undecided))


def broken(of: Everybody | People, used: FloatArray) -> FloatArray:
    """(n_rows,) what amounts are over or under their limits, in average offers; 0 where they are kept."""
    n = of.size if isinstance(of, Everybody) else len(of)
    gross = np.where([row.signed for row in of.rows], n * of.use_scale, 0.0)
    over, under = (
        EFFORT.slack * (np.where(np.isfinite(end), np.abs(end), 0.0) + gross) for end in (of.upper, of.lower)
    )
    beyond = np.maximum(used - of.upper - over, of.lower - used - under)
    return np.asarray(np.maximum(beyond, 0.0) / of.use_scale)


def certified(bound: float, worth: float, everybody: Everybody, *, gap_tol: float) -> bool:
    """Whether bound is within `gap_tol` of worth, up to the error of their sums."""
    return bound - worth <= gap_tol * abs(worth) + EFFORT.slack * everybody.reachable


@dataclass(frozen=True)
class _Opened:
    """Of one part: who is undecided and where, and what the others choose."""

    people: People
    at: IntArray
    worth: float
    used: FloatArray


def _near(opened: Iterable[_Opened]) -> Near:
    parts = list(opened)
    others = np.sum([part.used for part in parts], axis=0)
    people = together([part.people for part in parts]).limited(less=others)
    number = np.repeat(np.arange(len(parts)), [len(part.at) for part in parts])
    at = np.concatenate([part.at for part in parts])
    if len(parts) > 1:  # how people are divided into parts must not decide who of equals comes first
        order = people.users.arg_sort().to_numpy().astype(np.int64)
        people, number, at = people.take(order), number[order], at[order]
    return Near(people, number, at, math.fsum(part.worth for part in parts))


def _survey(people: People, number: int) -> tuple[int, float, float, FloatArray]:
    best, worst = [0.0], [0.0]
    for at in people.chunks():
        part = people.worth[:, at]
        best.append(float(part.max(axis=0, initial=0.0).sum()))
        if part.min(initial=0.0) < 0:  # most tables have no harmful offer, and a mask costs a pass
            worst.append(float(np.where(np.isfinite(part), part, 0.0).min(axis=0, initial=0.0).sum()))
    return len(people), math.fsum(best), math.fsum(worst), people.sizes


def _every(people: People, number: int, *, step: int) -> People:
    return people.take(slice(0, len(people), step))


def _answer(people: People, number: int, *, prices: FloatArray) -> tuple[float, FloatArray]:
    answer = people.answer(prices)
    return answer.surplus, answer.used


def _undecided(people: People, number: int) -> _Opened:
    return _Opened(people, np.arange(len(people)), 0.0, np.zeros(len(people.rows)))


def _open(people: People, number: int, *, low: FloatArray, high: FloatArray) -> _Opened:
    choice: Choice = np.full(len(people), NONE, dtype=np.int16)
    open_: list[IntArray] = [np.zeros(0, dtype=np.int64)]
    for at in people.chunks():
        picks, top = most_left(people.left(high, at, low), at.stop - at.start)
        rivals = np.zeros(len(top), dtype=np.int16)
        for j, mine in enumerate(people.left(low, at, high)):
            rivals += (mine > top) & (picks != j)
        choice[at] = picks
        open_.append(np.flatnonzero(rivals) + at.start)
    undecided = np.concatenate(open_)
    choice[undecided] = NONE
    return _Opened(people.take(undecided), undecided, people.value(choice), people.used(choice))
