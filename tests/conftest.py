"""Rules for the whole suite: in CI nothing that the project can install may be skipped."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_collection_modifyitems(items):
    """Whole runs, laws, faults and whatever is slow are asked without the coverage tracer: they reach
    lines that the quick tests of a room reach too, and the tracer adds 43 % to 58 % to the CPU of a test.
    """
    for item in items:
        room = item.path.relative_to(TESTS).parts[0] if item.path.is_relative_to(TESTS) else ""
        if room in ("e2e", "faults", "fuzz", "properties") or item.get_closest_marker("slow"):
            item.add_marker("no_cover")


def pytest_collection_finish(session):
    """What was imported and collected stays: the collector need not walk it again (11 % of the CPU)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.skipped and os.environ.get("CI") and not hasattr(report, "wasxfail"):
        reason = str(call.excinfo.value) if call.excinfo else "skipped"
        if "shared/data" in reason and not SHARED.is_dir():
            return
        if "names no interpreter" in reason:  # a peer that needs an environment of its own
            return
        if "lets no process trace another" in reason:  # as a container may forbid it
            return
        report.outcome = "failed"
        report.longrepr = f"skipped in CI, where everything must run: {reason}"


@pytest.fixture(autouse=True)
def _no_tracking_store_from_elsewhere(monkeypatch):
    """MLflow keeps its stores for the whole process and writes them into the environment, so a later test, or
    a process that it starts, would ask a server that is long gone; so every test begins without a store, the
    user's own included.
    """
    if mlflow := sys.modules.get("mlflow"):
        mlflow.set_tracking_uri(None)
        mlflow.set_registry_uri(None)
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def new_store(tmp_path_factory):
    """Puts an MLflow store without runs into a folder and gives its URI.

    MLflow takes 1-2 s of CPU to make the tables of a sqlite store and 0.03 s to open a copy of one, so they
    are made once. That jobs make their own is seen by test_demo.py and test_tracking.py.
    """
    import mlflow

    template = tmp_path_factory.mktemp("empty-store") / "mlflow.db"
    mlflow.set_tracking_uri(f"sqlite:///{template}")
    mlflow.search_experiments()
    mlflow.set_tracking_uri(None)

    def make(folder, name="mlflow.db"):
        shutil.copyfile(template, folder / name)
        return f"sqlite:///{folder / name}"

    return make


@pytest.fixture(scope="session")
def shared_data():
    """The folder of real data beside the clone; a test that wants it skips, saying so, where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("needs the real data in ../shared/data, which is absent")
    return SHARED


@pytest.fixture(scope="session")
def free_port():
    """Gives the number of a port on this machine where nobody listens."""

    def find():
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]

    return find


@pytest.fixture
def page_of(free_port):
    """Starts `targeting app` on a plan, as `with page_of(plan, cwd=..., env=...) as url`, once it answers."""

    @contextmanager
    def serve(plan, prefix=(), **where):
        port = free_port()
        command = [*prefix, sys.executable, "-m", "pipelines", "app", "--plan", str(plan)]
        command += ["--port", str(port), "--no-browser"]
        # A group of its own: whoever watches it (`prefix`) passes no signal on.
        page = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True, **where)
        try:
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                with (
                    suppress(OSError),
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2) as said,
                ):
                    assert said.status == 200
                    yield f"http://127.0.0.1:{port}"
                    return
                time.sleep(0.3)
            raise AssertionError("the page did not start")
        finally:
            os.killpg(page.pid, signal.SIGTERM)
            page.wait(30)

    return serve
