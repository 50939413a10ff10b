"""Tables on disk: finding, reading and writing them. CSV or Parquet, a file or a folder of parts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import polars as pl

from models.contracts import fingerprint as content_fingerprint
from models.contracts.headers import fold
from models.contracts.schemas import SURPLUS
from models.errors import DataError
from pipelines.store.delimited import read_delimited

_CSV = (".csv", ".tsv", ".txt")
_PARQUET = (".parquet", ".pq")
_HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True)
class RawTable:
    """A table as found on disk.

    Attributes:
        frame: Text columns from CSV, typed columns from Parquet; headers as found.
        source: Path as the user gave it.
        parts: (path, rows) of each file of a folder, in reading order; empty for a single file.
    """

    frame: pl.DataFrame
    source: str
    parts: tuple[tuple[str, int], ...] = ()


def read_table(path: str | Path) -> pl.DataFrame:
    """The raw rows of a CSV or Parquet file, or of a folder of such parts."""
    return read_raw(path).frame


def read_raw(path: str | Path) -> RawTable:
    """As `read_table`, with where each row came from.

    Raises:
        DataError: Nothing there, not readable, empty, corrupt, or parts with different columns.
    """
    path = Path(path)
    try:
        if path.is_dir():
            return _read_folder(path)
        if not path.exists():
            raise DataError(f"{path}: no such file; expected a CSV or Parquet file or a folder of parts")
        return RawTable(_read_file(path), str(path))
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read: {error.strerror or error}; check the path and permissions"
        ) from error


def find_table(folder: str | Path, stem: str) -> Path:
    """Path of table `stem` in a data directory: stem.parquet, stem.csv or the folder stem/.

    Raises:
        DataError: The directory or the table is missing, or the table is there twice.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(
            f"{folder}: no such directory; expected users, exposures and orders as .parquet or .csv in it"
        )
    candidates = [folder / f"{stem}{suffix}" for suffix in (*_PARQUET, *_CSV)] + [folder / stem]
    found = [path for path in candidates if path.exists()]
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


def write_table(frame: pl.DataFrame, path: str | Path) -> None:
    """Write a frame as CSV (UTF-8) or Parquet by the path's extension; a reader sees the old file or the new
    one.

    Raises:
        DataError: The extension is neither, or the file cannot be written.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if path.suffix in _PARQUET:
            frame.write_parquet(part)
        elif path.suffix in _CSV:
            frame.write_csv(part, separator="\t" if path.suffix == ".tsv" else ",")
        else:
            raise DataError(f"{path}: unknown extension {path.suffix!r}; expected .csv or .parquet")
        os.replace(part, path)
    except OSError as error:
        raise DataError(
            f"{path}: cannot be written: {error.strerror or error}; choose another place"
        ) from error
    finally:
        if part.parent.is_dir():
            part.unlink(missing_ok=True)


def fingerprint(table: pl.DataFrame | str | Path) -> str:
    """Content hash of a frame, or of the rows of a table on disk; see `models.contracts.fingerprint`."""
    return content_fingerprint(table if isinstance(table, pl.DataFrame) else read_table(table))


def _read_file(path: Path) -> pl.DataFrame:
    with path.open("rb") as file:
        magic = file.read(4)
    if path.suffix.lower() in _PARQUET or magic == b"PAR1":
        return _read_parquet(path, magic)
    if path.suffix.lower() not in _CSV:
        raise DataError(f"{path}: unknown extension {path.suffix!r}; expected .csv or .parquet")
    return read_delimited(path)


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


def stream_parquet(path: Path, *, rows: int) -> Iterator[tuple[str, int, pl.DataFrame]]:
    """The raw rows of a Parquet file or folder of parts, at most `rows` at a time.

    Yields:
        The file, how many of its rows came before, and the rows.

    Raises:
        DataError: Not readable, or corrupt.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    for part in _part_files(path) if path.is_dir() else [path]:
        before = 0
        try:
            with pq.ParquetFile(part) as file:
                for batch in file.iter_batches(batch_size=rows):
                    frame = pl.from_arrow(pa.Table.from_batches([batch]))
                    assert isinstance(frame, pl.DataFrame)
                    below = part.relative_to(path) if path.is_dir() else Path(part.name)
                    yield str(part), before, _with_partitions(frame, below)
                    before += len(frame)
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"{part}: cannot be read as Parquet ({error}); write it again") from error


def _part_files(folder: Path) -> list[Path]:
    """Data files below a folder, by name; what engines leave beside them (_SUCCESS, .crc) is skipped."""
    found = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and path.suffix.lower() in (*_CSV, *_PARQUET)
        and not any(name.startswith(("_", ".")) for name in path.relative_to(folder).parts)
    ]
    kinds = {path.suffix.lower() in _PARQUET for path in found}
    if not found:
        raise DataError(f"{folder}: no part files; expected .parquet or .csv files in the folder")
    if len(kinds) > 1:
        raise DataError(f"{folder}: both CSV and Parquet parts; expected one kind: move the others away")
    return found


def _read_folder(folder: Path) -> RawTable:
    paths = _part_files(folder)
    frames = [_read_file(path).pipe(_with_partitions, path.relative_to(folder)) for path in paths]
    frame = _stack(frames, paths)
    return RawTable(
        frame, str(folder), tuple((str(path), part.height) for path, part in zip(paths, frames, strict=True))
    )


def _with_partitions(frame: pl.DataFrame, below: Path) -> pl.DataFrame:
    """The columns that engines write as folder names: `placement=video/part-0.parquet`."""
    pairs = (name.split("=", 1) for name in below.parts[:-1] if "=" in name)
    held = {unquote(key): None if value == _HIVE_NULL else unquote(value) for key, value in pairs}
    known = {fold(name) for name in frame.columns}
    return frame.with_columns(
        pl.lit(value, dtype=pl.String).alias(key) for key, value in held.items() if fold(key) not in known
    )


def _stack(frames: Iterable[pl.DataFrame], paths: list[Path]) -> pl.DataFrame:
    """Parts below each other: the same headers (after folding) in any order, numbers widened if need be."""
    frames = list(frames)
    names = {fold(name): name for name in frames[0].columns}
    aligned = []
    for part, path in zip(frames, paths, strict=True):
        renamed = part.rename({name: names[fold(name)] for name in part.columns if fold(name) in names})
        if differing := sorted(set(renamed.columns) ^ set(frames[0].columns) - {SURPLUS}):
            raise DataError(
                f"{path}: columns differ from {paths[0].name} ({', '.join(map(repr, differing[:5]))}); "
                "expected the same columns in every part"
            )
        aligned.append(renamed)
    try:
        return pl.concat(aligned, how="diagonal_relaxed", rechunk=False)
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"{paths[0].parent}: a column has different types in different parts; expected one type: "
            f"{str(error).splitlines()[0]}"
        ) from error
