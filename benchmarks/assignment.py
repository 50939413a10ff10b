"""User-level choice by dual prices: time, gap, speed of memory, and two independent answers beside it.

    python -m benchmarks.assignment [--people 100000 1000000] [--highs 20000] [--instances 50]

People x 4 placements with continuous scores, under the budget alone and under four limits (budget, a floor on
live, a cap on video, the room's capacity). Columns, in processor seconds (neighbours on a shared machine cost
wall time only): `arrays` = from arrays to the answer with its certificate, `table` = all of `tg.assign` on a
polars table, whose ids are text in random order; the certified gap; and the same linear program by scipy's
HiGHS where that is bearable (`--highs` people at most): its seconds and how far the two optima are apart.
Last line of a size: the speed of one pass of the bound over the arrays, and of a plain sum over the same.
At the end what a hundred million people would take on paper, and the exponent of the growth of time.

The peer for the budget alone, `maq` (grf-labs), is not measured: what the package index has under that name
is a placeholder that cannot be installed.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl
from scipy.optimize import linprog
from scipy.sparse import csr_array, vstack

import targeting as tg
from models.errors import InfeasibleError
from targeting.assignment.choose import Tally, decide, judge
from targeting.assignment.crowd import People
from targeting.assignment.everybody import Everybody, reply

PLACEMENTS = ("video", "live", "shelf", "search")


def offers(n: int, k: int, *, seed: int = 0) -> pl.DataFrame:
    """n people in random order of ids; costs and worths differ by person and placement."""
    rng = np.random.default_rng(seed)
    ids = pl.Series("user_id", [f"u{i:08d}" for i in rng.permutation(n)])
    taste = rng.lognormal(0, 0.8, n)
    parts = []
    for j, placement in enumerate(PLACEMENTS[:k]):
        parts.append(
            pl.DataFrame(
                {
                    "user_id": ids,
                    "placement": pl.repeat(placement, n, eager=True),
                    "worth": taste * rng.lognormal(0, 0.6, n) * (1.0, 1.8, 1.3, 0.6)[j],
                    "cost_cny": rng.lognormal(0, 0.4, n) * (1.0, 2.0, 1.5, 0.7)[j],
                    "live_entries": rng.beta(2, 8, n) * (placement == "live"),
                }
            )
        )
    return pl.concat(parts)


def limits(table: pl.DataFrame) -> list[dict[str, Any]]:
    """Three limits beside the budget, of which two or three bind."""
    return [
        {"kind": "bounds", "name": "live floor", "placement": "live", "min_share": 0.55},
        {"kind": "bounds", "name": "video cap", "placement": "video", "max_share": 0.35},
        {"kind": "live_capacity", "name": "room", "viewers": 0.05 * float(table["live_entries"].sum())},
    ]


def timed(call: Callable[[], Any]) -> tuple[Any, float, float]:
    """Result, wall and processor seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = call()
    return found, time.perf_counter() - wall, time.process_time() - cpu


def relaxed_optimum(people: People) -> float:
    """The optimum of the whole linear program, as `targeting.assignment` writes it, by HiGHS."""
    n = len(people)
    place, who = np.nonzero(np.isfinite(people.worth))
    rows, ends = [], []
    for row in people.rows:
        use = np.stack([np.zeros(n) if u is None else u for u in row.use])[place, who]
        if np.isfinite(row.upper):
            rows.append(use)
            ends.append(row.upper)
        if np.isfinite(row.lower):
            rows.append(-use)
            ends.append(-row.lower)
    once = csr_array((np.ones(len(who)), (who, np.arange(len(who)))), shape=(n, len(who)))
    found = linprog(
        -people.worth[place, who],
        A_ub=vstack([csr_array(np.array(rows)), once]),
        b_ub=np.r_[ends, np.ones(n)],
        bounds=(0, 1),
        method="highs",
    )
    assert found.status == 0, found.message
    return -float(found.fun)


def line(n: int, *, many: bool, most: int) -> tuple[People, float, float]:
    """One row of the table; the people, and the seconds from arrays and from a table to the answer."""
    table = offers(n, 4)
    budget = 0.12 * float(table["cost_cny"].sum())
    rows = limits(table) if many else []
    found, _, whole = timed(lambda: tg.assign(table, budget_cny=budget, limits=rows))
    turns = 3 if whole < 3.0 else 1
    again = (timed(lambda: _decided(found.people)) for _ in range(turns))
    cpu = min(seconds for _, _, seconds in again)
    beside = ""
    if n <= most:
        optimum, _, highs_s = timed(lambda: relaxed_optimum(found.people))
        apart = found.upper_bound / optimum - 1
        beside = f"HiGHS {highs_s:7.2f} s ({highs_s / cpu:5.1f} x)  bounds apart {apart:+.0e}"
    print(
        f"{n:10,} x 4  {'4 limits' if many else 'budget':8s}  arrays {cpu:6.2f}  table {whole:6.2f}  "
        f"gap {found.gap:7.1e}  {found.status:10s}  {beside}",
        flush=True,
    )
    return found.people, cpu, whole


def _decided(people: People) -> None:
    """From arrays to the choices of everybody and their certificate."""
    fair = people.possible()
    everybody = Everybody.of(fair)
    decision = decide(everybody, gap_tol=1e-6)
    choice = decision.choice(fair, 0)
    judge(everybody, decision, Tally(people.value(choice), people.used(choice)), gap_tol=1e-6)
    people.chosen(choice)


def _arrays(people: People) -> list[np.ndarray]:
    """What a pass reads, an array that several limits count once."""
    uses = {id(use): use for row in people.rows for use in row.use if use is not None}
    return [people.worth, *uses.values()]


def memory(people: People) -> None:
    """Speed of a pass of the bound at some prices, beside a plain read of what it reads."""
    arrays = _arrays(people)
    size = sum(array.nbytes for array in arrays) / 1e9
    prices = np.where(np.isfinite(people.upper), 1.0, -1.0)
    everybody = Everybody.of(people)
    once = min(timed(lambda: reply(everybody, prices))[2] for _ in range(3))
    plain = min(timed(lambda: [array.sum() for array in arrays])[2] for _ in range(3))
    print(
        f"{len(people):10,} x 4  a pass of the bound {once:.3f} s, {size / max(once, 1e-9):.1f} GB/s; "
        f"a plain sum {plain:.3f} s, {size / max(plain, 1e-9):.1f} GB/s"
    )


def on_paper(people: People, cpu: float, whole: float) -> None:
    """What a hundred million people would take at the coefficients of the last row: nobody ran it."""
    times = 1e8 / len(people)
    size = times * sum(array.nbytes for array in _arrays(people)) / 1e9
    print(
        f"on paper, 100,000,000 x 4 under four limits: {times * cpu:,.0f} s of processor from arrays of "
        f"{size:,.0f} GB on a disk, {times * whole:,.0f} s from the table; on 20 executors of one core "
        f"{times * whole / 20:,.0f} s, {size / 20:.1f} GB each; {times * whole / 3600:.2f} core hours"
    )


def instances(count: int) -> None:
    """Tables of 100-1,000 people under random budgets and limits: the bound beside HiGHS's linear program."""
    apart, gaps, empty = [], [], 0
    for seed in range(count):
        rng = np.random.default_rng(seed)
        table = offers(int(rng.integers(100, 1001)), int(rng.integers(2, 5)), seed=seed)
        some = [limit for limit in limits(table) if rng.random() < 0.6]
        budget = float(rng.uniform(0.05, 0.4)) * float(table["cost_cny"].sum())
        try:
            found = tg.assign(table, budget_cny=budget, limits=some)
        except InfeasibleError:
            empty += 1
            continue
        optimum = relaxed_optimum(found.people)
        apart.append(
            found.upper_bound / optimum - 1
        )  # below 0 where whole people were proven to be worth less
        gaps.append(found.gap)
    certified = float(np.mean(np.array(gaps) <= 1e-6))
    print(
        f"{count} tables of 100-1,000 people beside HiGHS: bound / linear optimum - 1 in [{min(apart):+.0e}, "
        f"{max(apart):+.0e}]  gap max {max(gaps):.1e}  <= 1e-6: {certified:.0%}  without a choice: {empty}"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--highs", type=int, default=10_000, help="most people for HiGHS")
    parser.add_argument("--instances", type=int, default=50, help="small tables beside HiGHS")
    given = parser.parse_args(arguments)
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    tg.assign(offers(100, 2), budget_cny=10.0)  # imports are not what is measured
    seconds: dict[bool, list[float]] = {False: [], True: []}
    if given.instances:
        instances(given.instances)
    for n in given.people:
        for many in (False, True):
            people, cpu, whole = line(n, many=many, most=given.highs)
            seconds[many].append(cpu)
        memory(people)
    if given.people:
        on_paper(people, cpu, whole)
    for many, taken in seconds.items():
        if len(taken) > 1:
            grown = math.log(taken[-1] / taken[-2]) / math.log(given.people[-1] / given.people[-2])
            print(f"{'4 limits' if many else 'budget'}: time grows with people to the {grown:.2f}")


if __name__ == "__main__":
    main()
