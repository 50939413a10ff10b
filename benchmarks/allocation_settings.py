"""What the optimiser's tuning numbers do: each measured one at half and at twice its value.

    python benchmarks/allocation_settings.py [FIELD ...]

One line a field: processor time as a multiple of the default's, and the largest gap. Last, a small linear
program stated in cvxpy and handed over as matrices, which is why `solver/highs.py` does the latter.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import cvxpy as cp
import numpy as np
from allocation_instances import competing, constrained, hills
from scipy import sparse

from targeting.allocation.settings import SETTINGS
from targeting.allocation.solver.highs import maximise
from targeting.allocation.solver.solve import solve

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "targeting" / "allocation"))
from random_problems import random_problem

PROBLEMS = (
    *(hills(n, seed) for n, seed in ((4, 0), (8, 0), (50, 1))), competing(100, 0), competing(400, 1),
    *(constrained(seed) for seed in (1, 2)), *(random_problem(seed) for seed in (1, 4, 7)),
)  # fmt: skip


def run() -> tuple[float, float]:
    """Processor seconds of all problems, and the largest gap."""
    start = time.process_time()
    gaps = [solve(problem, time_limit_s=30.0).gap for problem in PROBLEMS]
    return time.process_time() - start, max(gaps)


def measured() -> list[str]:
    """Fields that the settings' text calls measured, numbers only."""
    text, found = type(SETTINGS).__doc__ or "", []
    for entry in text.split("Attributes:")[1].replace("\n            ", " ").splitlines():
        names, _, said = entry.partition(":")
        found += [name.strip() for name in names.split(",")] if "easured" in said else []
    known = {f.name for f in fields(SETTINGS)}
    return [name for name in found if name in known]


def compare(names: list[str]) -> None:
    """One line a field."""
    run()  # loads what is loaded once
    base, gap = run()
    print(f"{'default':22s} cpu {base:5.2f} s  gap max {gap:7.1e}", flush=True)
    for name in names:
        value, said = getattr(SETTINGS, name), []
        for factor in (0.5, 2.0):
            other = max(1, round(value * factor)) if isinstance(value, int) else value * factor
            object.__setattr__(SETTINGS, name, other)
            cpu, gap = run()
            said.append(f"at {other:<8g} cpu x {cpu / base:4.2f}  gap max {gap:7.1e}")
        object.__setattr__(SETTINGS, name, value)
        print(f"{name:22s} {'   '.join(said)}", flush=True)


def milliseconds(solve_once: Callable[[], object], times: int = 20) -> float:
    """Median processor time of one call."""
    taken = []
    for _ in range(times):
        start = time.process_time()
        solve_once()
        taken.append(1e3 * (time.process_time() - start))
    return float(np.median(taken))


def stated_or_handed() -> None:
    """A master of four blocks, ten columns each."""
    rng = np.random.default_rng(0)
    gain, rows = rng.uniform(0, 1, 40), sparse.csr_matrix(rng.uniform(0, 1, (3, 40)))
    limits, whole = np.full(3, 1.5), sparse.csr_matrix(np.kron(np.eye(4), np.ones(10)))

    def stated() -> None:
        x = cp.Variable(40, nonneg=True)
        cp.Problem(cp.Maximize(gain @ x), [rows @ x <= limits, whole @ x == 1]).solve(solver="HIGHS")

    def handed() -> None:
        maximise(gain, rows, limits, bounds=np.array([[0.0, np.inf]]), whole=whole)

    said = f"cvxpy {milliseconds(stated):.1f} ms, matrices {milliseconds(handed):.1f} ms"
    print(f"a master of 4 blocks: {said}")


if __name__ == "__main__":
    compare(sys.argv[1:] or measured())
    stated_or_handed()
