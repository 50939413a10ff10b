"""Work in parts that survives a kill: a part is found whole, or made again.

A part's name says what it was made from and what it must hold, `<key>.<rows>.<sha256>.parquet`, so the rename
that publishes it publishes its digest and row count in the same step, and there is no list that could differ
from the parts. A part that was emptied, torn or edited is not what its name says: it is made again.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from models.errors import DataError
from pipelines.store import disk
from pipelines.store.manifest import content_of

if TYPE_CHECKING:
    import pyarrow as pa

_NAME = re.compile(r"^(?:\d+-)?(?P<key>[0-9a-f]{16})\.(?P<rows>\d+)\.(?P<sha256>[0-9a-f]{64})\.parquet$")


@dataclass(frozen=True)
class Part:
    """A finished part.

    Attributes:
        path: Its file.
        rows: Of its table.
        sha256: Of its bytes.
        reused: It was found, not made.
    """

    path: Path
    rows: int
    sha256: str
    reused: bool

    def table(self, columns: Sequence[str]) -> pa.Table:
        """Some columns of its table, and what was said with it (`schema.metadata`).

        Raises:
            DataError: Its bytes are not what was written; whoever runs the job again makes it again.
        """
        import pyarrow.parquet as pq

        return pq.read_table(io.BytesIO(self._data()), columns=list(columns))

    def read(self, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Its rows, or some columns of them.

        Raises:
            DataError: As `table`.
        """
        return pl.read_parquet(io.BytesIO(self._data()), columns=None if columns is None else list(columns))

    def named(self, number: int) -> str:
        """Its name among published parts, which are in the order of their names."""
        return f"{number:05d}-{self.path.name.rpartition('-')[2]}"

    def linked(self, path: Path) -> Path:
        """The same file under another name; a copy where the file system gives a file one name only.

        Raises:
            DataError: As `table`: what is published is looked at once more.
        """
        disk.link(self.path, path)
        if content_of(path).sha256 != self.sha256:
            raise self._damaged()
        return path

    def _data(self) -> bytes:
        try:
            data = disk.read(self.path)
        except OSError as error:
            raise DataError(
                f"{self.path}: a finished part cannot be read: {error.strerror}; run again"
            ) from error
        if _digest(data) != self.sha256:
            raise self._damaged()
        return data

    def _damaged(self) -> DataError:
        return DataError(f"{self.path}: a finished part was changed or damaged; run again")


def part_key(*made_from: bytes | str | int) -> str:
    """The key of a part from everything that its content depends on: model, settings, the rows themselves."""
    digest = hashlib.sha256()
    for piece in made_from:
        data = piece if isinstance(piece, bytes) else str(piece).encode()
        digest.update(f"{len(data)}\0".encode())
        digest.update(data)
    return digest.hexdigest()[:16]


def finished_part(folder: Path, key: str, make: Callable[[], pa.Table]) -> Part:
    """The part `key` of a work folder: as an earlier job left it, or made and written now.

    Args:
        folder: Work folder, made if it is not there; usually below `Target.work`.
        key: From `part_key`: the same key is the same content.
        make: Makes the table; called only where no part of the key is what its name says.

    Raises:
        OSError: The disk refuses.
    """
    found = found_part(folder, key)
    return written_part(folder, key, make()) if found is None else found


def written_part(folder: Path, key: str, table: pa.Table) -> Part:
    """The part `key` of a work folder, in the place of what has that key.

    The bytes are on the disk before they have their name, and the name before this returns.

    Raises:
        OSError: The disk refuses.
    """
    import pyarrow.parquet as pq

    disk.make(folder)
    buffer = io.BytesIO()
    # a dictionary of texts or numbers that are all different costs time and saves nothing
    pq.write_table(
        table,
        buffer,
        use_dictionary=["placement"],
        compression="zstd",
        compression_level=1,
        write_statistics=False,
    )
    unnamed = folder / f"{key}.unnamed"
    sha256 = disk.put(unnamed, buffer.getbuffer())
    path = folder / f"{key}.{table.num_rows}.{sha256}.parquet"
    disk.rename(unnamed, path)
    disk.sync(folder)
    for other in folder.glob(f"{key}.*.parquet"):
        if other != path:
            disk.remove(other)
    return Part(path, table.num_rows, sha256, reused=False)


def found_part(folder: Path, key: str, *, is_ours: bool = True) -> Part | None:
    """The part `key` that an earlier job left in a folder, where it is what its name says.

    Args:
        folder: Of parts.
        key: From `part_key`.
        is_ours: What is not what its name says is taken away.
    """
    for path in sorted(folder.glob(f"*{key}.*.parquet")):
        name = _NAME.match(path.name)
        try:
            if name and not path.is_symlink() and content_of(path).sha256 == name["sha256"]:
                return Part(path, int(name["rows"]), name["sha256"], reused=True)
        except OSError:
            if is_ours:
                raise
        if is_ours:
            disk.remove(path)
    return None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
