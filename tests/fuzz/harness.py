"""Runs cases through the command line's own entry, in this process, and says what is wrong with their ends."""

from __future__ import annotations

import contextlib
import io
import shutil
import signal
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from models.escaping.media import is_printable
from pipelines.cli import app
from pipelines.shell import execute
from tests.fuzz import cases

MOST_SECONDS = 30
ALLOWED = (0, 1, 3)
MOST_LETTERS = 3000
WHOLE = 25
"""Of so many plans one has its report and its other budgets: 2.1 of the 2.5 s of CPU that a plan takes."""


class TooLongError(BaseException):
    """Time is up; no `except Exception` may take it for an error of its own."""


@dataclass(frozen=True)
class Ended:
    """How a case ended: its exit status, its seconds, and what is wrong with it (empty: nothing)."""

    target: str
    seed: int
    code: int
    seconds: float
    wrong: str
    told: str


def run(target: str, seed: int, *, base: Path, at: Path) -> Ended:
    """One case; its files are made below `at` and removed."""
    shutil.rmtree(at, ignore_errors=True)
    at.mkdir(parents=True)
    case = cases.make(target, seed, base=base, at=at)
    out, err = io.StringIO(), io.StringIO()
    started = time.perf_counter()
    code, wrong = -1, ""
    try:
        with _limited(), _hurried(seed), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = execute(app, case.arguments)
        wrong = _wrong(code, err.getvalue(), out.getvalue()) or (case.judge() if code == 0 else "")
    except TooLongError:
        wrong = f"still running after {MOST_SECONDS} s of CPU"
    except BaseException:  # whatever leaves the entry is a finding
        wrong = f"left the entry: {traceback.format_exc(limit=-3)}"
    seconds = time.perf_counter() - started
    if not wrong:
        shutil.rmtree(at, ignore_errors=True)
    return Ended(target, seed, code, round(seconds, 2), wrong, err.getvalue()[-600:])


def _wrong(code: int, err: str, out: str) -> str:
    if code not in ALLOWED:
        return f"exit {code}"
    if "Traceback" in err + out:
        return "a traceback"
    if code == 0:
        return "" if not err else "success with words on stderr"
    if err.count("\n") != 1 or not err.startswith("targeting: "):
        return "not one line on stderr"
    if not is_printable(err[:-1]):
        return "control characters on stderr"
    return f"a line of {len(err)} letters" if len(err) > MOST_LETTERS else ""


@contextlib.contextmanager
def _hurried(seed: int) -> Iterator[None]:
    """Leave out, but for every `WHOLE`th seed, what is only shown: nothing of it decides."""
    if seed % WHOLE == 0:
        yield
        return
    with (
        mock.patch("targeting.decision.verbs.render", return_value=""),
        mock.patch("pipelines.jobs.planning.other_budgets", return_value=None),
    ):
        yield


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    """Stop what computes too long; what waits too long is stopped by the worker's own guard."""

    def over(*_: object) -> None:
        raise TooLongError

    before = signal.signal(signal.SIGPROF, over)
    signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
