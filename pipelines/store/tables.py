"""Tables on disk: finding, reading and writing them. CSV or Parquet, a file or a folder of parts."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote

import polars as pl

from models.contracts import Table
from models.contracts import fingerprint as content_fingerprint
from models.contracts.headers import fold
from models.contracts.numbers import DecimalMark
from models.contracts.parts import all_columns, stack
from models.errors import DataError
from models.escaping.tables import for_cells, from_cells
from pipelines.shell import number_of, quiet
from pipelines.store import disk
from pipelines.store.delimited import TextTable, read_delimited
from pipelines.store.reading import Held, a_file, hold
from pipelines.store.sheets import read_sheet

Recognise = Callable[[Sequence[str]], Table]
_CSV = (".csv", ".tsv", ".txt")
_EXCEL = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
_PARQUET = (".parquet", ".pq")
_MAGIC = b"PAR1"
TABLE_SUFFIXES = (*_CSV, *_PARQUET, *_EXCEL)
DATA_TABLES = ("users", "exposures", "orders", "delivery")
"""What a data directory may hold."""
_ONE_QUIET = threading.Lock()
"""Two threads that silence stderr in turns would never give it back."""
_HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True)
class RawTable:
    """A table as found on disk.

    Attributes:
        frame: Text columns from CSV, typed columns from Parquet; headers as found.
        source: Path as the user gave it.
        parts: (path, rows) of each file of a folder, in reading order; empty for a single file.
        warnings: What was skipped, or is lacking in some parts, one line each.
        decimal: What begins the fraction of numbers in text; `?` where parts differ.
        digests: sha256 of each file's bytes, as they were read, by its name below the source.
    """

    frame: pl.DataFrame
    source: str
    parts: tuple[tuple[str, int], ...] = ()
    warnings: tuple[str, ...] = ()
    decimal: DecimalMark = "."
    digests: Mapping[str, str] = field(default_factory=dict)


def read_table(path: str | Path) -> pl.DataFrame:
    """The raw rows of a CSV or Parquet file, or of a folder of such parts with the same columns."""
    return read_raw(path).frame


def read_raw(path: str | Path, table: Table | Recognise | None = None) -> RawTable:
    """As `read_table`, with where each row came from.

    Args:
        path: File or folder of parts.
        table: What it is, or how to tell from the columns; parts may lack columns that its contract does not
            need. None: every part needs every column.

    Raises:
        DataError: Nothing there, not readable, empty, corrupt, or parts that do not fit together.
    """
    path = Path(path)
    try:
        if not path.exists():
            raise DataError(f"{path}: no such file; expected a CSV or Parquet file or a folder of parts")
        if not path.is_dir():
            held = hold(path)
            whole = _read_file(held)
            return RawTable(whole.frame, str(path), (), whole.warnings, whole.decimal, {"": held.sha256})
        read, digests = {}, {}
        for part in part_files(path):
            held = hold(part)
            read[part], digests[part.relative_to(path).as_posix()] = _read_file(held), held.sha256
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read: {error.strerror or error}; check the path and permissions"
        ) from error
    parts = [(str(part), with_partitions(one.frame, part.relative_to(path))) for part, one in read.items()]
    known = table(all_columns(parts)) if callable(table) else table
    stacked = stack(parts, known, source=str(path))
    counts = tuple((source, part.height) for source, part in parts)
    said = (*stacked.warnings, *(line for one in read.values() for line in one.warnings))
    marks = {one.decimal for one in read.values()}
    mark = marks.pop() if len(marks) == 1 else "?"
    return RawTable(stacked.frame, str(path), counts, said, mark, digests)


def find_table(folder: str | Path, stem: str) -> Path:
    """Path of table `stem` in a data directory: stem.parquet, stem.csv or the folder stem/.

    Raises:
        DataError: The directory or the table is missing, or the table is there twice.
    """
    folder = Path(folder)
    if not folder.is_dir():
        what = "is a file, not a directory" if folder.exists() else "no such directory"
        raise DataError(f"{folder}: {what}; expected users, exposures and orders as .parquet or .csv in it")
    found = _candidates(folder, stem)
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise DataError(
            f"{folder}: table {stem} is there twice ({names}); expected one: remove or rename the other"
        )
    if not found:
        names = ", ".join(sorted(path.name for path in folder.iterdir())[:20]) or "nothing"
        raise DataError(
            f"{folder}: table {stem} is missing; expected {stem}.parquet, {stem}.csv or {stem}/; "
            f"found: {names}"
        )
    return found[0]


def has_table(folder: str | Path, stem: str) -> bool:
    """Whether `find_table` would look at anything."""
    return Path(folder).is_dir() and bool(_candidates(Path(folder), stem))


def data_tables(folder: Path) -> list[Path]:
    """Every table of a data directory; none where it cannot be looked into."""
    with suppress(OSError):
        return [found for stem in DATA_TABLES for found in _candidates(folder, stem)]
    return []


def _candidates(folder: Path, stem: str) -> list[Path]:
    """What may be table `stem`, by name: the extension in any case, or a folder."""
    known = (*_PARQUET, *_CSV, *_EXCEL, "")
    found = [path for path in folder.iterdir() if path.stem == stem and path.suffix.lower() in known]
    found = [path for path in found if path.suffix or path.is_dir()]
    return sorted(found, key=lambda path: (known.index(path.suffix.lower()), path.name))


def is_parquet(path: Path) -> bool:
    """Whether a table is a Parquet file or a folder of such parts, by its extension."""
    return part_files(path)[0].suffix.lower() in _PARQUET


def write_table(frame: pl.DataFrame, path: str | Path) -> str:
    """Write a frame as CSV (UTF-8) or Parquet by the path's extension; a reader sees the old file or the new
    one.

    Raises:
        DataError: The extension is neither, or the file cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (*_PARQUET, *_CSV):
        raise DataError(f"{path}: unknown extension {path.suffix!r}; expected .csv or .parquet")

    def fill(file: BinaryIO) -> None:
        if suffix in _PARQUET:
            frame.write_parquet(file)
        else:
            for_cells(frame).write_csv(file, separator="\t" if suffix == ".tsv" else ",")

    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        sha256 = disk.write(part, fill)
        disk.rename(part, path)
        return sha256
    except (OSError, pl.exceptions.PolarsError) as error:
        number = number_of(error)
        reason = os.strerror(number) if number else error
        raise DataError(f"{path}: cannot be written: {reason}; free space or choose another place") from error
    finally:
        if part.parent.is_dir():
            disk.remove(part)


def fingerprint(table: pl.DataFrame | str | Path) -> str:
    """Content hash of a frame, or of the rows of a table on disk; see `models.contracts.fingerprint`."""
    return content_fingerprint(table if isinstance(table, pl.DataFrame) else read_table(table))


def _read_file(held: Held) -> TextTable:
    suffix = held.path.suffix.lower()
    if suffix in _PARQUET or held.data.startswith(_MAGIC):
        return TextTable(_read_parquet(held))
    if suffix not in (*_CSV, *_EXCEL):
        raise DataError(
            f"{held.path}: unknown extension {held.path.suffix!r}; expected .csv, .xlsx or .parquet"
        )
    read = read_sheet(held) if suffix in _EXCEL else read_delimited(held)
    return replace(read, frame=from_cells(read.frame))


def _read_parquet(held: Held) -> pl.DataFrame:
    if not held.data:
        raise DataError(f"{held.path}: the file is empty; expected Parquet data")
    if not held.data.startswith(_MAGIC):
        raise DataError(
            f"{held.path}: not a Parquet file (no PAR1 mark); expected Parquet: write it again or name it "
            ".csv"
        )
    try:
        # Of some damage polars panics: no `Exception`, and told on stderr below Python.
        with _ONE_QUIET, quiet(2):
            return pl.read_parquet(held.open(), hive_partitioning=False)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DataError(
            f"{held.path}: corrupt Parquet ({reason}); expected a complete file: write it again"
        ) from error


def part_files(table: Path) -> list[Path]:
    """The files of a table: itself, or data files below a folder, by name; what engines leave beside them
    (_SUCCESS, .crc) is skipped.

    Raises:
        DataError: It is a pipe or a device, which a library would wait for; a folder without parts, or with
            two kinds of them.
    """
    return _parts_below(table) if table.is_dir() else [a_file(table)]


def _parts_below(folder: Path) -> list[Path]:
    found = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and path.suffix.lower() in TABLE_SUFFIXES
        and not any(name.startswith(("_", ".")) for name in path.relative_to(folder).parts)
    ]
    kinds = {path.suffix.lower() in _PARQUET for path in found}
    if not found:
        raise DataError(f"{folder}: no part files; expected .parquet or .csv files in the folder")
    if len(kinds) > 1:
        raise DataError(f"{folder}: both CSV and Parquet parts; expected one kind: move the others away")
    return found


def with_partitions(frame: pl.DataFrame, below: Path) -> pl.DataFrame:
    """A part with the columns that engines write as folder names: `placement=video/part-0.parquet`."""
    pairs = (name.split("=", 1) for name in below.parts[:-1] if "=" in name)
    held = {unquote(key): None if value == _HIVE_NULL else unquote(value) for key, value in pairs}
    known = {fold(name) for name in frame.columns}
    return frame.with_columns(
        pl.lit(value, dtype=pl.String).alias(key) for key, value in held.items() if fold(key) not in known
    )
