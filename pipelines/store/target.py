"""The one way in which a job publishes: a directory that a reader sees old or new, whatever kills the writer.

A job claims its target first: a lock that dies with the process, so that a second job on the same target is
told so before it does anything. All that it needs lies in one hidden folder beside the target,
`.<name>.targeting`:

    lock    held while a job works on the target
    work    finished parts (`parts`), kept by a job that was killed for the next one
    new     what will take the target's place, or, once it has, what was there before
    old     what was there before, where two names cannot be swapped in one step

The new content is written into `new`, each file is hashed and brought to the disk, the manifest is added, and
`new` takes the place of the target: by `renameat2(RENAME_EXCHANGE)` where the kernel and the file system have
it (one step, nobody ever sees nothing), else by renaming the old one aside and the new one in (two steps; a
crash between them is mended by the next job, which renames the old one back). Whoever holds the lock knows
that what lies in `new` or `old` is a dead job's, and clears it.

A directory that holds a file which this program did not write, or somebody changed, is never replaced.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from models.errors import DataError
from pipelines.store import disk
from pipelines.store.manifest import MANIFEST, files_below, seal, strangers
from pipelines.store.tables import DATA_TABLES, data_tables
from targeting.plan.seal import listed_in

_FULL = (errno.ENOSPC, errno.EROFS, errno.EDQUOT)
_Stamp = tuple[int, int, int]


@dataclass(frozen=True)
class Target:
    """A directory that this process alone may replace.

    Attributes:
        path: Where the result goes.
        shown: The same as the user said it, for messages.
        beside: The hidden folder.
        before: Size, time and inode of each file that was there when it was claimed.
    """

    path: Path
    shown: str | Path
    beside: Path
    before: Mapping[str, _Stamp]

    @property
    def work(self) -> Path:
        """Folder of finished parts; whoever writes there makes it. It stays until the target is replaced."""
        return self.beside / "work"

    def held(self, name: str) -> bytes | None:
        """A file that was published here; None where it is not, or another that came with it is gone.

        That none of them was changed is known of a target that was claimed.
        """
        try:
            listed = listed_in(disk.read(self.path / MANIFEST)) or {}
            is_whole = name in listed and not listed.keys() - set(files_below(self.path))
            return disk.read(self.path / name) if is_whole else None
        except OSError:
            return None

    @contextlib.contextmanager
    def replaced(self, *, keep_work: bool = False) -> Iterator[Path]:
        """A folder to write into, which becomes the target when the block ends without an exception.

        Args:
            keep_work: Keep the finished parts: there is more to come for the same place.

        Raises:
            DataError: No space, or somebody put a file into the target while we were working.
        """
        new = self.beside / "new"
        with _told(self.shown, _FULL):
            disk.make(new)
            yield new
            seal(new)
            self._refuse_late()
            self._swap(new)
            if not keep_work:
                disk.remove(self.work)

    def _refuse_late(self) -> None:
        now = _stamps(self.path)
        if late := sorted(name for name in now if now[name] != self.before.get(name)):
            raise _of_others(self.shown, late)

    def _swap(self, new: Path) -> None:
        if not self.path.exists():
            disk.rename(new, self.path)
        elif not disk.exchange(new, self.path):
            disk.rename(self.path, self.beside / "old")
            disk.rename(new, self.path)
        disk.sync(self.path.parent)


@contextlib.contextmanager
def claim(out: str | Path, *, inputs: Iterable[str | Path] = ()) -> Iterator[Target]:
    """The right to replace `out`, from before the work to its end.

    Args:
        out: Where the result will go: absent, empty, or a directory that this program wrote and nobody
            changed.
        inputs: What the job reads; a directory that holds any of it would be replaced by its own result.

    Raises:
        DataError: Before any work: another job works on `out`; it is a file, cannot be written, holds files
            of others or an input, or would be read as a table of a data directory.
    """
    path = Path(os.path.realpath(out))
    beside = path.with_name(f".{path.name}.targeting")
    _refuse_inputs(path, inputs, shown=out)
    handle = _lock(beside, shown=out)
    try:
        with _told(out):
            _recover(path, beside)
        _refuse_others(path, shown=out)
        yield Target(path, out, beside, _stamps(path))
    finally:
        try:
            _clear(path, beside)
        finally:
            disk.unlock(handle)


def refuse_unfit(out: str | Path, *, inputs: Iterable[str | Path] = ()) -> None:
    """What `claim` would refuse of `out` by what is there now, without locking, mending or writing anything.

    Raises:
        DataError: It is a file, holds files of others or an input, or would be read as a table.
    """
    path = Path(os.path.realpath(out))
    _refuse_inputs(path, inputs, shown=out)
    _refuse_others(path, shown=out)


@contextlib.contextmanager
def atomic_directory(out: str | Path) -> Iterator[Path]:
    """`claim` and `Target.replaced` in one, for a job whose whole work is the writing."""
    with claim(out) as target, target.replaced() as folder:
        yield folder


@contextlib.contextmanager
def _told(shown: str | Path, numbers: tuple[int | None, ...] = ()) -> Iterator[None]:
    """Say in words what the system refuses: all of it, or these error numbers."""
    try:
        yield
    except OSError as error:
        if numbers and error.errno not in numbers:
            raise
        raise DataError(
            f"{shown}: cannot be written: {error.strerror}; free space or choose another output directory"
        ) from error


def _refuse_others(path: Path, *, shown: str | Path) -> None:
    """Refuse a target that is no directory of ours."""
    if path.is_symlink():  # still, after every link was followed
        raise DataError(f"{shown}: is a link that leads to itself; choose another output directory")
    if path.exists() and not path.is_dir():
        raise DataError(f"{shown}: is a file; expected a directory: choose another output directory")
    if found := list(itertools.islice(strangers(path), 4)):
        raise _of_others(shown, found)


def _refuse_inputs(path: Path, inputs: Iterable[str | Path], *, shown: str | Path) -> None:
    """Refuse a target that holds an input, or that the next job would read as one."""
    for given in inputs:
        if Path(os.path.realpath(given)).is_relative_to(path):
            raise DataError(
                f"{shown}: holds the input {given}, which the result would replace; choose another output "
                "directory"
            )
    for name, folder in zip((path, *path.parents), path.parents, strict=False):
        if name.stem in DATA_TABLES and any(found != name for found in data_tables(folder)):
            raise DataError(
                f"{shown}: would be read as the table {name.stem} of the data directory {folder}; choose "
                "another output directory"
            )


def _lock(beside: Path, *, shown: str | Path) -> int:
    """The lock; whoever gives it up takes its file away, so one that is still there is what was locked."""
    path = beside / "lock"
    with _told(shown):
        while True:
            disk.make(beside)
            try:
                handle = disk.lock(path)
                if handle is not None and os.path.samestat(os.fstat(handle), path.stat()):
                    return handle
            except FileNotFoundError:
                continue
            if handle is None:
                raise DataError(
                    f"{shown}: another targeting job is writing there; wait until it is done, or choose "
                    "another output directory"
                )
            disk.unlock(handle)


def _recover(path: Path, beside: Path) -> None:
    """Rename back what a crash between two renames left aside; clear the unfinished work of a dead job."""
    old = beside / "old"
    if old.exists() and not path.exists():
        disk.rename(old, path)
        disk.sync(path.parent)
    disk.remove(old)
    disk.remove(beside / "new")
    if not (work := beside / "work").is_dir():
        disk.remove(work)


def _clear(path: Path, beside: Path) -> None:
    """Take away all but finished parts; with them the lock stays."""
    with contextlib.suppress(OSError):
        _recover(path, beside)
        if not (beside / "work").exists():
            disk.remove(beside / "lock")
            beside.rmdir()


def _stamps(folder: Path) -> dict[str, _Stamp]:
    found = {name: (folder / name).lstat() for name in files_below(folder) if name != MANIFEST}
    return {name: (stat.st_size, stat.st_mtime_ns, stat.st_ino) for name, stat in found.items()}


def _of_others(shown: str | Path, names: list[str]) -> DataError:
    listed = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return DataError(
        f"{shown}: holds files this program did not write ({listed}), or not as they are now; nothing was "
        "changed: move them or choose another output directory"
    )
