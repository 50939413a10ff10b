"""A disk that dies, tears, lies or fills up at a chosen moment, in the place of `pipelines.store.disk`.

Only what was brought to the disk is sure to survive: after a power cut, files that were not synced are torn,
and the last renames of a folder that was not synced are undone. After a kill the dead process changes nothing
any more, whatever its handlers try.
"""

from __future__ import annotations

import errno
import os
import random
from contextlib import suppress
from pathlib import Path
from unittest import mock

from pipelines.store import disk

PAGE = 512
OF_WRITES = ("torn", "full")
"""Faults that strike in the middle of the next write."""


class Killed(BaseException):
    """The process is gone; nothing may handle this."""


class FaultyDisk:
    """`pipelines.store.disk` below one folder, with one fault at one operation.

    Args:
        root: All that the power cut may touch.
        rng: What is torn, and where.
        fault: Name of the fault, a method below, or None.
        at: Number of the operation at which it happens.
        swaps: Whether two names can be exchanged in one step.
    """

    def __init__(self, root: Path, rng: random.Random, *, fault: str | None, at: int, swaps: bool) -> None:
        self.root, self.rng, self.fault, self.at, self.swaps = root, rng, fault, at, swaps
        self.operations, self.dead, self.struck = 0, False, False
        self.synced = {path.stat().st_ino for path in root.rglob("*") if path.is_file()}
        self.names: list[tuple[Path, Path | None]] = []
        self.locks: set[int] = set()
        self.real = {
            name: getattr(disk, name) for name in ("make", "write", "read", "sync", "rename", "link")
        }
        self.real |= {name: getattr(disk, name) for name in ("exchange", "remove", "lock", "unlock")}

    def mounted(self):
        """The disk in the place of the real one."""
        return mock.patch.multiple(disk, **{name: getattr(self, name) for name in self.real})

    def revive(self) -> None:
        """What the system does for a dead process: its locks are free."""
        for handle in self.locks:
            os.close(handle)
        self.locks.clear()

    # operations

    def make(self, folder):
        self._step(folder)
        self.real["make"](folder)

    def write(self, path, fill):
        self._step(path)
        with path.open("wb") as file:
            hashing = disk.Hashing(file)
            fill(hashing)
        self._after_write(path)
        self.synced.add(path.stat().st_ino)
        self.names.append((path, None))
        return hashing.sha256

    def read(self, path):
        self._step(path)
        return self.real["read"](path)

    def sync(self, path):
        self._step(path)
        if path.is_dir():
            self.names = [(new, old) for new, old in self.names if new.parent != path]
        else:
            self.synced.add(path.stat().st_ino)

    def rename(self, old, new):
        self._step(new)
        self.real["rename"](old, new)
        self.names = [(new if path == old else path, back) for path, back in self.names]
        self.names.append((new, old))

    def link(self, old, new):
        self._step(new)
        self.real["link"](old, new)
        self.names.append((new, None))

    def exchange(self, one, other):
        self._step(other)
        if not self.swaps:
            return False
        if done := self.real["exchange"](one, other):
            self.names += [(other, one)]
        return done

    def remove(self, path):
        self._step(path)
        self.real["remove"](path)

    def lock(self, path):
        self._step(path)
        handle = self.real["lock"](path)
        if handle is not None:
            self.locks.add(handle)
        return handle

    def unlock(self, handle):
        if not self.dead:  # the dead let go of nothing; the system does
            self.locks.discard(handle)
            self.real["unlock"](handle)

    # faults

    def _step(self, path: Path) -> None:
        if self.dead:
            raise Killed
        self.operations += 1
        if self.operations == self.at and self.fault not in (None, *OF_WRITES):
            self.struck = True
            getattr(self, f"_{self.fault}")(path)

    def _after_write(self, path: Path) -> None:
        if self.operations >= self.at and self.fault in OF_WRITES and not self.struck:
            self.struck = True
            self._tear(path)
            if self.fault == "full":
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            self._kill(path)

    def _kill(self, _path: Path) -> None:
        self.dead = True
        raise Killed

    def _broken(self, path: Path) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    def _power(self, path: Path) -> None:
        for _ in range(self.rng.randrange(len(self.names) + 1)):
            new, old = self.names.pop()
            with suppress(OSError):
                if old is None:
                    new.unlink()
                elif old.exists():
                    self.real["exchange"](new, old)
                else:
                    os.rename(new, old)
        for file in self._files():
            if file.stat().st_ino not in self.synced:
                self._tear(file)
        self._kill(path)

    def _vanished(self, _path: Path) -> None:
        if files := self._files():
            self.rng.choice(files).unlink()

    def _zeroed(self, _path: Path) -> None:
        """A page that a finished file held is zeros now."""
        files = [file for file in self._files() if file.stat().st_size and file.stat().st_ino in self.synced]
        if files:
            file = self.rng.choice(files)
            data = bytearray(file.read_bytes())
            start = self.rng.randrange(len(data)) // PAGE * PAGE
            data[start : start + PAGE] = bytes(len(data[start : start + PAGE]))
            with file.open("r+b") as opened:
                opened.write(data)

    def _second(self, _path: Path) -> None:
        """Another job on the same target; the fault is whatever it brings about."""
        self.second()

    def second(self) -> None:
        """Set by the schedule."""

    def _tear(self, file: Path) -> None:
        size = file.stat().st_size
        os.truncate(file, self.rng.choice([0, size // 2, max(size - 1, 0), self.rng.randrange(size + 1)]))

    def _files(self) -> list[Path]:
        found = (path for path in sorted(self.root.rglob("*")) if path.is_file() and path.name != "lock")
        return [path for path in found if "data" not in path.relative_to(self.root).parts]


FAULTS = ("kill", "power", "torn", "full", "broken", "vanished", "zeroed", "second")
