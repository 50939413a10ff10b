"""No way in connects to anything outside this machine: its sockets and its children's are watched.

Twice: by Python's own audit, which hears of names that are looked up, and where this machine lets one process
trace another by the system, which hears of sockets that a library opens without Python.
"""

import os
import re
import shutil
import subprocess
import sys
import textwrap

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
TRACE = (
    "strace",
    "-f",
    "--seccomp-bpf",
    "-qq",
    "-e",
    "signal=none",
    "-e",
    "trace=connect,sendto,sendmsg,sendmmsg",
)
_ADDRESS = re.compile(r'(?:inet_addr\(|inet_pton\(AF_INET6, )"([^"]+)"')
_HERE = re.compile(r"127\.|::1$|::ffff:127\.|0\.0\.0\.0$|::$")
COMMANDS = """
import contextlib, io, json
from pathlib import Path
from pipelines.cli import app
from pipelines.shell import execute

def run(*arguments, code=0):
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        assert execute(app, [*arguments, "--json"]) == code, (arguments, told.getvalue())
    return json.loads(told.getvalue()) if told.getvalue() else {}

def settings(name, text):
    Path(name).write_text(text)
    return ("--config", name)

quick = "min_audience: 100, draws: 10, threads: 1"
brief = ("--campaign", "data/campaign.yaml")
model = run("train", "--data", "data", *settings("train.yaml", "{%s}" % quick))["model_uri"]
Path("model").write_text(model)
run("score", "--data", "data", "--model", model, "--out", "scores")
made = run("plan", *brief, "--data", "data", "--scores", "scores", "--out", "plan")
run("evaluate", "--data", "data", "--plan", "plan", code=1)  # a campaign to come
run("replay", made["run_id"], "--out", "again")
run("run", "--data", "data", *brief, *settings("run.yaml", "{train: {%s}}" % quick), "--out", "ran")
low = "minimums: {campaign_day_cny: 0.01, unit_day_cny: 0.01}"
run("export", "--plan", "plan", "--format", "kuaishou", *settings("export.yaml", low), "--out", "launch")
Path("one.yaml").write_text("{campaign_id: c, budget_cny: 50, days: 1}")
run("assign", "--scores", "scores", "--campaign", "one.yaml", "--plan", "plan", "--out", "lists")
weeks = "{windows: 1, window_days: 4, train_days: 14, draws: 10, threads: 1, min_audience: 100}"
run("backtest", "--data", "data", *brief, *settings("weeks.yaml", weeks))
run("register", "--plan", "plan")
Path("products.csv").write_text("product_id,price_cny,conversion\\nring,200,0.01\\ntea,50,0.04\\n")
run("products", "--plan", "plan", "--products", "products.csv", "--k", "1", "--out", "room")
run("demo", "--out", "demo", *settings("demo.yaml", "users: 2500"))
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
plan._repr_html_()
# As a data scientist goes on: MLflow would send what it counts from a thread of its own.
import time
import mlflow
# what `mlflow models serve` asks
served = mlflow.pyfunc.load_model(Path("model").read_text())
served.predict(data.users.head(5).to_pandas())
mlflow.pyfunc.load_model("models:/campaign-planner@champion").predict([{"budget_cny": 500.0}])
mlflow.set_experiment("another")
with mlflow.start_run():
    pass
time.sleep(1)
"""


@pytest.fixture
def watched(tmp_path):
    """Runs Python with every socket watched: `run(*arguments)`; `found()` is what was connected to."""
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "sitecustomize.py").write_text(WATCH)
    seen, trace = tmp_path / "seen", tmp_path / "trace"
    kept = {name: value for name, value in os.environ.items() if name not in _TESTING}
    kept = {name: value for name, value in kept.items() if not name.startswith(("MLFLOW", "STREAMLIT"))}
    place = os.pathsep.join([str(hooks), os.getcwd()])
    store = f"sqlite:///{tmp_path}/mlflow.db"
    kept |= {"PYTHONPATH": place, "WATCHED": str(seen), "MLFLOW_TRACKING_URI": store}

    class Watched:
        environment, folder = kept, tmp_path
        prefix = (*TRACE, "--output-append-mode", "-o", str(trace)) if can_trace() else ()

        def run(self, *arguments):
            command = [*self.prefix, sys.executable, *arguments]
            done = subprocess.run(
                command, cwd=tmp_path, env=kept, capture_output=True, text=True, timeout=500
            )
            assert done.returncode == 0, done.stderr
            return done.stdout

        def heard(self):
            return seen.read_text().splitlines() if seen.exists() else []

        def traced(self):
            called = trace.read_text().splitlines() if trace.exists() else []
            to = [(line, _ADDRESS.findall(line)) for line in called]
            return [line for line, hosts in to if any(not _HERE.match(host) for host in hosts)]

    return Watched()


def can_trace():
    """Whether a process here may watch what another one asks of the system."""
    return (
        shutil.which("strace") is not None
        and not subprocess.run([*TRACE, "true"], capture_output=True).returncode
    )


TOUCH = "import socket; s = socket.socket(); s.settimeout(.01); s.connect_ex(('192.0.2.1', 9))"


def test_the_watch_sees(watched):
    watched.run("-c", TOUCH)
    assert "192.0.2.1" in watched.heard()[0]


def test_the_system_sees_what_python_does_not(watched):
    if not watched.prefix:
        pytest.skip("this machine lets no process trace another")
    native = """
    import ctypes, struct
    libc, address = ctypes.CDLL(None), bytes((192, 0, 2, 1))
    libc.connect(libc.socket(2, 2, 0), struct.pack("=HH4s8x", 2, 9, address), 16)
    """
    watched.run("-c", textwrap.dedent(native))
    assert watched.heard() == []
    assert '"192.0.2.1"' in watched.traced()[0]


@pytest.mark.slow
def test_no_way_in_connects_to_anything(watched, page_of):
    targeting = ("-m", "pipelines")
    watched.run(*targeting, "simulate", "--out", "data", "--users", "1500", "--seed", "5")
    watched.run(*targeting, "check", "data")
    watched.run(*targeting, "schema", "campaign")
    watched.run("-c", COMMANDS)
    watched.run("-c", textwrap.dedent(API))
    with page_of("plan", cwd=watched.folder, env=watched.environment, prefix=watched.prefix):
        pass
    assert watched.heard() == []
    assert watched.traced() == []
