"""Names of segments: fan kind and a word for what an impression is worth, the same from run to run.

It must not import anything but the tree.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from targeting.segments.segment_tree import FloatArray, Leaf, Split, TreeNode, leaf_of

PRECISE, CONTENT, MIXED = "precise", "content", "mixed"
# Words from the most to the least worth an impression; a kind with n segments takes n words of its ladder.
LADDERS = {
    PRECISE: ("top", "very likely", "likely", "fairly likely", "possible", "unlikely", "rare"),
    CONTENT: ("keen", "warm", "curious", "casual", "passing", "cool", "cheap reach"),
    MIXED: ("top", "high", "upper", "middle", "lower", "low", "reach"),
}
LADDER_PICKS = {1: (2,), 2: (2, 6), 3: (0, 2, 6), 4: (0, 2, 4, 6), 5: (0, 1, 2, 4, 6), 6: (0, 1, 2, 3, 4, 6)}


def name_leaves(
    root: TreeNode, *, features: FloatArray, worth: FloatArray, threshold: float, separated: bool
) -> tuple[TreeNode, tuple[str, ...], tuple[str, ...]]:
    """The tree with leaves numbered by worth (precise before content), their names and kinds."""
    leaves = leaf_of(root, features)
    numbers = np.unique(leaves)
    level = np.array([worth[leaves == leaf].sum(axis=1).mean() for leaf in numbers])
    precise = np.array([features[leaves == leaf, 0].mean() >= threshold for leaf in numbers])
    kinds = [(PRECISE if one else CONTENT) if separated else MIXED for one in precise]
    rank = sorted(range(len(numbers)), key=lambda i: (kinds[i] == CONTENT, -level[i], i))
    if len(numbers) == 1:
        return _renumber(root, {int(numbers[0]): 0}), ("everyone",), (MIXED,)
    names: list[str] = []
    for kind in dict.fromkeys(kinds[i] for i in rank):
        names.extend(f"{kind} · {word}" for word in _words(kind, kinds.count(kind)))
    mapping = {int(numbers[i]): position for position, i in enumerate(rank)}
    return _renumber(root, mapping), tuple(names), tuple(kinds[i] for i in rank)


def _words(kind: str, n: int) -> list[str]:
    ladder = LADDERS[kind]
    if n == 1 and kind == CONTENT:
        return [ladder[-1]]
    if n in LADDER_PICKS:
        return [ladder[i] for i in LADDER_PICKS[n]]
    steps = np.linspace(0, len(ladder) - 1e-9, n, endpoint=False).astype(int)
    counts: NDArray[np.int64] = np.bincount(steps, minlength=len(ladder))
    words: list[str] = []
    for word, count in zip(ladder, counts, strict=True):
        words.extend([word] if count == 1 else [f"{word} {i + 1}" for i in range(count)])
    return words


def _renumber(node: TreeNode, mapping: dict[int, int]) -> TreeNode:
    if isinstance(node, Leaf):
        return Leaf(mapping[node.number])
    return Split(node.feature, node.threshold, _renumber(node.below, mapping), _renumber(node.above, mapping))
