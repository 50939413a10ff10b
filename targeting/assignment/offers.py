"""The caller's table as arrays: who can be offered what, at what cost, for what worth.

Checked once, in the words of the table. Must not know limits or prices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.contracts.schemas import CONTROL
from models.contracts.values import WrongTypeError, placement_name, text
from models.errors import DataError
from models.escaping.media import printable
from models.supply.curves import FloatArray

KEYS = ("user_id", "placement")
PACKAGE = "package"  # a column that tells several packages of one placement apart
NEEDED = (*KEYS, "worth", "cost_cny")


@dataclass(frozen=True)
class Layout:
    """What parts of one table must agree on, so that their arrays and limits stand side by side.

    Attributes:
        kinds: (placement,) or (placement, package) of every kind of offer, sorted.
        values: sorted values of the columns that limits tell offers apart by.
    """

    kinds: tuple[tuple[str, ...], ...]
    values: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, table: pl.DataFrame, columns: Sequence[str]) -> Layout:
        """That of a table, or of a part of it."""
        _refuse_missing(table)
        table = _named(table)
        kinds = table.select(_kind(table)).unique().rows()
        told = [name for name in columns if name in table.columns and name != "placement"]
        return cls(
            tuple(sorted(tuple(map(str, kind)) for kind in kinds)),
            {name: _values([table], name) for name in told},
        )

    def merged(self, other: Layout) -> Layout:
        """That of both parts together."""
        names = {*self.values, *other.values}
        return Layout(
            tuple(sorted({*self.kinds, *other.kinds})),
            {n: tuple(sorted({*self.values.get(n, ()), *other.values.get(n, ())})) for n in names},
        )


@dataclass(frozen=True)
class Offers:
    """One row per person and placement, sorted, so that the order of the caller's rows cannot matter.

    Attributes:
        users: (n_users,) ids, sorted.
        placements: sorted; a placement with several packages stands once for each.
        packages: their names, empty where the table has no column `package`.
        parts: per placement (and package) its rows, sorted by person.
        at: per placement where its rows stand among the users; None where it has a row for everybody.
    """

    users: pl.Series
    placements: tuple[str, ...]
    packages: tuple[str, ...]
    parts: tuple[pl.DataFrame, ...]
    at: tuple[NDArray[np.int64] | None, ...]
    layout: Layout | None = None

    @classmethod
    def of(cls, table: pl.DataFrame, layout: Layout | None = None) -> Offers:
        """The offers of a table with `NEEDED` columns, or of a part of one with this layout.

        Raises:
            DataError: a column is missing, a number is not one, or a person has a placement twice.
        """
        _refuse_missing(table)
        if table.is_empty() and layout is None:
            raise DataError("offers: the table is empty; expected one row per person and placement")
        table = _named(table)
        keys = _kind(table)
        parts = {
            tuple(map(str, part.select(keys).row(0))): part
            for part in table.partition_by(keys, maintain_order=True)
        }
        kinds = sorted(parts) if layout is None else list(layout.kinds)
        ordered = _sorted([parts.get(kind, table.clear()) for kind in kinds])
        for kind, part in zip(kinds, ordered, strict=True):
            _refuse_twice(part["user_id"], ", ".join(kind))
        placements = tuple(kind[0] for kind in kinds)
        packages = tuple(kind[1] for kind in kinds if len(kind) > 1)
        first = ordered[0]["user_id"]
        if all(part["user_id"].equals(first) for part in ordered):
            return cls(first, placements, packages, ordered, (None,) * len(placements), layout)
        users = pl.concat([part["user_id"] for part in ordered]).unique().sort()
        numbered = pl.DataFrame({"user_id": users}).with_row_index("at")
        at = tuple(
            part.select("user_id")
            .join(numbered, on="user_id", how="left", maintain_order="left")["at"]
            .cast(pl.Int64)
            .to_numpy()
            for part in ordered
        )
        return cls(users, placements, packages, ordered, at, layout)

    def __len__(self) -> int:
        return len(self.users)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the table."""
        return tuple(self.parts[0].columns)

    @cached_property
    def worth(self) -> FloatArray:
        """(n_placements, n_users), -inf where there is no offer."""
        worth = np.full((len(self.placements), len(self)), -np.inf)
        for j, (part, at) in enumerate(zip(self.parts, self.at, strict=True)):
            worth[j, slice(None) if at is None else at] = part["worth"].to_numpy()
        return worth

    def amounts(self, column: str) -> tuple[FloatArray, ...]:
        """Per placement (n_users,) amounts of a column, 0 where there is no offer.

        Raises:
            DataError: the column is missing or holds something that is no number >= 0.
        """
        if column not in self.columns:
            raise DataError(
                f"offers: column {column!r} is missing; a limit counts it; expected a number >= 0 per offer"
            )
        least = -np.inf if column == "worth" else 0.0
        return tuple(
            self._placed(_numbers(part, column, placement, least=least), at)
            for placement, part, at in zip(self.placements, self.parts, self.at, strict=True)
        )

    @property
    def reached(self) -> tuple[FloatArray, ...]:
        """Per placement (n_users,) 1 where an offer shows anything, 0 else."""
        return tuple((shown > 0).astype(np.float64) for shown in self.amounts("impressions"))

    def where(self, column: str, values: Sequence[object]) -> tuple[NDArray[np.bool_], ...]:
        """Per placement (n_users,) whether the offer's column has one of the values."""
        wanted = [str(v) for v in values]
        return tuple(
            self._placed(part[column].cast(pl.String).is_in(wanted).fill_null(False).to_numpy(), at)
            for part, at in zip(self.parts, self.at, strict=True)
        )

    def _placed(self, values: NDArray[Any], at: NDArray[np.int64] | None) -> NDArray[Any]:
        """A column of some people's offers for everybody, 0 for the others."""
        if at is None:
            return values
        whole = np.zeros(len(self), dtype=values.dtype)
        whole[at] = values
        return whole

    def places(self, column: str) -> list[str]:
        """Placements that a column is told apart by: those of its own columns, else those of the offers."""
        split = [name.removeprefix(f"{column}_") for name in self.columns if name.startswith(f"{column}_")]
        return sorted(split) or self.values("placement")

    def values(self, column: str) -> list[str]:
        """Every value of a column in the whole table, sorted."""
        if column == "placement":
            return sorted(set(self.placements))
        if self.layout is not None and column in self.layout.values:
            return list(self.layout.values[column])
        return list(_values(self.parts, column))


def _values(parts: Sequence[pl.DataFrame], column: str) -> tuple[str, ...]:
    every = pl.concat([part[column].cast(pl.String) for part in parts])
    return tuple(str(v) for v in every.drop_nulls().unique().sort())


def _kind(table: pl.DataFrame) -> list[str]:
    """Columns that tell kinds of offers apart."""
    return ["placement", PACKAGE] if PACKAGE in table.columns else ["placement"]


def _refuse_missing(table: pl.DataFrame) -> None:
    absent = [name for name in NEEDED if name not in table.columns]
    if absent:
        raise DataError(f"offers: column {absent[0]!r} is missing; expected {', '.join(NEEDED)}")


def _named(table: pl.DataFrame) -> pl.DataFrame:
    """Ids as text, placements under the names they have everywhere, worth and cost checked."""
    others = [k for k in (*KEYS, PACKAGE) if table.schema.get(k, pl.String) != pl.String]
    table = table.with_columns(_as_text(table[k]) for k in others) if others else table
    for name in ("user_id", *_kind(table)):
        if table[name].null_count():  # a NaN among ids that pandas made floats is one by now
            row = int(table[name].is_null().arg_true()[0])
            raise DataError(f"offers: row {row + 1}: {name} is empty; every offer is for a person somewhere")
    names = {str(p): placement_name(printable(str(p))) for p in table["placement"].unique().to_list()}
    if CONTROL in names.values():
        raise DataError(
            f"offers: placement {CONTROL!r} is for people who are held out; leave these rows out: everybody "
            f"may get no offer"
        )
    if any(old != new for old, new in names.items()):
        table = table.with_columns(pl.col("placement").replace(names))
    if PACKAGE in table.columns:
        packages = table[PACKAGE].unique().to_list()
        table = table.with_columns(pl.col(PACKAGE).replace({name: printable(name) for name in packages}))
    return table.with_columns(
        pl.Series("worth", _numbers(table, "worth", None)),
        pl.Series("cost_cny", _numbers(table, "cost_cny", None, least=0.0)),
    )


def _as_text(column: pl.Series) -> pl.Series:
    """Ids that pandas made floats as their digits; a fraction, or one whose digits a float lost, is named."""
    try:
        read = text(column)
    except WrongTypeError as error:
        raise DataError(
            f"offers: column {column.name!r} holds {error}; expected text or whole numbers"
        ) from None
    if read.bad.any():
        row = int(read.bad.arg_true()[0])
        raise DataError(
            f"offers: row {row + 1}: {column.name} is {column[row]!r}; expected text or a whole number"
        )
    return read.values.alias(column.name)


def _numbers(
    table: pl.DataFrame, column: str, placement: str | None, *, least: float = -np.inf
) -> FloatArray:
    """A column as finite numbers of at least `least`; the first other one is named with its person."""
    series = table[column]
    if not series.dtype.is_numeric():
        raise DataError(f"offers: column {column!r} holds {series.dtype}, expected numbers")
    values = series.cast(pl.Float64).to_numpy()  # null becomes NaN
    bad = ~(np.isfinite(values) & (values >= least))
    if bad.any():
        row = table.row(int(np.argmax(bad)), named=True)
        need = "a finite number >= 0" if least == 0 else "a finite number"
        raise DataError(
            f"offers: {column} of user {row['user_id']!r} for {placement or row['placement']!r} is "
            f"{row[column]}; expected {need} ({int(bad.sum())} such rows); mend or leave out these rows"
        )
    return np.ascontiguousarray(values)


def _sorted(parts: Sequence[pl.DataFrame]) -> tuple[pl.DataFrame, ...]:
    """Each part by person. Text is slow to sort, and most tables name the people in one order everywhere."""
    ids = parts[0]["user_id"]
    if not all(part["user_id"].equals(ids) for part in parts[1:]):
        return tuple(part.sort("user_id") for part in parts)
    if ids.is_sorted():
        return tuple(parts)
    order = ids.arg_sort()
    return tuple(part[order] for part in parts)


def _refuse_twice(ids: pl.Series, placement: str) -> None:
    twice = np.flatnonzero((ids == ids.shift(1)).fill_null(False).to_numpy())
    if len(twice):
        raise DataError(
            f"offers: user {ids[int(twice[0])]!r} has two rows for {placement!r}; expected one per person "
            f"and placement, or packages told apart in a column {PACKAGE}"
        )
