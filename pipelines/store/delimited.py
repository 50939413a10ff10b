"""Reading CSV as merchants export it: UTF-8 with or without BOM, GBK, UTF-16; comma, tab or semicolon; lines
above the header; ragged lines; quotes that nobody closes.

Well-formed files go straight through polars. What polars refuses, or reads as fewer rows than there are
lines, is read again line by line by the standard library's forgiving reader: every line ends as a row, and
the odd ones in the quarantine like any other bad row.
"""

from __future__ import annotations

import codecs
import csv
import io
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from models.contracts.headers import PREAMBLE_LINES, is_header
from models.contracts.numbers import DecimalMark, decimal_mark
from models.contracts.schemas import OPEN_QUOTE, SURPLUS
from models.errors import DataError
from pipelines.store.lines import records
from pipelines.store.reading import Held

_CHUNK = 1 << 20
_ROWS = 50_000
_SEPARATORS = ",\t;|"
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@dataclass(frozen=True)
class TextTable:
    """A table whose cells are text.

    Attributes:
        frame: Text columns, empty cells null; one row per line below the header.
        decimal: What begins the fraction of its numbers.
        warnings: What was skipped, one line each.
    """

    frame: pl.DataFrame
    decimal: DecimalMark = "."
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Header:
    """Names of the columns, what separates them, lines above them, and whether polars can read on below: the
    header is one line, and lines do not end as on old Macintoshes.
    """

    names: list[str]
    separator: str
    skipped: int
    is_plain: bool


def read_delimited(held: Held) -> TextTable:
    """A CSV file.

    A line with more fields than the header has its surplus in the column `SURPLUS` (only there if needed), a
    line with a quote that nobody closes has `OPEN_QUOTE` there.

    Raises:
        DataError: The file is empty, not text, or its header is not a header.
    """
    encoding = detect_encoding(held)
    header = header_of(held, encoding)
    frame = without_blank_end(_rows(held, encoding, header))
    # Only where commas do not separate fields can they begin fractions.
    decimal: DecimalMark = "." if header.separator == "," else decimal_mark(frame)
    if header.separator != ";" and decimal == "?":
        decimal = "."
    return TextTable(frame, decimal, skipped_lines(header.skipped, path=held.path))


def skipped_lines(count: int, *, path: Path) -> tuple[str, ...]:
    """A word on the lines above the header."""
    return (f"{path}: skipped {count} line{'s' if count > 1 else ''} above the header",) if count else ()


def without_blank_end(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows up to the last one that holds anything: the empty lines that Excel leaves below are no rows."""
    filled = frame.select(pl.any_horizontal(pl.all().is_not_null())).to_series().arg_true()
    return frame.head(int(filled[-1]) + 1 if len(filled) else 0)


def column_names(cells: Sequence[str], *, path: Path) -> list[str]:
    """The cells of a header as distinct names, made up where empty.

    Raises:
        DataError: All are empty, a name stands twice, or there are letters that no name has.
    """
    if not any(name.strip() for name in cells):
        raise DataError(f"{path}: the first line is empty; expected column names")
    if any(ord(letter) < 32 and letter not in "\t\r\n" for name in cells for letter in name):
        raise DataError(f"{path}: not a text file; expected a header line of column names")
    named = [name if name.strip() else f"unnamed_{position}" for position, name in enumerate(cells, 1)]
    if repeated := sorted({name for name in named if named.count(name) > 1}):
        raise DataError(
            f"{path}: column {repeated[0]!r} appears twice in the header; expected distinct names"
        )
    return named


def _rows(held: Held, encoding: str, header: Header) -> pl.DataFrame:
    if not header.is_plain:
        return _forgiving(held, encoding, header)
    body = held if encoding.startswith("utf-8") else _as_utf8(held, encoding)
    try:
        frame = body_frame(body.data, header, skip=header.skipped + 1)
    except (pl.exceptions.PolarsError, OSError):
        return _forgiving(held, encoding, header)
    # A quote left open makes one cell of many lines, and nobody would miss them.
    if b'"' in body.data and frame.height != count_lines(body.data) - header.skipped - 1:
        return _forgiving(held, encoding, header)
    return frame


def body_frame(data: bytes, header: Header, *, skip: int = 0) -> pl.DataFrame:
    """Rows of well-formed UTF-8 text below the header.

    Raises:
        polars.exceptions.PolarsError: It is not well formed.
    """
    return pl.read_csv(
        data,
        has_header=False,
        skip_lines=skip,
        schema=dict.fromkeys(header.names, pl.String),
        separator=header.separator,
        missing_columns="insert",
        glob=False,
    )


def count_lines(data: bytes) -> int:
    """Lines of UTF-8 text."""
    return data.count(b"\n") + (not data.endswith(b"\n"))


def detect_encoding(held: Held) -> str:
    """`utf-8`, `utf-8-sig`, `utf-16` or `gb18030`, by the byte-order mark or by what decodes without error.

    Raises:
        DataError: The file is empty, holds NUL bytes (binary), decodes as none of these, or not as its mark
            says.
    """
    head = held.data[:_CHUNK]
    if not head.strip():
        raise DataError(f"{held.path}: the file is empty; expected a header line and data rows")
    for mark, name in _BOMS:
        if head.startswith(mark):
            if name == "utf-16" and not _decodes(held, name):
                raise DataError(
                    f"{held.path}: begins as UTF-16, and cannot be read as utf-16 text; export it again"
                )
            return name
    if b"\0" in head:
        raise DataError(
            f"{held.path}: not a text file; expected CSV in UTF-8 or GBK (an Excel file ends in .xlsx or "
            ".xls)"
        )
    for encoding in ("utf-8", "gb18030"):
        if _decodes(held, encoding):
            return encoding
    raise DataError(
        f"{held.path}: neither UTF-8 nor GBK text; expected CSV in one of these encodings: export it again"
    )


def _decodes(held: Held, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with held.open() as file:
            while chunk := file.read(_CHUNK):
                decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _as_utf8(held: Held, encoding: str) -> Held:
    body = io.BytesIO()
    with held.text(encoding) as file:
        while text := file.read(_CHUNK):
            body.write(text.encode("utf-8", errors="replace"))
    return Held(held.path, body.getvalue())


def header_of(held: Held, encoding: str) -> Header:
    """The first line that is a header, else the first line, with the separator that splits it most."""
    try:
        with held.text(encoding) as file:
            lines = list(itertools.islice(iter(lambda: file.readline(_CHUNK), ""), PREAMBLE_LINES))
        at, separator, cells = 0, _splits_most(lines[0]), _cells(lines)
        for number, line in enumerate(lines):
            found = _cells(lines[number:])
            if is_header(found):
                at, separator, cells = number, _splits_most(line), found
                break
    except (UnicodeError, csv.Error) as error:
        raise DataError(f"{held.path}: cannot be read as {encoding} text: {type(error).__name__}") from error
    is_plain = lines[at].count('"') % 2 == 0 and not lines[at].endswith("\r")
    return Header(column_names(cells, path=held.path), separator, at, is_plain)


def _splits_most(line: str) -> str:
    return max(_SEPARATORS, key=line.count)


def _cells(lines: Sequence[str]) -> list[str]:
    """Cells of the first line; a quote left open continues on the next."""
    return next(csv.reader(lines, delimiter=_splits_most(lines[0])), [])


def _forgiving(held: Held, encoding: str, header: Header) -> pl.DataFrame:
    """The file through the csv module, in pieces of `_ROWS` rows to bound the memory of Python strings."""
    names, separator = header.names, header.separator
    schema = dict.fromkeys([*names, SURPLUS], pl.String)
    pieces = [pl.DataFrame(schema=schema)]
    found = _records(held, encoding, header)
    while rows := list(itertools.islice(found, _ROWS)):
        full = []
        for fields, is_open in rows:
            row: list[str | None] = [field or None for field in fields[: len(names)]]
            row += [None] * (len(names) - len(row))
            # A trailing separator alone is no surplus.
            surplus = separator.join(fields[len(names) :])
            row.append(OPEN_QUOTE if is_open else surplus if surplus.strip(separator + " ") else None)
            full.append(row)
        pieces.append(pl.DataFrame(full, schema=schema, orient="row"))
    frame = pl.concat(pieces)
    return frame.drop(SURPLUS) if frame[SURPLUS].null_count() == frame.height else frame


def _records(held: Held, encoding: str, header: Header) -> Iterator[tuple[list[str], bool]]:
    with held.text(encoding, errors="replace") as file:
        lines = itertools.islice((line.replace("\0", "") for line in file), header.skipped, None)
        try:
            yield from records(lines, header.separator, width=len(header.names))
        except csv.Error as error:
            raise DataError(f"{held.path}: {error}; expected CSV text") from error
