"""User columns as numbers for trees: the one place that knows which columns are features and how they are
coded.

The labels never come here: an encoder sees user columns only, so nothing that happened after `snapshot_at`
can reach it.
Must not import lightgbm, mlflow, targeting or pipelines.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

import numpy as np
import polars as pl

from models.audience.settings import AUDIENCE
from models.contracts.features import Feature
from models.errors import DataError

RESERVED = ("user_id", "snapshot_at", "is_fan")


@dataclass(frozen=True)
class FeatureEncoder:
    """Turns a users frame into a float matrix; null, NaN, infinity and unknown levels become NaN (missing).

    Attributes:
        columns: Coded columns, in the users table's order. Constant and all-null columns carry nothing and
        are left out.
    """

    columns: tuple[Feature, ...]

    @classmethod
    def fit(cls, users: pl.DataFrame) -> FeatureEncoder:
        """Learn kinds and levels from a users frame.

        Args:
            users: One row per person; every column but `user_id`, `snapshot_at`, `is_fan` is a feature.

        Raises:
            DataError: A feature column holds lists, structs or objects, or there are more than
                `most_features` of them.

        >>> users = pl.DataFrame(
        ...     {"user_id": ["a", "b"], "gender": ["m", "f"], "age": [30, None], "empty": [None, None]}
        ... )
        >>> [column.name for column in FeatureEncoder.fit(users).columns]
        ['gender', 'age']
        """
        names = [name for name in users.columns if name not in RESERVED]
        if len(names) > AUDIENCE.most_features:
            raise DataError(
                f"users: {len(names)} feature columns, expected at most {AUDIENCE.most_features}: leave out "
                "what cannot tell a buyer"
            )
        found = (_describe(users[name]) for name in names)
        return cls(columns=tuple(column for column in found if column is not None))

    @property
    def names(self) -> tuple[str, ...]:
        """Feature columns that scoring needs."""
        return tuple(column.name for column in self.columns)

    @property
    def categorical(self) -> tuple[int, ...]:
        """Positions of category columns in the matrix."""
        return tuple(i for i, column in enumerate(self.columns) if column.kind == "category")

    def encode(self, users: pl.DataFrame, *, is_read: bool = False) -> np.ndarray:
        """Code a users frame, each column read by its kind in training whatever type it has now.

        Args:
            users: One row per person.
            is_read: It came through the door (`conform`) with these features: no cell is looked at again.

        Returns:
            Float matrix of shape (n_users, n_columns), each column side by side in memory.

        Raises:
            DataError: A feature column is missing (the nearest present name is given), nested, or holds
                cells that cannot be read as its kind.
        """
        matrix = np.empty((users.height, len(self.columns)), dtype=np.float64, order="F")
        snapshot_at = users["snapshot_at"] if "snapshot_at" in users.columns else None
        for position, column in enumerate(self.columns):
            if column.name not in users.columns:
                raise DataError(_missing(column.name, users.columns))
            read = users[column.name] if is_read else _read(users[column.name], column, snapshot_at)
            matrix[:, position] = _coded(read, column)
        return matrix


def _missing(name: str, present: list[str]) -> str:
    near = difflib.get_close_matches(name, [p for p in present if p not in RESERVED], n=1)
    hint = f"; nearest column: {near[0]}" if near else ""
    return f"users: column {name} is missing, the model was trained with it{hint}; add it (nulls are allowed)"


def _is_number(dtype: pl.DataType) -> bool:
    return dtype.is_numeric() or dtype.is_temporal()


def _describe(column: pl.Series) -> Feature | None:
    if column.null_count() == len(column):
        return None
    if column.dtype == pl.Boolean:
        return Feature(column.name, "bool") if column.n_unique() > 1 else None
    if _is_number(column.dtype):
        values = _numbers(column)
        known = values[~np.isnan(values)]
        varies = known.size > 0 and (known.size < values.size or bool(np.any(known != known[0])))
        if not varies:
            return None
        if column.dtype.is_temporal():
            return Feature(column.name, "number")
        return Feature(column.name, "number", low=float(known.min()), high=float(known.max()))
    if column.dtype in (pl.String, pl.Categorical) or isinstance(column.dtype, pl.Enum):
        return _describe_text(column)
    raise DataError(
        f"users: column {column.name} holds {column.dtype}, expected number, bool or text;"
        " split it into plain columns"
    )


def _describe_text(column: pl.Series) -> Feature | None:
    text = column.cast(pl.String)
    counts = text.drop_nulls().value_counts(sort=False, name="rows")
    if counts.height < 2 and text.null_count() == 0:
        return None
    if counts.height <= AUDIENCE.long_levels:
        return Feature(column.name, "category", tuple(sorted(counts[column.name].to_list())))
    frequent = (
        counts.filter(pl.col("rows") >= AUDIENCE.level_rows)
        .sort(["rows", column.name], descending=[True, False])
        .head(AUDIENCE.most_levels)
    )
    if frequent.is_empty():  # an identifier in disguise
        return None
    return Feature(column.name, "category", tuple(sorted(frequent[column.name].to_list())), has_other=True)


def _numbers(column: pl.Series) -> np.ndarray:
    if column.dtype.is_temporal():
        as_days = column.cast(pl.Datetime("us"), strict=False).cast(pl.Int64) / 86_400e6
        values = as_days.cast(pl.Float64).to_numpy()
    else:
        values = column.cast(pl.Float64, strict=False).to_numpy()
    return np.where(np.isfinite(values), values, np.nan)


def _read(column: pl.Series, feature: Feature, snapshot_at: pl.Series | None) -> pl.Series:
    read, odds = feature.read(column, snapshot_at=snapshot_at)
    for odd in odds:
        if odd.what == "unreadable":  # a table that came through the door has none
            raise DataError(
                f"users: column {feature.name} holds {odd.example!r}, expected a {feature.kind} as in"
                " training; convert it"
            )
    return read


def _coded(read: pl.Series, feature: Feature) -> np.ndarray:
    if feature.kind != "category":
        return read.cast(pl.Float64).to_numpy()
    coded = read.cast(pl.Enum(feature.levels), strict=False).to_physical().cast(pl.Float64)
    if feature.has_other:
        other = read.is_not_null() & coded.is_null()
        coded = coded.set(other, float(len(feature.levels)))
    return coded.to_numpy()
