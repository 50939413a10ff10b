"""Files are read once and hashed as they are read, so that what a job says it read is what it read.

A file that somebody replaces between a hash and a read would give every person another's score. A table that
fits into memory is held whole, hashed, and parsed from the bytes that were hashed. One that is streamed stays
open, so that a new file under its name is not seen, and is hashed again behind the last row.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from models.errors import DataError
from pipelines.store import disk

_PIECE = 1 << 20


@dataclass(frozen=True)
class Held:
    """A file in memory.

    Attributes:
        path: Where it was, for messages.
        data: What it held.
    """

    path: Path
    data: bytes

    @property
    def sha256(self) -> str:
        """Digest of what it held."""
        return hashlib.sha256(self.data).hexdigest()

    def open(self) -> io.BytesIO:
        """Its bytes from the beginning."""
        return io.BytesIO(self.data)

    def text(self, encoding: str, *, errors: str = "strict") -> io.TextIOWrapper:
        """Its text from the beginning, line ends as they are."""
        return io.TextIOWrapper(self.open(), encoding=encoding, errors=errors, newline="")


def hold(path: Path) -> Held:
    """The file, read once.

    Raises:
        DataError: It is a pipe or a device.
        OSError: It cannot be read.
    """
    return Held(path, disk.read(a_file(path)))


@dataclass(frozen=True)
class Opened:
    """A file that is read piece by piece.

    Attributes:
        path: Where it is.
        handle: Of its bytes.
        digest: Of all of them, before the first piece.
        stamp: When it was written to last, and its size.
    """

    path: Path
    handle: BinaryIO
    digest: str
    stamp: tuple[int, int]

    def refuse_changed(self) -> None:
        """What was read until now has the digest.

        Raises:
            DataError: Somebody wrote to the file.
        """
        if _stamp(self.handle) != self.stamp:
            raise _changed(self.path)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """A file to read piece by piece, and its digest, which it must still have when the block ends.

    Raises:
        DataError: It was written to while it was read, or is a pipe or a device.
    """
    with disk.open_file(a_file(path)) as file:
        stamp = _stamp(file)  # before the digest
        found = Opened(path, file, _digest(file), stamp)
        yield found
        if _digest(file) != found.digest:
            raise _changed(path)


def _stamp(file: BinaryIO) -> tuple[int, int]:
    stat = os.fstat(file.fileno())
    return stat.st_mtime_ns, stat.st_size


def _changed(path: Path) -> DataError:
    return DataError(f"{path}: was changed while it was read; run again when nobody writes to it")


def print_of(digests: Mapping[str, str]) -> str:
    """One fingerprint of several files: digests by name, in any order."""
    text = "".join(f"{name}\0{digests[name]}\0" for name in sorted(digests))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _digest(file: BinaryIO) -> str:
    file.seek(0)
    digest = hashlib.sha256()
    for piece in iter(partial(file.read, _PIECE), b""):
        digest.update(piece)
    file.seek(0)
    return digest.hexdigest()


def a_file(path: Path) -> Path:
    """The path, where it is a file on a disk (or nothing, which whoever opens it tells).

    Raises:
        DataError: It is a pipe or a device.
    """
    if path.exists() and not path.is_file():
        raise DataError(f"{path}: is not a file that can be read twice; expected a file on a disk")
    return path
