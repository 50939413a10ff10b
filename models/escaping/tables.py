"""The functions of `media` for columns and frames of text, vectorised."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from models.escaping.media import BREAKS, FORMULA, REPLACEMENT, UNSEEN, for_cell, from_cell


def unprintable_cells(column: pl.Series) -> pl.Series:
    """Which cells of a column of text `printable` would change."""
    return column.str.contains(f"{BREAKS[:-1]}{UNSEEN}]").fill_null(False)


def printable_cells(column: pl.Series) -> pl.Series:
    """`printable` of every cell of a column of text."""
    if not unprintable_cells(column).any():
        return column
    return column.str.replace_all(f"{BREAKS}+", " ").str.replace_all(f"[{UNSEEN}]", REPLACEMENT)


def for_cells(frame: pl.DataFrame) -> pl.DataFrame:
    """A table with `for_cell` of every text and of every column's name."""
    marked = pl.col(pl.String)
    risky = marked.str.replace(f"^('*\\s*{FORMULA})", "'${1}")
    clean = frame.with_columns(printable_cells(column) for column in frame if column.dtype == pl.String)
    return _renamed(clean.with_columns(risky), for_cell)


def from_cells(frame: pl.DataFrame) -> pl.DataFrame:
    """What `for_cells` was given."""
    # Most columns hold no mark: a gigabyte of text is not written anew.
    texts = [name for name, dtype in frame.schema.items() if dtype == pl.String]
    marked = [name for name in texts if frame[name].str.starts_with("'").any()]
    plain = pl.col(marked).str.replace(f"^'('*\\s*{FORMULA})", "${1}")
    return _renamed(frame.with_columns(plain), from_cell)


def _renamed(frame: pl.DataFrame, new: Callable[[str], str]) -> pl.DataFrame:
    """Columns under new names, unless two would have one."""
    names = {name: new(name) for name in frame.columns}
    return frame.rename(names) if len(set(names.values())) == frame.width else frame
