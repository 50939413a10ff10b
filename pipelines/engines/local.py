"""Scores users part by part on this machine; finished parts survive a kill and are used again.

Memory is that of one part a thread, whatever the size of the table. It must not import mlflow.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

import polars as pl

from models.audience.model import AudienceModel
from models.errors import DataError
from pipelines.engines.part import PART_FORMAT, Pass, score_part
from pipelines.store import Part, disk, finished_part, part_key, stream_parquet
from pipelines.store.streams import count_rows


def score(
    model: AudienceModel,
    *,
    model_print: str,
    users: Path,
    work: Path,
    part_users: int,
    tell: Callable[[str], None],
) -> Pass:
    """Every part of `users`, as an earlier job left it in `work`, or scored now.

    A part's key is of the rows themselves: users that were replaced between two jobs, or while one reads
    them, never get the scores of others.

    Args:
        model: the fitted audience model.
        model_print: fingerprint of its files.
        users: Parquet file or folder of Parquet parts.
        work: folder for finished parts.
        part_users: rows a part.
        tell: progress listener.
    """
    done: dict[str, list[tuple[int, Part]]] = {}
    waiting: deque[tuple[str, int, Future[Part]]] = deque()
    digests: dict[str, str] = {}
    missing: dict[str, str] = {}
    rows, of_all = 0, _of_all(users)

    def finished(source: str, before: int, raw: pl.DataFrame) -> Part:
        key = part_key(PART_FORMAT, model_print, source, before, _content(raw))
        return finished_part(work, key, partial(score_part, model, raw, source=source, first_row=before))

    def settle() -> None:
        source, height, part = waiting.popleft()
        done.setdefault(source, []).append((height, part.result()))

    streamed = stream_parquet(users, rows=part_users, table="users", digests=digests, missing=missing)
    with _no_garbage(), ThreadPoolExecutor(model.threads) as pool:
        for source, before, raw in streamed:
            tell(f"users {rows + 1:,} to {rows + len(raw):,}{of_all}")
            if len(waiting) == model.threads:  # no more parts in memory than are worked on
                settle()
            waiting.append((source, len(raw), pool.submit(finished, source, before, raw)))
            rows += len(raw)
        while waiting:
            settle()
    # a file is taken whole or not at all
    kept = [one for source, some in done.items() if source not in missing for one in some]
    parts = [part for _, part in kept]
    reused = sum(part.reused for part in parts)
    return Pass([part.read for part in parts], sum(height for height, _ in kept), digests, reused, missing)


@contextmanager
def _no_garbage() -> Iterator[None]:
    """What is there already is not looked through for garbage: a twentieth of the time of scoring."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _of_all(users: Path) -> str:
    """How many rows there are, by the footers; nothing where one cannot be read: the stream then says why."""
    try:
        return f" of {count_rows(users):,}"
    except DataError:
        return ""


def _content(raw: pl.DataFrame) -> str:
    """Digest of every value of the rows, with names and types."""
    hashing = disk.Hashing()
    raw.write_ipc(cast(BinaryIO, hashing))
    return hashing.sha256
