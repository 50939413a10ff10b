"""The feature columns of `users`: whatever the merchant has, read as numbers, truth values or words.

What kind a column is gets decided once, when a model is trained. From then on `Feature.read` reads every
batch, frame and request by that kind, so that a person's value never depends on who else is in the batch, how
the rows are ordered or which of its types an engine chose for the column. Must not import anything that reads
a file, a clock or the environment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from models.contracts import values
from models.contracts.cells import as_text, is_blank
from models.contracts.headers import Binding
from models.contracts.numbers import DecimalMark
from models.contracts.times import is_written_date
from models.contracts.words import TRUTH, fold_name
from models.errors import DataError

KEYS = ("user_id", "snapshot_at", "is_fan")
Kind = Literal["number", "bool", "category"]
What = Literal["unseen", "unreadable", "infinite", "times"]
_WORDS: Mapping[What, str] = {
    "unseen": "{cells} cells with a value that training never saw, such as {example!r}; taken as empty",
    "unreadable": "{cells} cells that are not what it was in training, such as {example!r}; taken as empty",
    "infinite": "{cells} NaN or infinite cells; taken as empty",
    "times": "times in {cells} cells; taken as days before snapshot_at",
}


@dataclass(frozen=True)
class Odd:
    """What was met in a feature column and has to be told.

    Attributes:
        feature: Its name.
        what: `unseen` level, cell `unreadable` as the feature's kind, `infinite` number, or `times`.
        cells: How many.
        example: The first of them, empty where it says nothing.
    """

    feature: str
    what: What
    cells: int
    example: str = ""

    def line(self) -> str:
        """For people: `feature 'age_band' has 300 cells with a value that training never saw, ...`."""
        return (
            f"feature {self.feature!r} has {_WORDS[self.what].format(cells=self.cells, example=self.example)}"
        )


def add_up(odds: Sequence[Odd]) -> tuple[Odd, ...]:
    """The same of many batches: cells are added, the first example stays."""
    found: dict[tuple[str, What], Odd] = {}
    for odd in odds:
        had = found.get((odd.feature, odd.what))
        cells = odd.cells + (had.cells if had else 0)
        found[odd.feature, odd.what] = Odd(odd.feature, odd.what, cells, (had or odd).example)
    return tuple(found.values())


@dataclass(frozen=True)
class Feature:
    """How one user column is read.

    Attributes:
        name: Column of the users table.
        kind: `number` (also dates, as days before the snapshot), `bool` or `category`.
        levels: Sorted texts of a category that training saw; empty where it is not known yet.
        has_other: Texts beyond `levels` share a code (rare levels shared it while fitting).
    """

    name: str
    kind: Kind
    levels: tuple[str, ...] = ()
    has_other: bool = False

    def read(
        self,
        column: pl.Series,
        *,
        factor: float = 1.0,
        snapshot_at: pl.Series | None = None,
        decimal: DecimalMark = ".",
    ) -> tuple[pl.Series, tuple[Odd, ...]]:
        """The column as Float64, Boolean or String, cell by cell; reading twice changes nothing.

        Args:
            column: Of any plain type: text, categories, numbers of any width, truth values, times.
            factor: To the feature's unit, from the header.
            snapshot_at: From when times are counted back, one per row.
            decimal: What begins the fraction of numbers in the file.

        Raises:
            DataError: The column is nested or holds Python objects.
        """
        if column.dtype.is_nested() or column.dtype in (pl.Object, pl.Unknown):
            raise DataError(
                f"feature column {column.name!r} holds {column.dtype}; expected numbers, truth values or "
                "text: flatten or drop it"
            )
        column = as_text(column)
        if self.kind == "category":
            return self._words(column)
        odds: list[Odd] = []
        read = _truth(column) if self.kind == "bool" else _number(column, factor, snapshot_at, decimal)
        if column.dtype.is_temporal():
            odds.append(Odd(self.name, "times", len(column) - column.null_count()))
        empty = is_blank(column) if column.dtype == pl.String else column.is_null()
        odds += self._told("unreadable", column, ~empty & read.is_null())
        if read.dtype == pl.Float64:
            infinite = ~read.is_finite().fill_null(True)
            odds += self._told("infinite", column, infinite, example=False)
            read = read.set(infinite, None)
        return read.alias(self.name), tuple(odds)

    def _words(self, column: pl.Series) -> tuple[pl.Series, tuple[Odd, ...]]:
        """Text of a category, spelt as its level is."""
        texts = _plain_text(column)
        if self.name == "gender":
            texts = values.gender(texts)
        texts = texts.alias(self.name)
        if not self.levels:
            return texts, ()
        levels = pl.Series(self.levels, dtype=pl.String).implode()
        unknown = texts.filter(~texts.is_in(levels)).drop_nulls().unique()
        if len(unknown):
            spelt = _levels_meant(unknown.to_list(), self.levels)
            texts = texts.replace(spelt) if spelt else texts
        unseen = ~texts.is_in(levels).fill_null(True)
        return texts, () if self.has_other else self._told("unseen", texts, unseen)

    def _told(
        self, what: What, column: pl.Series, cells: pl.Series, *, example: bool = True
    ) -> tuple[Odd, ...]:
        count = int(cells.sum())
        if not count:
            return ()
        first = str(column.filter(cells)[0]) if example else ""
        return (Odd(self.name, what, count, first),)


def feature_columns(users: pl.DataFrame) -> list[str]:
    """Names of the feature columns of a users frame, in order."""
    return [name for name in users.columns if name not in KEYS and not name.startswith("__")]


def read_features(
    raw: pl.DataFrame,
    bindings: Mapping[str, Binding],
    snapshot_at: pl.Series,
    *,
    source: str,
    known: Sequence[Feature] = (),
    decimal: DecimalMark = ".",
) -> tuple[pl.DataFrame, tuple[Odd, ...]]:
    """All features as Float64, Boolean or String, and what has to be told of them.

    Args:
        raw: Rows of the source.
        bindings: Feature name -> column of the source.
        snapshot_at: Of each row.
        source: For messages.
        known: Features that a model was trained with; others are read by what all their cells hold.
        decimal: What begins the fraction of numbers in the file.

    Raises:
        DataError: A column is nested or holds Python objects.
    """
    trained = {feature.name: feature for feature in known}
    columns: list[pl.Series] = []
    odds: list[Odd] = []
    for name, binding in bindings.items():
        column = raw[binding.raw]
        try:
            feature = trained.get(name) or Feature(name, guess(column, decimal=decimal))
            read, found = feature.read(
                column, factor=binding.factor, snapshot_at=snapshot_at, decimal=decimal
            )
        except DataError as error:
            raise DataError(f"{source}: {error}") from None
        columns.append(read)
        odds += found
    return pl.DataFrame(columns), tuple(odds)


def guess(column: pl.Series, *, decimal: DecimalMark = ".") -> Kind:
    """What kind a column is, by all of its cells: numbers (or dates), else truth values, else words."""
    column = as_text(column)
    if column.dtype == pl.Boolean:
        return "bool"
    if column.dtype != pl.String:
        return "number"
    # A glance first: reading a million words as numbers only to learn that they are words is slow.
    for part in (column.drop_nulls().head(1000), column):
        if values.number(part, decimal=decimal, by_cell=True).bad.any():
            break
    else:
        return "number"
    distinct = column.drop_nulls().unique()
    if not values.truth(distinct).bad.any():
        return "bool"
    filled = distinct.filter(~is_blank(distinct))
    dated = is_written_date(filled).all() and not values.time(filled, by_cell=True).bad.any()
    return "number" if dated else "category"


def _number(
    column: pl.Series, factor: float, snapshot_at: pl.Series | None, decimal: DecimalMark
) -> pl.Series:
    if column.dtype.is_temporal():
        return _days(column, snapshot_at)
    if column.dtype == pl.Boolean:
        return column.cast(pl.Float64)
    if column.dtype != pl.String:
        return column.cast(pl.Float64) * factor
    parsed = values.number(column, decimal=decimal, by_cell=True)
    read = parsed.values * factor
    if not parsed.bad.any():
        return read
    at = parsed.bad.arg_true()
    rest = column.gather(at)
    dates = rest.set(~is_written_date(rest), None)
    days = _days(dates, None if snapshot_at is None else snapshot_at.gather(at))
    truths = values.truth(rest).values.cast(pl.Float64)
    return read.scatter(at, days.zip_with(days.is_not_null(), truths))


def _days(column: pl.Series, snapshot_at: pl.Series | None) -> pl.Series:
    """Days before the snapshot; durations in days."""
    if column.dtype in (pl.Duration, pl.Time):
        return column.cast(pl.Duration("us")).dt.total_seconds().cast(pl.Float64) / 86_400
    if snapshot_at is None:
        return pl.repeat(None, len(column), dtype=pl.Float64, eager=True)
    moments = values.time(column, by_cell=True).values
    return (snapshot_at - moments).dt.total_seconds().cast(pl.Float64) / 86_400


def _truth(column: pl.Series) -> pl.Series:
    if column.dtype.is_temporal():
        return pl.repeat(None, len(column), dtype=pl.Boolean, eager=True)
    return values.truth(column).values


def _plain_text(column: pl.Series) -> pl.Series:
    """Text without surrounding blanks; numbers as short as they can be written."""
    if column.dtype.is_float() or column.dtype.is_decimal():
        held = column.cast(pl.Float64).fill_nan(None)
        whole = (held == held.floor()) & (held.abs() <= 2**53)
        digits = held.set(~whole.fill_null(False), None).cast(pl.Int64).cast(pl.String)
        return digits.zip_with(whole.fill_null(True), held.cast(pl.String))
    if column.dtype == pl.String:
        return values.text(column).values
    return column.cast(pl.String)


def _levels_meant(texts: Sequence[str], levels: Sequence[str]) -> dict[str, str]:
    """Texts that name a level in other letters: `1.0` for `1`, `TRUE` for 是; only where just one fits."""
    found: dict[str, str] = {}
    for key in (_same_name, _same_number, _same_truth):
        by_key: dict[object, list[str]] = {}
        for level in levels:
            by_key.setdefault(key(level), []).append(level)
        for text in texts:
            fitting = [] if (held := key(text)) is None else by_key.get(held, [])
            if len(fitting) == 1:
                found.setdefault(text, fitting[0])
    return found


def _same_name(text: str) -> str:
    return fold_name(text)


def _same_number(text: str) -> float | None:
    try:
        return float(text) if text[:1].isdigit() or text[:1] in "+-." else None
    except ValueError:
        return None


def _same_truth(text: str) -> bool | None:
    return TRUTH.get(fold_name(text))
