"""A Parquet table piece by piece: the memory of one piece, whatever the size of the table."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from models.contracts import Table
from models.contracts.parts import optional_columns, with_empty
from models.errors import DataError
from pipelines.store.manifest import content_of
from pipelines.store.reading import opened
from pipelines.store.tables import part_files, with_partitions


@dataclass(frozen=True)
class Piece:
    """Some rows of a file that was hashed before any of them was read.

    Attributes:
        source: The file.
        below: Its path below the table: folders on the way may hold values.
        digest: sha256 of its bytes.
        before: Rows of it before these.
        rows: How many these are, by its footer.
        filled: Columns that are empty because the file lacks them and others have them.
    """

    source: str
    below: str
    digest: str
    before: int
    rows: int
    filled: tuple[str, ...] = ()


def stream_parquet(
    path: Path,
    *,
    rows: int,
    table: Table,
    known: Callable[[Piece], bool],
    digests: dict[str, str],
    missing: dict[str, str],
) -> Iterator[tuple[Piece, pl.DataFrame]]:
    """The raw rows of a Parquet file or folder of parts, `rows` at a time, then the rest of a file.

    Args:
        path: File or folder.
        rows: Rows at a time.
        table: What it is: columns that its contract does not need and a part lacks are empty.
        known: Whether these rows need not be read; a file of which all are known is hashed alone.
        digests: Filled with the sha256 of each file that was read to its end, as in `RawTable`.
        missing: Filled with the parts of a folder that cannot be read (to their end: rows may have been given
            already), and why.

    Raises:
        DataError: No part is readable, or one was written to while it was read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = part_files(path)
    optional = optional_columns(_schemas(files), table) if len(files) > 1 else {}
    for part in files:
        below = part.relative_to(path) if path.is_dir() else Path(part.name)
        try:
            with opened(part) as file, pq.ParquetFile(file.handle) as parquet:
                nobody = with_partitions(_nobody(parquet), below)
                filled = with_empty(nobody, optional, table, source=str(part)).columns[nobody.width :]
                of_file, all_rows = (str(part), below.as_posix(), file.digest), parquet.metadata.num_rows
                pieces = [
                    Piece(*of_file, at, min(rows, all_rows - at), tuple(filled))
                    for at in range(0, all_rows, rows)
                ]
                wanted = {piece for piece in pieces if not known(piece)}
                batches = parquet.iter_batches(batch_size=rows, use_threads=False) if wanted else ()
                for piece, batch in zip(pieces, batches, strict=False):
                    file.refuse_changed()  # what was read until now is of the digest
                    if piece in wanted:
                        frame = pl.from_arrow(pa.Table.from_batches([batch]))
                        assert isinstance(frame, pl.DataFrame)
                        frame = with_partitions(frame, below)
                        yield piece, with_empty(frame, optional, table, source=str(part))
            digests[_name(part, path)] = file.digest
        except (OSError, pa.ArrowException) as error:
            missing[str(part)] = _unreadable(part, error)
            _refuse_none(missing, files)


def sound_parts(table: Path) -> tuple[list[Path], dict[str, str]]:
    """The files of a Parquet table that can be read to their ends, and why the others cannot: for engines
    that read by themselves.

    Raises:
        DataError: None can.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    files, missing = part_files(table), dict[str, str]()
    for part in files:
        try:
            with pq.ParquetFile(part) as parquet:
                for _ in parquet.iter_batches(use_threads=False):
                    pass
        except (OSError, pa.ArrowException) as error:
            missing[str(part)] = _unreadable(part, error)
            _refuse_none(missing, files)
    return [part for part in files if str(part) not in missing], missing


def _refuse_none(missing: Mapping[str, str], files: Sequence[Path]) -> None:
    """Refuse a table of which no part is readable."""
    if len(missing) == len(files):
        raise DataError(next(iter(missing.values())))


def _nobody(parquet: Any) -> pl.DataFrame:
    """A file's columns."""
    found = pl.from_arrow(parquet.schema_arrow.empty_table())
    assert isinstance(found, pl.DataFrame)
    return found


def _unreadable(part: Path, error: Exception) -> str:
    return f"{part}: cannot be read as Parquet ({str(error).splitlines()[0]}); write it again"


def digests_of(path: Path, files: Sequence[Path] | None = None) -> dict[str, str]:
    """sha256 of each file of a table, or of some, as in `RawTable`, for an engine that reads by itself."""
    files = part_files(path) if files is None else files
    return {_name(part, path): content_of(part).sha256 for part in files}


def count_rows(path: Path, files: Sequence[Path] | None = None) -> int:
    """Rows of a Parquet file or folder of parts, or of some of them, by their footers.

    Raises:
        DataError: One has none that can be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = 0
    for part in part_files(path) if files is None else files:
        try:
            rows += pq.read_metadata(part).num_rows
        except (OSError, pa.ArrowException) as error:
            raise DataError(_unreadable(part, error)) from error
    return rows


def _name(part: Path, table: Path) -> str:
    return "" if part == table else part.relative_to(table).as_posix()


def _schemas(files: Sequence[Path]) -> dict[str, pl.Schema]:
    """Columns of each part; one that cannot be read is told when its rows are."""
    found = {}
    for file in files:
        with contextlib.suppress(OSError, pl.exceptions.PolarsError):
            found[str(file)] = pl.Schema(pl.read_parquet_schema(file))
    return found
