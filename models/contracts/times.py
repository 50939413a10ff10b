"""Times as consoles, spreadsheets and engines write them, as naive Asia/Shanghai microseconds.

Must not import anything that reads a file, a clock or the environment.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import polars as pl

from models.contracts.cells import BLANKS, Parsed, WrongTypeError, all_good, as_text, is_blank

ZONE = "Asia/Shanghai"
EARLIEST, LATEST = datetime(2000, 1, 1), datetime(2100, 1, 1)
# At most one row in 100 behind a gap of more than a year is a slip of the pen, see `unbelievable`.
STRAY_ROWS, STRAY_GAP = 100, timedelta(days=366)
# Days since 1899-12-30 of the two dates above, as Excel counts.
_SERIAL_ZERO, _SERIALS = datetime(1899, 12, 30), (36_526, 73_050)
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
_CLOCK = r"\d:\d{2}"
_OFFSET, _SHANGHAI = _CLOCK + r".*(?:[Zz]|UTC|[+-]\d{2}:?(?:\d{2})?)\s*$", r"\+08:?(?:00)?\s*$"
_ZONED_FORMATS = ("%Y-%m-%d %H:%M:%S%.f%z", "%Y-%m-%d %H:%M%z")


def time(column: pl.Series, *, by_cell: bool = False) -> Parsed:
    """Naive Asia/Shanghai Datetime("us") from dates, times, their text, and numbers: UTC epochs (s or ms),
    yyyymmdd, days as Excel counts them.

    Args:
        column: Cells.
        by_cell: Read each cell for itself. Otherwise 13/05/2024 anywhere tells which part of 11/05/2024 is
            the day, and times without an offset are refused beside offsets other than Shanghai's.
    """
    column = as_text(column)
    if column.dtype == pl.Date:
        return all_good(column.cast(pl.Datetime("us")))
    if isinstance(column.dtype, pl.Datetime):
        local = (
            column.dt.convert_time_zone(ZONE).dt.replace_time_zone(None) if column.dtype.time_zone else column
        )
        return all_good(local.cast(pl.Datetime("us")))
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
    read = _written_time(rest if by_cell else _year_first(rest))
    values = values.scatter(todo.arg_true(), read)
    bad = todo.scatter(todo.arg_true(), read.is_null() & ~is_blank(rest))
    if not by_cell and (rest.str.contains(_OFFSET) & ~rest.str.contains(_SHANGHAI)).any():
        bad |= (column.str.contains(_CLOCK) & ~column.str.contains(_OFFSET)).fill_null(False)
    return Parsed(values.set(bad, None), bad)


def is_written_date(column: pl.Series) -> pl.Series:
    """Cells of text that say year, month and day, with marks between them."""
    return column.str.contains(r"^\s*\d{4}\s*[-/.年]\s*\d{1,2}\s*[-/.月]\s*\d{1,2}(?:\D|$)").fill_null(False)


def unbelievable(times: pl.Series, *, by_cell: bool = False) -> pl.Series:
    """Moments that cannot be meant: before 2000, after 2099, or alone in a future far behind all others.

    One order of 9999-12-31 would make "now" the year 9999, after which no follower is too young to judge; one
    of 2042 for 2024 does the same. A gap of more than a year with at most 1 % of the rows behind it is
    taken for such a slip.
    """
    moments = times.cast(pl.Datetime("us"))
    odd = ~moments.is_between(EARLIEST, LATEST, closed="left").fill_null(True)
    held = moments.filter(~odd).drop_nulls()
    few = len(held) // STRAY_ROWS
    if few and not by_cell:
        last = held.top_k(few + 1).sort()
        far = (last.diff() > STRAY_GAP).fill_null(False).arg_true()
        if len(far):
            odd |= (moments >= last[int(far[0])]).fill_null(False)
    return odd


def clock_hour(column: pl.Series) -> pl.Series:
    """Text of an hour without what consoles write around it: `9时`, `09:00`, `09:00-10:00` become 9."""
    if column.dtype != pl.String:
        return column
    hour = column.str.extract(r"^\s*(\d{1,2})\s*(?:[:：]\d{2}|[时点])", 1)
    return hour.zip_with(hour.is_not_null(), column)


def _year_first(column: pl.Series) -> pl.Series:
    """13/05/2024 as 2024-05-13 where the column tells days from months; else nobody may guess."""
    form = r"^\s*(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})(\D.*)?$"
    first, second = (column.str.extract(form, part).cast(pl.Int64) > 12 for part in (1, 2))
    if first.any() == second.any():
        return column
    return column.str.replace(form, "$3-$2-$1$4" if first.any() else "$3-$1-$2$4")


def _epoch(numbers: pl.Series) -> Parsed:
    """Numbers as yyyymmdd, as seconds or milliseconds since 1970 UTC (years 2001 to 2100), or as days since
    1899-12-30 (2000 to 2099).
    """
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
    serial = _SERIAL_ZERO + pl.duration(milliseconds=(n * 86_400e3).round())
    values = frame.select(
        pl.when(n.is_between(1e7, 1e8))
        .then(day)
        .when(n.is_between(*_SERIALS))
        .then(serial.cast(pl.Datetime("us")))
        .otherwise(moment)
    ).to_series()
    return Parsed(values, numbers.is_not_null() & values.is_null())


def _written_time(column: pl.Series) -> pl.Series:
    """Times in text, other than the first of `_TIME_FORMATS`."""
    tidy = (
        column.str.normalize("NFKC")
        .str.strip_chars(BLANKS)
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
