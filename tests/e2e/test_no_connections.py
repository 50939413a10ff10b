"""No way in connects to anything outside this machine: its sockets and its children's are watched."""

import json
import os
import subprocess
import sys
import textwrap
import time
import urllib.request
from contextlib import suppress

import pytest

# What tells a library that it is being tested, where it would keep silent of itself.
_TESTING = ("CI", "GITHUB_ACTIONS", "PYTEST_CURRENT_TEST", "PYTEST_VERSION", "DO_NOT_TRACK")
WATCH = """
import json, os, sys

def watch(event, arguments):
    if event not in ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo"):
        return
    where = arguments[0] if event == "socket.getaddrinfo" else arguments[1]
    host = where[0] if isinstance(where, tuple) else where
    host = host.decode("utf-8", "replace") if isinstance(host, bytes) else str(host)
    if event != "socket.getaddrinfo" and not isinstance(where, tuple):
        return
    if host not in ("localhost", "::1", "", "None") and not host.startswith("127."):
        with open(os.environ["WATCHED"], "a") as file:
            file.write(json.dumps([event, host, sys.argv]) + "\\n")

sys.addaudithook(watch)
"""
API = """
import polars as pl
import targeting as tg
from pathlib import Path
from pipelines.store import read_dataset

data = read_dataset("data")
planner = tg.Planner.load(Path("model").read_text())
audience = planner.audience(data.users)
plan = planner.plan({"campaign_id": "c", "budget_cny": 1000, "days": 2}, audience)
plan.to_html()
# As a data scientist goes on: MLflow would send what it counts from a thread of its own.
import time
import mlflow
mlflow.set_experiment("another")
with mlflow.start_run():
    pass
time.sleep(1)
"""


@pytest.fixture
def watched(tmp_path):
    """Runs Python with every socket watched: `run(*arguments)`; `run.found()` is what was connected to."""
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "sitecustomize.py").write_text(WATCH)
    seen = tmp_path / "seen"
    kept = {name: value for name, value in os.environ.items() if name not in _TESTING}
    kept = {name: value for name, value in kept.items() if not name.startswith(("MLFLOW", "STREAMLIT"))}
    place = os.pathsep.join([str(hooks), os.getcwd()])
    store = f"sqlite:///{tmp_path}/mlflow.db"
    kept |= {"PYTHONPATH": place, "WATCHED": str(seen), "MLFLOW_TRACKING_URI": store}

    class Watched:
        environment, folder = kept, tmp_path

        def run(self, *arguments, code=0):
            done = subprocess.run(
                [sys.executable, *arguments],
                cwd=tmp_path,
                env=kept,
                capture_output=True,
                text=True,
                timeout=300,
            )
            assert done.returncode == code, done.stderr
            return done.stdout

        def found(self):
            return seen.read_text().splitlines() if seen.exists() else []

    return Watched()


def test_the_watch_sees(watched):
    watched.run("-c", "import socket; s = socket.socket(); s.settimeout(.01); s.connect_ex(('192.0.2.1', 9))")
    assert "192.0.2.1" in watched.found()[0]


@pytest.mark.slow
def test_no_way_in_connects_to_anything(watched):
    targeting = ("-m", "pipelines")
    (watched.folder / "train.yaml").write_text("{min_audience: 100, draws: 10, threads: 1}\n")
    watched.run(*targeting, "simulate", "--out", "data", "--users", "1500", "--seed", "5")
    watched.run(*targeting, "check", "data")
    told = json.loads(watched.run(*targeting, "train", "--data", "data", "--config", "train.yaml", "--json"))
    (watched.folder / "model").write_text(told["model_uri"])
    watched.run("-c", textwrap.dedent(API))
    model = ("--model", told["model_uri"])
    watched.run(*targeting, "score", "--data", "data", *model, "--out", "scores")
    brief = ("--campaign", "data/campaign.yaml")
    made = watched.run(
        *targeting, "plan", *brief, "--data", "data", "--scores", "scores", "--out", "plan", "--json"
    )
    watched.run(*targeting, "evaluate", "--data", "data", "--plan", "plan", code=1)  # a campaign to come
    watched.run(*targeting, "replay", json.loads(made)["run_id"], "--out", "again")
    watched.run(*targeting, "schema", "campaign")
    show_the_page(watched)
    assert watched.found() == []


def show_the_page(watched):
    """Start the what-if page, ask for it once as a browser would, and stop it."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "pipelines",
        "app",
        "--plan",
        "plan",
        "--port",
        str(port),
        "--no-browser",
    ]
    page = subprocess.Popen(command, cwd=watched.folder, env=watched.environment)
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2) as answer:
                assert answer.status == 200
                return
            time.sleep(0.3)
        raise AssertionError("the page did not start")
    finally:
        page.terminate()
        page.wait(30)
