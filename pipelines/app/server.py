"""Runs the planner's page: Streamlit on `screen.py` in a process of its own, until it is stopped."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from models.errors import DataError

PLAN_VARIABLE = "TARGETING_APP_PLAN"
SCREEN = Path(__file__).with_name("screen.py")


ALWAYS = {
    "server.address": "127.0.0.1",
    "server.fileWatcherType": "none",
    "browser.gatherUsageStats": "false",
    "client.toolbarMode": "minimal",
    "client.showErrorDetails": "none",
    "logger.level": "error",
    # Captions are the text at 60 %: of Streamlit's own grey that is too faint to read (3.9 : 1).
    "theme.base": "light",
    "theme.primaryColor": "#0b5555",
    "theme.textColor": "#0e1418",
    "theme.headingFontSizes": '["2rem", "1.4rem"]',
}


def serve(*, plan: Path | None, port: int, browser: bool, starting: Callable[[], None]) -> int:
    """Run the page until it is stopped; the exit status of Streamlit is returned, 0 after Ctrl-C or SIGTERM.

    Args:
        plan: plan directory to open, if any.
        port: on this machine.
        browser: open a window.
        starting: called when nothing stands in the way any more.

    Raises:
        DataError: Streamlit is not installed, `plan` is no directory, or the port is taken.
    """
    if find_spec("streamlit") is None:
        raise DataError(
            "the planner's page needs streamlit, which is not installed; install `fan-targeting[app]`"
        )
    if plan is not None and not plan.is_dir():
        raise DataError(f"{plan}: no such directory; expected one written by `targeting plan`")
    _refuse_taken(port)
    starting()
    environment = {**os.environ, **({PLAN_VARIABLE: str(plan.resolve())} if plan else {})}
    options = {
        "server.port": str(port),
        "server.headless": str(not browser).lower(),
        **ALWAYS,
    }
    command = [sys.executable, "-m", "streamlit", "run", str(SCREEN)]
    command += [part for name, value in options.items() for part in (f"--{name}", value)]
    # A service manager stops us with SIGTERM; the page must not outlive us and keep the port.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        # Not wait(): polars' signal handler restarts system calls, so Ctrl-C would not end a blocking one.
        while process.poll() is None:
            time.sleep(0.2)
        return process.returncode
    except KeyboardInterrupt:
        # A terminal interrupts both of us, `kill -INT` only this process.
        process.terminate()
        process.wait()
        return 0
    finally:
        signal.signal(signal.SIGTERM, before)


def _refuse_taken(port: int) -> None:
    with socket.socket() as probe:
        # As the server will: a port that only rests after its last use is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise DataError(
                f"--port {port}: cannot be used ({error.strerror}); give another one, e.g. --port {port + 1}"
            ) from error
