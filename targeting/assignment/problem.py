"""What is chosen, in arrays: people x placements, what each offer is worth, what it takes of every limit.

    max sum_uj w_uj x_uj   s.t.  l_c <= sum_uj A^c_uj x_uj <= b_c,  sum_j x_uj <= 1,  x >= 0

Its dual has one price per limit, lambda_c, and separates by person (multiple-choice knapsack; Sinha &
Zoltners 1979): for ANY prices of the right sign

    U(lambda) = sum_u max(0, max_j (w_uj - sum_c lambda_c A^c_uj)) + sum_c (lambda_c^+ b_c - lambda_c^- l_c)

is at least the worth of every assignment that keeps the limits. It is convex and piecewise linear, and one
pass over the people gives U, the choice behind it and what that choice uses. Must not import a solver.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.supply.curves import FloatArray

Choice = NDArray[np.int16]
NONE = np.int16(-1)  # the choice of those who are shown nothing
# People looked at together: the arrays of a pass stay in the processor's cache, and memory does not grow.
CHUNK = 1 << 15


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
        return self.worth.shape[1]

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
        there = self.worth[np.isfinite(self.worth) & (self.worth != 0)]
        return float(np.abs(there).mean()) if len(there) else 1.0

    @cached_property
    def use_scale(self) -> FloatArray:
        """(n_rows,) mean amount of the offers that use a limit; 1 where none does."""
        scales = []
        for row in self.rows:
            sums = [(float(u.sum()), int(np.count_nonzero(u))) for u in row.use if u is not None]
            count = sum(n for _, n in sums)
            scales.append(sum(s for s, _ in sums) / count if count else 1.0)
        return np.array(scales)

    @cached_property
    def reachable(self) -> float:
        """Worth if nothing were scarce: sum over people of their best offer, at least 0. A yardstick."""
        return float(np.maximum(self.worth.max(axis=0, initial=0.0), 0.0).sum())

    @cached_property
    def least(self) -> float:
        """Less than any assignment is worth: everybody's worst offer, with room for rounding errors."""
        worst = np.where(np.isfinite(self.worth), self.worth, 0.0).min(axis=0, initial=0.0)
        return float(worst.sum()) - 1e-9 * (self.reachable + self.worth_scale)

    def take(self, at: NDArray[np.int64] | slice, *, share: float = 1.0) -> People:
        """The people at `at`, with limits times `share`."""
        rows = tuple(
            Row(
                row.name, tuple(None if u is None else u[at] for u in row.use), row.lower * share,
                row.upper * share, row.unit, row.where,
            )
            for row in self.rows
        )  # fmt: skip
        users = self.users[at] if isinstance(at, slice) else self.users.gather(at)
        return replace(self, users=users, worth=self.worth[:, at], rows=rows)

    def only(self, row: int) -> People:
        """The same people with one limit."""
        return replace(self, rows=(self.rows[row],))

    def uses(self, at: slice | NDArray[np.int64]) -> FloatArray:
        """(n_rows, n_placements + 1, n_at) amounts; the last placement is none, which uses nothing."""
        n = len(range(*at.indices(len(self)))) if isinstance(at, slice) else len(at)
        out = np.zeros((len(self.rows), len(self.placements) + 1, n))
        for c, row in enumerate(self.rows):
            for j, use in enumerate(row.use):
                if use is not None:
                    out[c, j] = use[at]
        return out

    def chunks(self) -> Iterator[slice]:
        """Slices of `CHUNK` people."""
        for start in range(0, len(self), CHUNK):
            yield slice(start, min(start + CHUNK, len(self)))

    def left_over(self, prices: FloatArray, at: slice | NDArray[np.int64]) -> FloatArray:
        """(n_placements, n_at) worth less what an offer uses at these prices."""
        left = self.worth[:, at].copy()
        for price, row in zip(prices, self.rows, strict=True):
            if price == 0:
                continue
            for j, use in enumerate(row.use):
                if use is not None:
                    left[j] -= price * use[at]
        return left


@dataclass(frozen=True)
class Reply:
    """What people choose at some prices.

    Attributes:
        prices: (n_rows,) worth per unit of each limit.
        bound: U(prices), at least the worth of any assignment within the limits.
        choice: (n_users,) number of the placement, -1 for none; ties go to none, then to the first placement.
        used: (n_rows,) amounts the choices take.
    """

    prices: FloatArray
    bound: float
    choice: Choice
    used: FloatArray


def with_none(table: FloatArray) -> FloatArray:
    """(n_placements + 1, n_at) worths, the last row for none, which is worth nothing."""
    return np.vstack([table, np.zeros(table.shape[1])])


def as_picks(choice: Choice, n_picks: int) -> NDArray[np.int64]:
    """Choices as rows of such a table: -1, none, is the last of `n_picks`."""
    return choice.astype(np.int64) % n_picks


def reply(people: People, prices: FloatArray) -> Reply:
    """U(prices) and the choices behind it, in one pass over the people.

    Args:
        people: offers and limits.
        prices: (n_rows,); made 0 where their sign does not fit the limit (a price below 0 needs a floor).
    """
    prices = fitting(people, prices)
    choice = np.full(len(people), NONE, dtype=np.int16)
    surplus, parts = [], []
    for at in people.chunks():
        left = people.left_over(prices, at)
        best = left.argmax(axis=0)
        most = left[best, np.arange(left.shape[1])]
        shown = most > 0
        choice[at][shown] = best[shown]
        surplus.append(float(most[shown].sum()))
        parts.append(_used(people, choice, at))
    used: FloatArray = np.sum(parts, axis=0)
    return Reply(prices, float(np.sum(surplus)) + float(support(people, prices).sum()), choice, used)


def fitting(people: People, prices: FloatArray) -> FloatArray:
    """Prices with the sign that their limit can have: >= 0 without a floor, <= 0 without a cap."""
    prices = np.where((prices < 0) & ~np.isfinite(people.lower), 0.0, prices)
    return np.where((prices > 0) & ~np.isfinite(people.upper), 0.0, prices)


def priced_end(people: People, prices: FloatArray) -> FloatArray:
    """(n_rows,) the end of each limit that its price belongs to: the cap or the floor; 0 without a price."""
    return np.where(prices > 0, people.upper, np.where(prices < 0, people.lower, 0.0))


def support(people: People, prices: FloatArray) -> FloatArray:
    """(n_rows,) lambda^+ b - lambda^- l: what the limits themselves are worth at these prices."""
    return prices * priced_end(people, prices)


def totals(people: People, choice: Choice) -> tuple[float, FloatArray]:
    """Worth of an assignment and (n_rows,) what it uses, summed from the offers themselves."""
    worth = 0.0
    used = np.zeros(len(people.rows))
    for at in people.chunks():
        chosen = choice[at]
        shown = np.flatnonzero(chosen >= 0)
        worth += float(people.worth[:, at][chosen[shown], shown].sum())
        used += _used(people, choice, at)
    return worth, used


def _used(people: People, choice: Choice, at: slice) -> FloatArray:
    """(n_rows,) what the choices of one chunk take of every limit."""
    used = np.zeros(len(people.rows))
    chosen = [choice[at] == j for j in range(len(people.placements))]
    for c, row in enumerate(people.rows):
        used[c] = sum(float(u[at][chosen[j]].sum()) for j, u in enumerate(row.use) if u is not None)
    return used
