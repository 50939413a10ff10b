"""The allocator on the instances of issue 3: certified gap, time, and what independent answers say.

    python benchmarks/allocation.py [PART ...] [--quick] [--ipinyou FOLDER]

One line per figure, the machine named, medians and ratios. Seconds are wall time; `cpu` is processor time,
which does not suffer from neighbours on a shared machine; `HiGHS` is the solver's own share of the wall time.
Peers (PyMC-Marketing, Meridian, Robyn) are skipped by name where they are not installed; their losses on the
same recipe are in the issue.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from allocation_instances import competing, constrained, grid_optimum, hills, mixed, restated, risky, slotted

from models.errors import InfeasibleError
from targeting.allocation.outcomes import outcomes
from targeting.allocation.problem import Problem, Risk, Solution
from targeting.allocation.solver import highs
from targeting.allocation.solver.risk import draw_totals, lower_tail
from targeting.allocation.solver.solve import Warm, solve
from targeting.allocation.whatif.frontier import frontier

HOME = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(HOME / "tests" / "targeting" / "allocation"))
import random_problems as oracle  # noqa: E402 - beside the tests that use it

PRICE_AIM = 1e-3  # largest relative error of a price
PEERS = ("pymc_marketing", "meridian", "robyn")


@dataclass
class Clock:
    """Seconds spent inside HiGHS, summed over the process."""

    highs: float = 0.0

    def watch(self) -> None:
        """Time every call of the optimiser's door to HiGHS from here on."""
        run = highs.linprog

        def timed_run(*args: object, **options: object) -> object:
            start = time.perf_counter()
            try:
                return run(*args, **options)
            finally:
                self.highs += time.perf_counter() - start

        highs.linprog = timed_run


CLOCK = Clock()


@dataclass(frozen=True)
class Run:
    """A solution with its wall, processor and HiGHS seconds."""

    solution: Solution
    wall: float
    cpu: float
    highs: float


def timed(problem: Problem, **settings: object) -> Run:
    """Solve and measure."""
    start = time.perf_counter(), time.process_time(), CLOCK.highs
    solution = solve(problem, **settings)  # type: ignore[arg-type]
    return Run(
        solution, time.perf_counter() - start[0], time.process_time() - start[1], CLOCK.highs - start[2]
    )


def say(name: str, text: str) -> None:
    """One line of the table."""
    print(f"{name:42s} {text}", flush=True)


def report(name: str, runs: Iterable[Run], note: str = "", within: float = 1e-6) -> list[Run]:
    """Print one line: largest gap, share certified, median and largest time."""
    done = list(runs)
    gaps, wall = np.array([r.solution.gap for r in done]), np.array([r.wall for r in done])
    cpu = np.median([r.cpu for r in done])
    inside = sum(r.highs for r in done) / max(sum(r.wall for r in done), 1e-12)
    say(
        name,
        f"runs {len(done):2d}  gap max {gaps.max():7.1e}  <= {within:g}: {np.mean(gaps <= within):4.0%}  s "
        f"median {np.median(wall):6.2f} max {wall.max():6.2f} cpu {cpu:6.2f}  HiGHS {inside:3.0%}  {note}",
    )
    return done


def s_curves(runs: int, large: int) -> None:
    """Small instances against the grid, larger ones by their own certificate."""
    for n in (4, 8, 16):
        problems = [hills(n, seed) for seed in range(runs)]
        done = [timed(p) for p in problems]
        loss = [1 - r.solution.value / grid_optimum(p) for p, r in zip(problems, done, strict=True)]
        unspent = [1 - r.solution.spend_cny.sum() / p.budget_cny for p, r in zip(problems, done, strict=True)]
        note = f"loss to grid mean {np.mean(loss):+.1e} max {max(loss):+.1e}  unspent max {max(unspent):.1e}"
        report(f"S-curves n={n}", done, note)
    for n in (50, 100, 500):
        made = (timed(hills(n, seed), gap_tol=1e-5, time_limit_s=30.0) for seed in range(large))
        report(f"S-curves n={n}", made, within=1e-5)
    made = (timed(hills(1000, seed), gap_tol=1e-4, time_limit_s=30.0) for seed in range(large))
    report("S-curves n=1000", made, within=1e-4)


def competing_hazards(sizes: tuple[int, ...]) -> None:
    """Time by size and its growth, then the same market at another budget with columns and prices kept."""
    medians = []
    for n in sizes:
        made = [timed(competing(n, seed)) for seed in range(3 if n < 5000 else 1)]
        done = report(f"competing hazards {n} x 2", made)
        medians.append(float(np.median([r.cpu for r in done])))
    growth = np.log(medians[-1] / medians[0]) / np.log(sizes[-1] / sizes[0])
    say(f"growth exponent {sizes[0]} -> {sizes[-1]} (cpu)", f"{growth:.2f}")
    for n in sizes[1:]:
        problem, warm = competing(n, 0), Warm()
        first = timed(problem, warm=warm)
        other = [replace(problem, budget_cny=f * problem.budget_cny) for f in (1.1, 0.9, 1.05)]
        again = report(f"re-solve {n} x 2 at another budget", [timed(p, warm=warm) for p in other])
        cold = np.median([timed(p).cpu for p in other])
        ratio = first.cpu / np.median([r.cpu for r in again]), cold / np.median([r.cpu for r in again])
        say(
            "  first solve / re-solve (cpu)", f"{ratio[0]:.1f}; cold solve of the same budgets {ratio[1]:.1f}"
        )


def slots(n: int, count: int) -> None:
    """Many slots with a capacity each, and the plan's fans beside people who are met slot by slot."""
    problem = slotted(n, count, 0)
    run = timed(problem)
    market, rng = problem.market, np.random.default_rng(0)
    z = market.hazard * market.supply.value(run.solution.spend_cny) / market.users
    left = np.rint(market.users.reshape(count, n, 2)[0, :, 0]).astype(np.int64)
    people = left.sum()
    for follows in z.reshape(count, n, 2).sum(axis=2):  # who follows is met no more
        left = left - rng.binomial(left, -np.expm1(-follows))
    promised = float(outcomes(market, run.solution.spend_cny)["fans"].sum())
    apart = promised / max(float(people - left.sum()), 1.0) - 1
    note = f"promised fans / those of simulated people - 1: {apart:+.1e}"
    report(f"{count} slots x {n} x 2, a capacity each", [run], note)


def frontier_of_budgets() -> None:
    """50 budgets at 200 segments against one solve."""
    problem = competing(200, 0)
    one = timed(problem)
    budgets = problem.budget_cny * np.linspace(1.5, 0.3, 50)
    start = time.perf_counter(), time.process_time()
    table = frontier(lambda b: replace(problem, budget_cny=b), budgets=budgets.tolist())
    wall, cpu = time.perf_counter() - start[0], time.process_time() - start[1]
    gap = table["gap"].max()
    say(
        "frontier of 50 budgets, 200 x 2",
        f"{wall:.2f} s, cpu {cpu:.2f} = {cpu / one.cpu:.1f} solves  gap {gap:.1e}",
    )


def invariance() -> None:
    """The plan in other units and another order, as a share of the budget."""
    problem = hills(8, 3)
    plain = solve(problem, gap_tol=1e-9).spend_cny
    worst = 0.0
    for seed, (values, money) in enumerate([(v, m) for v in (1e-7, 1e-3, 1e3, 1e7) for m in (1.0, 1000.0)]):
        other, order = restated(problem, values=values, money=money, seed=seed)
        there = solve(other, gap_tol=1e-9).spend_cny / money
        worst = max(worst, float(np.abs(there - plain[order]).max()) / problem.budget_cny)
    say(
        "values x 1e-7..1e7, yuan or li, shuffled",
        f"largest change of a cell {worst:.1e} of the budget (aim 1e-6)",
    )


def shadow_prices(runs: int) -> None:
    """The budget's price against a central difference, where the same limits bind on both sides."""
    made = (constrained(seed) for seed in range(runs))
    say_prices("shadow price - finite difference", [price_error(p, solve(p, gap_tol=1e-8)) for p in made])


def price_error(problem: Problem, middle: Solution) -> float | None:
    """Relative error of the budget's price; None where other limits bind at a side, or a gap is open.

    A slope that the gaps of its two ends cannot tell from 0 to a thousandth has no size of its own.
    """
    step, gap = 2e-4 * problem.budget_cny, 1e-8
    near = [replace(problem, budget_cny=problem.budget_cny + d) for d in (-step, step)]
    ends = [solve(p, gap_tol=gap) for p in near]
    if not ends[0].binding == middle.binding == ends[1].binding or max(e.gap for e in ends) > 1e-7:
        return None
    if ((ends[0].spend_cny > 0) != (ends[1].spend_cny > 0)).any():
        return None
    slope = (ends[1].value - ends[0].value) / (2 * step)
    least = gap * abs(middle.value) / (2 * step) / PRICE_AIM
    return abs((middle.yuan_price or 0.0) - slope) / max(abs(slope), least)


def say_prices(name: str, found: list[float | None]) -> None:
    """One line on errors of prices."""
    errors = [e for e in found if e is not None]
    note = f"{len(errors)} problems, {len(found) - len(errors)} more where the active set changes"
    say(name, f"median {np.median(errors):.1e} max {max(errors):.1e} (aim {PRICE_AIM:.0e})  {note}")


def brute_force(runs: int) -> None:
    """Small random problems of every kind against every point of a grid (the tests' oracle)."""
    worst, below, empty, gaps = 0.0, -np.inf, 0, []
    for seed in range(runs):
        problem = oracle.random_problem(seed)
        found = oracle.brute_force(problem)
        try:
            solution = solve(problem, time_limit_s=10.0)
        except InfeasibleError:
            empty += 1
            assert found.value == -np.inf, f"problem {seed} has a plan and was called infeasible"
            continue
        worst = max(worst, oracle.worst_violation(problem, solution.spend_cny))
        gaps.append(solution.gap)
        if np.isfinite(found.value):
            size = max(abs(found.value), abs(solution.value), 1e-300)
            below = max(below, (found.value - solution.value) / size - max(solution.gap, 1e-6))
    left = [f"{g:.1e}" for g in sorted(gaps) if g > 1e-6]
    note = f"{runs} problems, {empty} of them without a plan, as the grid says too; open: {left or 'none'}"
    say("brute force", f"violation max {worst:.1e}  grid above value + gap: {max(below, 0.0):.1e}  {note}")


def mixtures(runs: int) -> None:
    """Random sets of three or four kinds of constraints on 14 competing cells."""
    done, empty, slowest, errors = [], [], 0.0, []
    for seed in range(runs):
        problem, start = mixed(seed), time.perf_counter()
        try:
            done.append(timed(problem))
            if done[-1].solution.status == "optimal":
                errors.append(price_error(problem, solve(problem, gap_tol=1e-8)))
        except InfeasibleError as error:
            empty.append(f"{seed} ({', '.join(error.conflict)})")
            slowest = max(slowest, time.perf_counter() - start)
    left = [f"{r.solution.gap:.1e}" for r in done if r.solution.gap > 1e-6]
    note = f"infeasible, proven: {len(empty)}, slowest {slowest:.1f} s; open: {left or 'none'}"
    report("3-4 kinds on 14 cells", done, note)
    say_prices("  their price of a yuan - finite difference", errors)


def cvar(n: int, n_draws: int) -> None:
    """A CVaR floor a little above the free plan's own tail."""
    problem = risky(n, n_draws, 0)
    free = solve(problem)
    risk = Risk("cvar", "cvar", 0.1, 0.0)
    tail = lower_tail(draw_totals(problem, free.spend_cny), risk)
    run = timed(replace(problem, risk=replace(risk, floor=1.02 * tail)))
    reached = lower_tail(draw_totals(problem, run.solution.spend_cny), risk) / tail
    cost = 1 - run.solution.value / free.value
    note = f"tail x {reached:.4f} (floor x 1.02) for {cost:.2%} of the value"
    report(f"CVaR, {n_draws} draws x {n} x 2", [run], note)


def ipinyou(folder: Path) -> None:
    """Nine real curves against the exact optimum: `examples/ipinyou`."""
    if not folder.is_dir():
        say("ipinyou", f"skipped: no folder {folder}")
        return
    script = HOME / "examples" / "ipinyou" / "run.py"
    done = subprocess.run([sys.executable, script, folder], capture_output=True, text=True, check=True)
    print(f"ipinyou, impressions against the exact optimum (aim 1e-4)\n{done.stdout}", flush=True)


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", help="some of them by name; all where none is given")
    parser.add_argument("--quick", action="store_true", help="fewer runs, no 20,000-segment instance")
    parser.add_argument("--ipinyou", type=Path, default=HOME.parent / "shared" / "data" / "ipinyou")
    arguments = parser.parse_args()
    quick = arguments.quick
    machine = platform.processor() or platform.machine()
    print(f"{machine}, {os.cpu_count()} cores, Python {platform.python_version()}, numpy {np.__version__}")
    missing = [p for p in PEERS if importlib.util.find_spec(p) is None]
    print(f"peers not installed, skipped: {', '.join(missing) or 'none'}")
    CLOCK.watch()
    solve(hills(3, 0))  # loads what is loaded once
    parts: dict[str, Callable[[], None]] = {
        "competing": lambda: competing_hazards((100, 1000) if quick else (100, 1000, 20000)),
        "frontier": frontier_of_budgets,
        "slots": lambda: slots(20 if quick else 200, 30),
        "s_curves": lambda: s_curves(3 if quick else 20, 1 if quick else 5),
        "invariance": invariance,
        "prices": lambda: shadow_prices(8 if quick else 50),
        "brute_force": lambda: brute_force(20 if quick else 200),
        "cvar": lambda: cvar(20 if quick else 100, 200),
        "ipinyou": lambda: ipinyou(arguments.ipinyou),
        "mixtures": lambda: mixtures(10 if quick else 60),
    }
    for name in arguments.parts or parts:
        parts[name]()


if __name__ == "__main__":
    main()
