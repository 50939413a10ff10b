"""HiGHS stays silent: what a library user finds on standard output is their own."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import threading
import numpy as np
from scipy import sparse
from targeting.allocation.solver.highs import maximise

def solve():
    row = sparse.csr_matrix(np.ones((1, 1)))
    done = maximise(np.ones(1), row, np.full(1, 3.0), bounds=np.array([[0.0, np.inf]]))
    assert abs(done.x[0] - 3) < 1e-9
    assert abs(done.dual[0] - 1) < 1e-9

threads = [threading.Thread(target=solve) for _ in range(3)]
[t.start() for t in threads]
[t.join() for t in threads]
print("mine", flush=True)
"""


def run(script: str, **streams: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", script], text=True, check=False, timeout=120, **streams)


def test_the_first_solve_of_a_process_prints_nothing() -> None:
    done = run(SCRIPT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "mine\n"


def test_a_closed_standard_output_is_no_obstacle() -> None:
    script = "import os; os.close(1)\n" + SCRIPT.replace('print("mine", flush=True)', "")
    done = run(script, stderr=subprocess.PIPE)
    assert done.returncode == 0, done.stderr


def test_the_optimiser_itself_prints_nothing() -> None:
    script = """
import numpy as np
import targeting as tg
import polars as pl
rows = [("s", "video", 300.0, 50.0, 2.0), ("t", "video", 200.0, 80.0, 3.0)]
curves = pl.DataFrame(rows, schema=["segment", "placement", "top", "half_spend_cny", "slope"], orient="row")
tg.allocate(curves, budget_cny=150.0)
"""
    done = run(script, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
