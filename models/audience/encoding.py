"""User columns as numbers for trees: the one place that knows which columns are features and how they are
coded.

The labels never come here: an encoder sees user columns only, so nothing that happened after `snapshot_at`
can reach it.
Must not import lightgbm, mlflow, targeting or pipelines.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from models.audience.settings import AUDIENCE
from models.errors import DataError

RESERVED = ("user_id", "snapshot_at", "is_fan")

Kind = Literal["number", "bool", "category"]


@dataclass(frozen=True)
class Column:
    """How one user column becomes a number.

    Attributes:
        name: Column of the users table.
        kind: `number` (also dates, as days), `bool` (0/1) or `category` (position in `levels`).
        levels: Sorted texts of a category.
        has_other: Unseen texts get the code `len(levels)` (rare levels shared it while fitting); else they
        are missing.
    """

    name: str
    kind: Kind
    levels: tuple[str, ...] = ()
    has_other: bool = False


@dataclass(frozen=True)
class FeatureEncoder:
    """Turns a users frame into a float matrix; null, NaN, infinity and unknown levels become NaN (missing).

    Attributes:
        columns: Coded columns, in the users table's order. Constant and all-null columns carry nothing and
        are left out.
    """

    columns: tuple[Column, ...]

    @classmethod
    def fit(cls, users: pl.DataFrame) -> FeatureEncoder:
        """Learn kinds and levels from a users frame.

        Args:
            users: One row per person; every column but `user_id`, `snapshot_at`, `is_fan` is a feature.

        Raises:
            DataError: A feature column holds lists, structs or objects.

        >>> users = pl.DataFrame(
        ...     {"user_id": ["a", "b"], "gender": ["m", "f"], "age": [30, None], "empty": [None, None]}
        ... )
        >>> [column.name for column in FeatureEncoder.fit(users).columns]
        ['gender', 'age']
        """
        found = (_describe(users[name]) for name in users.columns if name not in RESERVED)
        return cls(columns=tuple(column for column in found if column is not None))

    @property
    def names(self) -> tuple[str, ...]:
        """Feature columns that scoring needs."""
        return tuple(column.name for column in self.columns)

    @property
    def categorical(self) -> tuple[int, ...]:
        """Positions of category columns in the matrix."""
        return tuple(i for i, column in enumerate(self.columns) if column.kind == "category")

    def encode(self, users: pl.DataFrame) -> np.ndarray:
        """Code a users frame.

        Returns:
            Float matrix of shape (n_users, n_columns).

        Raises:
            DataError: A feature column is missing (the nearest present name is given) or is not of its kind.
        """
        matrix = np.empty((users.height, len(self.columns)), dtype=np.float64)
        for position, column in enumerate(self.columns):
            if column.name not in users.columns:
                raise DataError(_missing(column.name, users.columns))
            matrix[:, position] = _encode(users[column.name], column)
        return matrix


def _missing(name: str, present: list[str]) -> str:
    near = difflib.get_close_matches(name, [p for p in present if p not in RESERVED], n=1)
    hint = f"; nearest column: {near[0]}" if near else ""
    return f"users: column {name} is missing, the model was trained with it{hint}; add it (nulls are allowed)"


def _is_number(dtype: pl.DataType) -> bool:
    return dtype.is_numeric() or dtype.is_temporal()


def _describe(column: pl.Series) -> Column | None:
    if column.null_count() == len(column):
        return None
    if column.dtype == pl.Boolean:
        return Column(column.name, "bool") if column.n_unique() > 1 else None
    if _is_number(column.dtype):
        values = _numbers(column)
        known = values[~np.isnan(values)]
        varies = known.size > 0 and (known.size < values.size or bool(np.any(known != known[0])))
        return Column(column.name, "number") if varies else None
    if column.dtype in (pl.String, pl.Categorical) or isinstance(column.dtype, pl.Enum):
        return _describe_text(column)
    raise DataError(
        f"users: column {column.name} holds {column.dtype}, expected number, bool or text;"
        " split it into plain columns"
    )


def _describe_text(column: pl.Series) -> Column | None:
    text = column.cast(pl.String)
    counts = text.drop_nulls().value_counts(sort=False, name="rows")
    if counts.height < 2 and text.null_count() == 0:
        return None
    if counts.height <= AUDIENCE.most_levels:
        return Column(column.name, "category", tuple(sorted(counts[column.name].to_list())))
    frequent = (
        counts.filter(pl.col("rows") >= AUDIENCE.level_rows)
        .sort(["rows", column.name], descending=[True, False])
        .head(AUDIENCE.most_levels)
    )
    if frequent.is_empty():  # an identifier in disguise
        return None
    return Column(column.name, "category", tuple(sorted(frequent[column.name].to_list())), has_other=True)


def _numbers(column: pl.Series) -> np.ndarray:
    if column.dtype.is_temporal():
        as_days = column.cast(pl.Datetime("us"), strict=False).cast(pl.Int64) / 86_400e6
        values = as_days.cast(pl.Float64).to_numpy()
    else:
        values = column.cast(pl.Float64, strict=False).to_numpy()
    return np.where(np.isfinite(values), values, np.nan)


def _encode(column: pl.Series, spec: Column) -> np.ndarray:
    if column.null_count() == len(column):
        return np.full(len(column), np.nan)
    if spec.kind == "category":
        codes: Mapping[str, float] = {level: float(i) for i, level in enumerate(spec.levels)}
        text = column.cast(pl.String)
        coded = text.replace_strict(codes, default=None, return_dtype=pl.Float64)
        if spec.has_other:
            other = text.is_not_null() & coded.is_null()
            coded = pl.select(pl.when(other).then(float(len(spec.levels))).otherwise(coded)).to_series()
        return coded.to_numpy().astype(np.float64)
    if column.dtype == pl.Boolean:
        return column.cast(pl.Float64).to_numpy()
    if _is_number(column.dtype):
        return _numbers(column)
    numbers = column.cast(pl.String).str.to_lowercase().replace({"true": "1", "false": "0"})
    parsed = numbers.cast(pl.Float64, strict=False)
    if parsed.null_count() > column.null_count():
        bad = column.filter(parsed.is_null() & column.is_not_null())[0]
        raise DataError(
            f"users: column {spec.name} holds {bad!r}, expected a {spec.kind} as in training; convert it"
        )
    return _numbers(parsed)
