"""Reading one column as the dtype that its contract says, vectorised.

Every parser gives the values and a mask of cells that hold something which is not what was expected; empty
cells are null and not bad. Must not import anything that reads a file, a clock or the environment.
"""

from __future__ import annotations

import polars as pl

from models.contracts.cells import Parsed, WrongTypeError
from models.contracts.numbers import DecimalMark, number
from models.contracts.times import clock_hour, time
from models.contracts.words import gender, placement, placement_name, text, truth

__all__ = [
    "Parsed",
    "WrongTypeError",
    "clock_hour",
    "gender",
    "number",
    "parse",
    "placement",
    "placement_name",
    "text",
    "time",
    "truth",
]


def parse(
    column: pl.Series,
    dtype: pl.DataType,
    *,
    factor: float = 1.0,
    nullable: bool = False,
    decimal: DecimalMark = ".",
    by_cell: bool = False,
) -> Parsed:
    """Read a column as `dtype` (String, Float64, Int64, Boolean, Date or Datetime).

    Args:
        column: Raw cells, text or typed.
        dtype: Normalised dtype.
        factor: Unit factor for numbers (1e-3 for 厘, 1e4 for 万).
        nullable: NaN counts as empty; where values are required it stays NaN for the contract to refuse.
        decimal: What begins the fraction of numbers in this file.
        by_cell: No cell is read by what others of its column hold.

    Raises:
        WrongTypeError: The column's type as a whole cannot be read as `dtype`.
    """
    base = dtype.base_type()
    if base is pl.String:
        return text(column)
    if base is pl.Boolean:
        return truth(column)
    if base in (pl.Date, pl.Datetime):
        parsed = time(column, by_cell=by_cell)
        return Parsed(parsed.values.dt.date(), parsed.bad) if base is pl.Date else parsed
    parsed = number(column, decimal=decimal, by_cell=by_cell)
    values = parsed.values * factor if factor != 1.0 else parsed.values
    if factor > 1.0:  # as in `numbers`: 0.07 in a column of 万 is 700
        values = values.round(6)
    if nullable:
        values = values.fill_nan(None)
    if base is pl.Float64:
        return Parsed(values, parsed.bad)
    fractional = (values.is_not_null() & ~(values == values.floor()).fill_null(False)) | (
        values.abs() > 2**53
    )
    fractional = fractional.fill_null(False)
    whole = values.set(fractional, None).cast(pl.Int64)
    return Parsed(whole, parsed.bad | fractional)
