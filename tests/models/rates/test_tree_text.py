"""Trees are walked on paper before LightGBM walks them."""

import random
import re
from functools import cache

import lightgbm
import numpy as np
import pytest

from models.rates.boosting import Grower
from models.rates.likelihood import HazardRows
from models.rates.tree_text import bare_trees, checked_trees


@cache
def grown(n=4000):
    rng = np.random.default_rng(0)
    matrix = np.column_stack([rng.normal(size=n), rng.integers(0, 3, n).astype(float), rng.normal(size=n)])
    matrix[rng.random(n) < 0.05, 0] = np.nan
    x = np.nan_to_num(matrix[:, 0])
    rate = np.exp(-3.5 + 1.5 * (np.abs(x) > 1) + 0.5 * (matrix[:, 1] == 2) + 0.3 * (matrix[:, 2] > 0))
    w = rng.integers(1, 5, n).astype(float)
    y = (rng.random(n) < -np.expm1(-w * rate)).astype(float)
    rows = HazardRows(np.arange(n), y, w, np.zeros(n), np.ones(n))
    grower = Grower(matrix, rows, np.full(n, -3.5), categorical=(1,), seed=1, threads=1)
    return grower.text(3), matrix


def resized(text):
    """The text with the sizes that its trees have."""
    blocks = re.findall(r"Tree=\d+\n.*?\n\n\n", text, flags=re.S)
    return re.sub(
        r"tree_sizes=.*", f"tree_sizes={' '.join(str(len(block.encode())) for block in blocks)}", text
    )


def test_what_lightgbm_writes_passes():
    text, _ = grown()
    assert checked_trees(text) is text
    assert resized(text) == text
    assert checked_trees("") == ""


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("left_child=-1 2", "left_child=-9 2", "left_child: -9 of split 0"),
        ("left_child=-1 2", "left_child=99 2", "left_child: 99"),
        ("left_child=-1 2", "left_child=-1 1", "no split behind it"),
        ("right_child=1 -3 3 -5", "right_child=1 -3 3 -4", "internal_count|every split and leaf once"),
        ("split_feature=1 2", "split_feature=3 2", "split_feature: expected numbers from 0 to 2"),
        ("threshold=0 -0.1", "threshold=7 -0.1", "names a set that is not there"),
        ("threshold=0 -0.1", "threshold=0 nan -0.1", "5 numbers, expected 4"),
        ("leaf_value=0.2", "leaf_value=1e999 0.2", "6 numbers"),
        ("leaf_value=0.2", "leaf_value=1e999", "finite|expected numbers"),
        ("cat_threshold=4", "cat_threshold=4 2", "cat_threshold: 2 numbers, expected 1"),
        ("cat_boundaries=0 1", "cat_boundaries=0 0", "rising"),
        ("num_leaves=5", "num_leaves=500000", "numbers, expected"),
        ("num_leaves=5", "num_leaves=0", "keys"),
        ("is_linear=0", "is_linear=1", "no linear leaves"),
        ("num_class=1", "num_class=3", "one output"),
        ("leaf_count=1349", "leaf_count=1350", "internal_count"),
        ("version=v4", "version=v4\naverage_output", "key=value"),
        ("\nend of trees", "\nend of tree", "behind the last tree"),
    ],
)
def test_a_text_that_lightgbm_would_believe_is_refused(old, new, told):
    text = grown()[0].replace(old, new, 1)
    assert text != grown()[0]
    with pytest.raises(ValueError, match=told):
        checked_trees(resized(text))


def test_sizes_must_be_those_of_the_trees():
    with pytest.raises(ValueError, match="is not where tree_sizes says"):
        checked_trees(grown()[0].replace("tree_sizes=", "tree_sizes=1", 1))


def mutated(text, rng):
    """The text after one small accident, with right sizes: digits, signs, lost and doubled pieces."""
    at = rng.randrange(len(text))
    kind = rng.randrange(4)
    if kind == 0:
        return text[:at] + rng.choice("0123456789-. =\nx") + text[at + 1 :]
    if kind == 1:
        return text[:at] + text[at + rng.randrange(1, 9) :]
    if kind == 2:
        return text[:at] + rng.choice(["-", "9", "e300", " 7", "\n"]) + text[at:]
    lines = text.split("\n")
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return "\n".join(lines)


def test_whatever_passes_is_walked_to_finite_numbers():
    text, matrix = grown()
    passed, rng = 0, random.Random(3)
    for _ in range(400):
        broken = resized(mutated(text, rng))
        try:
            checked_trees(broken)
        except ValueError:
            continue
        passed += 1
        values = lightgbm.Booster(model_str=bare_trees(broken)).predict(
            matrix[:200], raw_score=True, num_threads=1
        )
        assert np.isfinite(values).all()
    assert 20 < passed < 300
