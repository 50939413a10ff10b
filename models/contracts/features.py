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
from models.contracts.kinds import Kind, as_number, as_truth, as_words, guess, levels_meant
from models.contracts.numbers import DecimalMark
from models.errors import DataError

# A number so many times beyond training is a slip or an attack, and a linear term would follow it.
ABSURD = 1e3
KEYS = ("user_id", "snapshot_at", "is_fan")
What = Literal["unseen", "unreadable", "infinite", "absurd", "negative", "times"]
_WORDS: Mapping[What, str] = {
    "unseen": "{cells} cells with a value that training never saw, such as {example!r}; taken as empty",
    "unreadable": "{cells} cells that are not what it was in training, such as {example!r}; taken as empty",
    "infinite": "{cells} NaN or infinite cells; taken as empty",
    "absurd": "{cells} cells a thousand times beyond what training saw, such as {example}; taken as empty",
    "negative": "{cells} cells below 0, such as {example}; training saw none",
    "times": "times in {cells} cells; taken as days before snapshot_at",
}


@dataclass(frozen=True)
class Odd:
    """What was met in a feature column and has to be told.

    Attributes:
        feature: Its name.
        what: `unseen` level, cell `unreadable` as the feature's kind, `infinite`, `absurd` or `negative`
            number, or `times`.
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
        low, high: Range of a number in training; None where it is not known yet.
    """

    name: str
    kind: Kind
    levels: tuple[str, ...] = ()
    has_other: bool = False
    low: float | None = None
    high: float | None = None

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
        read = as_truth(column) if self.kind == "bool" else as_number(column, factor, snapshot_at, decimal)
        if column.dtype.is_temporal():
            odds.append(Odd(self.name, "times", len(column) - column.null_count()))
        if read.null_count() > (0 if column.dtype == pl.String else column.null_count()):
            empty = is_blank(column) if column.dtype == pl.String else column.is_null()
            odds += self._told("unreadable", column, ~empty & read.is_null())
        if read.dtype == pl.Float64 and not self._as_trained(read):
            infinite = ~read.is_finite().fill_null(True)
            odds += self._told("infinite", column, infinite, example=False)
            read = read.set(infinite, None)
            if self.low is not None and self.high is not None:
                absurd = (read.abs() > ABSURD * max(abs(self.low), abs(self.high), 1.0)).fill_null(False)
                odds += self._told("absurd", read, absurd)
                read = read.set(absurd, None)
                if self.low >= 0:
                    odds += self._told("negative", read, (read < 0).fill_null(False))
        return read.alias(self.name), tuple(odds)

    def _as_trained(self, read: pl.Series) -> bool:
        """Whether no number is odd, at a glance: most columns are like that, and none of their cells needs
        to be looked at twice.
        """
        if self.low is None or self.high is None or read.is_nan().any():
            return False
        least, most = read.min(), read.max()
        if not isinstance(least, float) or not isinstance(most, float):
            return True  # empty
        limit = ABSURD * max(abs(self.low), abs(self.high), 1.0)
        return (0.0 if self.low >= 0 else -limit) <= least and most <= limit

    def _words(self, column: pl.Series) -> tuple[pl.Series, tuple[Odd, ...]]:
        """Text of a category, spelt as its level is."""
        if column.dtype == pl.String and (distinct := column.unique()).len() < len(column) // 4:
            # each text is looked at once, and not in every cell that holds it
            told, odd = self._words(distinct)
            if told.equals(distinct, check_names=False) and not odd:  # as most are
                return column.alias(self.name), ()
            texts = column.replace_strict(distinct, told, return_dtype=pl.String).alias(self.name)
            return texts, self._of_levels(texts) if odd else ()
        texts = as_words(column)
        if self.name == "gender":
            texts = values.gender(texts)
        texts = texts.alias(self.name)
        if not self.levels:
            return texts, ()
        levels = self._levels
        unknown = texts.filter(~texts.is_in(levels)).drop_nulls().unique()
        if len(unknown):
            spelt = levels_meant(unknown.to_list(), self.levels)
            texts = texts.replace(spelt) if spelt else texts
        return texts, self._of_levels(texts)

    @property
    def _levels(self) -> pl.Series:
        return pl.Series(self.levels, dtype=pl.String).implode()

    def _of_levels(self, texts: pl.Series) -> tuple[Odd, ...]:
        """Texts that training never saw."""
        if not self.levels or self.has_other:
            return ()
        return self._told("unseen", texts, ~texts.is_in(self._levels).fill_null(True))

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
