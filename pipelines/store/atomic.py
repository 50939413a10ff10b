"""Output directories that a reader sees either old or new, whatever kills the writer.

The new content is written into a hidden sibling `.<name>.new-<random>`, every file is fsynced, a manifest of
what we wrote is added, and the sibling takes the place of the old directory: by `renameat2(RENAME_EXCHANGE)`
where the kernel and the file system have it (one step, nobody ever sees nothing), else by renaming the old
one aside and the new one in (two steps; a crash between them is mended at the next start by renaming the old
one back).

A writer holds a lock on its sibling while it lives, so the next run tells a dead writer's leftovers from a
live one's work and clears only the former. A directory that holds files we did not write is never replaced.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import itertools
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from models.errors import DataError

MANIFEST = ".targeting-manifest.json"
_HARMLESS = {".DS_Store", "Thumbs.db", MANIFEST}
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


@contextlib.contextmanager
def atomic_directory(out: str | Path) -> Iterator[Path]:
    """A directory to write into, which becomes `out` when the block ends without an exception.

    Args:
        out: Where the result goes: absent, empty, or a directory written by this function before.

    Yields:
        The directory to write into, beside `out` (same file system).

    Raises:
        DataError: On entry, before any work: `out` is a file, cannot be written, or holds files we did not
            write.
    """
    target = Path(os.path.realpath(out))
    _prepare(target, shown=out)
    new = _sibling(target, shown=out)
    lock = os.open(new, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield new
        _write_manifest(new)
        _sync_tree(new)
        # Somebody may have put files into `out` while we were working.
        _refuse_strangers(target, shown=out)
        _swap(new, target)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EROFS, errno.EDQUOT):
            raise DataError(
                f"{out}: cannot be written: {error.strerror}; free space or choose another directory"
            ) from error
        raise
    finally:
        os.close(lock)
        # After a success this path holds the old content or nothing, after a failure the unfinished one.
        shutil.rmtree(new, ignore_errors=True)


def check_writable(
    out: str | Path, *, shown: str | Path | None = None, inputs: Iterable[str | Path] = ()
) -> None:
    """Refuse before any work an output directory that could not, or must not, be replaced at its end.

    Args:
        out: Where the result will go.
        shown: Name of it for the message; `out` unless given.
        inputs: What the job reads; a directory that holds any of it would be replaced by its own result.

    Raises:
        DataError: See `atomic_directory`; or an input is in `out`.
    """
    target, shown = Path(os.path.realpath(out)), out if shown is None else shown
    for path in inputs:
        if Path(os.path.realpath(path)).is_relative_to(target):
            raise DataError(
                f"{shown}: holds the input {path}, which the result would replace; choose another output "
                "directory"
            )
    _prepare(target, shown=shown)
    # The only sure way to know that a sibling can be made is to make one.
    _sibling(target, shown=shown).rmdir()


def _prepare(target: Path, *, shown: str | Path) -> None:
    """Mend and clear what dead writers left, and refuse a target that we must not replace."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _recover(target)
    except OSError as error:
        raise DataError(
            f"{shown}: cannot be written: {error.strerror}; choose another output directory"
        ) from error
    if target.exists() and not target.is_dir():
        raise DataError(f"{shown}: is a file; expected a directory: choose another output directory")
    _refuse_strangers(target, shown=shown)


def _refuse_strangers(target: Path, *, shown: str | Path) -> None:
    if not target.is_dir():
        return
    ours = _HARMLESS | set(_manifest(target))
    found = (name for name in _files(target) if name not in ours and Path(name).name not in _HARMLESS)
    # Four are enough to say so: the folder may be somebody's home.
    strangers = list(itertools.islice(found, 4))
    if strangers:
        listed = ", ".join(strangers[:3]) + (", ..." if len(strangers) > 3 else "")
        raise DataError(
            f"{shown}: holds files this program did not write ({listed}); nothing was changed: move them or "
            "choose another output directory"
        )


def _files(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        if path.is_symlink() or not path.is_dir():
            yield path.relative_to(folder).as_posix()


def _manifest(folder: Path) -> list[str]:
    try:
        return list(json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _write_manifest(folder: Path) -> None:
    files = sorted(_files(folder))
    (folder / MANIFEST).write_text(json.dumps({"files": files}, indent=1) + "\n", encoding="utf-8")


def _sibling(target: Path, *, shown: str | Path) -> Path:
    try:
        new = Path(tempfile.mkdtemp(prefix=f".{target.name}.new-", dir=target.parent))
        # mkdtemp is private to the user; the output should be as readable as any directory made here.
        umask = os.umask(0)
        os.umask(umask)
        new.chmod(0o777 & ~umask)
    except OSError as error:
        raise DataError(
            f"{shown}: cannot be written: {error.strerror}; choose another output directory"
        ) from error
    return new


def _recover(target: Path) -> None:
    """Rename back what a crash between two renames left aside; remove the unfinished work of dead writers."""
    aside = sorted(target.parent.glob(f".{_escaped(target.name)}.old-*"))
    if aside and not target.exists():
        os.rename(aside.pop(), target)
    for left in (*aside, *target.parent.glob(f".{_escaped(target.name)}.new-*")):
        if left.is_dir() and not _is_locked(left):
            shutil.rmtree(left, ignore_errors=True)


def _escaped(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def _is_locked(folder: Path) -> bool:
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def _sync_tree(folder: Path) -> None:
    """Bring every file and directory below `folder` to the disk before its name is."""
    for path in (*folder.rglob("*"), folder):
        if path.is_symlink():
            continue
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _swap(new: Path, target: Path) -> None:
    if not target.exists():
        os.rename(new, target)
    elif not _exchange(new, target):
        aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.old-", dir=target.parent))
        os.rename(target, aside)
        os.rename(new, target)
        shutil.rmtree(aside, ignore_errors=True)
    handle = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two names in one step; False where the kernel, libc or file system cannot."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    status = renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE)
    return bool(status == 0)
