"""Everybody with every offer, in arrays, and what they would choose at some prices. No solver, no tables."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.supply.curves import FloatArray
from targeting.assignment.effort import EFFORT

Choice = NDArray[np.int16]
IntArray = NDArray[np.int64]
NONE = np.int16(-1)  # the choice of those who are shown nothing


@dataclass(frozen=True)
class Row:
    """One limit: lower <= sum of `use` over the offers made <= upper.

    Attributes:
        name: the limit's name; several rows of an `each` share it and `where` tells them apart.
        use: per placement (n_users,) amounts >= 0, or None where the placement uses nothing of it.
        lower, upper: -inf and inf where nothing is said.
        unit: of the amounts, for messages.
        where: e.g. `live`; empty where the limit stands alone.
    """

    name: str
    use: tuple[FloatArray | None, ...]
    lower: float = -np.inf
    upper: float = np.inf
    unit: str = "CNY"
    where: str = ""

    @property
    def label(self) -> str:
        """Name, and where it holds."""
        return f"{self.name} ({self.where})" if self.where else self.name


@dataclass(frozen=True)
class People:
    """Everybody with every offer that can be made to them.

    Attributes:
        users: (n_users,) ids, sorted, so that the order of the caller's rows cannot matter.
        placements: (n_placements,) where each kind of offer is shown, sorted; a name stands as often as the
            placement has packages.
        worth: (n_placements, n_users); -inf where there is no such offer.
        rows: the limits, the budget (`total`) first.
        packages: (n_placements,) the package of each kind of offer; empty where placements have one each.
    """

    users: pl.Series
    placements: tuple[str, ...]
    worth: FloatArray
    rows: tuple[Row, ...]
    packages: tuple[str, ...] = ()

    def __len__(self) -> int:
        return int(self.worth.shape[1])

    @cached_property
    def lower(self) -> FloatArray:
        """(n_rows,)."""
        return np.array([row.lower for row in self.rows])

    @cached_property
    def upper(self) -> FloatArray:
        """(n_rows,)."""
        return np.array([row.upper for row in self.rows])

    @cached_property
    def worth_scale(self) -> float:
        """Mean size of what an offer is worth: makes programs and tolerances free of the unit of worth."""
        return _mean_size([self.worth])

    @cached_property
    def use_scale(self) -> FloatArray:
        """(n_rows,) mean amount of the offers that use a limit; 1 where none does."""
        return np.array([_mean_size([u for u in row.use if u is not None]) for row in self.rows])

    @cached_property
    def reachable(self) -> float:
        """Worth if nothing were scarce: sum over people of their best offer, at least 0. A yardstick."""
        best = (self.worth[:, at].max(axis=0, initial=0.0) for at in self.chunks())
        return math.fsum(float(most.sum()) for most in best)

    @cached_property
    def least(self) -> float:
        """Less than any assignment is worth: everybody's worst offer, with room for rounding errors."""
        worst = np.where(np.isfinite(self.worth), self.worth, 0.0).min(axis=0, initial=0.0)
        return float(worst.sum()) - 1e-9 * (self.reachable + self.worth_scale)

    def take(self, at: IntArray | slice, *, share: float = 1.0, less: FloatArray | float = 0.0) -> People:
        """The people at `at`, with limits times `share`, `less` what others use of them."""
        lower, upper = self.lower * share - less, self.upper * share - less
        rows = tuple(
            replace(row, use=tuple(None if u is None else u[at] for u in row.use), lower=low, upper=high)
            for row, low, high in zip(self.rows, lower.tolist(), upper.tolist(), strict=True)
        )
        users = self.users[at] if isinstance(at, slice) else self.users.gather(at)
        return replace(self, users=users, worth=self.worth[:, at], rows=rows)

    def chunks(self) -> Iterator[slice]:
        """Slices of `Effort.chunk` people."""
        for start in range(0, len(self), EFFORT.chunk):
            yield slice(start, min(start + EFFORT.chunk, len(self)))

    def left(self, prices: FloatArray, at: slice | IntArray) -> FloatArray:
        """(n_placements, n_at) worth less what an offer uses at these prices."""
        left = self.worth[:, at].copy()
        for price, row in zip(prices.tolist(), self.rows, strict=True):
            for j, use in enumerate(row.use):
                if use is not None and price:
                    left[j] -= use[at] * price
        return left

    def used(self, choice: Choice) -> FloatArray:
        """(n_rows,) what choices take of every limit."""
        used = np.zeros(len(self.rows))
        for at in self.chunks():
            self._add_used(choice[at], at, used)
        return used

    def _add_used(self, picks: Choice, at: slice, used: FloatArray) -> None:
        for j in range(len(self.placements)):
            made = (picks == j).astype(np.float64)
            for c, row in enumerate(self.rows):
                use = row.use[j]
                if use is not None:
                    used[c] += use[at] @ made

    def value(self, choice: Choice) -> float:
        """What choices are worth, summed from the offers themselves."""
        shown = np.flatnonzero(choice >= 0)
        return float(self.worth[choice[shown], shown].sum())

    def broken(self, used: FloatArray) -> FloatArray:
        """(n_rows,) what amounts are over or under their limits, in average offers; 0 where they are kept."""
        over = used - self.upper - EFFORT.slack * np.where(np.isfinite(self.upper), np.abs(self.upper), 0.0)
        under = self.lower - used - EFFORT.slack * np.where(np.isfinite(self.lower), np.abs(self.lower), 0.0)
        return np.asarray(np.maximum(np.maximum(over, under), 0.0) / self.use_scale)


@dataclass(frozen=True)
class Reply:
    """What people choose at some prices.

    Attributes:
        prices: (n_rows,) worth per unit of each limit.
        bound: U(prices), at least the worth of any assignment within the limits.
        surplus: the part of it that people have, without the limits' own.
        choice: (n_users,) number of the placement, -1 for none; ties go to none, then to the first placement.
        used: (n_rows,) amounts the choices take.
    """

    prices: FloatArray
    bound: float
    surplus: float
    choice: Choice
    used: FloatArray


def reply(people: People, prices: FloatArray) -> Reply:
    """U(prices) and the choices behind it, in one pass over the people.

    Args:
        people: offers and limits.
        prices: (n_rows,); made 0 where their sign does not fit the limit (a price below 0 needs a floor).
    """
    prices = np.where(prices > 0, np.where(np.isfinite(people.upper), prices, 0.0), prices)
    prices = np.where(prices < 0, np.where(np.isfinite(people.lower), prices, 0.0), prices)
    choice = np.full(len(people), NONE, dtype=np.int16)
    used, parts = np.zeros(len(people.rows)), []
    for at in people.chunks():
        picks, most = choice[at], np.zeros(at.stop - at.start)
        for j, mine in enumerate(people.left(prices, at)):
            np.putmask(picks, mine > most, j)
            np.maximum(most, mine, out=most)
        parts.append(float(most.sum()))
        people._add_used(picks, at, used)
    surplus = math.fsum(parts)
    ends = np.where(prices > 0, people.upper, np.where(prices < 0, people.lower, 0.0))
    return Reply(prices, surplus + float(prices @ ends), surplus, choice, used)


def certified(bound: float, worth: float, people: People, *, gap_tol: float) -> bool:
    """Whether bound is within `gap_tol` of worth, up to the error of their sums."""
    return bound - worth <= gap_tol * abs(worth) + EFFORT.slack * people.reachable


def _mean_size(arrays: list[FloatArray]) -> float:
    """Mean of the sizes that are finite and not 0, over some of the people, or all if those have none.

    The nearest power of two, so that scaling by it rounds nothing.
    """
    for some in (1_000, 1):
        step = max(max((a.shape[-1] for a in arrays), default=1) // some, 1) if some > 1 else 1
        sizes = np.concatenate([np.abs(a[..., ::step]).ravel() for a in arrays] or [np.zeros(0)])
        sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
        if len(sizes):
            return float(np.exp2(np.round(np.log2(sizes.mean()))))
    return 1.0
