"""People with every offer, in arrays, and what each would choose at some prices. No solver, no tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
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
        use: per placement (n_users,) amounts, or None where the placement uses nothing of it.
        lower, upper: -inf and inf where nothing is said.
        unit: of the amounts, for messages.
        where: e.g. `live`; empty where the limit stands alone.
        signed: amounts may be below 0 (a share, a ratio, a mean); else all are >= 0.
    """

    name: str
    use: tuple[FloatArray | None, ...] = ()
    lower: float = -np.inf
    upper: float = np.inf
    unit: str = "CNY"
    where: str = ""
    signed: bool = False

    @property
    def label(self) -> str:
        """Name, and where it holds."""
        return f"{self.name} ({self.where})" if self.where else self.name


@dataclass(frozen=True)
class Answer:
    """What some people choose at some prices.

    Attributes:
        choice: (n_users,) number of the placement, -1 for none; ties go to none, then to the first placement.
        surplus: worth of their choices less what these use at the prices.
        used: (n_rows,) amounts the choices take.
    """

    choice: Choice
    surplus: float
    used: FloatArray


@dataclass(frozen=True)
class People:
    """People with every offer that can be made to them: all there are, or one part of them.

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
    def sizes(self) -> FloatArray:
        """(1 + n_rows, 2) sum and number of the sizes of worth, and of the amounts of every limit."""
        uses = ([u for u in row.use if u is not None] for row in self.rows)
        return np.array([_sizes([self.worth]), *map(_sizes, uses)])

    @property
    def worth_scale(self) -> float:
        """Mean size of what an offer is worth: makes programs and tolerances free of the unit of worth."""
        return float(scales(self.sizes)[0])

    @property
    def use_scale(self) -> FloatArray:
        """(n_rows,) mean amount of the offers that use a limit; 1 where none does."""
        return scales(self.sizes)[1:]

    def possible(self) -> People:
        """Without the offers that alone exceed a cap: nobody can take them, so the bound need not."""
        worth = self.worth
        for row in self.rows:
            most = row.upper * (1 + EFFORT.slack)
            for j, use in enumerate(row.use):
                if use is not None and not row.signed and use.max(initial=0.0) > most:
                    worth = worth.copy() if worth is self.worth else worth
                    worth[j][use > most] = -np.inf
        return self if worth is self.worth else replace(self, worth=worth)

    def take(self, at: IntArray | slice) -> People:
        """The people at `at`, under the limits of all."""
        rows = tuple(
            replace(row, use=tuple(None if u is None else u[at] for u in row.use)) for row in self.rows
        )
        users = self.users[at] if isinstance(at, slice) else self.users.gather(at)
        return replace(self, users=users, worth=self.worth[:, at], rows=rows)

    def limited(self, *, share: float = 1.0, less: FloatArray | float = 0.0) -> People:
        """The same people with limits times `share`, `less` what others use of them."""
        lower, upper = self.lower * share - less, self.upper * share - less
        ends = zip(self.rows, lower.tolist(), upper.tolist(), strict=True)
        return replace(self, rows=tuple(replace(row, lower=low, upper=high) for row, low, high in ends))

    def chunks(self) -> Iterator[slice]:
        """Slices of `Effort.chunk` people."""
        for start in range(0, len(self), EFFORT.chunk):
            yield slice(start, min(start + EFFORT.chunk, len(self)))

    def left(
        self, prices: FloatArray, at: slice | IntArray, other: FloatArray | None = None
    ) -> Iterator[FloatArray]:
        """Of each placement (n_at,) worth less what an offer uses at these prices, or at `other` ones where
        it uses less than nothing.
        """
        others = prices if other is None else other
        priced = [*zip(prices.tolist(), others.tolist(), self.rows, strict=True)]
        for j, worth in enumerate(self.worth):
            left = worth[at]
            for price, second, row in priced:
                use = row.use[j]
                if use is not None and row.signed and price != second:
                    left = left - np.where(use[at] < 0, use[at] * second, use[at] * price)
                elif use is not None and price:
                    left = left - use[at] * price
            yield left

    def answer(self, prices: FloatArray) -> Answer:
        """What everybody here chooses, in one pass."""
        choice = np.full(len(self), NONE, dtype=np.int16)
        used, parts = np.zeros(len(self.rows)), []
        for at in self.chunks():
            choice[at], most = most_left(self.left(prices, at), at.stop - at.start)
            parts.append(float(most.sum()))
            self._add_used(choice[at], at, used)
        return Answer(choice, math.fsum(parts), used)

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
                    used[c] += np.einsum("i,i->", use[at], made)  # BLAS would start threads

    def value(self, choice: Choice) -> float:
        """What choices are worth, summed from the offers themselves."""
        shown = np.flatnonzero(choice >= 0)
        return float(self.worth[choice[shown], shown].sum())

    def chosen(self, choice: Choice) -> pl.DataFrame:
        """The offers made, by user: user_id, placement (, package), worth, cost_cny."""
        shown = np.flatnonzero(choice >= 0)
        made = choice[shown].astype(np.int64)
        cost = np.zeros(len(shown))
        for j, use in enumerate(self.rows[0].use):
            if use is not None:
                cost[made == j] = use[shown[made == j]]
        columns = {"user_id": self.users.gather(shown), "placement": _named(self.placements, made)}
        if self.packages:
            columns["package"] = _named(self.packages, made)
        return pl.DataFrame({**columns, "worth": self.worth[made, shown], "cost_cny": cost})


def most_left(left: Iterable[FloatArray], n: int) -> tuple[Choice, FloatArray]:
    """(n,) the placement that leaves most, the first of equals, none where none leaves more than nothing; and
    how much.
    """
    picks, most = np.zeros(n, dtype=np.int16), np.zeros(n)
    for j, mine in enumerate(left):
        # later placements have larger numbers: a maximum takes a tenth of the time of a mask
        np.maximum(picks, np.multiply(mine > most, np.int16(j + 1)), out=picks)
        np.maximum(most, mine, out=most)
    return picks - np.int16(1), most


def together(parts: Sequence[People]) -> People:
    """The people of several parts as one, in the order of the parts."""
    if len(parts) == 1:
        return parts[0]

    def whole(uses: Sequence[FloatArray | None]) -> FloatArray | None:
        there = [use for use in uses if use is not None]
        return np.concatenate(there) if there else None

    rows = []
    for c, row in enumerate(parts[0].rows):
        uses = zip(*(part.rows[c].use for part in parts), strict=True)
        rows.append(replace(row, use=tuple(map(whole, uses))))
    users = pl.concat([part.users for part in parts])
    return replace(parts[0], users=users, worth=np.hstack([part.worth for part in parts]), rows=tuple(rows))


def scales(sizes: FloatArray) -> FloatArray:
    """Mean sizes from (sum, number), as the nearest powers of two: scaling by them rounds nothing."""
    some = sizes[:, 1] > 0
    mean = np.where(some, sizes[:, 0], 1.0) / np.where(some, sizes[:, 1], 1.0)
    return np.exp2(np.round(np.log2(mean)))


def _sizes(arrays: Sequence[FloatArray]) -> tuple[float, float]:
    """Sum and number of the sizes that are finite and not 0, of some of the people, or of all if those have
    none.
    """
    for some in (1_000, 1):
        step = max(max((a.shape[-1] for a in arrays), default=1) // some, 1) if some > 1 else 1
        sizes = np.concatenate([np.abs(a[..., ::step]).ravel() for a in arrays] or [np.zeros(0)])
        sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
        if len(sizes):
            return float(sizes.sum()), float(len(sizes))
    return 0.0, 0.0


def _named(names: tuple[str, ...], made: IntArray) -> pl.Series:
    return pl.Series(list(names), dtype=pl.String).gather(made)
