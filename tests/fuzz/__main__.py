"""`python -m tests.fuzz --cases 10000`: damaged input through the command line, counted by exit status.

Every case is a target and a seed; `--target models --first 17 --cases 1` runs one again and keeps its files.
Cases run in processes of their own, so that one which ends its process is counted and the rest go on.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/models"), str(ROOT / "tests/targeting")]

from tests.fuzz import base as bases  # noqa: E402
from tests.fuzz.cases import TARGETS  # noqa: E402
from tests.fuzz.harness import MOST_SECONDS, run  # noqa: E402

BATCH = 250


def shares(cases: int, targets: list[str]) -> dict[str, int]:
    """How many cases each target gets: alike."""
    return {name: cases // len(targets) + (at < cases % len(targets)) for at, name in enumerate(targets)}


def batch(target: str, first: int, count: int, folder: Path) -> Iterator[dict[str, Any]]:
    """The ends of cases of one target; a process that dies is one end, and the next goes on behind it."""
    seed, last = first, first + count
    while seed < last:
        command = [
            sys.executable,
            "-m",
            "tests.fuzz",
            "--worker",
            target,
            str(seed),
            str(min(last, seed + BATCH)),
        ]
        worker = subprocess.Popen(
            [*command, "--folder", str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert worker.stdout is not None
        upto = min(last, seed + BATCH)
        for line in worker.stdout:
            if line.startswith('{"target"'):
                end = json.loads(line)
                seed = end["seed"] + 1
                yield end
        if worker.wait() != 0 or seed < upto:
            wrong = f"the process died with {worker.returncode}"
            yield {
                "target": target,
                "seed": seed,
                "code": worker.returncode,
                "seconds": 0,
                "wrong": wrong,
                "told": "",
            }
            seed += 1


def work(target: str, first: int, last: int, folder: Path) -> None:
    """Run cases in this process, one line of JSON each."""
    import faulthandler

    for seed in range(first, last):
        # What waits, or never comes back to Python, is stopped with its process.
        faulthandler.dump_traceback_later(10 * MOST_SECONDS, exit=True)
        ended = run(target, seed, base=folder / "base", at=folder / "cases" / f"{target}-{seed}")
        sys.__stdout__.write(json.dumps(asdict(ended)) + "\n")  # type: ignore[union-attr]
        sys.__stdout__.flush()  # type: ignore[union-attr]
    faulthandler.cancel_dump_traceback_later()


def main() -> int:
    """Count how cases end; exit 1 where one ends wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="seed of the first case of each target")
    parser.add_argument("--target", choices=TARGETS, action="append")
    parser.add_argument("--folder", type=Path, default=Path("/tmp/targeting-fuzz"))
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    bases.make(given.folder / "base")
    if given.worker:
        target, first, last = given.worker
        work(target, int(first), int(last), given.folder)
        return 0
    counts: Counter[tuple[str, object]] = Counter()
    wrong = 0
    for target, count in shares(given.cases, given.target or list(TARGETS)).items():
        for end in batch(target, given.first, count, given.folder):
            counts[target, end["code"]] += 1
            if end["wrong"]:
                wrong += 1
                print(f"WRONG {target} {end['seed']}: {end['wrong']} | {end['told'].strip()}", flush=True)
    codes = sorted({code for _, code in counts}, key=str)
    print(f"{'target':<14}" + "".join(f"{f'exit {code}':>9}" for code in codes))
    for target in sorted({target for target, _ in counts}):
        print(f"{target:<14}" + "".join(f"{counts[target, code]:>9}" for code in codes))
    print(f"{counts.total()} cases, {wrong} ended wrong")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
