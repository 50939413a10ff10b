"""LightGBM's text of trees, checked before LightGBM sees it. In: text. Out: the same text, or what is wrong.

LightGBM believes what it reads: a child index outside the arrays reads other memory (`left_child=-9` gave
228,156 times the GMV), one that points back walks for ever, and a wrong size aborts the process. A file that
passes here has trees that end in leaves of their own, split by features that exist, at numbers that are
finite. Must not import lightgbm.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator

MOST_CHARACTERS = 1 << 28
"""A text may be this long; 300 trees of 31 leaves are 0.6 M."""
MOST_NUMBER = sys.float_info.max
_HEADER = (
    "version",
    "num_class",
    "num_tree_per_iteration",
    "label_index",
    "max_feature_idx",
    "feature_names",
    "feature_infos",
    "tree_sizes",
)
_FIXED = {"version": "v4", "num_class": "1", "num_tree_per_iteration": "1", "label_index": "0"}
_OF_SPLITS = ("split_feature", "split_gain", "threshold", "decision_type", "left_child", "right_child")
_OF_NODES = ("internal_value", "internal_weight", "internal_count")
_OF_LEAVES = ("leaf_value", "leaf_weight", "leaf_count")
_OF_CATEGORIES = ("cat_boundaries", "cat_threshold")
_SINGLE = ("num_leaves", "num_cat", "is_linear", "shrinkage")
_WHOLE = {"split_feature", "decision_type", "left_child", "right_child", "leaf_count", "internal_count"}
_END = "end of trees\n"


def checked_trees(text: str) -> str:
    """The text, if it is empty or a model that LightGBM can read and walk.

    Raises:
        ValueError: It is not; says which tree and key.
    """
    if not text:
        return text
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"trees: {len(text):,} characters, expected at most {MOST_CHARACTERS:,}")
    head, blank, rest = text.partition("\n\n")
    if not head.startswith("tree\n") or not blank:
        raise ValueError("trees: expected LightGBM text, which begins with `tree`")
    header = _keys(head.removeprefix("tree\n"), "header")
    if tuple(header) != _HEADER or any(header[key] != value for key, value in _FIXED.items()):
        raise ValueError("trees: header: expected that of a model with one output, as `targeting` writes it")
    features = _wholes(header["max_feature_idx"], "header: max_feature_idx", size=1)[0] + 1
    for key in ("feature_names", "feature_infos"):
        if len(header[key].split(" ")) != features:
            raise ValueError(f"trees: header: {key}: expected {features} entries")
    body = rest.encode()
    for number, size in enumerate(_wholes(header["tree_sizes"], "header: tree_sizes")):
        block, body = body[: max(size, 0)].decode(errors="replace"), body[max(size, 0) :]
        first, _, lines = block.partition("\n")
        if first != f"Tree={number}" or not lines.endswith("\n\n\n"):
            raise ValueError(f"trees: tree {number}: is not where tree_sizes says")
        _check_tree(_keys(lines.rstrip("\n"), f"tree {number}"), features, f"tree {number}")
    if not body.startswith(_END.encode()):
        raise ValueError("trees: expected `end of trees` behind the last tree")
    return text


TreeText = Annotated[str, AfterValidator(checked_trees)]
"""LightGBM text that is checked when it is read from a file."""


def bare_trees(text: str) -> str:
    """The trees alone: parameters of their training stand behind them, which LightGBM trips over where they
    are not its own, and which no score needs.
    """
    return text[: text.index(_END) + len(_END)]


def _keys(text: str, where: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in text.split("\n"):
        key, sign, value = line.partition("=")
        if not sign or key in found:
            raise ValueError(f"trees: {where}: expected each key once, as key=value: {line[:40]!r}")
        found[key] = value
    return found


def _check_tree(keys: Mapping[str, str], features: int, where: str) -> None:
    leaves, categories = (_wholes(keys.get(key, ""), f"{where}: {key}", size=1)[0] for key in _SINGLE[:2])
    splits = leaves - 1
    expected = (*_SINGLE, *_OF_SPLITS, *_OF_NODES, *_OF_LEAVES, *(_OF_CATEGORIES if categories > 0 else ()))
    if set(keys) != set(expected) or leaves < 1 or categories < 0 or keys["is_linear"] != "0":
        raise ValueError(f"trees: {where}: expected the keys {', '.join(expected)}, and no linear leaves")
    _numbers(keys["shrinkage"], f"{where}: shrinkage", size=1)
    numbers: dict[str, list[float]] = {}
    wholes: dict[str, list[int]] = {}
    for key in (*_OF_SPLITS, *_OF_NODES, *_OF_LEAVES):
        size = leaves if key in _OF_LEAVES else splits
        if key in _WHOLE:
            wholes[key] = _wholes(keys[key], f"{where}: {key}", size=size)
        else:
            # LightGBM writes inf where a split only tells who is missing
            most = math.inf if key == "threshold" else MOST_NUMBER
            numbers[key] = _numbers(keys[key], f"{where}: {key}", size=size, most=most)
    _within(wholes["split_feature"], 0, features, f"{where}: split_feature")
    _within(wholes["decision_type"], 0, 16, f"{where}: decision_type")
    _check_children(wholes, splits, where)
    _check_categories(keys, categories, wholes["decision_type"], numbers["threshold"], where)


def _check_children(wholes: Mapping[str, Sequence[int]], splits: int, where: str) -> None:
    """Every split but the first, and every leaf, hangs once below an earlier split, and rows add up."""
    met: list[int] = []
    counts = wholes["leaf_count"], wholes["internal_count"]
    for node in range(splits):
        rows = 0
        for side in ("left_child", "right_child"):
            child = wholes[side][node]
            if not (node < child < splits or -splits - 1 <= child < 0):
                raise ValueError(
                    f"trees: {where}: {side}: {child} of split {node} is no split behind it and no leaf"
                )
            met.append(child)
            rows += counts[1][child] if child > 0 else counts[0][~child]
        if rows != counts[1][node]:
            raise ValueError(f"trees: {where}: internal_count: of split {node} is not that of its children")
    if splits and sorted(met) != [*range(-splits - 1, 0), *range(1, splits)]:
        raise ValueError(f"trees: {where}: left_child, right_child: expected every split and leaf once")


def _check_categories(
    keys: Mapping[str, str], categories: int, kinds: Sequence[int], thresholds: Sequence[float], where: str
) -> None:
    """A split by category names one of the sets, whose bits lie where the boundaries say."""
    asked = [value for kind, value in zip(kinds, thresholds, strict=True) if kind & 1]
    if any(not 0 <= value < categories or value != int(value) for value in asked):
        raise ValueError(f"trees: {where}: threshold: a split by category names a set that is not there")
    if categories:
        bounds = _wholes(keys["cat_boundaries"], f"{where}: cat_boundaries", size=categories + 1)
        if bounds[0] != 0 or any(low >= high for low, high in pairwise(bounds)):
            raise ValueError(f"trees: {where}: cat_boundaries: expected 0 and then rising numbers")
        bits = _wholes(keys["cat_threshold"], f"{where}: cat_threshold", size=bounds[-1])
        _within(bits, 0, 1 << 32, f"{where}: cat_threshold")


def _wholes(text: str, where: str, *, size: int | None = None) -> list[int]:
    pieces = _pieces(text, where, size)
    if not all(re.fullmatch(r"-?\d{1,10}", piece) for piece in pieces):
        raise ValueError(f"trees: {where}: expected whole numbers")
    return [int(piece) for piece in pieces]


def _numbers(text: str, where: str, *, size: int, most: float = MOST_NUMBER) -> list[float]:
    try:
        found = [float(piece) for piece in _pieces(text, where, size)]
    except ValueError as error:
        raise ValueError(f"trees: {where}: expected numbers ({error})") from None
    if not all(-MOST_NUMBER <= number <= most for number in found):
        raise ValueError(f"trees: {where}: expected finite numbers")
    return found


def _pieces(text: str, where: str, size: int | None) -> list[str]:
    pieces = text.split(" ") if text else []
    if size is not None and len(pieces) != size:
        raise ValueError(f"trees: {where}: {len(pieces)} numbers, expected {size}")
    return pieces


def _within(values: Sequence[int], low: int, high: int, where: str) -> None:
    if any(not low <= value < high for value in values):
        raise ValueError(f"trees: {where}: expected numbers from {low} to {high - 1}")
