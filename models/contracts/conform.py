"""From a raw table to good rows and quarantined ones: the only door through which data enters.

Pure: no file, clock, environment or network. Everything is a vectorised polars expression (tens of millions
of rows).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import polars as pl

from models.contracts.columns import Fault, named_totals, read_columns
from models.contracts.doubles import exact_repeats, fold_names, sums_of_others
from models.contracts.features import Feature, Odd, read_features
from models.contracts.frames import as_frame
from models.contracts.headers import Headers, absent, bind, is_unnamed, meanings, means
from models.contracts.numbers import DecimalMark
from models.contracts.quarantine import Origin, gather_faults, no_rejects, reject, worst_in_words
from models.contracts.schemas import (
    CONTRACTS,
    CURVE_PARAMETERS,
    CURVE_POINTS,
    OUTCOMES,
    ROW,
    SURPLUS,
    Contract,
    Table,
    reason_of,
)
from models.contracts.settling import Counted, first_of_each, set_aside, settle, told
from models.contracts.unit_names import CELL_OF_UNIT, cells_of_units, column_of_units
from models.errors import DataError

# Where two tables fit a header equally badly, the message is about the first.
TABLE_ORDER: tuple[Table, ...] = ("delivery", "users", "exposures", "orders")
# Tables whose optional columns are worth a word when they are missing; reports and curves have many forms.
LOGS = ("exposures", "orders")


@dataclass(frozen=True)
class Conformed:
    """A table after its contract.

    Attributes:
        good: Normalised rows: the contract's columns in order, then the features (users).
        rejected: Quarantined rows: table, source, row (1-based data row of that source), reason, raw (JSON).
        warnings: One line each.
        rows: Row number of each good row, to find it again in `origin`.
        origin: Where the rows come from.
        odd: What was met in the features of users; in `warnings` too.
        counted: What was set aside or settled, and how many rows; in `warnings` too.
        digest: Hash of the files' bytes as they were read; empty for a frame in memory.
    """

    good: pl.DataFrame
    rejected: pl.DataFrame
    warnings: tuple[str, ...]
    rows: pl.Series
    origin: Origin
    odd: tuple[Odd, ...] = ()
    digest: str = ""
    counted: tuple[Counted, ...] = ()


def conform(
    raw: pl.DataFrame,
    table: Table,
    *,
    source: str,
    parts: Sequence[tuple[str, int]] = (),
    is_part: bool = False,
    features: Sequence[Feature] = (),
    decimal: DecimalMark = ".",
) -> Conformed:
    """Check a raw table against its contract.

    Args:
        raw: All text (CSV) or typed (Parquet, a frame in memory), headers as found.
        table: users, exposures, orders, delivery, curves or allocation.
        source: Name for messages and for the quarantine.
        parts: (source, rows) per file where `raw` was read from several.
        is_part: `raw` is one of many parts that are conformed apart: such a part may have no good row, no
            cell of it is read by what others hold, and what takes all rows (spellings of names, repeated ids
            of logs) is left to whoever puts the parts together.
        features: What a model was trained with: these columns of users are read by its kinds.
        decimal: What begins the fraction of numbers, see `numbers.decimal_mark`.

    Returns:
        Good rows, quarantined rows with reasons, warnings.

    Raises:
        DataError: No rows (orders may be empty), a required column missing, two columns that mean the same,
            a column whose type cannot be read at all, or (unless it is a part) no good row left.
    """
    raw = _with_cells_of_units(as_frame(raw, source=source), table)
    origin = Origin(table, source, tuple(parts))
    columns = [name for name in raw.columns if name != SURPLUS]
    contract = contract_of(columns, table, source=source)
    headers = bind(columns, table, contract, source=source)
    _refuse_empty(raw, headers, table, source=source)
    good, faults = _good_rows(raw, contract, headers, source=source, decimal=decimal, is_part=is_part)
    warnings = _of_headers(headers, table, contract, source=source)
    if not is_part:
        good, notes = fold_names(good, source=source)
        warnings += notes
    if table == "delivery":
        good, more = _counted_once(good, raw)
        faults += more
    rejected = reject(raw, gather_faults(faults), origin) if faults else no_rejects()
    if good.is_empty() and not raw.is_empty() and not is_part:
        why = worst_in_words(rejected)
        raise DataError(f"{source}: none of {raw.height} rows of table {table} is usable; {why}")
    rows, good = good[ROW], good.drop(ROW)
    read = partial(read_features, source=source, known=features, decimal=decimal)
    good, odd = _with_features(raw, good, rows, headers, read=read) if contract.features else (good, ())
    good, counted = settle(good, table)
    counted = (*set_aside(faults), *counted)
    warnings += told(source, counted, odd)
    if table == "orders" and good.is_empty() and not is_part:
        warnings.append(f"{source}: no orders at all; nothing can be learned about what new fans buy")
    return Conformed(good, rejected, tuple(warnings), rows, origin, odd, counted=counted)


def _with_cells_of_units(raw: pl.DataFrame, table: Table) -> pl.DataFrame:
    """A console's report that says no segment, with what the names of our own units say in its place."""
    if table != "delivery":
        return raw
    said = meanings([name for name in raw.columns if name != SURPLUS], "delivery", CONTRACTS["delivery"])
    named = {column for column, (name, _) in said.items() if name in CELL_OF_UNIT}
    column = None if any(name == "segment" for name, _ in said.values()) else column_of_units(raw)
    if column is None:
        return raw
    # The console's own campaign and resource (广告位) are not those of the plan.
    return raw.drop(named - {column}).with_columns(cells_of_units(raw[column])).drop(named & {column})


def _with_features(
    raw: pl.DataFrame, good: pl.DataFrame, rows: pl.Series, headers: Headers, *, read: Callable[..., Any]
) -> tuple[pl.DataFrame, tuple[Odd, ...]]:
    """Good users with their features, read from good rows only: a shifted one would make text of numbers."""
    if good.is_empty():
        return good, ()
    held = raw if good.height == raw.height else raw[rows.cast(pl.Int64) - 1]
    features, odd = read(held, headers.features, good["snapshot_at"])
    return good.with_columns(features.get_columns()), odd


def _good_rows(
    raw: pl.DataFrame,
    contract: Contract,
    headers: Headers,
    *,
    source: str,
    decimal: DecimalMark,
    is_part: bool,
) -> tuple[pl.DataFrame, list[Fault]]:
    """Typed rows, each id once, without those at fault; and the faults. Totals go, unless nothing is left."""
    # Users are scored in batches and must not depend on them.
    by_cell = contract.features or is_part
    typed, faults = read_columns(raw, contract, headers, source=source, decimal=decimal, by_cell=by_cell)
    good, more = _checked(typed, contract)
    faults += more
    totals = named_totals(raw, contract, headers)
    if len(parts := _without(good, [*faults, *totals])) or is_part:
        good, faults = parts, [*totals, *faults]
    good = _without(good, faults)
    if is_part and not contract.features:
        return good, faults
    good, more = first_of_each(good, contract)
    return good, [*faults, *more]


def _of_headers(headers: Headers, table: Table, contract: Contract, *, source: str) -> list[str]:
    said = []
    if ignored := [name for name in headers.ignored if not is_unnamed(name)]:
        said.append(f"{source}: ignored unknown column{_s(ignored)} {', '.join(ignored)}")
    if table in LOGS and (left_out := [name for name in contract.optional if name not in headers.bound]):
        said.append(f"{source}: no column {', '.join(left_out)}; taken as empty")
    return said


def _counted_once(good: pl.DataFrame, raw: pl.DataFrame) -> tuple[pl.DataFrame, list[Fault]]:
    """A report's rows without those that another row already counts; see `doubles`."""
    faults = exact_repeats(raw, good) if len(good) else []
    good = _without(good, faults)
    more = sums_of_others(good)
    return _without(good, more), [*faults, *more]


def _without(good: pl.DataFrame, faults: Sequence[Fault]) -> pl.DataFrame:
    """Rows that are at no fault."""
    if not (at_fault := [rows for rows, _ in faults if len(rows)]):
        return good
    return good.filter(~pl.col(ROW).is_in(pl.concat(at_fault).unique().implode()))


def _refuse_empty(raw: pl.DataFrame, headers: Headers, table: Table, *, source: str) -> None:
    """Refuse a table without rows (orders may have none), and a delivery report without any outcome."""
    if table == "delivery" and not any(name in headers.bound for name in OUTCOMES):
        raise DataError(
            f"{source}: expected at least one outcome column ({', '.join(OUTCOMES)}); "
            f"found: {', '.join(raw.columns)}"
        )
    if raw.is_empty() and table != "orders":
        raise DataError(f"{source}: no data rows; expected at least one row of table {table}")


def contract_of(columns: Sequence[str], table: Table, *, source: str) -> Contract:
    """The contract of a table; curves come as points (`value`) or as parameters (`top`)."""
    if table != "curves":
        return CONTRACTS[table]
    for contract, mark in ((CURVE_PARAMETERS, "top"), (CURVE_POINTS, "value")):
        if any(means(column, table, mark) for column in columns):
            return contract
    raise DataError(
        f"{source}: expected curves as points (segment, placement, spend_cny, value) or parameters "
        f"(segment, placement, top, half_spend_cny, slope); found: {', '.join(columns) or 'no columns'}"
    )


def recognise(columns: Sequence[str], *, source: str) -> Table:
    """The table whose required columns a header has.

    Raises:
        DataError: None fits; the message is about the table that lacks the fewest.
    """
    candidates: list[tuple[Table, Contract]] = [(table, CONTRACTS[table]) for table in TABLE_ORDER]
    candidates += [("curves", CURVE_PARAMETERS), ("curves", CURVE_POINTS)]
    lacking = [(len(absent(columns, table, contract)), table, contract) for table, contract in candidates]
    fewest, table, contract = min(lacking, key=lambda entry: entry[0] / len(entry[2].required))
    if fewest > len(contract.required) / 2:
        # It resembles nothing: most likely a console's report with headers we do not know.
        table, contract = "delivery", CONTRACTS["delivery"]
    if fewest:
        bind(columns, table, contract, source=source)
    return table


def _checked(typed: pl.DataFrame, contract: Contract) -> tuple[pl.DataFrame, list[Fault]]:
    """Rows that fulfil the schema, and the faults of the others."""
    good, failure = contract.schema.filter(typed)
    if len(failure) == 0:
        return typed, []
    details = failure.details()
    faults = []
    for rule in failure.counts():
        rows = details.filter(pl.col(rule) == "invalid")[ROW]
        faults.append((rows, reason_of(contract, rule)))
    return pl.DataFrame(good), faults


def _s(names: Sequence[str]) -> str:
    return "s" if len(names) > 1 else ""
