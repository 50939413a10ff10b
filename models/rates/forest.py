"""A sum of trees without walking them. In: LightGBM's text. Out: the sum for each row, at numpy's speed.

A walk waits for memory and guesses wrong at every split. Here every split that a row fails strikes out the
leaves on its left: a tree is a word with a bit a leaf, and the lowest bit that is left after all splits is
the row's leaf (Lucchese et al., "QuickScorer", SIGIR 2015). All splits on one feature are known from where
its value lies among their thresholds, so each feature has a table: place -> a word for every tree, and a row
costs one line of each table and an `and`. Nothing depends on the other rows of a batch.

Measured by `python -m benchmarks.scoring --trees` beside LightGBM's own walk. What it cannot hold (over 64
leaves, zero as missing, a feature split both ways) is `None`, and LightGBM
predicts. Must not import lightgbm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import FloatArray
from models.rates.tree_text import bare_trees

_BLOCK = 1024
"""Rows whose words are looked at together: 100 trees of 8 leaves are 100 KB, within the processor's cache."""
_CATEGORY, _LEFT, _MISSING_ZERO, _MISSING_NAN = 1, 2, 4, 8
"""Bits of LightGBM's `decision_type`."""


@dataclass(frozen=True)
class _Split:
    """One split.

    Attributes:
        tree: Its tree.
        below: Threshold: values up to it go left. Of categories: those that go left.
        nan_left: Where a missing value goes.
        struck: Word without the leaves on its left.
    """

    tree: int
    below: float | frozenset[int]
    nan_left: bool
    struck: int


@dataclass(frozen=True)
class _Table:
    """All splits on one feature.

    Attributes:
        feature: Its column.
        steps: Thresholds in order, filled up with infinity to a power of two; None for categories.
        places: Places but the last, which is that of missing values.
        words: (places + 1, n_trees).
    """

    feature: int
    steps: FloatArray | None
    places: int
    words: np.ndarray

    def strike(self, left: np.ndarray, column: FloatArray) -> None:
        """Strike out of each row's words, (n, n_trees), what its value rules out."""
        place = self.place(column)
        for start in range(0, len(left), _BLOCK):
            left[start : start + _BLOCK] &= self.words.take(place[start : start + _BLOCK], axis=0)

    def place(self, column: FloatArray) -> np.ndarray:
        """Where each value lies, (n,)."""
        if self.steps is None:
            known = (column > -1) & (column < self.places)  # -0.5 is 0 to LightGBM
            return np.where(known, column, self.places).astype(np.intp)
        found = places_among(self.steps, column)
        found[np.isnan(column)] = self.places
        return found


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


def filled_up(steps: Sequence[float] | FloatArray) -> FloatArray:
    """Steps for `places_among`."""
    full = np.full(1 << max(len(steps) - 1, 0).bit_length(), np.inf)
    full[: len(steps)] = steps
    return full


@dataclass(frozen=True)
class Forest:
    """A sum of trees as tables.

    Attributes:
        tables: One for each feature that is split.
        leaves: Leaf values, (n_trees * bits,), leaves from left to right.
        kind: Type of a word.
        features: Columns of a row.
    """

    tables: tuple[_Table, ...]
    leaves: FloatArray
    kind: np.dtype[np.unsignedinteger]
    features: int

    @classmethod
    def of(cls, text: str) -> Forest | None:
        """The trees of a checked text; None where they need a walk."""
        blocks = bare_trees(text).split("\nTree=")[1:]
        trees = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in blocks]
        most = max((int(tree["num_leaves"]) for tree in trees), default=0)
        kind = next((np.dtype(f"u{size}") for size in (1, 2, 4, 8) if most <= 8 * size), None)
        if kind is None or not trees:
            return None
        splits: dict[int, list[_Split]] = {}
        leaves = np.zeros((len(trees), 8 * kind.itemsize))
        for number, tree in enumerate(trees):
            if not _read(number, tree, leaves[number], splits):
                return None
        tables = [_tabled(feature, found, leaves.shape, kind) for feature, found in sorted(splits.items())]
        whole = tuple(table for table in tables if table is not None)
        features = int(text.partition("max_feature_idx=")[2].partition("\n")[0]) + 1
        return cls(whole, leaves.ravel(), kind, features) if len(whole) == len(tables) else None

    def left(self, columns: Sequence[FloatArray] | FloatArray) -> np.ndarray:
        """The words that the splits on these features leave of each row, (n, n_trees), from a contiguous
        column for each; those on later features are left open.
        """
        n, trees = len(columns[0]), len(self.leaves) // self._bits
        left = np.full((n, trees), np.iinfo(self.kind).max, dtype=self.kind)
        for table in self.tables:
            if table.feature < len(columns):
                table.strike(left, columns[table.feature])
        return left

    def sum(self, left: np.ndarray, last: FloatArray) -> FloatArray:
        """Sum of the trees of each row, (n,), from what is left of it and its last feature."""
        if self.tables and self.tables[-1].feature == self.features - 1:
            left = left.copy()
            self.tables[-1].strike(left, last)
        first = np.arange(0, len(self.leaves), self._bits, dtype=np.intp)
        total = np.empty(len(left))
        for start in range(0, len(left), _BLOCK):
            word = left[start : start + _BLOCK]
            lowest = np.bitwise_count((word & -word) - self.kind.type(1))
            total[start : start + _BLOCK] = self.leaves.take(lowest + first).sum(axis=1)
        return total

    @property
    def _bits(self) -> int:
        return 8 * self.kind.itemsize

    def trial(self) -> FloatArray:
        """Rows that try every threshold from both sides, (n, features)."""
        rng, rows = np.random.default_rng(0), 512
        matrix = rng.normal(size=(rows, self.features))
        for table in self.tables:
            at = np.arange(table.places, dtype=np.float64) if table.steps is None else table.steps
            at = at[np.abs(at) < 1e300]
            worth = np.concatenate([at, np.nextafter(at, np.inf), [np.nan, -1.0, 0.0, 1e300, -1e300]])
            matrix[:, table.feature] = rng.choice(worth, rows)
        return matrix


def _read(number: int, tree: Mapping[str, str], leaves: FloatArray, splits: dict[int, list[_Split]]) -> bool:
    """Adds a tree's splits and leaves; whether it could."""
    values = np.array(tree["leaf_value"].split(" "), dtype=np.float64)
    if len(values) == 1:
        leaves[0] = values[0]
        return True
    left, right, feature, decision = (
        [int(piece) for piece in tree[key].split(" ")]
        for key in ("left_child", "right_child", "split_feature", "decision_type")
    )
    below = [float(piece) for piece in tree["threshold"].split(" ")]
    if any(kind & _MISSING_ZERO for kind in decision):
        return False

    def walk(node: int, first: int) -> int:
        """Numbers the leaves below a node from `first` on; the number after the last."""
        if node < 0:
            leaves[first] = values[~node]
            return first + 1
        middle = walk(left[node], first)
        end = walk(right[node], middle)
        struck = ~((1 << middle) - (1 << first))
        category, kind = decision[node] & _CATEGORY, decision[node]
        where = _set_of(tree, int(below[node])) if category else below[node]
        nan_left = not category and (bool(kind & _LEFT) if kind & _MISSING_NAN else below[node] >= 0.0)
        splits.setdefault(feature[node], []).append(_Split(number, where, nan_left, struck))
        return end

    walk(0, 0)
    return True


def _set_of(tree: Mapping[str, str], which: int) -> frozenset[int]:
    """The categories of a set, from LightGBM's bits."""
    bounds = [int(piece) for piece in tree["cat_boundaries"].split(" ")]
    words = [int(piece) for piece in tree["cat_threshold"].split(" ")][bounds[which] : bounds[which + 1]]
    return frozenset(32 * i + bit for i, word in enumerate(words) for bit in range(32) if word >> bit & 1)


def _tabled(
    feature: int, splits: Sequence[_Split], shape: tuple[int, ...], kind: np.dtype[np.unsignedinteger]
) -> _Table | None:
    """The table of a feature; None where it is split by thresholds and by categories."""
    sets = [split.below for split in splits if isinstance(split.below, frozenset)]
    thresholds = sorted({split.below for split in splits if not isinstance(split.below, frozenset)})
    if sets and thresholds:
        return None
    places = max(max(one) for one in sets) + 1 if sets else len(thresholds) + 1
    words = np.full((places + 1, shape[0]), np.iinfo(kind).max, dtype=kind)
    for split in splits:
        if isinstance(split.below, frozenset):
            fails = np.array([place not in split.below for place in range(places)])
        else:
            fails = np.arange(places) > thresholds.index(split.below)
        struck = kind.type(split.struck & int(np.iinfo(kind).max))
        words[np.append(fails, not split.nan_left), split.tree] &= struck
    return _Table(feature, None if sets else filled_up(thresholds), places, words)
