"""Scores users part by part on this machine; finished parts survive a kill and are used again.

Memory is that of one part, whatever the size of the table. It must not import mlflow.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq

from models.audience.model import AudienceModel
from pipelines.engines.part import score_part
from pipelines.store import stream_parquet


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
    first = 1
    for number, (source, before, part) in enumerate(stream_parquet(users, rows=part_users, table="users")):
        target = work / f"part-{number:06d}.parquet"
        if target.exists():
            reused += 1
            first += len(part)
            continue
        tell(f"users {first:,} to {first + len(part) - 1:,}")
        half = target.with_suffix(".half")
        pq.write_table(score_part(model, part, source=source, first_row=before), half)
        os.replace(half, target)  # a part is there whole or not at all
        first += len(part)
    return reused
