"""The output directory of DESIGN 3.3 on disk: written from a plan, and read back as one.

It must not decide anything: what the files hold is `Plan.files`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from pipelines.store import disk
from pipelines.store.reading import hold
from pipelines.store.rejects import write_rejected
from pipelines.store.tables import write_table
from targeting.decision.verbs import Plan
from targeting.plan.budgets import Budgets

REPORT = "report.html"


def write_plan(
    plan: Plan,
    folder: Path,
    *,
    rejected: pl.DataFrame,
    language: str = "en",
    budgets: Budgets | None = None,
) -> None:
    """Write every file of the plan into `folder`, and the quarantined rows into `folder/rejected`."""
    write_files(plan.files(language=language, budgets=budgets), folder)
    write_rejected(rejected, folder)


def write_files(files: Mapping[str, pl.DataFrame | str], folder: Path) -> None:
    """Frames by their extension (CSV or Parquet), text as UTF-8."""
    for name, content in files.items():
        if isinstance(content, str):
            disk.put(folder / name, content.encode())
        else:
            write_table(content, folder / name)


def read_plan(folder: Path) -> Plan:
    """`Plan.load` of a directory, each file read once by `reading.hold`, which waits for no pipe."""
    return Plan.load(folder, read=lambda path: hold(path).data)
