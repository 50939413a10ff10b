"""Faults that users of comparable tools met, each a script that prints what happens: how many are right now?

    python -m benchmarks.faults ../shared/faults [01 07 ...]

Every script runs as a process of its own; what it prints is judged here. The scripts were written against
older names of a few modules, which are offered to them under those names.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

# A script, with the modules that have moved since under their old names; at its end the warnings of a model.
RUN = """
import importlib, runpy, sys
moved = {
    "models.features": "models.audience.encoding",
    "models.delivery": "models.supply.delivery_report",
}
for old, new in moved.items():
    sys.modules[old] = importlib.import_module(new)
sys.path.insert(0, sys.argv[1].rpartition("/")[0])
sys.argv = sys.argv[1:]
left = runpy.run_path(sys.argv[0], run_name="__main__")
print("WARNINGS", getattr(left.get("m"), "warnings", ()))
"""
SECONDS = 400


def numbers(pattern: str, text: str) -> list[float]:
    """Every number that the pattern's group finds."""
    return [float(found) for found in re.findall(pattern, text)]


def is_near(values: list[float], *, share: float = 1e-6) -> bool:
    """Whether there are at least two numbers, all equal to that share."""
    return len(values) > 1 and max(values) - min(values) <= share * max(map(abs, values))


def _all_counted(text: str) -> bool:
    good, rejected = numbers(r"good (\d+)", text), numbers(r"rejected (\d+)", text)
    return all(g + r == 40 and r > 0 for g, r in zip(good, rejected, strict=True)) and len(good) == 2


def _codes_equal(text: str) -> bool:
    codes = re.findall(r"codes of u0, u1 in .*?:\s*(\[\[.*\]\])", text)
    return len(codes) == 2 and codes[0] == codes[1]


def _fits_or_warns(text: str) -> bool:
    ratios = numbers(r"was made: ([\d.]+)", text)
    return len(ratios) == 2 and (all(1 / 1.5 <= r <= 1.5 for r in ratios) or "its curve gives" in text)


RIGHT: dict[str, Callable[[str], bool]] = {
    "01": lambda text: len(re.findall(r"-> value [\d.]+", text)) == 4,
    "02": _codes_equal,
    "03": lambda text: "without a single row: 0.0 of" in text,
    "04": lambda text: is_near(numbers(r"value ([\d.]+) rejected", text)),
    "06": lambda text: is_near(numbers(r"(?:true cost|read) ([\d.]+)", text)) and "'0,123': None" in text,
    "07": lambda text: is_near(numbers(r"(?:value|subtotals) ([\d.]+)", text)),
    "09": _all_counted,
    "11": lambda text: not re.search("Traceback|-> ComputeError", text) and "'age' stands twice" in text,
    "12": lambda text: "'rejected'" in text and "'warnings'" in text,
    "13": lambda text: "as trained: (" in text and set(numbers(r"(?:most|audience) ([\d.]+)", text)) == {0.0},
    "14": lambda text: "Planner(" in text,
    "16": lambda text: (
        max(numbers(r"over by (-?\d+)", text), default=1.0) <= 0 and text.count("violations ()") == 4
    ),
    "17": lambda text: "simulate rc 1" in text and "No space left on device" in text,
    "18": lambda text: text.count("rc 1 ") == 2 and "plan written: True" in text,
    "20": lambda text: is_near(numbers(r"(?:got|exact) ([\d.]+)", text), share=1e-3),
    "21": _fits_or_warns,
    "22": lambda text: "scientific notation" in text and "export ids as text" in text,
    "24": lambda text: is_near(numbers(r"(?:once|twice) ([\d.]+)", text)),
}


def run(script: Path) -> tuple[bool | None, float, str]:
    """Whether a script shows the right value (None: nobody can judge it), its seconds, what it printed."""
    started = time.perf_counter()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    try:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", RUN, str(script)],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            env={**os.environ, "PATH": path},
            check=False,
        )
        text = done.stdout + done.stderr
    except subprocess.TimeoutExpired:
        text = f"not done after {SECONDS} s"
    judge = RIGHT.get(script.name[:2])
    return None if judge is None else judge(text), time.perf_counter() - started, text


def main(folder: str, *only: str) -> int:
    """Print one line per script and the count; 1 if any is wrong."""
    found = sorted(Path(folder).glob("[0-9][0-9]_*.py"))
    scripts = [path for path in found if not only or path.name[:2] in only]
    right = 0
    for script in scripts:
        is_right, seconds, text = run(script)
        right += is_right is True
        word = {True: "right", False: "WRONG", None: "not judged"}[is_right]
        print(f"{word:10} {script.stem:40} {seconds:6.1f} s", flush=True)
        if not is_right:
            print("\n".join(f"    {line[:160]}" for line in text.strip().splitlines()[-8:]))
    print(f"{right} of {len(scripts)} faults show the right value")
    return 0 if right == len(scripts) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
