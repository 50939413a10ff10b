"""Frames as callers have them: polars, pandas, or anything with the Arrow PyCapsule interface.

Must not import pandas or pyarrow: whoever passes such a frame has imported it already.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

import polars as pl

from models.errors import DataError

_SHAPELESS = (complex, list, tuple, dict, set)
_MOMENTS = (pl.Date, pl.Datetime)
_CALENDAR = (date(1, 1, 1), date(9999, 12, 31))
"""What Python and people can name."""


def as_frame(obj: object, *, source: str = "") -> pl.DataFrame:
    """A polars frame of the same columns and rows; pandas NaN in a column becomes null.

    A column that polars has no type for (intervals, periods, numbers beside words) becomes text.

    Args:
        obj: polars DataFrame or LazyFrame, pandas DataFrame, an object with `__arrow_c_stream__` (pyarrow,
            duckdb, cudf ...), or a mapping of column name to values.
        source: Its name, for messages.

    Raises:
        DataError: The object is none of these, a column name stands twice, or a column cannot be converted.
    """
    where = f"{source}: " if source else ""
    if isinstance(obj, pl.LazyFrame):
        return _plain(obj.collect(), where)
    if isinstance(obj, pl.DataFrame):
        return _plain(obj, where)
    if isinstance(obj, pl.Series) or (hasattr(obj, "to_frame") and not hasattr(obj, "columns")):
        raise DataError(f"{where}expected a frame, got a single {type(obj).__name__} column")
    if type(obj).__module__.split(".", 1)[0] == "pandas":
        return _plain(_from_pandas(obj, where), where)
    if not (hasattr(obj, "__arrow_c_stream__") or isinstance(obj, Mapping)):
        raise DataError(
            f"{where}expected a polars, pandas or Arrow frame or a mapping of columns, got "
            f"{type(obj).__name__}"
        )
    try:
        frame = pl.DataFrame(obj, strict=not isinstance(obj, Mapping))
    except (pl.exceptions.PolarsError, ValueError, TypeError, OverflowError) as error:
        raise DataError(
            f"{where}cannot read the {type(obj).__name__} as a frame: {_first_line(error)}"
        ) from error
    return _plain(frame, where)


def _from_pandas(obj: Any, where: str) -> pl.DataFrame:
    """Column by column: one that polars cannot hold must not hide which one it is."""
    names = [" ".join(map(str, name)) if isinstance(name, tuple) else str(name) for name in obj.columns]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise DataError(
            f"{where}column {twice[0]!r} stands twice; expected distinct names: rename or drop one"
        )
    return pl.DataFrame([_column(obj.iloc[:, at], name, where) for at, name in enumerate(names)])


def _column(held: Any, name: str, where: str) -> pl.Series:
    kind = str(held.dtype)
    if kind.startswith("Sparse"):
        held = held.sparse.to_dense()
    if kind == "object" and not _is_of_one_kind(held):
        return _as_text(name, held, kind, where)
    try:
        column: pl.Series | None = pl.from_pandas(held, nan_to_null=True).alias(name)
    except (pl.exceptions.PolarsError, ValueError, TypeError, OverflowError, NotImplementedError):
        column = None
    if column is None or isinstance(column.dtype, pl.BaseExtension):
        return _as_text(name, held.astype(object), kind, where)
    return column


def _is_of_one_kind(cells: Any) -> bool:
    """Whether Arrow can be left to find the type of Python objects.

    Among times without an offset it drops the offset of one that has one.
    """
    kinds = {type(cell) for cell in cells if not _is_empty(cell)}
    return len(kinds) <= 1 or all(issubclass(kind, int | float) for kind in kinds)


def _plain(frame: pl.DataFrame, where: str) -> pl.DataFrame:
    """Columns that only Python or an extension understands, as text; moments of no calendar at its end.

    Polars panics where it writes such a moment as text, as the quarantine does.
    """
    frame = frame.with_columns(_within_calendar(column) for column in frame if column.dtype in _MOMENTS)
    odd = [column for column in frame if isinstance(column.dtype, pl.BaseExtension | pl.Object)]
    texts = [_as_text(column.name, _cells_of(column), str(column.dtype), where) for column in odd]
    return frame.with_columns(texts) if odd else frame


def _within_calendar(column: pl.Series) -> pl.Series:
    if isinstance(column.dtype, pl.Datetime) and column.dtype.time_unit == "ns":
        return column  # 64 bits of nanoseconds end in 2262 by themselves
    first, last = (pl.lit(moment).cast(column.dtype) for moment in _CALENDAR)
    whole = column.to_physical()
    least, most = pl.select(first.to_physical(), last.to_physical().alias("last")).row(0)
    if whole.is_between(least, most).all():
        return column
    return whole.clip(least, most).cast(column.dtype)


def _cells_of(column: pl.Series) -> list[object]:
    """What an extension type stores, one text a cell: `(0.5, 1.5]` of an interval is 0.5 to 1.5."""
    if not isinstance(column.dtype, pl.BaseExtension):
        return column.to_list()
    stored = column.ext.storage().to_list()
    return [" to ".join(map(str, cell.values())) if isinstance(cell, dict) else cell for cell in stored]


def _as_text(name: str, cells: Iterable[object], kind: str, where: str) -> pl.Series:
    held = [None if _is_empty(cell) else cell for cell in cells]
    if any(isinstance(cell, _SHAPELESS) for cell in held):
        raise DataError(
            f"{where}column {name!r} holds {kind} values; expected numbers, truth values, text or times:"
            " flatten or drop it"
        )
    return pl.Series(name, [None if cell is None else _word(cell) for cell in held], dtype=pl.String)


def _is_empty(cell: object) -> bool:
    # NaN and NaT differ from themselves; pandas' NA answers neither yes nor no.
    return (
        cell is None or type(cell).__name__ == "NAType" or (not isinstance(cell, _SHAPELESS) and cell != cell)
    )


def _word(cell: object) -> str:
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
