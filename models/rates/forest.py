"""A sum of trees without walking them. In: LightGBM's text. Out: LightGBM's own sum for each row, faster.

A walk waits for memory and guesses wrong at every split. Here every split that a row fails strikes out the
leaves on its left: a tree is a word with a bit a leaf, and the lowest bit that is left after all splits is
the row's leaf (Lucchese et al., "QuickScorer", SIGIR 2015). All splits on one feature are known from where
its value lies among their thresholds, so each feature has a table: place -> a word for every tree, and a row
costs one line of each table and an `and`. Leaves are added tree by tree, as LightGBM adds them: the bits are
the same. The loops are those of `compiled`.

Measured by `python -m benchmarks.scoring --trees` beside LightGBM's own walk. What it cannot hold (over 64
leaves, zero as missing, a feature split both ways) is `None`, and LightGBM predicts. Must not import
lightgbm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from models.arrays import FloatArray
from models.rates.compiled import (
    BIT_OF,
    BUCKETS,
    Loop,
    compiled,
    grid_of,
    guide_of,
    leaf_sums,
    leaves_left,
)
from models.rates.tree_text import bare_trees

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
        steps: Thresholds in order; None for categories.
        words: (places + 1, n_trees), the last for missing values.
    """

    feature: int
    steps: FloatArray | None
    words: np.ndarray


@dataclass(frozen=True)
class _Packed:
    """Some tables behind each other, as `compiled.leaves_left` reads them."""

    arrays: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, tables: Sequence[_Table], kind: np.dtype[np.unsignedinteger], trees: int) -> _Packed:
        steps = [np.append([] if table.steps is None else table.steps, np.inf) for table in tables]
        grids = np.array([grid_of(one[:-1]) for one in steps]).reshape(-1, 4)
        guide = [guide_of(one[:-1], grid) for one, grid in zip(steps, grids, strict=True)]
        words = [table.words for table in tables]
        return cls(
            (
                np.array([table.feature for table in tables], dtype=np.int64),
                np.array([table.steps is None for table in tables], dtype=bool),
                np.array([len(one) - 1 for one in words], dtype=np.int64),
                grids,
                np.array(guide, dtype=np.int64).reshape(-1, BUCKETS + 1),
                np.cumsum([0, *map(len, steps)]),
                np.concatenate([np.zeros(0), *steps]),
                np.cumsum([0, *map(len, words)]),
                np.concatenate([np.zeros((0, trees), dtype=kind), *words]).view(np.uint64),
            )
        )


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
        kind = next((np.dtype(f"u{size}") for size in (4, 8) if most <= 8 * size), None)
        if kind is None or not trees:
            return None
        splits: dict[int, list[_Split]] = {}
        even = len(trees) + len(trees) % 2  # two words of four bytes are struck at once
        leaves = np.zeros((even, 8 * kind.itemsize))
        for number, tree in enumerate(trees):
            if not _read(number, tree, leaves[number], splits):
                return None
        tables = [_tabled(feature, found, leaves.shape, kind) for feature, found in sorted(splits.items())]
        whole = tuple(table for table in tables if table is not None)
        features = int(text.partition("max_feature_idx=")[2].partition("\n")[0]) + 1
        return cls(whole, leaves.ravel(), kind, features) if len(whole) == len(tables) else None

    def left(self, columns: FloatArray) -> np.ndarray:
        """The words that the splits on all features but the last leave of each row, (n, n_trees), from
        contiguous columns, (p, n).
        """
        return self._left(columns, self._packed[0])

    def sum(self, left: np.ndarray, last: FloatArray) -> FloatArray:
        """Sum of the trees of each row, (n,), from what is left of it and its last feature."""
        total = np.empty(len(left))
        loop = compiled(leaf_sums) or leaf_sums
        by_last = self._left(np.ascontiguousarray(last)[None], self._packed[1])
        loop(left, by_last, self.leaves, self._bits, BIT_OF, total)
        return total

    @cached_property
    def _packed(self) -> tuple[_Packed, _Packed]:
        """Tables of the features before the last, and that of the last as if it were the only one."""
        trees = len(self.leaves) // self._bits
        before = [table for table in self.tables if table.feature < self.features - 1]
        last = [replace(table, feature=0) for table in self.tables[len(before) :]]
        return _Packed.of(before, self.kind, trees), _Packed.of(last, self.kind, trees)

    def _left(self, columns: FloatArray, packed: _Packed) -> np.ndarray:
        left = np.empty((columns.shape[1], len(self.leaves) // self._bits), dtype=self.kind)
        loop: Loop = compiled(leaves_left) or leaves_left
        loop(columns, columns.view(np.int64), *packed.arrays, left.view(np.uint64))
        return left

    @property
    def _bits(self) -> int:
        return 8 * self.kind.itemsize

    def trial(self) -> FloatArray:
        """Rows that try every threshold from both sides, (n, features)."""
        rng, rows = np.random.default_rng(0), 512
        matrix = rng.normal(size=(rows, self.features))
        for table in self.tables:
            at = np.arange(len(table.words) - 1, dtype=np.float64) if table.steps is None else table.steps
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
    return _Table(feature, None if sets else np.array(thresholds, dtype=np.float64), words)
