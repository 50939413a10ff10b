"""Processes that come to an end: told to stop, or gone without a word.

A process has an identity that outlives it, so that the next job can tell what a dead one left (its run in
MLflow, its temporary folder) from a living one's work. Where that cannot be known, nothing is touched. Light:
the command line imports it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

_PREFIX = "targeting-"


class Terminated(BaseException):
    """SIGTERM: the job ends as at Ctrl-C, by letting go of everything it holds."""


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Turn the first SIGTERM, or SIGHUP of a closed terminal, into `Terminated`, and ignore others while the
    job lets go. What was ignored before (`nohup`) stays so.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(_number: int, _frame: object) -> None:
        for number in before:
            signal.signal(number, signal.SIG_IGN)
        raise Terminated

    heard = (signal.SIGTERM, signal.SIGHUP)
    before = {one: signal.getsignal(one) for one in heard if signal.getsignal(one) != signal.SIG_IGN}
    for number in before:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def own_temporary_folder() -> Iterator[None]:
    """Put all temporary files, those of libraries too, into one folder, and clear those of dead processes."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        if is_dead(left.name.removeprefix(_PREFIX).rpartition("-")[0]) and _is_own_folder(left):
            shutil.rmtree(left, ignore_errors=True)
    folder = tempfile.mkdtemp(prefix=f"{_PREFIX}{identity()}-")
    before, tempfile.tempdir = tempfile.tempdir, folder
    try:
        yield
    finally:
        tempfile.tempdir = before
        shutil.rmtree(folder, ignore_errors=True)


def identity() -> str:
    """This process, among all that ran on this machine: host, boot, name space, number and start."""
    return "-".join([*_machine(), str(os.getpid()), _start_of(os.getpid()) or "0"])


def is_dead(other: str) -> bool:
    """Whether a process that gave this identity is gone for certain: False where that cannot be known."""
    parts = other.split("-")
    if len(parts) != 5 or not parts[3].isdigit():
        return False
    host, boot, space, number, start = parts
    here = _machine()
    if host != here[0] or "0" in (boot, here[1], start):
        return False
    return boot != here[1] or (space == here[2] and _start_of(int(number)) != start)


def _is_own_folder(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return path.is_dir() and not path.is_symlink() and path.lstat().st_uid == os.getuid()
    return False


def _machine() -> tuple[str, str, str]:
    """Host, boot and name space of process numbers; "0" where the system does not say."""
    host, boot, space = socket.gethostname(), "0", "0"
    with contextlib.suppress(OSError):
        boot = _short(Path("/proc/sys/kernel/random/boot_id").read_text())
        space = _short(os.readlink("/proc/self/ns/pid"))
    return _short(host), boot, space


def _start_of(number: int) -> str | None:
    """When a process began, in clock ticks since boot; None where it is gone, or dead and not yet buried."""
    try:
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
