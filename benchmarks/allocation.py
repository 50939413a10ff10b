"""The allocator on the instances of issue 3: certified gap, time, and what a grid finds.

    python benchmarks/allocation.py [--quick]

Prints one table with the machine named. Peers (PyMC-Marketing, Robyn, Meridian) are skipped by name where
they are not
installed; their published losses on the same recipe are in docs and in the issue.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import polars as pl

from models.curves import CurveSet
from targeting.allocation.problem import Limits, Market, Problem, Row, Solution
from targeting.allocation.solver.solve import Warm, solve

PEERS = ("pymc_marketing", "meridian", "robyn")


def market_of(supply: CurveSet, *, block: np.ndarray, users: np.ndarray, **rest: np.ndarray) -> Market:
    """A market with made-up names; additive where users are infinite."""
    n, one = len(supply), np.ones(len(supply))
    names = {k: ["x"] * n for k in ("campaign_id", "merchant_id", "fan_kind")}
    cells = pl.DataFrame({
        **names, "segment": [f"s{b}" for b in block], "placement": [("video", "live")[i % 2] for i in
        range(n)],
        "slot": np.zeros(n, dtype=np.int64),
    })  # fmt: skip
    given = {
        "hazard": one,
        "entry": 0 * one,
        "gmv_per_fan_cny": one,
        "observed_max_cny": one * np.inf,
        **rest,
    }
    return Market(cells=cells, block=block, supply=supply, users=users, **given)


def hills(n: int, seed: int) -> Problem:
    """S-curves: slope uniform 1.2-4, half spend uniform 50-300, top lognormal(6, 0.5), spend in [10, 500]."""
    rng, one = np.random.default_rng(seed), np.ones(n)
    slope, half, top = rng.uniform(1.2, 4, n), rng.uniform(50, 300, n), rng.lognormal(6, 0.5, n)
    supply = CurveSet.of("hill", top=top, scale_cny=half, shape=slope)
    market = market_of(supply, block=np.arange(n), users=np.inf * one)
    limits = Limits(10 * one, min(500.0, 100.0 * n) * one, 0 * one, 0 * one)
    return Problem(market, {"gmv": one}, 100.0 * n, limits, ())


def competing(n: int, seed: int) -> Problem:
    """n segments x 2 placements that compete for the same people; a budget, caps per cell, a share floor for
    live.
    """
    rng, m = np.random.default_rng(seed), 2 * n
    users = np.repeat(rng.lognormal(9, 1, n), 2)
    scale = users * rng.uniform(0.01, 0.1, m)
    supply = CurveSet.of("expsat", top=users * rng.uniform(1, 5, m), scale_cny=scale)
    market = market_of(
        supply, block=np.repeat(np.arange(n), 2), users=users, hazard=rng.uniform(0.01, 0.3, m),
        gmv_per_fan_cny=rng.lognormal(2, 1, m), entry=np.tile([0.0, 0.2], n),
    )  # fmt: skip
    limits = Limits(np.zeros(m), 1.2 * scale, np.zeros(m), np.zeros(m))
    rows = (Row("live-share", {"spend": np.tile([0.0, 1.0], n) - 0.6}, lower=0.0),)
    return Problem(market, {"gmv": np.ones(m)}, 0.25 * float(scale.sum()), limits, rows)


def grid_optimum(problem: Problem, step: float = 2.0) -> float:
    """Grid dynamic programme over the budget: a lower bound of the optimum of additive cells."""
    levels = np.arange(0.0, problem.budget_cny + step / 2, step)
    best = np.zeros(len(levels))
    for c in range(len(problem.market)):
        spend = levels[(levels >= problem.limits.lower_cny[c]) & (levels <= problem.limits.upper_cny[c])]
        gain = problem.market.supply.take(np.array([c])).value(spend[:, None])[:, 0]
        new = np.full(len(levels), -np.inf)
        for shift, g in zip(np.rint(spend / step).astype(int), gain, strict=True):
            new[shift:] = np.maximum(new[shift:], best[: len(levels) - shift] + g)
        best = new
    return float(best[-1])


def timed(problem: Problem, warm: Warm | None = None) -> tuple[Solution, float]:
    """The solution and its seconds."""
    start = time.perf_counter()
    solution = solve(problem, warm=warm)
    return solution, time.perf_counter() - start


def report(name: str, runs: Iterable[tuple[Solution, float]], note: str = "") -> float:
    """Print one line of the table; gives the median seconds."""
    done = list(runs)
    gaps, seconds = np.array([s.gap for s, _ in done]), np.array([t for _, t in done])
    print(
        f"{name:44s} runs {len(done):3d}  gap max {gaps.max():8.1e}  certified {np.mean(gaps <= 1e-6):5.0%}  "
        f"seconds median {np.median(seconds):7.2f} max {seconds.max():7.2f}  {note}",
        flush=True,
    )
    return float(np.median(seconds))


def s_curves(runs: int) -> None:
    """Small instances against the grid, larger ones by their own certificate."""
    for n in (4, 8, 16):
        problems = [hills(n, seed) for seed in range(runs)]
        done = [timed(p) for p in problems]
        loss = [1 - s.value / grid_optimum(p) for p, (s, _) in zip(problems, done, strict=True)]
        unspent = max(1 - s.spend_cny.sum() / p.budget_cny for p, (s, _) in zip(problems, done, strict=True))
        report(f"S-curves n={n}", done, f"below grid: max {max(loss):.1e}; unspent max {unspent:.1e}")
    for n in (50, 100, 500):
        report(f"S-curves n={n}", (timed(hills(n, seed)) for seed in range(min(runs, 5))))


def competing_hazards(sizes: tuple[int, ...]) -> None:
    """Time by size and its growth, then the same market at another budget with columns kept."""
    medians = []
    for n in sizes:
        medians.append(
            report(
                f"competing hazards {n} x 2", [timed(competing(n, s)) for s in range(3 if n < 5000 else 1)]
            )
        )
    growth = np.log(medians[-1] / medians[0]) / np.log(sizes[-1] / sizes[0])
    print(f"growth exponent {growth:.2f}")
    problem, warm = competing(sizes[0], 0), Warm()
    _, first = timed(problem, warm)
    again = report(
        "re-solve at 1.1 x the budget, warm",
        [timed(replace(problem, budget_cny=1.1 * problem.budget_cny), warm)],
    )
    print(f"first solve / re-solve {first / again:.1f}")


def frontier() -> None:
    """50 budgets at 200 segments against one solve."""
    problem, warm = competing(200, 0), Warm()
    _, one = timed(problem)
    budgets = problem.budget_cny * np.linspace(1.5, 0.3, 50)
    start = time.perf_counter()
    gaps = [solve(replace(problem, budget_cny=float(b)), warm=warm).gap for b in budgets]
    total = time.perf_counter() - start
    print(f"frontier of 50 budgets, 200 x 2: {total:.2f} s = {total / one:.1f} solves")
    print(f"  largest gap on it {max(gaps):.1e}")


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer runs, no 20,000-segment instance")
    quick = parser.parse_args().quick
    machine = platform.processor() or platform.machine()
    print(f"{machine}, {os.cpu_count()} cores, Python {platform.python_version()}")
    missing = [p for p in PEERS if importlib.util.find_spec(p) is None]
    print(f"peers not installed, skipped: {', '.join(missing) or 'none'}")
    solve(competing(3, 0))  # loads cvxpy
    parts: tuple[Callable[[], None], ...] = (
        lambda: s_curves(3 if quick else 20),
        lambda: competing_hazards((100, 1000) if quick else (1000, 20000)),
        frontier,
    )
    for part in parts:
        part()


if __name__ == "__main__":
    main()
