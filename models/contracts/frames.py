"""Frames as callers have them: polars, pandas, or anything with the Arrow PyCapsule interface.

Must not import pandas or pyarrow: whoever passes such a frame has imported it already.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from models.errors import DataError


def as_frame(obj: Any) -> pl.DataFrame:
    """A polars frame of the same columns and rows; pandas NaN in a column becomes null.

    Args:
        obj: polars DataFrame or LazyFrame, pandas DataFrame, an object with `__arrow_c_stream__` (pyarrow,
            duckdb, cudf ...), or a mapping of column name to values.

    Raises:
        DataError: The object is none of these, or its columns cannot be converted.
    """
    if isinstance(obj, pl.DataFrame):
        return obj
    if isinstance(obj, pl.LazyFrame):
        return obj.collect()
    kind = type(obj).__module__.split(".", 1)[0]
    try:
        if kind == "pandas":
            frame = pl.from_pandas(obj, nan_to_null=True)
        elif hasattr(obj, "__arrow_c_stream__") or isinstance(obj, Mapping):
            frame = pl.DataFrame(obj)
        else:
            raise DataError(
                f"expected a polars, pandas or Arrow frame or a mapping of columns, got {type(obj).__name__}"
            )
    except (pl.exceptions.PolarsError, ValueError, TypeError, OverflowError) as error:
        raise DataError(f"cannot read the {type(obj).__name__} as a frame: {_first_line(error)}") from error
    if not isinstance(frame, pl.DataFrame):
        raise DataError(f"expected a frame, got a single {type(obj).__name__} column")
    return frame


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
