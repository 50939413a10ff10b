"""Columns of a line, from coded features. In: a matrix. Out: the design of each row.

Every numeric column enters twice (standardised, and as a normal score of its rank, so that a heavy tail does
not decide), with a flag for missing where any was; a category enters as one column per
level, where it has not too many for that (`levels`).

Must not import lightgbm, mlflow, targeting or pipelines.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from models.arrays import FloatArray
from models.rates.batch import Batch
from models.rates.compiled import BUCKETS, compiled, grid_of, guide_of, standardised
from models.rates.settings import RATES


def places_among(steps: FloatArray, column: FloatArray) -> np.ndarray:
    """How many of the steps each value is above, (n,); of missing values none.

    Args:
        steps: In order, filled up with infinity to a power of two.
        column: Values.

    Halving with arithmetic instead of branches: a third of the time of `np.searchsorted`.
    """
    place, half = np.zeros(column.shape[0], dtype=np.intp), len(steps) // 2
    while half:
        place += (steps.take(place + (half - 1)) < column) * half
        half //= 2
    return place + (steps.take(place) < column)


def filled_up(steps: FloatArray) -> FloatArray:
    """Steps for `places_among`."""
    full = np.full(1 << max(len(steps) - 1, 0).bit_length(), np.inf)
    full[: len(steps)] = steps
    return full


@dataclass(frozen=True)
class Scale:
    """How a numeric column is standardised and ranked.

    Attributes:
        centre: Mean.
        spread: Standard deviation.
        knots: Quantiles on which ranks are read off.
        is_flagged: Some value was missing. A flag that is 0 in every row has the coefficient 0, and costs a
            third of the columns, which a fit pays for by their cube.
    """

    centre: float
    spread: float
    knots: tuple[float, ...]
    is_flagged: bool = True

    @property
    def width(self) -> int:
        """Columns that `expand` makes."""
        return 3 if self.is_flagged else 2

    @cached_property
    def _lines(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Knots, and where between them the line of normal scores starts, its height there and its slope."""
        from scipy.special import ndtri

        scores = ndtri(np.linspace(0.02, 0.98, len(self.knots)))
        knots, start = np.asarray(self.knots), np.r_[0, : len(self.knots)]
        slopes = np.concatenate([[0.0], np.diff(scores) / np.diff(knots), [0.0]])
        return filled_up(knots), knots[start], scores[start], slopes

    def expand(self, x: np.ndarray) -> list[np.ndarray]:
        """Standardised value, normal score of the rank and, if flagged, whether it is missing, each (n,)."""
        limit = RATES.standardised_limit
        missing = np.isnan(x)
        if missing.any():
            x = np.where(missing, self.centre, x)
        z = np.clip((x - self.centre) / self.spread, -limit, limit)
        knots, start, height, slope = self._lines
        place = places_among(knots, x)
        rank = slope.take(place) * (x - start.take(place)) + height.take(place)
        if missing.any():
            z[missing] = rank[missing] = 0.0
        return [z, rank, missing.astype(float)] if self.is_flagged else [z, rank]


@dataclass(frozen=True)
class Design:
    """Columns of a linear model, from a coded feature matrix.

    Attributes:
        categorical: Number of levels of each category column, by position (text codes 0..n-1).
        numeric: Scale of each numeric column that varies, by position.
    """

    categorical: Mapping[int, int]
    numeric: Mapping[int, Scale]

    @classmethod
    def fit(cls, matrix: np.ndarray, categorical: tuple[int, ...]) -> Design:
        """Learn centres, spreads, quantiles and numbers of levels from a matrix (n, p)."""
        levels, numeric = {}, {}
        for j in range(matrix.shape[1]):
            known = matrix[~np.isnan(matrix[:, j]), j]
            if j in categorical:
                if (count := int(known.max(initial=0.0)) + 1) <= RATES.column_levels:
                    levels[j] = count
            elif known.size and np.ptp(known) > 0:
                knots = np.unique(np.quantile(known, np.linspace(0, 1, RATES.rank_knots)))
                numeric[j] = Scale(
                    float(known.mean()), float(known.std()), tuple(knots.tolist()), known.size < len(matrix)
                )
        return cls(levels, numeric)

    def expand(self, matrix: np.ndarray, kind: type = np.float64) -> np.ndarray:
        """Design matrix (n, q) without intercept; missing values are zeros and a flag."""
        found: FloatArray = np.empty((matrix.shape[0], len(self.feature_of)), dtype=kind)
        for at, column in enumerate(self._columns(matrix.T)):
            found[:, at] = column
        return found

    def _columns(self, features: np.ndarray) -> Iterator[np.ndarray]:
        """Each column of the design, from features (p, n)."""
        for j, x in enumerate(features):
            if j in self.categorical:
                yield from (x == level for level in range(self.categorical[j]))
            elif j in self.numeric:
                yield from self.numeric[j].expand(x)

    @property
    def _widths(self) -> dict[int, int]:
        """Columns of each feature that has any, in their order."""
        widths = {**self.categorical, **{j: scale.width for j, scale in self.numeric.items()}}
        return {j: widths[j] for j in sorted(widths)}

    @property
    def feature_of(self) -> np.ndarray:
        """Position of the feature behind each column, (q,)."""
        return np.repeat([*self._widths], [*self._widths.values()]).astype(int)

    @cached_property
    def key(self) -> str:
        """Its content, short: rates read from a file have one design each, and all the same."""
        return hashlib.sha256(repr(self).encode()).hexdigest()

    @cached_property
    def _first_of(self) -> dict[int, int]:
        """First column of each feature, and how many there are behind them all (-1)."""
        ends = np.cumsum([0, *self._widths.values()]).tolist()
        return dict(zip([*self._widths, -1], ends, strict=True))

    @cached_property
    def _packed(self) -> tuple[np.ndarray, ...]:
        """The numeric features behind each other, as `compiled.standardised` reads them."""
        features = sorted(self.numeric)
        scales = [self.numeric[j] for j in features]
        knots = [np.asarray(scale.knots) for scale in scales]
        grids = np.array([grid_of(one) for one in knots]).reshape(-1, 4)
        guide = [guide_of(one, grid) for one, grid in zip(knots, grids, strict=True)]
        lines = [scale._lines[1:] for scale in scales]
        limit = RATES.standardised_limit
        return (
            np.array(features, dtype=np.int64),
            np.array([self._first_of[j] for j in features], dtype=np.int64),
            np.array([scale.is_flagged for scale in scales], dtype=bool),
            np.array([(one.centre, one.spread, limit) for one in scales]).reshape(-1, 3),
            grids,
            np.array(guide, dtype=np.int64).reshape(-1, BUCKETS + 1),
            np.cumsum([0, *(len(one) + 1 for one in knots)]),  # there is one line more than knots
            np.concatenate([np.zeros(0), *(np.append(one, np.inf) for one in knots)]),
            *(np.concatenate([np.zeros(0), *(line[part] for line in lines)]) for part in range(3)),
        )

    def of(self, batch: Batch) -> FloatArray:
        """The columns for a batch, (q, n), made once for all rates of one design."""
        return batch.once(self.key, lambda: self._made(batch))

    def _made(self, batch: Batch) -> FloatArray:
        found = np.empty((self._first_of[-1], len(batch)))
        if not batch.is_of_many or not (loop := compiled(standardised)):
            for at, column in zip(found, self._columns(batch.columns), strict=True):
                at[:] = column
            return found
        for j, levels in self.categorical.items():
            first = self._first_of[j]
            np.equal(batch.columns[j], np.arange(levels)[:, None], out=found[first : first + levels])
        loop(batch.columns, batch.columns.view(np.int64), *self._packed, found)
        return found
