"""Tables on disk: finding, reading and writing them. CSV or Parquet, a file or a folder of parts."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote

import polars as pl

from models.contracts import Table
from models.contracts import fingerprint as content_fingerprint
from models.contracts.headers import fold
from models.contracts.numbers import DecimalMark
from models.contracts.parts import all_columns, optional_columns, stack, with_empty
from models.errors import DataError
from models.escaping.tables import for_cells, from_cells
from pipelines.store.delimited import TextTable, read_delimited
from pipelines.store.sheets import read_sheet

Recognise = Callable[[Sequence[str]], Table]
_CSV = (".csv", ".tsv", ".txt")
_EXCEL = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
_PARQUET = (".parquet", ".pq")
TABLE_SUFFIXES = (*_CSV, *_PARQUET, *_EXCEL)
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
    """

    frame: pl.DataFrame
    source: str
    parts: tuple[tuple[str, int], ...] = ()
    warnings: tuple[str, ...] = ()
    decimal: DecimalMark = "."


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
            whole = _read_file(path)
            return RawTable(whole.frame, str(path), (), whole.warnings, whole.decimal)
        read = {part: _read_file(part) for part in _part_files(path)}
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read: {error.strerror or error}; check the path and permissions"
        ) from error
    parts = [(str(part), _with_partitions(held.frame, part.relative_to(path))) for part, held in read.items()]
    known = table(all_columns(parts)) if callable(table) else table
    stacked = stack(parts, known, source=str(path))
    counts = tuple((source, part.height) for source, part in parts)
    said = (*stacked.warnings, *(line for held in read.values() for line in held.warnings))
    marks = {held.decimal for held in read.values()}
    return RawTable(stacked.frame, str(path), counts, said, marks.pop() if len(marks) == 1 else "?")


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


def _candidates(folder: Path, stem: str) -> list[Path]:
    """What may be table `stem`, by name: the extension in any case, or a folder."""
    known = (*_PARQUET, *_CSV, *_EXCEL, "")
    found = [path for path in folder.iterdir() if path.stem == stem and path.suffix.lower() in known]
    found = [path for path in found if path.suffix or path.is_dir()]
    return sorted(found, key=lambda path: (known.index(path.suffix.lower()), path.name))


def is_parquet(path: Path) -> bool:
    """Whether a table is a Parquet file or a folder of such parts, by its extension."""
    files = _part_files(path) if path.is_dir() else [path]
    return files[0].suffix.lower() in _PARQUET


def write_table(frame: pl.DataFrame, path: str | Path) -> None:
    """Write a frame as CSV (UTF-8) or Parquet by the path's extension; a reader sees the old file or the new
    one.

    Raises:
        DataError: The extension is neither, or the file cannot be written.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        suffix = path.suffix.lower()
        if suffix in _PARQUET:
            frame.write_parquet(part)
        elif suffix in _CSV:
            for_cells(frame).write_csv(part, separator="\t" if suffix == ".tsv" else ",")
        else:
            raise DataError(f"{path}: unknown extension {path.suffix!r}; expected .csv or .parquet")
        os.replace(part, path)
    except (OSError, pl.exceptions.PolarsError) as error:
        # polars names the number of what the system refused, in its own words before it.
        told = re.search(r"os error (\d+)", str(error))
        reason = os.strerror(int(told[1])) if told else getattr(error, "strerror", None) or error
        raise DataError(f"{path}: cannot be written: {reason}; free space or choose another place") from error
    finally:
        if part.parent.is_dir():
            part.unlink(missing_ok=True)


def fingerprint(table: pl.DataFrame | str | Path) -> str:
    """Content hash of a frame, or of the rows of a table on disk; see `models.contracts.fingerprint`."""
    return content_fingerprint(table if isinstance(table, pl.DataFrame) else read_table(table))


def _read_file(path: Path) -> TextTable:
    with path.open("rb") as file:
        magic = file.read(4)
    if path.suffix.lower() in _PARQUET or magic == b"PAR1":
        return TextTable(_read_parquet(path, magic))
    if path.suffix.lower() not in (*_CSV, *_EXCEL):
        raise DataError(f"{path}: unknown extension {path.suffix!r}; expected .csv, .xlsx or .parquet")
    read = read_sheet(path) if path.suffix.lower() in _EXCEL else read_delimited(path)
    return replace(read, frame=from_cells(read.frame))


def _read_parquet(path: Path, magic: bytes) -> pl.DataFrame:
    if not magic:
        raise DataError(f"{path}: the file is empty; expected Parquet data")
    if magic != b"PAR1":
        raise DataError(
            f"{path}: not a Parquet file (no PAR1 mark); expected Parquet: write it again or name it .csv"
        )
    try:
        return pl.read_parquet(path, glob=False, hive_partitioning=False)
    except pl.exceptions.PolarsError as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DataError(
            f"{path}: corrupt Parquet ({reason}); expected a complete file: write it again"
        ) from error


def stream_parquet(path: Path, *, rows: int, table: Table) -> Iterator[tuple[str, int, pl.DataFrame]]:
    """The raw rows of a Parquet file or folder of parts, at most `rows` at a time.

    Args:
        path: File or folder.
        rows: Most rows at a time.
        table: What it is: columns that its contract does not need and a part lacks are empty.

    Yields:
        The file, how many of its rows came before, and the rows.

    Raises:
        DataError: Not readable, or corrupt.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = _part_files(path) if path.is_dir() else [path]
    optional = optional_columns(_schemas(files), table) if len(files) > 1 else {}
    for part in files:
        before = 0
        try:
            with pq.ParquetFile(part) as file:
                for batch in file.iter_batches(batch_size=rows):
                    frame = pl.from_arrow(pa.Table.from_batches([batch]))
                    assert isinstance(frame, pl.DataFrame)
                    below = part.relative_to(path) if path.is_dir() else Path(part.name)
                    frame = _with_partitions(frame, below)
                    yield str(part), before, with_empty(frame, optional, table, source=str(part))
                    before += len(frame)
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"{part}: cannot be read as Parquet ({error}); write it again") from error


def _schemas(files: Sequence[Path]) -> dict[str, pl.Schema]:
    """Columns of each part; one that cannot be read is told when its rows are."""
    found = {}
    for file in files:
        with suppress(OSError, pl.exceptions.PolarsError):
            found[str(file)] = pl.Schema(pl.read_parquet_schema(file))
    return found


def _part_files(folder: Path) -> list[Path]:
    """Data files below a folder, by name; what engines leave beside them (_SUCCESS, .crc) is skipped."""
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


def _with_partitions(frame: pl.DataFrame, below: Path) -> pl.DataFrame:
    """The columns that engines write as folder names: `placement=video/part-0.parquet`."""
    pairs = (name.split("=", 1) for name in below.parts[:-1] if "=" in name)
    held = {unquote(key): None if value == _HIVE_NULL else unquote(value) for key, value in pairs}
    known = {fold(name) for name in frame.columns}
    return frame.with_columns(
        pl.lit(value, dtype=pl.String).alias(key) for key, value in held.items() if fold(key) not in known
    )
