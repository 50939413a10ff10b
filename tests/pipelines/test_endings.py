"""However a job ends: no version of a run that did not come to its end, no run that runs for ever."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import mlflow
import pytest

from models import registry
from pipelines import processes, tracking
from pipelines.jobs import run, train
from pipelines.processes import Terminated, identity, is_dead, own_temporary_folder
from pipelines.store.plans import read_plan
from pipelines.tracking_store import EXPERIMENT, connect

SETTINGS = "min_audience: 100\ndraws: 20\nthreads: 1\n"


def runs():
    found = mlflow.search_runs(experiment_names=[EXPERIMENT], output_format="list")
    return {run.info.run_id: run.info.status for run in found}


def versions():
    return [found.version for found in mlflow.MlflowClient().search_model_versions()]


@pytest.fixture
def train_once(cli, data_dir, tmp_path):
    """Runs `train` on the small world: (exit status, stderr)."""

    def run():
        settings = tmp_path / "train.yaml"
        settings.write_text(SETTINGS)
        code, _, err = cli("train", "--data", data_dir, "--config", settings)
        return code, err

    return run


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [(KeyboardInterrupt, 130, "KILLED"), (Terminated, 143, "KILLED"), (OSError(28, "full"), 1, "FAILED")],
)
def test_a_version_goes_with_the_run_that_registered_it(train_once, store, monkeypatch, error, code, status):
    register, seen = train.register, []

    def interrupted(*given, **named):
        seen.append(register(*given, **named).model_uri)
        raise error

    monkeypatch.setattr(train, "register", interrupted)
    told, err = train_once()
    assert told == code
    assert len(err.splitlines()) == 1
    assert seen == ["models:/new-fan-gmv/1"]
    assert versions() == []
    assert [*runs().values()] == [status]


def test_what_comes_after_the_alias_takes_nothing_back(train_once, store, monkeypatch):
    promote = train.promote

    def interrupted(*given, **named):
        promote(*given, **named)
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "promote", interrupted)
    assert train_once()[0] == 130
    assert registry.version_at(registry.NAME, registry.ALIAS) == "models:/new-fan-gmv/1"
    assert [*runs().values()] == ["FINISHED"]


@pytest.mark.slow
def test_a_plan_that_is_published_names_a_version_that_stays(cli, store, data_dir, tmp_path, monkeypatch):
    publish = run.publish

    def interrupted(*given, **named):
        publish(*given, **named)
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "publish", interrupted)
    settings, out = tmp_path / "run.yaml", tmp_path / "plan"
    settings.write_text("train: {min_audience: 100, draws: 20, threads: 1}\n")
    brief = data_dir / "campaign.yaml"
    assert cli("run", "--data", data_dir, "--campaign", brief, "--config", settings, "--out", out)[0] == 130
    assert read_plan(out).provenance.model_uri == registry.version_at(registry.NAME, registry.ALIAS)
    assert [*runs().values()] == ["FINISHED"]


CHILD = """
import os, signal, sys
from pipelines import cli, tracking
from pipelines.jobs import run, train
from pipelines.shell import execute
register = train.register
def stopped(*given, **named):
    planner = register(*given, **named)
    os.kill(os.getpid(), getattr(signal, sys.argv[1]))
    return planner
train.register = stopped
sys.exit(execute(cli.app, sys.argv[2:]))
"""


def start(name, *arguments, environment=None):
    command = [sys.executable, "-c", CHILD, name, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **(environment or {})})


def test_kill_9_leaves_a_run_and_a_version_that_the_next_job_closes(store, data_dir, tmp_path):
    settings, folder = tmp_path / "train.yaml", tmp_path / "tmp"
    folder.mkdir()
    settings.write_text(SETTINGS)
    arguments = ("train", "--data", data_dir, "--config", settings, "--tracking-uri", store)
    environment = {"TMPDIR": str(folder), "PYTHONPATH": os.environ.get("PYTHONPATH", os.getcwd())}
    done = start("SIGKILL", *arguments, environment=environment)
    assert done.returncode == -signal.SIGKILL
    connect(store)
    assert [*runs().values()] == ["RUNNING"]
    assert versions() == ["1"] or versions() == [1]
    assert len(os.listdir(folder)) == 1
    with tracking.job_run("score", tracking_uri=store, inputs={}, fingerprints={}) as living:
        assert sorted(runs().values()) == ["KILLED", "RUNNING"]
        tracking.close_dead_runs()
        assert runs()[living.run_id] == "RUNNING"
    assert versions() == []
    done = start("SIGTERM", *arguments, environment=environment)
    assert (done.returncode, done.stdout) == (143, "")
    assert done.stderr == "targeting: terminated; nothing half-written was left behind\n"
    assert sorted(runs().values()) == ["FINISHED", "KILLED", "KILLED"]
    assert versions() == []
    assert os.listdir(folder) == []


def test_a_run_that_cannot_be_told_dead_is_left_alone(store):
    connect(store)
    host, boot, space, number, start_ = identity().split("-")
    of_others = ["", "nonsense", f"other-{boot}-{space}-{number}-1", f"{host}-{boot}-other-{number}-1"]
    dead = [f"{host}-{boot}-{space}-{number}-1", f"{host}-before-{space}-{number}-{start_}"]
    assert [is_dead(one) for one in (identity(), *of_others)] == [False] * 5
    assert [is_dead(one) for one in dead] == [True, True]
    for one in (identity(), *of_others, *dead):
        mlflow.start_run(tags={tracking.PROCESS_TAG: one})
        mlflow.end_run("RUNNING")
    tracking.close_dead_runs()
    assert sorted(runs().values()) == ["KILLED"] * 2 + ["RUNNING"] * 5


def test_temporary_folders_of_the_dead_are_cleared(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    host, boot, space, number, _ = identity().split("-")
    for name in (
        "targeting-notes",
        f"targeting-{identity()}-x",
        f"targeting-{host}-{boot}-{space}-{number}-1-y",
    ):
        (tmp_path / name).mkdir()
    with own_temporary_folder():
        inside = Path(tempfile.mkdtemp())
        assert inside.parent.parent == tmp_path
    assert sorted(os.listdir(tmp_path)) == sorted(["targeting-notes", f"targeting-{identity()}-x"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_second_signal_does_not_stop_the_letting_go(number):
    let_go = []

    def job():
        with processes.terminable():
            try:
                os.kill(os.getpid(), number)
            finally:
                os.kill(os.getpid(), signal.SIGTERM)
                os.kill(os.getpid(), signal.SIGHUP)
                let_go.append(True)

    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the suite itself may run under nohup
    try:
        with pytest.raises(Terminated):
            job()
        assert let_go == [True]
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_job_under_nohup_goes_on_when_the_terminal_closes():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with processes.terminable():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_reader_who_went_away_is_no_wrong_input():
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "pipelines", "schema", "campaign"], stdout=writing, stderr=subprocess.PIPE
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")
