"""The assignment as a thing one can read, hand to the platform and question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from targeting.allocation.problem import relative_gap
from targeting.assignment.crowd import People
from targeting.printing import printed


@dataclass(frozen=True, repr=False)
class Certified:
    """Choices of people within limits, with a certificate.

    Attributes:
        value: what they are worth together.
        upper_bound: nothing else within the limits is worth more.
        limits: one row per limit, the money first, with what is `used` of it.
    """

    value: float
    upper_bound: float
    limits: pl.DataFrame

    @property
    def gap(self) -> float:
        """upper_bound / value - 1; 0 where they are equal."""
        return relative_gap(self.upper_bound, self.value)

    @property
    def spend_cny(self) -> float:
        """Cost of the offers made."""
        return float(self.limits["used"][0])


@dataclass(frozen=True, repr=False)
class Judged(Certified):
    """Whom to offer what, judged.

    Attributes:
        status: `optimal` (gap within the tolerance asked for), `within_gap`, or `fixed_prices`: everybody
            chose at prices that were given, and nobody saw to it that the limits hold.
    """

    status: str

    @property
    def prices(self) -> Mapping[str, float]:
        """Worth per unit of each limit by name: >= 0 for a cap, <= 0 for a floor, 0 where none binds."""
        named = self.limits.select("name", "where", "price").iter_rows()
        return {f"{name} ({where})" if where else name: price for name, where, price in named}

    @property
    def binding(self) -> tuple[str, ...]:
        """Names of the limits with a price."""
        return tuple(name for name, price in self.prices.items() if price != 0)


@dataclass(frozen=True, repr=False)
class Assignment(Judged):
    """Who is shown what, what it is worth, and how far from the best it can be.

    Attributes:
        chosen: user_id, placement (, package), worth, cost_cny of the offers made, sorted by user_id; others
            get none.
        value: total worth of `chosen`.
        upper_bound: U(prices); no assignment within the limits is worth more.
        status: `optimal` (gap within the tolerance asked for) or `within_gap`.
        limits: one row per limit, `total` (the budget) first: name, where, lower, used, upper, price, unit.
        budget_cny: the budget.
        people: every offer.
    """

    chosen: pl.DataFrame
    budget_cny: float
    people: People = field(compare=False)

    def packages(self) -> Mapping[tuple[str, ...], pl.Series]:
        """(placement,) or (placement, package) -> user_id of the people chosen: the lists to upload."""
        people, keys = self.people, self._keys
        names = (people.placements, people.packages)[: len(keys)]
        found = self.chosen.partition_by(keys, as_dict=True)
        nobody = pl.Series("user_id", [], dtype=pl.String)
        return {k: found[k]["user_id"] if k in found else nobody for k in zip(*names, strict=True)}

    @property
    def _keys(self) -> list[str]:
        return ["placement", "package"] if self.people.packages else ["placement"]

    def __str__(self) -> str:
        """The totals, a line per placement and a line per limit."""
        people = self.chosen.height
        head = (
            f"Assignment of {people:,} of {len(self.people):,} people: worth {self.value:,.2f} for "
            f"{self.spend_cny:,.2f} of {self.budget_cny:,.2f} CNY; {self.status}, at most {self.gap:.1e} "
            f"below the best"
        )
        by = self.chosen.group_by(self._keys).agg(
            pl.len().alias("people"), pl.col("worth").sum(), pl.col("cost_cny").sum()
        )
        tables = (by.sort(self._keys), self.limits.drop("unit"))
        return "\n".join([head, *(printed(table, digits=4) for table in tables)])

    __repr__ = __str__
