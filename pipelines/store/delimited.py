"""Reading CSV as merchants export it: UTF-8 with or without BOM, GBK, UTF-16; comma, tab or semicolon;
ragged lines.

Well-formed files go straight through polars; what polars refuses (a stray quote, a line with too many
fields) is read again by the standard library's forgiving reader, and the odd lines end up in the quarantine
like any other bad row.
"""

from __future__ import annotations

import codecs
import csv
import io
import itertools
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from models.contracts.schemas import SURPLUS
from models.errors import DataError

_CHUNK = 1 << 20
_ROWS = 50_000
_SEPARATORS = ",\t;|"
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def read_delimited(path: Path) -> pl.DataFrame:
    """A CSV file as text columns, empty cells null; one row per line after the header.

    A line with more fields than the header has its surplus in the column `SURPLUS` (only there if needed).

    Raises:
        DataError: The file is empty, not text, or its header is not a header.
    """
    return _without_blank_end(_rows_of(path))


def _without_blank_end(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows up to the last one that holds anything: the empty lines that Excel leaves below are no rows."""
    filled = frame.select(pl.any_horizontal(pl.all().is_not_null())).to_series().arg_true()
    return frame.head(int(filled[-1]) + 1 if len(filled) else 0)


def _rows_of(path: Path) -> pl.DataFrame:
    encoding = detect_encoding(path)
    names, separator, plain = _header(path, encoding)
    if not plain:
        return _forgiving(path, encoding, names, separator)
    body: Path | io.BytesIO = path if encoding.startswith("utf-8") else _as_utf8(path, encoding)
    try:
        return pl.read_csv(
            body,
            has_header=False,
            skip_lines=1,
            schema=dict.fromkeys(names, pl.String),
            separator=separator,
            missing_columns="insert",
            glob=False,
        )
    except (pl.exceptions.PolarsError, OSError):
        return _forgiving(path, encoding, names, separator)


def detect_encoding(path: Path) -> str:
    """`utf-8`, `utf-8-sig`, `utf-16` or `gb18030`, by the byte-order mark or by what decodes without error.

    Raises:
        DataError: The file is empty, holds NUL bytes (binary), or decodes as none of these.
    """
    with path.open("rb") as file:
        head = file.read(_CHUNK)
    if not head.strip():
        raise DataError(f"{path}: the file is empty; expected a header line and data rows")
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name
    if b"\0" in head:
        raise DataError(
            f"{path}: not a text file; expected CSV in UTF-8 or GBK (is it an Excel file? export it as CSV)"
        )
    for encoding in ("utf-8", "gb18030"):
        if _decodes(path, encoding):
            return encoding
    raise DataError(
        f"{path}: neither UTF-8 nor GBK text; expected CSV in one of these encodings: export it again"
    )


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _as_utf8(path: Path, encoding: str) -> io.BytesIO:
    body = io.BytesIO()
    with path.open(encoding=encoding, newline="") as file:
        while text := file.read(_CHUNK):
            body.write(text.encode("utf-8", errors="replace"))
    body.seek(0)
    return body


def _header(path: Path, encoding: str) -> tuple[list[str], str, bool]:
    """Column names (made up where empty), the separator, and whether polars can read on from the next line.

    The separator is the one that splits the first line most. polars cannot read on after a header over
    several lines, nor with old Macintosh line ends, which it takes for one long line.
    """
    try:
        with path.open(encoding=encoding, newline="") as file:
            line = file.readline(_CHUNK)
            separator = max(_SEPARATORS, key=line.count)
            # A quote left open continues on the next line: `"花费\n(元)"`.
            names = next(csv.reader(itertools.chain([line], file), delimiter=separator), [])
    except (UnicodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as {encoding} text: {type(error).__name__}") from error
    if not any(name.strip() for name in names):
        raise DataError(f"{path}: the first line is empty; expected column names")
    if any(ord(letter) < 32 and letter not in "\t\r\n" for name in names for letter in name):
        raise DataError(f"{path}: not a text file; expected a header line of column names")
    named = [name if name.strip() else f"unnamed_{position}" for position, name in enumerate(names, 1)]
    repeated = sorted({name for name in named if named.count(name) > 1})
    if repeated:
        raise DataError(
            f"{path}: column {repeated[0]!r} appears twice in the header; expected distinct names"
        )
    return named, separator, line.count('"') % 2 == 0 and not line.endswith("\r")


def _forgiving(path: Path, encoding: str, names: list[str], separator: str) -> pl.DataFrame:
    """The file through the csv module, in pieces of `_ROWS` rows to bound the memory of Python strings."""
    columns = [*names, SURPLUS]
    schema = dict.fromkeys(columns, pl.String)
    pieces = [pl.DataFrame(schema=schema)]
    rows: list[list[str | None]] = []
    for fields in _lines(path, encoding, separator):
        row: list[str | None] = [field or None for field in fields[: len(names)]]
        row += [None] * (len(names) - len(row))
        # A trailing separator alone is no surplus.
        surplus = separator.join(fields[len(names) :])
        row.append(surplus if surplus.strip(separator + " ") else None)
        rows.append(row)
        if len(rows) == _ROWS:
            pieces.append(pl.DataFrame(rows, schema=schema, orient="row"))
            rows = []
    if rows:
        pieces.append(pl.DataFrame(rows, schema=schema, orient="row"))
    frame = pl.concat(pieces)
    return frame.drop(SURPLUS) if frame[SURPLUS].null_count() == frame.height else frame


def _lines(path: Path, encoding: str, separator: str) -> Iterator[list[str]]:
    with path.open(encoding=encoding, newline="", errors="replace") as file:
        reader = csv.reader((line.replace("\0", "") for line in file), delimiter=separator)
        try:
            next(reader)
            yield from reader
        except csv.Error as error:
            raise DataError(f"{path}: line {reader.line_num}: {error}; expected CSV text") from error
