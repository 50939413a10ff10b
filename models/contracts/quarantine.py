"""Rows that cannot be used: which, why, and what they held. Nothing is dropped without passing through here.

Must not import anything that reads a file, a clock or the environment.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from models.contracts.headers import means
from models.contracts.schemas import ROW, Table
from models.errors import DataError

REJECTED = pl.Schema(
    {"table": pl.String, "source": pl.String, "row": pl.Int64, "reason": pl.String, "raw": pl.String}
)


# Share of bad rows above which a job stops instead of learning from the rest, and the rows of a small table
# that are let through all the same.
REJECT_CEILING = 0.05
FEW_REJECTS = 3


@dataclass(frozen=True)
class Origin:
    """Where the rows of a frame come from.

    Attributes:
        table: Table of the contract.
        source: File, folder or other name to print.
        parts: (source, rows) of each file of a folder, in reading order; empty for a single source.
    """

    table: str
    source: str
    parts: tuple[tuple[str, int], ...] = ()

    def locate(self, rows: pl.Series) -> pl.DataFrame:
        """Frame (source, row) of 1-based rows of the whole: the part and the row within that part."""
        number = rows.cast(pl.Int64)
        if not self.parts:
            return pl.DataFrame(
                {"source": pl.repeat(self.source, len(rows), dtype=pl.String, eager=True), "row": number}
            )
        counts = pl.Series([count for _, count in self.parts], dtype=pl.Int64)
        ends = counts.cum_sum()
        # A row belongs to the first part whose end is not before it; empty parts share an end and come later.
        part = ends.search_sorted(number, side="left").cast(pl.Int64)
        names = pl.Series([name for name, _ in self.parts], dtype=pl.String)
        return pl.DataFrame({"source": names.gather(part), "row": number - (ends - counts).gather(part)})


def no_rejects() -> pl.DataFrame:
    """An empty frame of quarantined rows."""
    return pl.DataFrame(schema=REJECTED)


def reject(
    raw: pl.DataFrame, faults: pl.DataFrame, origin: Origin, *, rows: pl.Series | None = None
) -> pl.DataFrame:
    """The quarantined rows of a source, one per row with all its reasons.

    Args:
        raw: Rows of the source, the faulty ones among them.
        faults: Columns row (1-based) and reason, one per fault.
        origin: What the row numbers refer to.
        rows: Row number of each row of `raw`, increasing; 1, 2, ... unless given.

    Returns:
        Frame of schema `REJECTED`, by row.
    """
    if faults.is_empty():
        return no_rejects()
    reasons = faults.group_by(ROW).agg(pl.col("reason").unique(maintain_order=True).str.join("; ")).sort(ROW)
    number = reasons[ROW]
    at = number.cast(pl.Int64) - 1 if rows is None else rows.search_sorted(number, side="left").cast(pl.Int64)
    return origin.locate(number).select(
        pl.lit(origin.table).alias("table"), "source", "row", reasons["reason"], _as_json(raw[at])
    )


def worst(rejected: pl.DataFrame, *, count: int = 1) -> list[tuple[str, int]]:
    """The most frequent reasons with their counts, most frequent first."""
    table = rejected.group_by("reason").len().sort(["len", "reason"], descending=[True, False]).head(count)
    return [(str(reason), int(rows)) for reason, rows in table.iter_rows()]


def worst_in_words(rejected: pl.DataFrame) -> str:
    """The most frequent reason, its first row and what stands there: `3 of them: is_fan: expected ...`."""
    [(reason, count)] = worst(rejected)
    first = rejected.filter(pl.col("reason") == reason).row(0, named=True)
    cell = cell_at_fault(first["table"], reason, first["raw"])
    found = "" if cell is None else f", which holds {str(cell)[:60]!r}"
    return f"{count} of them: {reason} (first: row {first['row']}{found})"


def cell_at_fault(table: Table, reason: str, raw: str) -> str | None:
    """What a quarantined row holds in the column that its reason is about; None where it is empty.

    Args:
        table: Of the contract.
        reason: `column: expected ...`.
        raw: The row as JSON.
    """
    column = reason.partition(":")[0]
    held: dict[str, str | None] = json.loads(raw)
    return next((cell for header, cell in held.items() if means(header, table, column)), None)


def refuse_many(source: str, good: int, rejected: pl.DataFrame, *, ceiling: float) -> None:
    """Refuse to go on with what is left of a table of which much could not be read.

    Args:
        source: The table, for the message.
        good: Its good rows.
        rejected: Its quarantined rows.
        ceiling: Largest share of bad rows, e.g. `REJECT_CEILING`. Up to `FEW_REJECTS` bad rows are let
            through in a small table, if most of it is good.

    Raises:
        DataError: There are more.
    """
    wrong = rejected.filter(_is_wrong())
    bad, rows = wrong.height, good + wrong.height
    if bad <= max(ceiling * rows, min(FEW_REJECTS, rows / 2)):
        return
    raise DataError(
        f"{source}: {bad} of {rows} rows are bad, more than {ceiling:.3g} of the table; "
        f"{worst_in_words(wrong)}: mend the file, or raise max_rejected_share to go on without them"
    )


def _is_wrong() -> pl.Expr:
    """Rows that hold something wrong: those set aside because another row says the same do not."""
    return ~pl.col("reason").str.contains("set aside|repeats an earlier row")


def gather_faults(found: Sequence[tuple[pl.Series, str]]) -> pl.DataFrame:
    """Frame (row, reason) from pairs of row numbers and one reason."""
    frames = [
        pl.DataFrame({ROW: rows.cast(pl.UInt32)}).with_columns(pl.lit(reason).alias("reason"))
        for rows, reason in found
        if len(rows)
    ]
    return pl.concat(frames) if frames else pl.DataFrame(schema={ROW: pl.UInt32, "reason": pl.String})


def _as_json(held: pl.DataFrame) -> pl.Series:
    """Each row as a JSON object of texts, the way it was found."""
    plain = held.select(
        pl.col(name) if dtype.is_nested() else pl.col(name).cast(pl.String, strict=False)
        for name, dtype in held.schema.items()
        if dtype != pl.Object
    )
    if plain.width == 0:
        return pl.repeat("{}", len(held), dtype=pl.String, eager=True).alias("raw")
    return plain.select(pl.struct(pl.all()).struct.json_encode().alias("raw")).to_series()
