"""SIGKILL at random moments of a real `score`, and what a reader and the next job find.

    python -m tests.faults.kills --kills 1000 [--seed 0]

The parent imports what a first job imported and computes nothing, so that a job is a fork of it and starts at
once. After each kill the output is absent or byte for byte what an undisturbed job writes; a fifth of the
time a job is then left to finish, which must be so always. At the end no run of the dead is left running.
"""

from __future__ import annotations

import argparse
import collections
import hashlib
import importlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pipelines.jobs.score import run_score
from pipelines.shell import silence_libraries
from pipelines.tracking_store import EXPERIMENT, connect

PREPARE = """
import sys
from pathlib import Path
from pipelines.jobs.simulate import run_simulate
from pipelines.jobs.train import run_train
folder = Path(sys.argv[1])
run_simulate(out=folder / "data", users=1500, seed=5)
(folder / "train.yaml").write_text("min_audience: 100\\ndraws: 10\\nthreads: 1\\n")
run_train(data=folder / "data", config=folder / "train.yaml", tracking_uri=sys.argv[2])
"""


def started(work: Callable[[], object]) -> int:
    """A process that does the work and ends, 0 if it came to its end."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return child


def finished(work: Callable[[], object]) -> None:
    _, status = os.waitpid(started(work), 0)
    assert status == 0, "a job that nobody disturbed failed"


def import_like(job: Callable[[], object]) -> None:
    """Import here what a job imports in a process of its own: 1.1 of the 2 s of CPU that it takes."""
    reading, writing = os.pipe()

    def tell() -> None:
        job()
        os.write(writing, "\n".join(sys.modules).encode())

    child = started(tell)
    os.close(writing)
    with os.fdopen(reading) as names:
        for name in names.read().split("\n"):
            with suppress(ImportError):
                importlib.import_module(name)
    assert os.waitpid(child, 0)[1] == 0, "a job that nobody disturbed failed"


def digest_of(out: Path) -> str | None:
    """Of the published table; None where nothing is published."""
    if not out.exists():
        return None
    assert {path.name for path in out.iterdir()} == {
        ".targeting-manifest.json",
        "manifest.json",
        "rejected",
        "scores.parquet",
    }
    parts = sorted(path for path in (out / "scores.parquet").rglob("*"))
    return hashlib.sha256(b"".join(part.read_bytes() for part in parts)).hexdigest()


def run_kills(kills: int, folder: Path, *, seed: int = 0) -> dict[str, int]:
    """How often the output was absent or whole after a kill.

    Raises:
        AssertionError: It was neither, or a job could not go on.
    """
    rng, store, out = random.Random(seed), f"sqlite:///{folder / 'mlflow.db'}", folder / "scores"
    subprocess.run([sys.executable, "-c", PREPARE, str(folder), store], check=True, cwd=folder)
    (folder / "score.yaml").write_text("part_users: 300\n")

    def job() -> None:
        run_score(
            data=folder / "data",
            model="models:/new-fan-gmv@champion",
            out=out,
            config=folder / "score.yaml",
            tracking_uri=store,
        )

    import_like(job)
    began = time.monotonic()
    finished(job)
    seconds, whole = time.monotonic() - began, digest_of(out)
    told: collections.Counter[str] = collections.Counter()
    for _ in range(kills):
        if rng.random() < 0.5:
            shutil.rmtree(out, ignore_errors=True)
        child = started(job)
        time.sleep(rng.uniform(0, seconds * 1.05))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        found = digest_of(out)
        assert found in (None, whole), "half an output"
        came = "killed" if status == signal.SIGKILL else "done before"
        told[f"{came}, output {'whole' if found else 'absent'}"] += 1
        if rng.random() < 0.2:
            finished(job)
            assert digest_of(out) == whole, "another output than that of a job that nobody disturbed"
            told["left to finish, identical"] += 1
    finished(job)
    assert sorted(path.name for path in folder.iterdir() if "scores" in path.name) == ["scores"]
    finished(lambda: _refuse_running(store))
    return dict(sorted(told.items()))


def _refuse_running(store: str) -> None:
    import mlflow

    connect(store)
    runs = mlflow.search_runs(experiment_names=[EXPERIMENT], output_format="list")
    assert {run.info.status for run in runs} <= {"FINISHED", "KILLED"}


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--kills", type=int, default=1000)
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    silence_libraries()
    with tempfile.TemporaryDirectory(prefix="faults-") as made:
        for came, times in run_kills(given.kills, Path(made), seed=given.seed).items():
            print(f"{times:7,} {came}")
    print(f"{given.kills:7,} SIGKILLs: 0 half outputs, 0 users lost or doubled, 0 runs left running")
