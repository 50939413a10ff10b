"""Quarantined rows on disk: what was set aside, and why, beside every result."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from pipelines.store.tables import write_table


def write_rejected(rejected: pl.DataFrame, folder: Path) -> None:
    """Write `rejected/summary.csv` (table, source, reason, rows) and `rejected/<table>.csv` with the rows.

    Args:
        rejected: quarantined rows, schema `models.contracts.REJECTED`.
        folder: the output directory.
    """
    target = folder / "rejected"
    target.mkdir()
    keys = ["table", "source", "reason"]
    write_table(rejected.group_by(keys, maintain_order=True).agg(rows=pl.len()), target / "summary.csv")
    for (table,), rows in rejected.group_by("table", maintain_order=True):
        write_table(rows, target / f"{table}.csv")


def rejected_counts(rejected: pl.DataFrame) -> dict[str, int]:
    """Quarantined rows per table."""
    counts = rejected.group_by("table", maintain_order=True).len()
    return dict(zip(counts["table"].to_list(), counts["len"].to_list(), strict=True))
