"""From the parts of a table to one frame: engines and exports write folders, not files.

Parts may spell a column differently (`花费`, `cost_cny`), in any order, and may lack what the contract does
not need. Pure: no file, clock, environment or network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from models.contracts.conform import contract_of
from models.contracts.headers import absent, fold, meanings, missing_message
from models.contracts.schemas import SURPLUS, Contract, Table
from models.errors import DataError

Part = tuple[str, pl.DataFrame]
"""Source and rows, headers as found."""
Key = tuple[str, float]
"""What a header means, see `_keys`."""


@dataclass(frozen=True)
class Stacked:
    """Parts below each other, headers as the first part that has them spells them; and a line for each column
    that some lack.
    """

    frame: pl.DataFrame
    warnings: tuple[str, ...] = ()


def all_columns(parts: Sequence[Part]) -> list[str]:
    """Columns that any part has, in the order of their first appearance."""
    return list(
        {fold(name): name for _, part in reversed(parts) for name in reversed(part.columns)}.values()
    )[::-1]


def stack(parts: Sequence[Part], table: Table | None, *, source: str) -> Stacked:
    """Put parts below each other.

    Args:
        parts: At least one.
        table: What they are parts of; None where that is not known, then every part needs every column.
        source: The folder, for messages.

    Raises:
        DataError: A part lacks a column it needs, or holds another type than the others.
    """
    if len(parts) == 1:
        return Stacked(parts[0][1])
    contract = None if table is None else contract_of(all_columns(parts), table, source=source)
    renamed = _one_spelling(parts, table, contract)
    if table is None or contract is None:
        _refuse_differing(renamed)
    else:
        _refuse_lacking(renamed, table, contract)
    frames = _one_type(renamed)
    frame = pl.concat(frames, how="diagonal_relaxed", rechunk=False)
    return Stacked(frame, _lacking(renamed, frame.columns))


def optional_columns(schemas: Mapping[str, pl.Schema], table: Table) -> dict[Key, tuple[str, pl.DataType]]:
    """What some part has beyond the columns that the contract needs, with its name and type there.

    Args:
        schemas: Of each part, by source.
        table: What they are parts of.
    """
    found: dict[Key, tuple[str, pl.DataType]] = {}
    for source, schema in schemas.items():
        contract = contract_of(list(schema), table, source=source)
        for name, key in _keys(list(schema), table, contract).items():
            if key[0] not in contract.required:
                found.setdefault(key, (name, schema[name]))
    return found


def with_empty(
    frame: pl.DataFrame, optional: Mapping[Key, tuple[str, pl.DataType]], table: Table, *, source: str
) -> pl.DataFrame:
    """A part with those `optional_columns` that it lacks, empty."""
    if not optional:
        return frame
    held = set(_keys(frame.columns, table, contract_of(frame.columns, table, source=source)).values())
    return frame.with_columns(
        pl.lit(None, dtype=dtype).alias(name) for key, (name, dtype) in optional.items() if key not in held
    )


def _keys(columns: Sequence[str], table: Table | None, contract: Contract | None) -> dict[str, Key]:
    """What tells two headers apart: the column they mean and its unit, else the folded header."""
    known = {} if table is None or contract is None else meanings(columns, table, contract)
    return {name: known.get(name, (fold(name), 0.0)) for name in columns}


def _one_spelling(parts: Sequence[Part], table: Table | None, contract: Contract | None) -> list[Part]:
    first: dict[Key, str] = {}
    renamed = []
    for source, part in parts:
        names: dict[str, str] = {}
        for name, key in _keys(part.columns, table, contract).items():
            common = first.setdefault(key, name)
            # two columns of one part that mean the same are refused by name when they are bound
            taken = {*part.columns, *names.values()} - {name}
            names[name] = name if common in taken else common
        renamed.append((source, part.rename(names)))
    return renamed


def _refuse_differing(parts: Sequence[Part]) -> None:
    first, expected = parts[0]
    for source, part in parts[1:]:
        if differing := sorted(set(part.columns) ^ set(expected.columns) - {SURPLUS}):
            raise DataError(
                f"{source}: columns differ from {_name(first)} ({', '.join(map(repr, differing[:5]))}); "
                "expected the same columns in every part"
            )


def _refuse_lacking(parts: Sequence[Part], table: Table, contract: Contract) -> None:
    for source, part in parts:
        if missing := absent(part.columns, table, contract):
            raise DataError(missing_message(missing, part.columns, source=source, table=table))


def _one_type(parts: Sequence[Part]) -> list[pl.DataFrame]:
    """The frames, after checking that each column is of one kind in all of them; text becomes String."""
    kinds: dict[str, tuple[str, str]] = {}
    for source, part in parts:
        for column in part.get_columns():
            if column.null_count() == len(column):
                continue  # engines write columns without a value as whatever type
            kind = _kind(column.dtype)
            where, expected = kinds.setdefault(column.name, (source, kind))
            if kind != expected:
                raise DataError(
                    f"{source}: column {column.name!r} holds {kind}, in {_name(where)} it holds {expected};"
                    " expected one type in every part: write this part again"
                )
    empty: dict[str, pl.DataType] = {}
    for _, part in parts:
        for name, dtype in part.schema.items():
            empty.setdefault(name, dtype if name not in kinds else pl.Null())
    return [pl.DataFrame([_typed(column, empty) for column in part.get_columns()]) for _, part in parts]


def _typed(column: pl.Series, empty: Mapping[str, pl.DataType]) -> pl.Series:
    """Text as String; a column without a value as `empty` says, so that it goes with those that have some."""
    if column.null_count() == len(column):
        return pl.Series(column.name, [None] * len(column), dtype=empty[column.name])
    return column.cast(pl.String) if _kind(column.dtype) == "text" else column


def _kind(dtype: pl.DataType) -> str:
    if dtype.is_numeric() or dtype == pl.Boolean:
        return "numbers"
    if dtype == pl.String or isinstance(dtype, pl.Categorical | pl.Enum):
        return "text"
    if dtype == pl.Date or (isinstance(dtype, pl.Datetime) and dtype.time_zone is None):
        return "times"
    return f"values of type {dtype}"


def _lacking(parts: Sequence[Part], columns: Sequence[str]) -> tuple[str, ...]:
    said = []
    for name in columns:
        without = [source for source, part in parts if name not in part.columns]
        if without and name != SURPLUS:
            many = f"{len(without)} of {len(parts)} parts lack it"
            said.append(f"{without[0]}: no column {name!r} ({many}); taken as empty")
    return tuple(said)


def _name(source: str) -> str:
    """The last part of a path, to name a file beside one that is named in full."""
    return source.rpartition("/")[2]
