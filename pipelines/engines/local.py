"""Scores users part by part on this machine; finished parts survive a kill and are used again.

Memory is that of one part a thread, whatever the size of the table. It must not import mlflow.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import astuple, replace
from functools import partial
from pathlib import Path

import polars as pl

from models.audience.model import AudienceModel
from models.errors import DataError
from pipelines.engines.finished import FORMAT, Finished, Pass, again, finish
from pipelines.engines.part import score_part
from pipelines.store import part_key, stream_parquet
from pipelines.store.parts import found_part
from pipelines.store.streams import Piece, count_rows


def score(
    model: AudienceModel,
    *,
    made_by: str,
    users: Path,
    work: Path,
    last: Path | None,
    part_users: int,
    new_fans: pl.Series,
    tell: Callable[[str], None],
) -> Pass:
    """Every part of `users`, as an earlier job left it in `work` or published it in `last`, or scored now.

    A part's key is of the bytes of its file, of which no row is read before they are hashed: users that were
    replaced between two jobs, or while one reads them, never get the scores of others.

    Args:
        model: the fitted audience model.
        made_by: fingerprint of its files and of the program.
        users: Parquet file or folder of Parquet parts.
        work: folder for finished parts.
        last: folder of parts that were published.
        part_users: rows a part.
        new_fans: ids of those who followed in the logs.
        tell: progress listener.
    """
    done: dict[Piece, Future[Finished]] = {}
    missing: dict[str, str] = {}
    digests: dict[str, str] = {}
    of_all = _of_all(users)

    def key_of(piece: Piece) -> str:
        return part_key(FORMAT, made_by, part_users, *astuple(replace(piece, source="")))

    def known(piece: Piece) -> bool:
        found = found_part(work, key_of(piece))
        if found is None and last is not None:
            found = found_part(last, key_of(piece), is_ours=False)
        if found is not None:
            told = partial(again, found, work, key_of(piece), source=piece.source, new_fans=new_fans)
            done[piece] = pool.submit(told)
        return found is not None

    def made(piece: Piece, raw: pl.DataFrame) -> Finished:
        scored = score_part(model, raw, source=piece.source, first_row=piece.before)
        return finish(scored, work, key_of(piece), new_fans=new_fans)

    streamed = stream_parquet(
        users, rows=part_users, table="users", known=known, digests=digests, missing=missing
    )
    waiting: deque[Future[Finished]] = deque()
    read = 0
    with _no_garbage(), ThreadPoolExecutor(model.threads) as pool:
        for piece, raw in streamed:
            tell(f"users {read + 1:,} to {read + len(raw):,}{of_all}")
            read += len(raw)
            if len(waiting) == model.threads:  # no more parts in memory than are worked on
                waiting.popleft().result()
            done[piece] = pool.submit(made, piece, raw)
            waiting.append(done[piece])
    # a file is taken whole or not at all
    order = {source: number for number, source in enumerate(dict.fromkeys(piece.source for piece in done))}
    kept = sorted(
        (piece for piece in done if piece.source not in missing),
        key=lambda piece: (order[piece.source], piece.before),
    )
    return Pass([done[piece].result() for piece in kept], sum(p.rows for p in kept), digests, missing)


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
