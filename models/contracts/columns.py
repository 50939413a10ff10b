"""From raw cells to the contract's columns in their dtypes, with the faults that a null would hide."""

from __future__ import annotations

import re

import polars as pl

from models.contracts import values
from models.contracts.headers import Binding, Headers
from models.contracts.numbers import DecimalMark
from models.contracts.schemas import OPEN_QUOTE, ROW, SURPLUS, Contract, expected_of
from models.contracts.times import EARLIEST, LATEST, unbelievable
from models.contracts.words import identifier, is_total, unseen
from models.errors import DataError

Fault = tuple[pl.Series, str]
"""Row numbers and the reason."""
# What takes a row out without anything being wrong with the file, see `quarantine.bad_rows`.
SET_ASIDE = "set aside"
_IDS = re.compile(r"_id$")
_PLAIN_ID = r"^[0-9A-Za-z_-]+$"
"""What no reading of an id changes or refuses."""


def read_columns(
    raw: pl.DataFrame,
    contract: Contract,
    headers: Headers,
    *,
    source: str,
    decimal: DecimalMark,
    by_cell: bool,
) -> tuple[pl.DataFrame, list[Fault]]:
    """The contract's columns (null where empty or bad) behind a row number, and the faults; `by_cell` as for
    `values.parse`.

    Raises:
        DataError: A column's type as a whole cannot be read.
    """
    row = pl.int_range(1, raw.height + 1, dtype=pl.UInt32, eager=True).alias(ROW)
    columns, faults = [row], _of_lines(raw, row)
    for name, declared in contract.columns.items():
        if name not in headers.bound:
            columns.append(pl.repeat(None, raw.height, dtype=declared.dtype, eager=True).alias(name))
            continue
        binding = headers.bound[name]
        column, found = _read(raw, binding, name, contract, source=source, decimal=decimal, by_cell=by_cell)
        columns.append(column.alias(name))
        faults += [(row.filter(bad), reason) for bad, reason in found if bad.any()]
    frame = pl.DataFrame(columns)
    if "family" in frame.columns:
        frame = frame.with_columns(pl.col("family").str.to_lowercase().fill_null("hill"))
    return frame, faults


def _of_lines(raw: pl.DataFrame, row: pl.Series) -> list[Fault]:
    """Lines of a text file whose cells cannot be told apart."""
    if SURPLUS not in raw.columns:
        return []
    open_quote = raw[SURPLUS] == OPEN_QUOTE
    longer = raw[SURPLUS].is_not_null() & ~open_quote.fill_null(False)
    too_many = f"line: expected {raw.width - 1} fields as in the header, found more (unquoted comma?)"
    unclosed = "line: expected every quote to be closed on it, found one left open: double or remove it"
    return [(row.filter(longer), too_many), (row.filter(open_quote.fill_null(False)), unclosed)]


def _read(
    raw: pl.DataFrame,
    binding: Binding,
    name: str,
    contract: Contract,
    *,
    source: str,
    decimal: DecimalMark,
    by_cell: bool,
) -> tuple[pl.Series, list[tuple[pl.Series, str]]]:
    """One column, and masks of its bad cells with their reasons."""
    declared = contract.columns[name]
    held = values.clock_hour(raw[binding.raw]) if name == "hour" else raw[binding.raw]
    try:
        if _IDS.search(name):
            return _identified(held, name)
        parsed = values.parse(
            held,
            declared.dtype,
            factor=binding.factor,
            nullable=declared.nullable,
            decimal=decimal,
            by_cell=by_cell,
        )
    except values.WrongTypeError as error:
        raise DataError(
            f"{source}: column {binding.raw!r} holds {error}; expected {expected_of(contract, name)}"
        ) from None
    # A bad cell of a required column is null by now and fails the contract; an optional one would pass as
    # empty.
    found = [(parsed.bad, f"{name}: expected {expected_of(contract, name)}")] if declared.nullable else []
    read = values.placement(parsed.values) if name == "placement" else parsed.values
    if read.dtype.is_temporal():
        odd = unbelievable(read, by_cell=by_cell)
        years = f"{EARLIEST.year} to {LATEST.year - 1}"
        found.append((odd, f"{name}: expected a date that can be meant ({years}, near the others)"))
    return read, found


def _identified(held: pl.Series, name: str) -> tuple[pl.Series, list[tuple[pl.Series, str]]]:
    """An id; its lost digits are a fault of their own, since the cell is not empty."""
    if held.dtype == pl.String and held.str.contains(_PLAIN_ID).all():  # a glance at what most are
        return held, []
    parsed = identifier(held)
    hidden = unseen(held)
    lost = parsed.bad & parsed.values.is_not_null() & ~hidden
    reason = f"{name}: expected every digit, found scientific notation of Excel: export ids as text"
    unread = parsed.bad & parsed.values.is_null()
    printed = f"{name}: expected text that can be printed, found control characters: take them out"
    return parsed.values, [
        (lost, reason),
        (unread, f"{name}: expected text, not a fraction"),
        (hidden, printed),
    ]


def named_totals(raw: pl.DataFrame, contract: Contract, headers: Headers) -> list[Fault]:
    """Rows that say of themselves that they add up others, unless all do."""
    row = pl.int_range(1, raw.height + 1, dtype=pl.UInt32, eager=True)
    faults = []
    for name, binding in headers.bound.items():
        is_key = name in contract.keys or (contract.unique is not None and _IDS.search(name))
        column = raw[binding.raw]
        if not is_key or column.dtype != pl.String:
            continue
        total = is_total(column)
        if total.any() and not total.all():
            faults.append(
                (row.filter(total), f"{name}: expected a part, this is a total of other rows, {SET_ASIDE}")
            )
    return faults
