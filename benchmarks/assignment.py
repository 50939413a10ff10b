"""User-level choice by dual prices: time, gap, and two independent answers beside it.

    python -m benchmarks.assignment [--quick] [--highs 20000]

People x placements with continuous scores, under the budget alone and under four limits (budget, a floor on
live, a cap on video, the room's capacity). Columns: wall and processor seconds of `tg.assign` on a polars
table (the processor's do not suffer from neighbours on a shared machine), `passes` = processor seconds over
those of one evaluation of the bound on the same arrays, the certified gap, and the same linear program by
scipy's HiGHS where that is bearable (`--highs` people at most): its processor seconds and how far the two
optima are apart.

The peer for the budget alone is `maq` (grf-labs). What PyPI has under that name is a placeholder that cannot
be installed, and the real one is built from GitHub: it is not measured here, and the first lines say so.
"""

from __future__ import annotations

import argparse
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
from targeting.assignment import Assignment
from targeting.assignment.crowd import People, reply

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
    """The optimum of the whole linear program, as `targeting.assignment.problem` writes it, by HiGHS."""
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


def line(n: int, k: int, *, many: bool, most: int) -> None:
    """One row of the table."""
    table = offers(n, k)
    budget = 0.12 * float(table["cost_cny"].sum())
    rows = limits(table) if many else []
    found: Assignment
    found, wall, cpu = timed(lambda: tg.assign(table, budget_cny=budget, limits=rows))
    prices = found.limits["price"].to_numpy()
    once = min(timed(lambda: reply(found.people, prices))[2] for _ in range(3))
    beside = ""
    if n <= most:
        optimum, _, highs_s = timed(lambda: relaxed_optimum(found.people))
        apart = found.upper_bound / optimum - 1
        beside = f"HiGHS {highs_s:7.2f} s ({highs_s / cpu:5.1f} x)  bounds apart {apart:+.0e}"
    what = "4 limits" if many else "budget"
    print(
        f"{n:9,} x {k}  {what:8s}  wall {wall:6.2f}  cpu {cpu:6.2f}  passes {cpu / max(once, 1e-9):5.0f}  "
        f"gap {found.gap:7.1e}  {found.status:10s}  {beside}",
        flush=True,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="up to 1e5 people")
    parser.add_argument("--highs", type=int, default=20_000, help="most people for HiGHS")
    given = parser.parse_args(arguments)
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print("maq is not on PyPI (a placeholder has its name): not measured")
    tg.assign(offers(100, 2), budget_cny=10.0)  # imports are not what is measured
    for n in (10_000, 100_000) if given.quick else (10_000, 100_000, 1_000_000):
        for k in (2, 4):
            for many in (False, True):
                line(n, k, many=many, most=given.highs)


if __name__ == "__main__":
    main()
