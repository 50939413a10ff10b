"""A Parquet table piece by piece: the memory of one piece, whatever the size of the table."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import polars as pl

from models.contracts import Table
from models.contracts.parts import optional_columns, with_empty
from models.errors import DataError
from pipelines.store import disk
from pipelines.store.manifest import content_of
from pipelines.store.reading import opened
from pipelines.store.tables import part_files, with_partitions


def stream_parquet(
    path: Path, *, rows: int, table: Table, digests: dict[str, str], missing: dict[str, str] | None = None
) -> Iterator[tuple[str, int, pl.DataFrame]]:
    """The raw rows of a Parquet file or folder of parts, at most `rows` at a time.

    Args:
        path: File or folder.
        rows: Most rows at a time.
        table: What it is: columns that its contract does not need and a part lacks are empty.
        digests: Filled with the sha256 of each file that was read to its end, as in `RawTable`.
        missing: Filled with the parts of a folder that cannot be read (to their end: rows may have been
            given already), and why; None: the first of them is refused.

    Yields:
        The file, how many of its rows came before, and the rows.

    Raises:
        DataError: Not readable, or corrupt; where `missing` is asked for, no part is readable.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = part_files(path)
    optional = optional_columns(_schemas(files), table) if len(files) > 1 else {}
    for part in files:
        before = 0
        try:
            with opened(part) as (handle, digest), pq.ParquetFile(handle) as file:
                for batch in file.iter_batches(batch_size=rows, use_threads=False):
                    frame = pl.from_arrow(pa.Table.from_batches([batch]))
                    assert isinstance(frame, pl.DataFrame)
                    below = part.relative_to(path) if path.is_dir() else Path(part.name)
                    frame = with_partitions(frame, below)
                    yield str(part), before, with_empty(frame, optional, table, source=str(part))
                    before += len(frame)
            digests[_name(part, path)] = digest
        except (OSError, pa.ArrowException) as error:
            reason = _unreadable(part, error)
            if missing is None or len(missing) == len(files) - 1:
                raise DataError(reason) from error
            missing[str(part)] = reason


def _unreadable(part: Path, error: Exception) -> str:
    return f"{part}: cannot be read as Parquet ({str(error).splitlines()[0]}); write it again"


def write_stream(parts: Iterable[pl.DataFrame], path: Path) -> str:
    """One Parquet file of frames of the same columns, a row group each; its sha256.

    Raises:
        DataError: The disk refuses.
    """
    import pyarrow.parquet as pq

    def fill(file: BinaryIO) -> None:
        with contextlib.ExitStack() as stack:
            writer = None
            for part in parts:
                table = part.to_arrow(compat_level=pl.CompatLevel.oldest())
                # a dictionary of numbers that are all different costs time and saves nothing
                texts = [name for name, kind in part.schema.items() if kind == pl.String]
                writer = writer or stack.enter_context(
                    pq.ParquetWriter(file, table.schema, compression="zstd", use_dictionary=texts)
                )
                writer.write_table(table, row_group_size=max(len(part), 1))

    try:
        return disk.write(path, fill)
    except OSError as error:
        reason = error.strerror or error
        raise DataError(f"{path}: cannot be written: {reason}; free space or choose another place") from error


def digests_of(path: Path) -> dict[str, str]:
    """sha256 of each file of a table, as in `RawTable`, for an engine that reads by itself."""
    return {_name(part, path): content_of(part).sha256 for part in part_files(path)}


def count_rows(path: Path) -> int:
    """Rows of a Parquet file or folder of parts, by their footers.

    Raises:
        DataError: One has none that can be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = 0
    for part in part_files(path):
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
