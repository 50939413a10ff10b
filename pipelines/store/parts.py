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

if TYPE_CHECKING:
    import pyarrow as pa

_NAME = re.compile(r"^(?P<key>[0-9a-f]{16})\.(?P<rows>\d+)\.(?P<sha256>[0-9a-f]{64})\.parquet$")


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

    def read(self, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Its table, or some columns of it, from bytes that were compared with its digest.

        Raises:
            DataError: It is not what was written; whoever runs the job again makes it again.
        """
        try:
            data = disk.read(self.path)
        except OSError as error:
            raise DataError(
                f"{self.path}: a finished part cannot be read: {error.strerror}; run again"
            ) from error
        if _digest(data) != self.sha256:
            raise DataError(f"{self.path}: a finished part was changed or damaged; run again")
        return pl.read_parquet(io.BytesIO(data), columns=None if columns is None else list(columns))


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

    The bytes are on the disk before they have their name, and the name before this returns.

    Args:
        folder: Work folder, made if it is not there; usually below `Target.work`.
        key: From `part_key`: the same key is the same content.
        make: Makes the table; called only where no part of the key is what its name says.

    Raises:
        OSError: The disk refuses.
    """
    import pyarrow.parquet as pq

    if (found := _found(folder, key)) is not None:
        return found
    disk.make(folder)
    table, buffer = make(), io.BytesIO()
    # a dictionary of numbers that are all different costs time and saves nothing
    pq.write_table(table, buffer, use_dictionary=["placement"])
    data = buffer.getvalue()
    path = folder / f"{key}.{table.num_rows}.{_digest(data)}.parquet"
    unnamed = folder / f"{key}.unnamed"
    disk.put(unnamed, data)
    disk.rename(unnamed, path)
    disk.sync(folder)
    return Part(path, table.num_rows, _digest(data), reused=False)


def _found(folder: Path, key: str) -> Part | None:
    for path in sorted(folder.glob(f"{key}.*.parquet")):
        name = _NAME.match(path.name)
        if name and not path.is_symlink() and _digest(disk.read(path)) == name["sha256"]:
            return Part(path, int(name["rows"]), name["sha256"], reused=True)
        disk.remove(path)
    return None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
