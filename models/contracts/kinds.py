"""One feature column as numbers, truth values or words, cell by cell: no cell is read by what others hold.

Must not import anything that reads a file, a clock or the environment.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import polars as pl

from models.contracts import values
from models.contracts.cells import as_text, is_blank
from models.contracts.numbers import DecimalMark
from models.contracts.times import is_written_date
from models.contracts.words import TRUTH, fold_name

Kind = Literal["number", "bool", "category"]


def guess(column: pl.Series, *, decimal: DecimalMark = ".") -> Kind:
    """What kind a column is, by all of its cells: numbers (or dates), else truth values, else words.

    Whole numbers that a float cannot tell apart are codes (a hashed city), not amounts.
    """
    column = as_text(column)
    if column.dtype == pl.Boolean:
        return "bool"
    if column.dtype != pl.String:
        return "category" if column.dtype.is_integer() and _is_code(column) else "number"
    # A glance first: reading a million words as numbers only to learn that they are words is slow.
    for part in (column.drop_nulls().head(1000), column):
        if values.number(part, decimal=decimal, by_cell=True).bad.any():
            break
    else:
        whole = column.drop_nulls().str.contains(r"^\s*\d{16,20}\s*$")
        codes = column.drop_nulls().filter(whole).str.strip_chars().cast(pl.UInt64, strict=False)
        return "category" if len(codes) and _is_code(codes) else "number"
    distinct = column.drop_nulls().unique()
    if not values.truth(distinct).bad.any():
        return "bool"
    filled = distinct.filter(~is_blank(distinct))
    dated = is_written_date(filled).all() and not values.time(filled, by_cell=True).bad.any()
    return "number" if dated else "category"


def _is_code(whole: pl.Series) -> bool:
    held = [int(end) for end in (whole.min(), whole.max()) if isinstance(end, int)]
    return any(abs(end) > 2**53 for end in held)


def as_number(
    column: pl.Series, factor: float, snapshot_at: pl.Series | None, decimal: DecimalMark
) -> pl.Series:
    """Float64: numbers times the factor, dates as days before the snapshot, truth values as 1 and 0."""
    if column.dtype.is_temporal():
        return _days(column, snapshot_at)
    if column.dtype == pl.Boolean:
        return column.cast(pl.Float64)
    if column.dtype != pl.String:
        return column.cast(pl.Float64) * factor if factor != 1.0 else column.cast(pl.Float64)
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


def as_truth(column: pl.Series) -> pl.Series:
    """Boolean; null where a cell is neither."""
    if column.dtype.is_temporal():
        return pl.repeat(None, len(column), dtype=pl.Boolean, eager=True)
    return values.truth(column).values


def as_words(column: pl.Series) -> pl.Series:
    """Text without surrounding blanks; numbers as short as they can be written."""
    if column.dtype.is_float() or column.dtype.is_decimal():
        held = column.cast(pl.Float64).fill_nan(None)
        whole = (held == held.floor()) & (held.abs() <= 2**53)
        digits = held.set(~whole.fill_null(False), None).cast(pl.Int64).cast(pl.String)
        return digits.zip_with(whole.fill_null(True), held.cast(pl.String))
    if column.dtype == pl.String:
        return values.text(column).values
    return column.cast(pl.String)


def levels_meant(texts: Sequence[str], levels: Sequence[str]) -> dict[str, str]:
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
