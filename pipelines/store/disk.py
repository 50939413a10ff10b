"""Every change that this program makes to a disk, one function each: nothing else asks the system for it.

It is thin on purpose. `tests/faults` puts a disk that dies, tears, lies or fills up in the place of these
functions, so that everything that writes is tried against all of it.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import hashlib
import io
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, cast

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def make(folder: Path) -> None:
    """The folder, and those above it; it may be there."""
    folder.mkdir(parents=True, exist_ok=True)


class Hashing(io.RawIOBase):
    """A file that knows the sha256 of what was written into it, whatever the disk makes of it; without one,
    nothing is kept of it.
    """

    def __init__(self, file: BinaryIO | None = None) -> None:
        self._file, self._digest = file, hashlib.sha256()

    @property
    def sha256(self) -> str:
        """Of all that was written so far."""
        return self._digest.hexdigest()

    def writable(self) -> bool:
        """It is for writing."""
        return True

    def write(self, data: Any) -> int:
        """Write bytes behind the others."""
        self._digest.update(data)
        return len(data) if self._file is None else self._file.write(data)


def write(path: Path, fill: Callable[[BinaryIO], object]) -> str:
    """A file with what `fill` writes into it, on the disk before this returns; its sha256."""
    try:
        with path.open("wb") as file:
            hashing = Hashing(file)
            fill(cast(BinaryIO, hashing))
            file.flush()
            os.fsync(file.fileno())
            return hashing.sha256
    except OSError as error:
        error.filename = error.filename or str(path)  # a write that fails does not say where
        raise


def put(path: Path, data: bytes | memoryview) -> str:
    """`write` of bytes that are at hand."""
    return write(path, lambda file: file.write(data))


def open_file(path: Path) -> BinaryIO:
    """A file to read; a pipe or a device, which could be waited for without end, is refused, not opened.

    Raises:
        OSError: It is none, or cannot be read.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return open(handle, "rb")
    os.close(handle)
    raise OSError(errno.EINVAL, "is not a file on a disk", str(path))


def read(path: Path) -> bytes:
    """What the file holds.

    Raises:
        OSError: As `open_file`.
    """
    with open_file(path) as file:
        return file.read()


def sync(path: Path) -> None:
    """Bring a file's content, or the names in a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def rename(old: Path, new: Path) -> None:
    """Give a file or folder another name; a file that has it is replaced in the same step."""
    os.rename(old, new)


def link(old: Path, new: Path) -> None:
    """Give a file a second name; a copy of it where the file system has no such names."""
    try:
        os.link(old, new)
    except OSError:
        with open_file(old) as file:
            write(new, lambda copy: shutil.copyfileobj(file, copy))


def exchange(one: Path, other: Path) -> bool:
    """Swap two names in one step; False where the kernel, libc or file system cannot."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    status = renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE)
    return bool(status == 0)


def remove(path: Path) -> None:
    """Take away a file, or a folder with all in it; nothing may be there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def lock(path: Path) -> int | None:
    """A lock on the file, made if it is not there, that dies with this process; None where another has it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    except BaseException:  # Ctrl-C and SIGTERM too: a handle left open would hold the lock
        os.close(handle)
        raise
    return handle


def unlock(handle: int) -> None:
    """Give a lock up."""
    os.close(handle)
