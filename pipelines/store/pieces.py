"""Users of a large CSV file a piece at a time, for who needs their ids and what is wrong with them, not their
features: the memory of one piece and of the ids.

Every cell of users is read by itself (`models.contracts.columns`), so pieces say what the whole would. Where
the file is not plain (other encodings, cells over several lines, ragged lines, ids that stand in two pieces),
there are no pieces, and the whole file is read.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

import polars as pl

from models.contracts import Conformed, conform
from models.contracts.features import KEYS, add_up, feature_columns
from models.errors import DataError
from models.escaping.tables import from_cells
from pipelines.store import disk
from pipelines.store.dataset import read_conformed
from pipelines.store.delimited import (
    Header,
    body_frame,
    count_lines,
    header_of,
    skipped_lines,
    without_blank_end,
)
from pipelines.store.reading import Held, a_file

PIECE_BYTES = 1 << 23
_HEAD = 1 << 20


def read_people(path: Path) -> Conformed:
    """The table `users` after its contract; its features have their names only, every cell is null.

    Raises:
        DataError: As `read_conformed`.
    """
    try:
        pieces = list(_conformed(path)) if path.suffix.lower() == ".csv" and path.is_file() else []
        found = _together(pieces) if pieces else None
    except (DataError, OSError, UnicodeDecodeError, pl.exceptions.PolarsError):
        found = None  # the whole is read, and says it better
    return found or _named_only(read_conformed(path, "users"))


def _together(pieces: list[Conformed]) -> Conformed | None:
    """One table of its pieces; None where an id stands in two, or none is good."""
    good = pl.concat([piece.good for piece in pieces], how="vertical")
    if good.is_empty() or not good["user_id"].is_first_distinct().all():
        return None
    odd = add_up([odd for piece in pieces for odd in piece.odd])
    said = dict.fromkeys(line for piece in pieces for line in piece.warnings)
    return Conformed(
        good,
        pl.concat([piece.rejected for piece in pieces]),
        (*said, *(f"{pieces[0].origin.source}: {found.line()}" for found in odd)),
        pl.concat([piece.rows for piece in pieces]),
        pieces[0].origin,
        odd,
    )


def _conformed(path: Path) -> Iterator[Conformed]:
    """Each piece, its rows numbered as in the file and its oddities not yet among the warnings."""
    before, kinds = 0, dict[str, pl.DataType]()
    for frame, skipped in _frames(path):
        read = conform(frame, "users", source=str(path), is_part=True)
        for name in feature_columns(read.good):
            column = read.good[name]
            if column.null_count() < len(column) and kinds.setdefault(name, column.dtype) != column.dtype:
                raise DataError(f"{path}: {name} is read in one way here and in another there")
        told = {f"{path}: {odd.line()}" for odd in read.odd}
        yield replace(
            _named_only(read),
            rejected=read.rejected.with_columns(pl.col("row") + before),
            rows=read.rows + before,
            warnings=(*skipped, *(line for line in read.warnings if line not in told)),
        )
        before += frame.height


def _named_only(read: Conformed) -> Conformed:
    nothing = (pl.lit(None).alias(name) for name in feature_columns(read.good))
    return replace(read, good=read.good.select(*KEYS, *nothing))


def _frames(path: Path) -> Iterator[tuple[pl.DataFrame, tuple[str, ...]]]:
    """Rows of a plain CSV file; with the first ones, what was skipped above them.

    Raises:
        DataError: It is not plain.
    """
    with disk.open_file(a_file(path)) as file:
        _refuse_binary(file, path)
        head = file.read(_HEAD)
        header = header_of(Held(path, head[: head.rfind(b"\n") + 1]), "utf-8-sig")
        if header.separator != "," or not header.is_plain:
            raise DataError(f"{path}: is no plain CSV")
        file.seek(0)
        for _ in range(header.skipped + 1):
            file.readline()
        yield from _bodies(file, header, path)


def _bodies(file: BinaryIO, header: Header, path: Path) -> Iterator[tuple[pl.DataFrame, tuple[str, ...]]]:
    said = skipped_lines(header.skipped, path=path)
    block = file.read(PIECE_BYTES) + file.readline()
    while block:
        after = file.read(PIECE_BYTES) + file.readline()
        frame = body_frame(block, header)
        # a quote that goes on over the end of a line, or of the piece
        if b'"' in block and (block.count(b'"') % 2 or frame.height != count_lines(block)):
            raise DataError(f"{path}: has cells over several lines")
        if not after:
            frame = without_blank_end(frame)
        if frame.is_empty():
            raise DataError(f"{path}: its end is blank, or it has no rows")
        yield from_cells(frame), said
        block, said = after, ()


def _refuse_binary(file: BinaryIO, path: Path) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    for piece in iter(partial(file.read, _HEAD), b""):
        decoder.decode(piece)
        if b"\0" in piece:
            raise DataError(f"{path}: is no text")
    decoder.decode(b"", final=True)
    file.seek(0)
