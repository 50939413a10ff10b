"""Scores users part by part on this machine; finished parts survive a kill and are used again.

Memory is that of one part, whatever the size of the table. It must not import mlflow.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from models.audience import AudienceModel
from pipelines.engines.part import score_part


def score(
    model: AudienceModel, *, users: Path, work: Path, part_users: int, tell: Callable[[str], None]
) -> int:
    """Write `work/part-<n>.parquet` for every part of `users` that is not there yet.

    Args:
        model: the fitted audience model.
        users: Parquet file or folder of Parquet parts.
        work: folder that belongs to exactly this model, input and part size.
        part_users: rows a part.
        tell: progress listener.

    Returns:
        How many parts were found finished from an earlier, interrupted run.
    """
    work.mkdir(parents=True, exist_ok=True)
    reused = 0
    for number, (first_row, part) in enumerate(_parts(users, part_users)):
        target = work / f"part-{number:06d}.parquet"
        if target.exists():
            reused += 1
            continue
        tell(f"users {first_row:,} to {first_row + len(part):,}")
        half = target.with_suffix(".half")
        pq.write_table(score_part(model, part, source=users.name, first_row=first_row), half)
        os.replace(half, target)  # a part is there whole or not at all
    return reused


def _parts(users: Path, rows: int) -> Iterator[tuple[int, pl.DataFrame]]:
    """(rows before, part) over a file or, in name order, a folder of files."""
    files = sorted(users.glob("*.parquet")) if users.is_dir() else [users]
    before = 0
    for path in files:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=rows):
                part = pl.from_arrow(pa.Table.from_batches([batch]))
                assert isinstance(part, pl.DataFrame)
                yield before, part
                before += len(part)
