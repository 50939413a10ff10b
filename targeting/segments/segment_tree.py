"""The regression tree under the segments: best-first splits that save the most plan value.

Plan value of a grouping under a square-root supply law is sqrt(sum over groups and placements of n_i w_ij^2)
with w_ij the mean worth, so the gain of a split is the between-group sum of squares. Pure numpy; it must not
import anything above `models.errors`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Discriminator, Field, Tag

from targeting.segments.segment_settings import SETTINGS

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Leaf:
    """A group of users."""

    number: Annotated[int, Field(alias="leaf")]


@dataclass(frozen=True)
class Split:
    """Users with feature < threshold go `below`, the others `above`."""

    feature: int
    threshold: float
    below: TreeNode
    above: TreeNode


def _kind(node: object) -> str:
    return "leaf" if isinstance(node, Leaf) or (isinstance(node, dict) and "leaf" in node) else "split"


TreeNode = Annotated[Annotated[Leaf, Tag("leaf")] | Annotated[Split, Tag("split")], Discriminator(_kind)]
"""Written as {"leaf": n} or {"feature", "threshold", "below", "above"}."""


@dataclass(frozen=True)
class _Candidate:
    gain: float
    feature: int
    threshold: float


def leaf_of(node: TreeNode, features: FloatArray) -> IntArray:
    """Leaf number of every row of `features` (n, n_features)."""
    out = np.empty(len(features), dtype=np.int64)
    stack: list[tuple[TreeNode, IntArray]] = [(node, np.arange(len(features)))]
    while stack:
        here, rows = stack.pop()
        if isinstance(here, Leaf):
            out[rows] = here.number
        else:
            above = features[rows, here.feature] >= here.threshold
            stack += [(here.below, rows[~above]), (here.above, rows[above])]
    return out


def grow(
    *,
    features: FloatArray,
    worth: FloatArray,
    first: tuple[int, float] | None,
    min_leaf: int,
    max_leaves: int,
    value_goal: float,
    share: float = 1.0,
) -> tuple[TreeNode, float]:
    """Grow the tree best-first.

    Args:
        features: (n, n_features) what a split may look at.
        worth: (n, n_placements) what an impression is worth.
        first: (feature, threshold) of a split made before any other, or None.
        min_leaf: fewest rows of a leaf.
        max_leaves: most leaves.
        value_goal: stop at this share of the user-level value.
        share: part of the gains that is believed, 0..1; without any no split but the first is made.

    Returns:
        The tree, and the share of the user-level plan value that its groups keep.
    """
    splits: dict[int, tuple[int, float, int, int]] = {}
    rows: dict[int, IntArray] = {0: np.arange(len(features))}
    ideal = float((worth**2).sum())
    if first is not None and max_leaves > 1:
        _apply(splits, rows, features, leaf=0, feature=first[0], threshold=first[1])
    best = {leaf: _best_split(features[r], worth[r], min_leaf) for leaf, r in rows.items()}
    while len(rows) < max_leaves and share * (1.0 - _kept(rows, worth, ideal)) > 1.0 - value_goal:
        leaf = max(best, key=lambda number: (best[number].gain, -number))
        choice = best.pop(leaf)
        if share * choice.gain <= 2.0 * SETTINGS.least_gain * ideal:  # d sqrt(x) = dx / 2 sqrt(x)
            break
        for child in _apply(
            splits, rows, features, leaf=leaf, feature=choice.feature, threshold=choice.threshold
        ):
            best[child] = _best_split(features[rows[child]], worth[rows[child]], min_leaf)
    return _assembled(0, splits), _kept(rows, worth, ideal)


def _kept(rows: dict[int, IntArray], worth: FloatArray, ideal: float) -> float:
    reached = sum(float((worth[r].sum(axis=0) ** 2).sum()) / len(r) for r in rows.values())
    return float(np.sqrt(min(reached / ideal, 1.0))) if ideal > 0 else 1.0


def _apply(
    splits: dict[int, tuple[int, float, int, int]],
    rows: dict[int, IntArray],
    features: FloatArray,
    *,
    leaf: int,
    feature: int,
    threshold: float,
) -> tuple[int, int]:
    members = rows.pop(leaf)
    above = features[members, feature] >= threshold
    below_id = 1 + max([leaf, *rows, *(child for split in splits.values() for child in split[2:])])
    splits[leaf] = (feature, threshold, below_id, below_id + 1)
    rows[below_id], rows[below_id + 1] = members[~above], members[above]
    return below_id, below_id + 1


def _assembled(number: int, splits: dict[int, tuple[int, float, int, int]]) -> TreeNode:
    if number not in splits:
        return Leaf(number)
    feature, threshold, below, above = splits[number]
    return Split(feature, threshold, _assembled(below, splits), _assembled(above, splits))


def _best_split(features: FloatArray, worth: FloatArray, min_leaf: int) -> _Candidate:
    """The split with the largest between-group sum of squares of worth."""
    n = len(features)
    best = _Candidate(0.0, -1, 0.0)
    if n < 2 * min_leaf:
        return best
    total = worth.sum(axis=0)
    whole = float((total**2).sum()) / n
    for feature in range(features.shape[1]):
        order = np.argsort(features[:, feature], kind="stable")
        values = features[order, feature]
        cuts = np.unique(np.linspace(min_leaf, n - min_leaf, SETTINGS.candidates).astype(np.int64))
        # Equal values stay together: move each cut to the first row of its run of ties.
        cuts = np.unique(np.searchsorted(values, values[cuts[cuts < n]], side="left"))
        cuts = cuts[(cuts >= min_leaf) & (cuts <= n - min_leaf)]
        if len(cuts) == 0:
            continue
        below = np.cumsum(worth[order], axis=0)[cuts - 1]
        gain = (below**2).sum(axis=1) / cuts + ((total - below) ** 2).sum(axis=1) / (n - cuts) - whole
        at = int(np.argmax(gain))
        if gain[at] > best.gain * (1.0 + 1e-9) + 1e-300:
            best = _Candidate(float(gain[at]), feature, float(values[cuts[at]]))
    return best
