"""Do plans make money? Plans of the public API against truth, the best plan and what merchants do without us.

    python -m benchmarks.decisions --kinds jewellery,null --seeds 10 --users 40000
    python -m benchmarks.decisions --kinds random --seeds 0-19 --users 40000
    python -m benchmarks.decisions --kinds random --seeds alike-10 --users 20000

or on two cores, and the table of both:

    python -m benchmarks.decisions --kinds all --seeds 0,2,4,6,8 --out even.jsonl &
    python -m benchmarks.decisions --kinds all --seeds 1,3,5,7,9 --out odd.jsonl; wait
    python -m benchmarks.decisions --table even.jsonl odd.jsonl

Named worlds (`benchmarks.named_decisions`) break one assumption each; of `random` ones every mechanism is
drawn (`benchmarks.random_decisions`).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.named_decisions import print_named_row, print_table, run, summary
from benchmarks.random_decisions import (
    RandomOutcome,
    alike_seeds,
    judge_random,
    print_header,
    print_row,
    print_summary,
)
from models.errors import TargetingError
from targeting.world import KINDS
from targeting.world.kinds import RANDOM


def run_random(seeds: Sequence[int], *, users: int, out: Path | None) -> list[RandomOutcome]:
    """Judge random worlds, printing and saving each as it comes."""
    done: list[RandomOutcome] = []
    print_header()
    for seed in seeds:
        try:
            outcome = judge_random(seed, users=users)
        except TargetingError as refusal:
            print(f"{seed:>6} refused: {refusal}", flush=True)
            continue
        done.append(outcome)
        print_row(outcome)
        if out:
            with out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(outcome)) + "\n")
    return done


def _print_random(saved: Sequence[Path]) -> None:
    lines = [line for path in saved for line in path.read_text("utf-8").splitlines()]
    done = sorted((RandomOutcome(**json.loads(line)) for line in lines), key=lambda o: o.seed)
    print_header()
    for outcome in done:
        print_row(outcome)
    print_summary(done)


def chosen_seeds(text: str) -> Sequence[int]:
    """`10`: the first ten; `0,3,5`: those; `0-19`: from one to the other; `alike-10`: the first ten random
    worlds where nobody differs.
    """
    if text.startswith("alike-"):
        return alike_seeds(int(text.removeprefix("alike-")))
    if "-" in text:
        first, last = (int(x) for x in text.split("-"))
        return range(first, last + 1)
    return [int(x) for x in text.split(",")] if "," in text else range(int(text))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Plans against the truth of simulated worlds.")
    parser.add_argument("--kinds", default="all", help="comma-separated names, all, or random")
    parser.add_argument("--seeds", default="10", help="how many, which (0,3,5), from-to (0-19), or alike-N")
    parser.add_argument("--users", type=int, default=40_000)
    parser.add_argument("--out", type=Path, help="write every outcome as JSON lines")
    parser.add_argument("--verbose", action="store_true", help="every outcome as JSON on stderr")
    parser.add_argument("--table", type=Path, nargs="+", help="print the table of saved outcomes instead")
    given = parser.parse_args()
    if given.table:
        (_print_random if given.kinds == RANDOM else print_table)(given.table)
        return
    seeds = chosen_seeds(given.seeds)
    if given.out:
        given.out.write_text("", encoding="utf-8")
    if given.kinds == RANDOM:
        if worlds := run_random(seeds, users=given.users, out=given.out):
            print_summary(worlds)
        return
    kinds = list(KINDS) if given.kinds == "all" else given.kinds.split(",")
    done = run(kinds, seeds=seeds, users=given.users, verbose=given.verbose, out=given.out)
    if done:
        print_named_row("all", summary(done))


if __name__ == "__main__":
    main()
