"""Reading one column: text, numbers, truth values and times as people and consoles write them, vectorised.

Every parser gives the values and a mask of cells that hold something which is not what was expected; empty
cells are null and not bad. Must not import anything that reads a file, a clock or the environment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from models.contracts.schemas import CONTROL

ZONE = "Asia/Shanghai"
_BLANKS = " \t\r\n\u00a0\u3000\ufeff\u200b"
_NULL_WORDS = ("", "-", "--", "—", "null", "none", "na", "n/a", "nan", "nat", "\\n", "无数据")
_TRUTH = {
    **dict.fromkeys(("true", "t", "yes", "y", "1", "1.0", "是", "真", "有"), True),
    **dict.fromkeys(("false", "f", "no", "n", "0", "0.0", "否", "假", "无"), False),
}
_PLACEMENTS = {
    **dict.fromkeys(("video", "short_video", "短视频", "视频", "视频流"), "video"),
    **dict.fromkeys(("live", "live_room", "直播间", "直播", "直播推广"), "live"),
    **dict.fromkeys((CONTROL, "control", "holdout", "无", "对照", "对照组", "空白组", "未投放"), CONTROL),
}
GENDERS = {
    **dict.fromkeys(("m", "male", "man", "男", "男性", "男士"), "m"),
    **dict.fromkeys(("f", "female", "woman", "女", "女性", "女士"), "f"),
}
_TIME_FORMATS = (
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d",
    "%Y%m%d",
    "%Y%m%d %H:%M:%S",
)
_ZONED_FORMATS = ("%Y-%m-%d %H:%M:%S%.f%z", "%Y-%m-%d %H:%M%z")
_TEXTUAL = (pl.Categorical, pl.Enum, pl.Binary)


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


def parse(column: pl.Series, dtype: pl.DataType, *, factor: float = 1.0, nullable: bool = False) -> Parsed:
    """Read a column as `dtype` (String, Float64, Int64, Boolean, Date or Datetime).

    Args:
        column: Raw cells, text or typed.
        dtype: Normalised dtype.
        factor: Unit factor for numbers (1e-3 for 厘).
        nullable: NaN counts as empty; where values are required it stays NaN for the contract to refuse.

    Raises:
        WrongTypeError: The column's type as a whole cannot be read as `dtype`.
    """
    if column.dtype in _TEXTUAL:
        column = column.cast(pl.String, strict=False)
    base = dtype.base_type()
    if base is pl.String:
        return text(column)
    if base is pl.Boolean:
        return truth(column)
    if base in (pl.Date, pl.Datetime):
        parsed = time(column)
        return Parsed(parsed.values.dt.date(), parsed.bad) if base is pl.Date else parsed
    parsed = number(column)
    values = parsed.values * factor if factor != 1.0 else parsed.values
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


def text(column: pl.Series) -> Parsed:
    """Text without surrounding blanks; whole numbers as their digits (ids read as floats included)."""
    if column.dtype.is_float():
        number_ = column.fill_nan(None)
        bad = (number_ != number_.floor()).fill_null(False) | (number_.abs() > 2**53).fill_null(False)
        return Parsed(number_.set(bad, None).cast(pl.Int64).cast(pl.String), bad)
    if column.dtype.is_integer():
        return _good(column.cast(pl.String))
    if column.dtype == pl.Null:
        return _good(column.cast(pl.String))
    if column.dtype != pl.String:
        raise WrongTypeError(str(column.dtype))
    stripped = column.str.strip_chars(_BLANKS)
    return _good(stripped.set((stripped == "").fill_null(False), None))


def number(column: pl.Series) -> Parsed:
    """Float64 from numbers or text such as `1,234.5`, `¥12`, `3.5%`, `1.2万`."""
    if column.dtype.is_numeric() or column.dtype == pl.Null:
        return _good(column.cast(pl.Float64))
    if column.dtype != pl.String:
        raise WrongTypeError(str(column.dtype))
    values = column.cast(pl.Float64, strict=False)
    todo = column.is_not_null() & values.is_null()
    if not todo.any():
        return Parsed(values, todo)
    rest = column.filter(todo)
    cleaned = _written_number(rest)
    values = values.scatter(todo.arg_true(), cleaned)
    blank = _blank(rest)
    bad = todo.scatter(todo.arg_true(), cleaned.is_null() & ~blank)
    return Parsed(values, bad)


def truth(column: pl.Series) -> Parsed:
    """Boolean from true/false, 1/0, yes/no, 是/否."""
    if column.dtype == pl.Boolean:
        return _good(column)
    if column.dtype.is_numeric() or column.dtype == pl.Null:
        numeric = column.cast(pl.Float64).fill_nan(None)
        bad = ~numeric.is_in([0.0, 1.0]).fill_null(True)
        return Parsed((numeric == 1.0).set(bad, None), bad)
    if column.dtype != pl.String:
        raise WrongTypeError(str(column.dtype))
    # Few distinct words: read each once.
    words = column.unique().drop_nulls()
    folded = words.str.strip_chars(_BLANKS).str.to_lowercase()
    read = folded.replace_strict(_TRUTH, default=None, return_dtype=pl.Boolean)
    wrong = words.filter(read.is_null() & ~_blank(words))
    values = column.replace_strict(words, read, default=None, return_dtype=pl.Boolean)
    bad = column.is_in(wrong.implode()).fill_null(False) if len(wrong) else _good(column).bad
    return Parsed(values, bad)


def time(column: pl.Series) -> Parsed:
    """Naive Asia/Shanghai Datetime("us") from dates, times, UTC epochs (s or ms), yyyymmdd or their text."""
    if column.dtype == pl.Date:
        return _good(column.cast(pl.Datetime("us")))
    if isinstance(column.dtype, pl.Datetime):
        local = (
            column.dt.convert_time_zone(ZONE).dt.replace_time_zone(None) if column.dtype.time_zone else column
        )
        return _good(local.cast(pl.Datetime("us")))
    if column.dtype.is_numeric() or column.dtype == pl.Null:
        return _epoch(column.cast(pl.Float64).fill_nan(None))
    if column.dtype != pl.String:
        raise WrongTypeError(str(column.dtype))
    # The format of the first filled cell usually reads the whole column in one pass.
    first = column.drop_nulls().head(1)
    formats = sorted(
        _TIME_FORMATS, key=lambda form: first.str.strptime(pl.Datetime("us"), form, strict=False).null_count()
    )
    values = column.str.strptime(pl.Datetime("us"), formats[0], strict=False)
    todo = column.is_not_null() & values.is_null()
    if not todo.any():
        return Parsed(values, todo)
    rest = column.filter(todo)
    read = _written_time(rest)
    values = values.scatter(todo.arg_true(), read)
    return Parsed(values, todo.scatter(todo.arg_true(), read.is_null() & ~_blank(rest)))


def clock_hour(column: pl.Series) -> pl.Series:
    """Text of an hour without what consoles write around it: `9时`, `09:00`, `09:00-10:00` become 9."""
    if column.dtype != pl.String:
        return column
    hour = column.str.extract(r"^\s*(\d{1,2})\s*(?:[:：]\d{2}|[时点])", 1)
    return hour.zip_with(hour.is_not_null(), column)


def placement(values: pl.Series) -> pl.Series:
    """Known words become `video`, `live` or `none`; any other placement keeps its name."""
    return _renamed(values, _PLACEMENTS)


def placement_name(word: str) -> str:
    """One placement as `placement` reads it.

    >>> placement_name("短视频"), placement_name("Live Room"), placement_name("search")
    ('video', 'live', 'search')
    """
    return str(placement(pl.Series([word.strip(_BLANKS)]))[0])


def gender(values: pl.Series) -> pl.Series:
    """Known words become `m` or `f`; anything else keeps its text."""
    return _renamed(values, GENDERS)


def _renamed(values: pl.Series, words: dict[str, str]) -> pl.Series:
    distinct = values.unique().drop_nulls()
    folded = distinct.str.to_lowercase().str.replace_all(r"[\s\-]+", "_")
    renamed = folded.replace_strict(words, default=distinct, return_dtype=pl.String)
    return values.replace_strict(distinct, renamed, default=None, return_dtype=pl.String)


def _good(values: pl.Series) -> Parsed:
    return Parsed(values, pl.repeat(False, len(values), dtype=pl.Boolean, eager=True))


def _blank(column: pl.Series) -> pl.Series:
    return column.str.strip_chars(_BLANKS).str.to_lowercase().is_in(_NULL_WORDS).fill_null(True)


def _written_number(column: pl.Series) -> pl.Series:
    """Numbers with decoration: currency signs, thousands separators, percent, 万/亿."""
    form = (
        pl.col("s")
        .str.strip_chars(_BLANKS)
        .str.replace_all("，", ",", literal=True)
        .str.replace_all("％", "%")
    )
    cells = column.to_frame("s").select(
        form.str.extract(r"^[¥￥]?\s*([+-]?[¥￥]?\s*[0-9.,]+(?:[eE][+-]?\d+)?)\s*(?:元|%|万|亿|万元)?$", 1)
        .str.replace_all(r"[¥￥\s]", "")
        .alias("digits"),
        form.str.extract(r"(%|万|亿)元?$", 1).alias("unit"),
    )
    # A comma is accepted only as a thousands separator: 1,5 may be one and a half elsewhere, and guessing is
    # worse than a quarantined row.
    grouped = pl.col("digits").str.contains(r"^[+-]?\d{1,3}(,\d{3})+(\.\d*)?$")
    plain = pl.when(grouped).then(pl.col("digits").str.replace_all(",", "")).otherwise(pl.col("digits"))
    scale = pl.col("unit").replace_strict(
        {"%": 0.01, "万": 1e4, "亿": 1e8}, default=1.0, return_dtype=pl.Float64
    )
    return cells.select(plain.cast(pl.Float64, strict=False) * scale.fill_null(1.0)).to_series()


def _epoch(numbers: pl.Series) -> Parsed:
    """Whole numbers as yyyymmdd, or as seconds or milliseconds since 1970 UTC (years 2001 to 2100)."""
    frame = numbers.to_frame("n")
    n = pl.col("n")
    day = (
        n.cast(pl.Int64, strict=False).cast(pl.String).str.strptime(pl.Datetime("us"), "%Y%m%d", strict=False)
    )
    seconds = pl.when(n.is_between(1e9, 4.2e9)).then(n).when(n.is_between(1e12, 4.2e12)).then(n / 1e3)
    moment = (
        (seconds.otherwise(None) * 1e6)
        .round()
        .cast(pl.Int64)
        .cast(pl.Datetime("us", "UTC"))
        .dt.convert_time_zone(ZONE)
        .dt.replace_time_zone(None)
    )
    values = frame.select(pl.when(n.is_between(1e7, 1e8)).then(day).otherwise(moment)).to_series()
    return Parsed(values, numbers.is_not_null() & values.is_null())


def _written_time(column: pl.Series) -> pl.Series:
    """Times in text, other than the first of `_TIME_FORMATS`."""
    tidy = (
        column.str.strip_chars(_BLANKS)
        .str.replace(
            r"^(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})(?:\s*日\s*|[Tt]|\s+|$)", "$1-$2-$3 "
        )
        .str.replace(r"^(\d{8})[Tt ]\s*", "$1 ")
        .str.strip_chars_end(" ")
        # strptime wants two digits each.
        .str.replace(r"^(\d{4})-(\d)-", "$1-0$2-")
        .str.replace(r"^(\d{4}-\d{2})-(\d)(\s|$)", "${1}-0${2}${3}")
        .str.replace(r"^(\S+) (\d):", "$1 0$2:")
        .str.replace(r"\s*(?:[Zz]|UTC)$", "+0000")
        .str.replace(r"\s*([+-]\d{2}):(\d{2})$", "$1$2")
        .str.replace(r"(:\d{2}(?:\.\d+)?)\s*([+-]\d{2})$", "$1${2}00")
    )
    found = pl.Series(values=[None], dtype=pl.Datetime("us")).new_from_index(0, len(tidy))
    plain, zoned = map(_plain_reader, _TIME_FORMATS), map(_zoned_reader, _ZONED_FORMATS)
    for read in (*plain, *zoned, _epoch_text):
        open_ = found.is_null()
        if not open_.any():
            break
        found = found.scatter(open_.arg_true(), read(tidy.filter(open_)))
    return found


def _plain_reader(form: str) -> Callable[[pl.Series], pl.Series]:
    return lambda cells: cells.str.strptime(pl.Datetime("us"), form, strict=False)


def _zoned_reader(form: str) -> Callable[[pl.Series], pl.Series]:
    return lambda cells: (
        cells.str.strptime(pl.Datetime("us", "UTC"), form, strict=False)
        .dt.convert_time_zone(ZONE)
        .dt.replace_time_zone(None)
    )


def _epoch_text(cells: pl.Series) -> pl.Series:
    return _epoch(cells.cast(pl.Float64, strict=False)).values
