"""The manners of the command line: one JSON object, one error line, one exit code, silence in a pipe.

Separate from `cli` so that the commands hold nothing but their options, and light: it is imported by
`targeting --help`, so it must not import polars, mlflow or any job.
"""

from __future__ import annotations

import errno
import json
import logging
import math
import os
import re
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from contextvars import ContextVar
from datetime import UTC, datetime
from io import StringIO
from itertools import zip_longest

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from models.errors import TargetingError
from models.escaping.media import for_terminal, without_secrets
from pipelines.processes import Terminated, own_temporary_folder, terminable
from targeting.words import LANGUAGES, Words, refused

Tell = Callable[[str], None]
DEBUG_VARIABLE = "TARGETING_DEBUG"
LOG_VARIABLE = "TARGETING_LOG"
"""`json`: what a job says of itself on stderr is one JSON object a line."""
EXIT_INPUT = 1
MOST_LETTERS = 2000
"""Of an error line; a name in it may be a megabyte long."""
# What a disk or its owner refuses; any other failure of the operating system is a fault of ours.
_MACHINE = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EFBIG),
    *(errno.ENAMETOOLONG, errno.ELOOP),
}
EXIT_USAGE, EXIT_INTERNAL, EXIT_INTERRUPTED, EXIT_TERMINATED = 2, 4, 130, 143
_LANGUAGE: ContextVar[str] = ContextVar("language", default="en")
_CHATTER = ("mlflow", "alembic", "py4j", "matplotlib", "git", "urllib3", "cvxpy", "lightgbm")


def silent(stage: str) -> None:
    """The progress listener of a pipe: hears each stage and says nothing."""


def silence_libraries() -> None:
    """Keep libraries and loggers off stdout and stderr: a pipe gets our result and nothing else.

    Set before the libraries are imported, since several read the environment only once.
    """
    quiet = {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_LOGGING_LEVEL": "CRITICAL",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "GIT_PYTHON_REFRESH": "quiet",
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    for name, value in quiet.items():
        os.environ.setdefault(name, value)
    if os.environ.get(DEBUG_VARIABLE):
        return
    warnings.simplefilter("ignore")
    for name in _CHATTER:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    # Our own rooms log too; without a handler Python would print their warnings on stderr, where a reader of
    # a pipe takes a line for an error. What a person must know is in the result's `warnings`.
    logging.getLogger().addHandler(logging.NullHandler())


@contextmanager
def quiet(descriptor: int) -> Iterator[None]:
    """Send what is written to descriptor 1 or 2 nowhere: solvers and Java print below those of Python."""
    if os.environ.get(DEBUG_VARIABLE):
        yield
        return
    try:
        if stream := sys.stdout if descriptor == 1 else sys.stderr:
            stream.flush()
        kept = os.dup(descriptor)
    except OSError:  # nobody listens: it was closed before we began
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(kept, descriptor)
        os.close(kept)


@contextmanager
def unheard() -> Iterator[None]:
    """Send stderr nowhere: MLflow announces each version that it registers there, past its own switch."""
    with quiet(2), redirect_stderr(StringIO()):
        yield


def emit(result: Mapping[str, object], *, as_json: bool, headline: str) -> None:
    """Print a command's result: one JSON object, or a headline and a small table for people.

    Args:
        result: What the command found.
        as_json: All of it, instead of the headline.
        headline: One line or several; a name in it must not hold line ends of its own (see `one_line`).
    """
    if as_json:
        told = json.dumps(_plain(result), ensure_ascii=False, default=str, allow_nan=False)
        typer.echo(for_terminal(told))
        return
    typer.echo(for_terminal(headline, lines=True))
    if not result:
        return
    table = Table(show_header=False, box=None, pad_edge=False)
    for key, value in result.items():
        for name, part in zip_longest([key], _parts(value), fillvalue=""):
            table.add_row(Text(for_terminal(name)), Text(for_terminal(_readable(part))))
    Console(soft_wrap=True, highlight=False).print(table)


def _plain(value: object) -> object:
    """The value with null for numbers that JSON has no word for (a gap without a bound is infinite)."""
    if isinstance(value, Mapping):
        return {key: _plain(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(held) for held in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _parts(value: object) -> list[object]:
    """A sentence a line; anything else is one thing."""
    if isinstance(value, list | tuple) and any(isinstance(part, str) and len(part) > 30 for part in value):
        return list(value)
    return [
        ", ".join(value) if isinstance(value, tuple) and all(isinstance(p, str) for p in value) else value
    ]


def _readable(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.6g}" if abs(value) < 1000 else f"{value:,.2f}"
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def one_line(text: str) -> str:
    """`text` with every run of white space turned into one blank, and nothing that a terminal obeys."""
    return for_terminal(" ".join(text.split()))


def complain(message: str) -> None:
    """Write one error line to stderr: without passwords, and no longer than anybody reads."""
    told = without_secrets(one_line(message))
    cut = (
        f"{told[: MOST_LETTERS // 2]} ... {told[-MOST_LETTERS // 2 :]}" if len(told) > MOST_LETTERS else told
    )
    if logs_json():
        log_line("error", message=cut)
        return
    sys.stderr.write(f"targeting: {cut}\n")
    sys.stderr.flush()


def logs_json() -> bool:
    """Whether a scheduler asked for lines of JSON."""
    return os.environ.get(LOG_VARIABLE) == "json"


def log_line(event: str, **fields: str) -> None:
    """One line of JSON on stderr: the moment (UTC), the event and what belongs to it."""
    line = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **fields}
    sys.stderr.write(for_terminal(json.dumps(line, ensure_ascii=False)) + "\n")
    sys.stderr.flush()


def spoken() -> Words:
    """The language of this command: `--lang`, wherever it stands among the arguments."""
    return LANGUAGES[_LANGUAGE.get()]


def _without_language(given: list[str]) -> list[str]:
    """The arguments without `--lang`, which is heard here: an error may come before options are read.

    Raises:
        ValueError: it names no language.
    """
    _LANGUAGE.set("en")
    rest, left = [], iter(given)
    for argument in left:
        option, bound, value = argument.partition("=")
        if option != "--lang":
            rest.append(argument)
        elif (said := value if bound else next(left, "")) in LANGUAGES:
            _LANGUAGE.set(said)
        else:
            raise ValueError(f"--lang: expected one of {', '.join(LANGUAGES)}, got {said!r}")
    return rest


def execute(app: typer.Typer, arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit status: 0, 1, 2, 3, 4 (DESIGN 3.4), 130 after Ctrl-C or 143
    after SIGTERM.
    """
    silence_libraries()
    try:
        arguments = _without_language(sys.argv[1:] if arguments is None else arguments)
    except ValueError as error:
        complain(f"{error}. Try 'targeting --help'.")
        return EXIT_USAGE
    try:
        with terminable(), own_temporary_folder():
            code = app(arguments, prog_name="targeting", standalone_mode=False)
        if code == EXIT_INTERRUPTED:
            raise KeyboardInterrupt
        return code if isinstance(code, int) else 0
    except typer.Exit as stop:
        return stop.exit_code
    except TargetingError as error:
        _trace()
        complain(refused(spoken(), error))
        return error.exit_code
    except typer.TyperException as error:
        message = error.format_message()
        if message:
            complain(f"{message} Try 'targeting --help'.")
        return EXIT_USAGE
    except (typer.Abort, KeyboardInterrupt):
        complain(spoken().told_fault("interrupted; nothing half-written was left behind"))
        return EXIT_INTERRUPTED
    except Terminated:
        complain(spoken().told_fault("terminated; nothing half-written was left behind"))
        return EXIT_TERMINATED
    except (BrokenPipeError, SystemExit) as error:
        # The reader (`| head`) went away: nothing to tell and nobody to tell it to. Of the first typer makes
        # the second, with the status of an input that is wrong; any other end is its maker's.
        if BrokenPipeError not in (type(error), type(error.__context__)):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except BaseException as error:  # the last resort: a person at a prompt gets one line, never a traceback
        # A panic of polars is no `Exception`; whatever else is none is somebody's wish to end.
        if not (isinstance(error, Exception) or type(error).__name__ == "PanicException"):
            raise
        _trace()
        if not (why := _of_machine(error)):
            return _of_ours(error)
        complain(spoken().told_fault(why))
        return EXIT_INPUT


def number_of(error: BaseException) -> int:
    """The system's number of what it refused; polars has it in its words only. 0 where there is none."""
    told = re.search(r"(?:os error |Errno )(\d+)", str(error))
    return getattr(error, "errno", None) or (int(told[1]) if told else 0)


def _of_machine(error: BaseException) -> str | None:
    """What the machine cannot give, and what to do; None where the fault must be ours."""
    if isinstance(error, MemoryError):
        return "out of memory; give the machine more, or fewer rows at a time (part_users)"
    is_of_disk = isinstance(error, OSError) or type(error).__module__.startswith("polars")
    if not is_of_disk or (number := number_of(error)) not in _MACHINE:
        return None
    where = getattr(error, "filename", None) or "a file"
    todo = "free space, check permissions or choose another place"
    return f"{where}: cannot be used: {os.strerror(number)}; {todo}"


def _of_ours(error: BaseException) -> int:
    name = type(error).__name__
    complain(f"internal error, {name}: {error} (set {DEBUG_VARIABLE}=1 for the traceback and report it)")
    return EXIT_INTERNAL


def _trace() -> None:
    if os.environ.get(DEBUG_VARIABLE):
        sys.stderr.write(without_secrets(traceback.format_exc()))
