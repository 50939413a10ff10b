"""Why nobody can be chosen as the limits ask: the limits that contradict each other, by name.

Prices prove it (Farkas): with every offer worth nothing, U(lambda) < 0 says that no choice keeps the limits,
because choosing is then worth 0 and U is at least that. A limit whose price may be set to 0 with the proof
still standing has no part in it. Must not import a solver.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import TypeVar

import numpy as np

from models.errors import InfeasibleError
from models.supply.curves import FloatArray
from targeting.assignment.crowd import People
from targeting.assignment.everybody import Each, Everybody, reply

T = TypeVar("T")


def contradiction(everybody: Everybody, prices: FloatArray) -> InfeasibleError:
    """The error for prices at which U is below anything that an assignment can be worth."""
    plain = Everybody.over(everybody.rows, partial(_worthless, everybody.each))
    prices = prices.copy()
    for c in range(len(prices)):
        without = prices.copy()
        without[c] = 0.0
        if reply(plain, without).bound < 0:
            prices = without
    rows = [everybody.rows[i] for i in np.flatnonzero(prices)]
    names = tuple(dict.fromkeys(row.name for row in rows))
    if len(rows) == 1:
        row = rows[0]
        most = math.fsum(everybody.each(partial(_reach, place=everybody.rows.index(row))))
        return InfeasibleError(
            f"assign: limit '{row.label}' asks for at least {row.lower:g} {row.unit}, and all offers that "
            f"fit the other limits reach {most:g} together; lower it, or offer more",
            conflict=names,
            relaxation={row.name: row.lower - most},
        )
    listed = ", ".join(f"'{row.label}' ({_said(row.lower, row.upper, row.unit)})" for row in rows)
    return InfeasibleError(
        f"assign: limits {listed} cannot hold together, whoever is chosen; relax one of them", conflict=names
    )


def _worthless(each: Each, question: Callable[[People, int], T]) -> Iterable[T]:
    """Asks everybody as if every offer were worth nothing."""
    return each(partial(_asked, question=question))


def _asked(people: People, number: int, *, question: Callable[[People, int], T]) -> T:
    worthless = replace(people, worth=np.where(np.isfinite(people.worth), 0.0, -np.inf))
    return question(worthless, number)


def _reach(people: People, number: int, *, place: int) -> float:
    """Most that a limit can use, everybody taking the offer that uses most of it."""
    most = np.zeros(len(people))
    for use, worth in zip(people.rows[place].use, people.worth, strict=True):
        if use is not None:
            most = np.maximum(most, np.where(np.isfinite(worth), use, 0.0))
    return float(most.sum())


def _said(lower: float, upper: float, unit: str) -> str:
    ends = [f">= {lower:g}"] if np.isfinite(lower) else []
    ends += [f"<= {upper:g}"] if np.isfinite(upper) else []
    return f"{' and '.join(ends)} {unit}"
