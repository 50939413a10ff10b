"""Fixtures of the shell's tests: each test has its own MLflow store and its own working directory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from pipelines.shell import silence_libraries


@pytest.fixture
def own_folder(tmp_path, monkeypatch):
    """The working directory is the test's own, and nothing is in it."""
    silence_libraries()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


@pytest.fixture
def store(new_store, own_folder):
    """URI of a fresh sqlite store in the test's own working directory."""
    return new_store(own_folder)


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory):
    """A small simulated data directory with its brief; tests copy it before they break it."""
    from pipelines.jobs.simulate import run_simulate

    folder = tmp_path_factory.mktemp("world") / "data"
    run_simulate(out=folder, users=1500, seed=5)
    return folder


@pytest.fixture
def cli(store, capsys):
    """Runs a command in this process: (exit status, stdout, stderr)."""
    from pipelines.cli import app
    from pipelines.shell import execute

    def run(*arguments):
        capsys.readouterr()
        code = execute(app, [str(part) for part in arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture(scope="session")
def server(new_store, free_port, tmp_path_factory):
    """A real `mlflow server` on loopback with its own sqlite store and artifact proxy."""
    port = free_port()
    folder = tmp_path_factory.mktemp("server")
    options = {
        "--host": "127.0.0.1",
        "--port": port,
        "--workers": 1,
        "--backend-store-uri": new_store(folder),
        "--artifacts-destination": folder / "files",
    }
    command = [sys.executable, "-m", "mlflow", "server", *(str(x) for pair in options.items() for x in pair)]
    # Its job runners are five processes, each of which imports all of MLflow, and nothing here asks them.
    environment = {
        **os.environ,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    log = (folder / "server.log").open("w")
    process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=environment)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            assert process.poll() is None, (folder / "server.log").read_text()
            try:
                with urllib.request.urlopen(f"{url}/health", timeout=2):
                    break
            except (urllib.error.URLError, OSError):
                time.sleep(0.5)
        yield url
    finally:
        process.terminate()
        process.wait(60)
        log.close()


@pytest.fixture(scope="session")
def trained(data_dir, new_store, tmp_path_factory):
    """A model trained on the small world: (store URI, model URI, run id), for all tests of the session."""
    from pipelines.jobs.train import run_train

    silence_libraries()
    folder = tmp_path_factory.mktemp("store")
    uri = new_store(folder)
    settings = folder / "train.yaml"
    settings.write_text("min_audience: 100\ndraws: 20\nthreads: 1\n")
    result = run_train(data=data_dir, config=settings, tracking_uri=uri)
    return uri, result.model_uri, result.run_id


@pytest.fixture(scope="session")
def ran(data_dir, new_store, tmp_path_factory):
    """One `run` on the small world, read by all tests of the session: (result, plan directory, store URI)."""
    from pipelines.jobs.run import run_all

    silence_libraries()
    folder = tmp_path_factory.mktemp("run")
    (folder / "run.yaml").write_text("train: {min_audience: 100, draws: 20, threads: 1}\n")
    store = new_store(folder)
    result = run_all(
        data=data_dir,
        campaign=data_dir / "campaign.yaml",
        out=folder / "plan",
        config=folder / "run.yaml",
        tracking_uri=store,
    )
    return result, folder / "plan", store
