"""What it costs to start: processor time (user + system) of whole processes, median of some runs.

    python -m benchmarks.startup [--runs 5]

The plan divides a budget over eight supplied curves in a directory that has an MLflow store already; the
first one makes the store too. MLflow's own line is what any program pays that logs a run to a SQL store. The
last column is the ratio to a bare import, since the same process takes twice the time on a busy machine.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

CURVES = """\
segment,placement,top,half_spend_cny,slope
a,video,900,120,1.0
a,live,500,60,1.4
b,video,700,90,1.1
b,live,300,50,1.2
c,video,200,40,1.0
c,live,800,200,1.6
d,video,400,70,1.0
d,live,350,30,1.3
"""
BRIEF = """\
campaign_id: c8
merchant: {merchant_id: m1}
budget_cny: 500
placements: [video, live]
"""
BARE = "import polars, numpy"
PLAN = ("-m", "pipelines", "plan", "--curves", "curves.csv", "--campaign", "brief.yaml", "--out", "plan")
PROCESSES = {
    BARE: ("-c", BARE),
    "import targeting": ("-c", "import targeting"),
    "targeting --help": ("-m", "pipelines", "--help"),
    "targeting plan --curves, 8 rows": PLAN,
    "of which MLflow's import": ("-c", "import mlflow.store.tracking.sqlalchemy_store"),
}


def processor_seconds(arguments: tuple[str, ...], folder: Path) -> float:
    """User and system seconds of one Python process, its own children included.

    Raises:
        RuntimeError: the process failed.
    """
    command = [sys.executable, *arguments]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    told = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(arguments)} ended with {process.returncode}: {told.decode()}")
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Print a row a process: median, least, and the ratio of medians to the bare import."""
    parser = argparse.ArgumentParser(description="Processor time of whole processes.")
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "curves.csv").write_text(CURVES)
        (folder / "brief.yaml").write_text(BRIEF)
        first = processor_seconds(PLAN, folder)  # writes byte code and the store
        # Round by round, so that a busy minute is shared by all of them.
        rounds = [{name: processor_seconds(a, folder) for name, a in PROCESSES.items()} for _ in range(runs)]
    print(f"{'process':34s}{'median s':>10s}{'least s':>10s}{'x bare':>8s}")
    bare = statistics.median(one[BARE] for one in rounds)
    for process in PROCESSES:
        seconds = [one[process] for one in rounds]
        median = statistics.median(seconds)
        print(f"{process:34s}{median:10.2f}{min(seconds):10.2f}{median / bare:8.1f}")
    print(f"{'first plan in a directory, once':34s}{first:10.2f}{first:10.2f}{first / bare:8.1f}")


if __name__ == "__main__":
    main()
