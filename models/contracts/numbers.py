"""Numbers as people and consoles write them: `1,234.5`, `¥12`, `3.5%`, `1.2万`, `1 234,50`.

A comma or a dot before three digits may group thousands or begin the fraction, and guessing wrong is a factor
of a thousand. It is read where the cell, its column or its file leave no doubt, and refused otherwise. Must
not import anything that reads a file, a clock or the environment.
"""

from __future__ import annotations

import math
from typing import Literal

import polars as pl

from models.contracts.cells import BLANKS, Parsed, WrongTypeError, all_good, as_text, is_blank

DecimalMark = Literal[".", ",", "?"]
"""What begins the fraction in a file; `?` where its cells contradict each other."""

_SCALES = {
    **dict.fromkeys(("千", "k", "K"), 1e3),
    **dict.fromkeys(("万", "w", "W"), 1e4),
    **dict.fromkeys(("百万", "M"), 1e6),
    "千万": 1e7,
    "亿": 1e8,
    "%": 1e-2,
    "‰": 1e-3,
}
_UNITS = "(?:元|人民币|CNY|RMB|次|人|人次|个|单|件|条|位|名)"
_CELL = (
    r"^¥?\s*([+-]?)\s*¥?\s*([0-9][0-9.,'’ ]*?|\.[0-9]+)([eE][+-]?\d+)?"
    rf"\s*(百万|千万|[千万亿kKwWM%‰])?\s*{_UNITS}?$"
)
_SPACED = r"^\d{1,3}(?:[ '’]\d{3})+(?:[.,]\d*)?$"


def _grouped(group: str, point: str) -> str:
    """Pattern of thousands in groups of three; a group never begins with 0."""
    return rf"^[1-9]\d{{0,2}}(?:{group}\d{{3}})+(?:{point}\d*)?$"


def _surely(point: str, group: str) -> str:
    """Pattern of a number in which `point` can only begin the fraction."""
    plain = rf"\d*{point}\d{{0,2}}|\d*{point}\d{{4,}}|\d{{4,}}{point}\d+|0\d*{point}\d+"
    return rf"^[+-]?(?:{plain}|[1-9]\d{{0,2}}(?:{group}\d{{3}})+{point}\d*)$"


_COMMA, _DOT = ",", r"\."
_SURELY_COMMA, _SURELY_DOT = _surely(_COMMA, _DOT), _surely(_DOT, _COMMA)
_EITHER = r"^[+-]?[1-9]\d{0,2}[.,]\d{3}$"


def number(column: pl.Series, *, decimal: DecimalMark = ".", by_cell: bool = False) -> Parsed:
    """Float64 from numbers or text.

    Args:
        column: Numbers, or text.
        decimal: What begins the fraction in this file, see `decimal_mark`.
        by_cell: Read each cell for itself. Otherwise `123,450` is refused in a column that also holds
            `1234,560`, where the comma can only begin a fraction.
    """
    column = as_text(column)
    if column.dtype.is_numeric() or column.dtype == pl.Null:
        return all_good(column.cast(pl.Float64))
    if column.dtype != pl.String:
        raise WrongTypeError(str(column.dtype))
    values = column.cast(pl.Float64, strict=False)
    if decimal != ".":
        values = values.set(column.str.contains(r"\.").fill_null(False), None)
    todo = column.is_not_null() & values.is_null()
    if not todo.any():
        return Parsed(values, todo)
    rest = column.filter(todo)
    read = _written(rest, decimal, by_cell=by_cell)
    at = todo.arg_true()
    bad = todo.scatter(at, read.is_null() & ~is_blank(rest))
    return Parsed(values.scatter(at, read), bad)


def read_number(text: str) -> float | None:
    """One number as it would be read in a table; None where it is none.

    >>> read_number("0.5万"), read_number("25%"), read_number("1,5")
    (5000.0, 0.25, None)
    """
    value = number(pl.Series([text], dtype=pl.String)).values[0]
    return float(value) if value is not None and math.isfinite(value) else None


def decimal_mark(frame: pl.DataFrame) -> DecimalMark:
    """What begins the fraction in a file whose fields are not separated by commas.

    Cells in which a comma or a dot can be nothing else decide; without any, a comma begins the fraction
    (that is why such files are separated by semicolons), and a lone dot before three digits stays open.
    """
    texts = [column for column in frame.get_columns() if column.dtype == pl.String]
    comma, dot = (
        any(column.str.contains(form).any() for column in texts) for form in (_SURELY_COMMA, _SURELY_DOT)
    )
    if comma != dot:
        return "," if comma else "."
    either = [column.filter(column.str.contains(_EITHER)) for column in texts]
    dotted = any(column.str.contains(_DOT).any() for column in either)
    return "?" if comma or dotted else ","


def _written(column: pl.Series, decimal: DecimalMark, *, by_cell: bool) -> pl.Series:
    """Numbers with decoration; null where they cannot be read for sure."""
    form = pl.col("s").str.normalize("NFKC").str.strip_chars(BLANKS)
    cells = (
        column.to_frame("s")
        .select(form.str.extract_groups(_CELL).alias("part"))
        .unnest("part")
        .rename({"1": "sign", "2": "digits", "3": "power", "4": "unit"})
    )
    digits = pl.col("digits")
    spaced = digits.str.contains(_SPACED)
    bare = pl.when(spaced).then(digits.str.replace_all(r"[ '’]", "")).otherwise(digits)
    cells = cells.with_columns(bare.alias("digits"), spaced.alias("spaced"))
    fractions = pl.col("digits").str.contains(_SURELY_COMMA) & pl.col("digits").str.contains(_COMMA)
    if decimal == "." and not by_cell and cells.select(fractions.any()).item():
        # One column, two conventions: which of them `123,450` follows cannot be told.
        cells = cells.with_columns(
            pl.when(~pl.col("digits").str.contains(_EITHER)).then(pl.col("digits")).alias("digits")
        )
    scale = pl.col("unit").replace_strict(_SCALES, default=1.0, return_dtype=pl.Float64)
    written = pl.col("sign") + _with_dot(decimal) + pl.col("power").fill_null("")
    scaled = written.cast(pl.Float64, strict=False) * scale
    # 0.07万 is 700, not 700.0000000000001.
    return cells.select(pl.when(scale > 1).then(scaled.round(6)).otherwise(scaled)).to_series()


def _with_dot(decimal: DecimalMark) -> pl.Expr:
    """Digits without groups, a dot before the fraction; null where the marks do not fit."""
    digits = pl.col("digits")
    has_comma = digits.str.contains(_COMMA)
    dotted = (
        pl.when(digits.str.contains(_grouped(_COMMA, _DOT)))
        .then(digits.str.replace_all(_COMMA, ""))
        .when(~has_comma)
        .then(digits)
    )
    fits = digits.str.contains(_grouped(_DOT, _COMMA)) | digits.str.contains(r"^\d*,?\d*$")
    comma = pl.when(fits).then(digits.str.replace_all(_DOT, "").str.replace(_COMMA, "."))
    if decimal == ",":
        return comma
    # `1 234,50` says itself what begins the fraction.
    if decimal == ".":
        return pl.when(pl.col("spaced") & has_comma).then(comma).otherwise(dotted)
    sure = digits.str.contains(_SURELY_COMMA) & has_comma
    return pl.when(digits.str.contains(_EITHER)).then(None).when(sure).then(comma).otherwise(dotted)
