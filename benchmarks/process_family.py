"""What a process and all below it use: Java and the Python workers that a job on Spark starts, too."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path


def measured(module: str, *arguments: str) -> tuple[float, float]:
    """Processor seconds and peak megabytes of a module in a process of its own, and of all below it; its last
    line says its own as JSON: `{"seconds": ..., "peak_mb": ...}`.
    """
    process = subprocess.Popen([sys.executable, "-m", module, *arguments], stdout=subprocess.PIPE, text=True)
    seconds, peak = dict[int, float](), 0.0
    while process.poll() is None:
        spent, megabytes = family_of(process.pid)
        seconds, peak = seconds | spent, max(peak, megabytes)
        time.sleep(0.1)
    assert process.stdout is not None
    if process.returncode:
        raise SystemExit(process.returncode)
    said = json.loads(process.stdout.read().splitlines()[-1])
    below = sum(spent for pid, spent in seconds.items() if pid != process.pid)
    return said["seconds"] + below, max(said["peak_mb"], peak)


def family_of(ancestor: int) -> tuple[dict[int, float], float]:
    """Processor seconds of each process below one and its own, and what all hold in megabytes."""
    about = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            spent = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            about[int(path.parent.name)] = int(fields[1]), spent, int(fields[21]) * 4096e-6
    family = {ancestor}
    while more := {pid for pid, (parent, *_) in about.items() if parent in family} - family:
        family |= more
    known = {pid: about[pid] for pid in family if pid in about}
    return {pid: spent for pid, (_, spent, _) in known.items()}, sum(held for *_, held in known.values())
