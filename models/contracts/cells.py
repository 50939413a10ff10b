"""What every reader of a column gives back, and what counts as an empty cell."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

BLANKS = " \t\r\n\u00a0\u3000\ufeff\u200b"
NULL_WORDS = ("", "-", "--", "—", "null", "none", "na", "n/a", "nan", "nat", "<na>", "\\n", "无数据")


@dataclass(frozen=True)
class Parsed:
    """A column as read.

    Attributes:
        values: The values in the wanted dtype; null where empty or bad.
        bad: Cells that hold something else than what was expected.
    """

    values: pl.Series
    bad: pl.Series


class WrongTypeError(TypeError):
    """A typed column can never hold what was asked (a list where a number belongs)."""


def all_good(values: pl.Series) -> Parsed:
    """Every cell is what was expected."""
    return Parsed(values, pl.repeat(False, len(values), dtype=pl.Boolean, eager=True))


def is_blank(column: pl.Series) -> pl.Series:
    """Cells of text that say that there is nothing."""
    return column.str.strip_chars(BLANKS).str.to_lowercase().is_in(NULL_WORDS).fill_null(True)


def as_text(column: pl.Series) -> pl.Series:
    """Text in any of its encodings as String; any other column as it is."""
    textual = column.dtype in (pl.Categorical, pl.Enum, pl.Binary)
    return column.cast(pl.String, strict=False) if textual else column
