"""Tables of a large CSV file a piece at a time, for who needs what is wrong with them and not the features of
users: the memory of one piece and of the good rows.

Every cell is read by itself (`models.contracts.columns`), and what takes all rows is settled when they are
together, so pieces say what the whole would. Where the file is not plain (other encodings, cells over several
lines, ragged lines, dates or numbers that only their column explains), there are no pieces, and the whole
file is read.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
import polars as pl
import polars.selectors as cs

from models.contracts import Conformed, Table, conform
from models.contracts.doubles import fold_names
from models.contracts.features import KEYS, add_up, feature_columns
from models.contracts.quarantine import gather_faults, reject
from models.contracts.schemas import CONTRACTS, ROW
from models.contracts.settling import add_counts, first_of_each, told
from models.contracts.times import unbelievable
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
NAMED = ("campaign_id", "placement")
_HEAD = 1 << 20
_OF_COLUMN = r"^\s*\d{1,2}[/.-]\d{1,2}[/.-]\d{4}|\d,\d|\d:\d{2}.*(?:[Zz]|UTC|[+-]\d{2}:?(?:\d{2})?)\s*$"
"""Days or months first, commas in numbers, hours of other zones: what others in the column decide."""


def read_checked(path: Path, table: Table) -> Conformed:
    """A table after its contract; features of users have their names only, every cell is null; campaigns and
    placements are categorical.

    Raises:
        DataError: As `read_conformed`.
    """
    found = None
    if path.suffix.lower() == ".csv" and path.is_file():
        try:
            found = _settled(path, table)
        except (DataError, OSError, UnicodeDecodeError, pl.exceptions.PolarsError):
            found = None  # the whole is read, and says it better
    return found or _lean(read_conformed(path, table))


def _settled(path: Path, table: Table) -> Conformed | None:
    """The table of its pieces; None where they do not tell what the whole would."""
    read = _together(_conformed(path, table))
    contract = CONTRACTS[table]
    assert contract.unique is not None
    if _may_repeat(read.good[contract.unique]):
        _, faults = first_of_each(read.good.with_columns(read.rows), contract)
        read = _together(_conformed(path, table, without=gather_faults(faults)))
    if read.good.is_empty() or _reads_otherwise(read.good, table):
        return None
    good, folded = fold_names(read.good, source=str(path))
    words = (*read.warnings, *folded, *told(str(path), read.counted, read.odd))
    return replace(read, good=good, warnings=words)


def _may_repeat(ids: pl.Series) -> bool:
    """Whether any stands twice, by their hashes: a set of five million texts takes 0.3 GB."""
    hashes = np.sort(ids.hash().to_numpy())
    return bool((hashes[1:] == hashes[:-1]).any())


def _reads_otherwise(good: pl.DataFrame, table: Table) -> bool:
    """Whether a date would not be believed beside all others of its column."""
    if table == "users":
        return False
    return any(unbelievable(column).any() for column in good.get_columns() if column.dtype.is_temporal())


def _together(pieces: Iterator[Conformed]) -> Conformed:
    """One table of its pieces, the words of each once."""
    read = list(pieces)
    return replace(
        read[0],
        good=pl.concat([piece.good for piece in read]),
        rejected=pl.concat([piece.rejected for piece in read]),
        rows=pl.concat([piece.rows for piece in read]),
        warnings=tuple(dict.fromkeys(line for piece in read for line in piece.warnings)),
        odd=add_up([odd for piece in read for odd in piece.odd]),
        counted=add_counts([counted for piece in read for counted in piece.counted]),
    )


def _conformed(path: Path, table: Table, *, without: pl.DataFrame | None = None) -> Iterator[Conformed]:
    """Each piece, its rows numbered as in the file and what is counted not yet among its warnings.

    Args:
        path: CSV file.
        table: What it is.
        without: Rows that repeat others, and the reason of each.
    """
    before, kinds, days = 0, dict[str, pl.DataType](), set[bool]()
    for frame, skipped in _frames(path):
        if table != "users":
            _refuse_of_column(frame, path)
        row = pl.int_range(before + 1, before + frame.height + 1, dtype=pl.UInt32, eager=True).alias(ROW)
        before += frame.height
        faults = gather_faults([]) if without is None else without.filter(pl.col(ROW).is_in(row.implode()))
        stays = ~row.is_in(faults[ROW].implode())
        read = conform(frame.filter(stays), table, source=str(path), is_part=True)
        _refuse_other_kinds(read, kinds, path)
        _refuse_some_days(read.good, days, path)
        number = row.filter(stays)
        rejected = read.rejected.with_columns(number[read.rejected["row"] - 1].cast(pl.Int64).alias("row"))
        repeats = reject(frame, faults, read.origin, rows=row)
        counted = told(str(path), read.counted, read.odd)
        yield replace(
            _lean(read),
            rejected=pl.concat([rejected, repeats]).sort("row"),
            rows=number[read.rows.cast(pl.Int64) - 1],
            warnings=(*skipped, *(line for line in read.warnings if line not in counted)),
        )


def _refuse_of_column(frame: pl.DataFrame, path: Path) -> None:
    if frame.select(pl.any_horizontal(pl.all().str.contains(_OF_COLUMN).any())).item():
        raise DataError(f"{path}: has dates or numbers that only their column explains")


def _refuse_other_kinds(read: Conformed, kinds: dict[str, pl.DataType], path: Path) -> None:
    for name in feature_columns(read.good) if read.origin.table == "users" else ():
        column = read.good[name]
        if column.null_count() < len(column) and kinds.setdefault(name, column.dtype) != column.dtype:
            raise DataError(f"{path}: {name} is read in one way here and in another there")


def _refuse_some_days(good: pl.DataFrame, days: set[bool], path: Path) -> None:
    """`Exposures.followed_within_window` asks whether any follow has an hour: all pieces must agree."""
    at = good["followed_at"].drop_nulls() if "followed_at" in good.columns else pl.Series(dtype=pl.Datetime)
    if len(at):
        days.add(bool((at == at.dt.truncate("1d")).all()))
        if True in days and (len(days) > 1 or len(at) == 1):
            raise DataError(f"{path}: has follows without an hour")


def _lean(read: Conformed) -> Conformed:
    """Without the features of users; the few names of logs as numbers with one list of texts."""
    if read.origin.table == "users":
        nothing = (pl.lit(None).alias(name) for name in feature_columns(read.good))
        return replace(read, good=read.good.select(*KEYS, *nothing))
    return replace(read, good=read.good.cast({cs.by_name(*NAMED, require_all=False): pl.Categorical}))


def _frames(path: Path) -> Iterator[tuple[pl.DataFrame, tuple[str, ...]]]:
    """Rows of a plain CSV file; with the first ones, what was skipped above them.

    Raises:
        DataError: It is not plain.
    """
    with disk.open_file(a_file(path)) as file:
        _refuse_binary(file, path)
        head = file.read(_HEAD)
        head = head[: head.rfind(b"\n") + 1]
        if not head.strip():
            raise DataError(f"{path}: is empty, or its first line has no end")
        header = header_of(Held(path, head), "utf-8-sig")
        if header.separator != "," or not header.is_plain:
            raise DataError(f"{path}: is no plain CSV")
        file.seek(0)
        for _ in range(header.skipped + 1):
            file.readline()
        yield from _bodies(file, header, path)


def _bodies(file: BinaryIO, header: Header, path: Path) -> Iterator[tuple[pl.DataFrame, tuple[str, ...]]]:
    said = skipped_lines(header.skipped, path=path)
    block = file.read(PIECE_BYTES) + file.readline()
    if not block:
        raise DataError(f"{path}: has no rows")
    while block:
        after = file.read(PIECE_BYTES) + file.readline()
        frame = body_frame(block, header)
        # a quote that goes on over the end of a line, or of the piece
        if b'"' in block and (block.count(b'"') % 2 or frame.height != count_lines(block)):
            raise DataError(f"{path}: has cells over several lines")
        if not after:
            frame = without_blank_end(frame)
        if frame.is_empty():
            raise DataError(f"{path}: its end is blank")
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
