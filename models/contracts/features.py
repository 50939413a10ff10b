"""The feature columns of `users`: whatever the merchant has, as Float64, Boolean or String.

Numbers of every kind become Float64 so that the same data gives the same model from CSV and from Parquet.
Must not import anything that reads a file, a clock or the environment.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from models.contracts import values
from models.contracts.headers import Binding
from models.errors import DataError

KEYS = ("user_id", "snapshot_at", "is_fan")


def feature_columns(users: pl.DataFrame) -> list[str]:
    """Names of the feature columns of a users frame, in order."""
    return [name for name in users.columns if name not in KEYS and not name.startswith("__")]


def read_features(
    raw: pl.DataFrame, features: Mapping[str, Binding], snapshot_at: pl.Series, *, source: str
) -> tuple[pl.DataFrame, list[str]]:
    """Features as Float64, Boolean or String, and the warnings that reading them gave.

    Text columns become numbers when every filled cell is one, else truth values when every filled cell is
    one, else stay text. NaN and infinity become null with a warning. Times become days before `snapshot_at`.

    Raises:
        DataError: A column is nested, binary or holds Python objects.
    """
    columns, warnings = [], []
    for name, binding in features.items():
        column = raw[binding.raw]
        dtype = column.dtype
        if dtype.is_nested() or dtype in (pl.Object, pl.Binary):
            raise DataError(
                f"{source}: feature column {binding.raw!r} holds {dtype}; expected numbers, truth values or "
                "text: flatten or drop it"
            )
        if isinstance(dtype, pl.Datetime) or dtype in (pl.Date, pl.Duration, pl.Time):
            read = _as_days(column, snapshot_at)
            warnings.append(f"{source}: feature {name!r} holds times; taken as days before snapshot_at")
        else:
            read = _read(column, binding.factor)
        if read.dtype == pl.Float64:
            finite = read.is_finite().fill_null(True)
            if not finite.all():
                warnings.append(
                    f"{source}: feature {name!r} has {(~finite).sum()} NaN or infinite cells; taken as empty"
                )
                read = read.set(~finite, None)
        columns.append(
            (values.gender(read) if name == "gender" and read.dtype == pl.String else read).alias(name)
        )
    return pl.DataFrame(columns), warnings


def _read(column: pl.Series, factor: float) -> pl.Series:
    if column.dtype == pl.Boolean:
        return column
    if column.dtype.is_numeric() or column.dtype == pl.Null:
        return column.cast(pl.Float64) * factor
    texts = values.text(column.cast(pl.String)).values
    # A glance first: reading a million words as numbers only to learn that they are words is slow.
    for part in (texts.drop_nulls().head(1000), texts):
        numeric = values.number(part)
        if numeric.bad.any():
            break
    else:
        return numeric.values * factor
    truth = values.truth(texts.unique())
    if not truth.bad.any():
        return values.truth(texts).values
    return texts


def _as_days(column: pl.Series, snapshot_at: pl.Series) -> pl.Series:
    if column.dtype in (pl.Duration, pl.Time):
        return column.cast(pl.Duration("us")).dt.total_seconds().cast(pl.Float64) / 86_400
    return (snapshot_at - values.time(column).values).dt.total_seconds().cast(pl.Float64) / 86_400
