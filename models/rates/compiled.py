"""The loops of scoring, compiled by numba, which is imported nowhere else and which nothing needs.

Written as plain functions of arrays: what numba makes of them adds the same doubles in the same order, so
that a person's score has the same bits with and without it. They let go of the interpreter: parts are scored
side by side. Nothing compiled is kept on the disk, where it would be read back as code: compiling takes a
second of a job, which is what a hundred thousand people take without it. Must not import anything but numpy.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from models.arrays import FloatArray

log = logging.getLogger(__name__)
BUCKETS = 512
"""Equal steps between the least and the largest threshold, from which a search among them starts."""
BIT_OF = np.zeros(64, dtype=np.int64)
"""Which bit a word holds alone, by the top six digits of its product with `_SEQUENCE`."""
_SEQUENCE = np.uint64(0x03F79D71B4CB0A89)
"""A de Bruijn sequence (Leiserson et al., "Using de Bruijn Sequences to Index a 1", 1998)."""
with np.errstate(over="ignore"):
    BIT_OF[(_SEQUENCE << np.arange(64, dtype=np.uint64)) >> np.uint64(58)] = np.arange(64)

Loop = Callable[..., None]


@cache
def compiled(loop: Loop) -> Loop | None:
    """The loop for the processor; None where numba cannot be had, which is told once."""
    try:
        import numba
    except ImportError as error:
        log.warning("numba cannot be imported (%s): scoring takes several times as long", error)
        return None
    made: Any = numba.njit(nogil=True, error_model="numpy")(loop)
    return made  # type: ignore[no-any-return]


def leaves_left(
    columns: FloatArray,
    bits: np.ndarray,
    features: np.ndarray,
    sets: np.ndarray,
    places: np.ndarray,
    grids: FloatArray,
    guide: np.ndarray,
    first_step: np.ndarray,
    steps: FloatArray,
    first_word: np.ndarray,
    words: np.ndarray,
    out: np.ndarray,
) -> None:
    """Strike out of each row's words, (n, bytes / 8), what its value of each feature rules out."""
    for start in range(0, out.shape[0], 128):  # within the processor's cache, feature by feature
        for k in range(features.shape[0]):
            by_bits, low, each, missing = grids[k, 0] > 0.0, grids[k, 1], grids[k, 2], places[k]
            is_set, below, first, feature = sets[k], first_step[k], first_word[k], features[k]
            for i in range(start, min(start + 128, out.shape[0])):
                x, place = columns[feature, i], missing
                if is_set:
                    if x > -1.0 and x < missing:  # -0.5 is 0 to LightGBM
                        place = int(x)
                elif x == x:
                    at = ((bits[feature, i] if by_bits else x) - low) * each
                    bucket = int(at) if at > 0.0 and at < BUCKETS else (BUCKETS - 1 if at >= BUCKETS else 0)
                    place, end = guide[k, bucket], guide[k, bucket + 1]
                    while place < end and steps[below + place] < x:
                        place += 1
                for piece in range(out.shape[1]):
                    out[i, piece] &= words[first + place, piece]


def leaf_sums(left: np.ndarray, leaves: FloatArray, bits: int, bit_of: np.ndarray, out: FloatArray) -> None:
    """The sum over the trees of each row's first leaf that is left, tree by tree as LightGBM adds them."""
    for i in range(left.shape[0]):
        total = 0.0
        for tree in range(left.shape[1]):
            word = np.uint64(left[i, tree])
            lone = word & (~word + np.uint64(1))
            total += leaves[tree * bits + bit_of[(lone * _SEQUENCE) >> np.uint64(58)]]
        out[i] = total


def standardised(
    x: FloatArray,
    bits: np.ndarray,
    scale: tuple[float, float, float],
    grid: FloatArray,
    guide: np.ndarray,
    knots: FloatArray,
    start: FloatArray,
    height: FloatArray,
    slope: FloatArray,
    out: FloatArray,
) -> None:
    """`design.Scale.expand`: (value - centre) / spread within the limit, normal score of the rank, flag for
    missing, (3, n).
    """
    centre, spread, limit = scale
    by_bits, low, each = grid[0] > 0.0, grid[1], grid[2]
    for i in range(x.shape[0]):
        value = x[i]
        out[2, i] = value != value
        if value != value:
            continue
        at = ((bits[i] if by_bits else value) - low) * each
        bucket = int(at) if at > 0.0 and at < BUCKETS else (BUCKETS - 1 if at >= BUCKETS else 0)
        place, end = guide[bucket], guide[bucket + 1]
        while place < end and knots[place] < value:
            place += 1
        out[0, i] = min(max((value - centre) / spread, -limit), limit)
        out[1, i] = slope[place] * (value - start[place]) + height[place]


def line_effects(columns: FloatArray, coefficients: FloatArray, pairs: np.ndarray, out: FloatArray) -> None:
    """Sum of the columns, (q, n), and of products of pairs of them, times their coefficients, (n,)."""
    for start in range(0, out.shape[0], 512):
        end = min(start + 512, out.shape[0])
        sums = out[start:end]
        for k in range(columns.shape[0]):
            column, by = columns[k, start:end], coefficients[k]
            for i in range(sums.shape[0]):
                sums[i] += column[i] * by
        for k in range(pairs.shape[0]):
            one, other = columns[pairs[k, 0], start:end], columns[pairs[k, 1], start:end]
            by = coefficients[columns.shape[0] + k]
            for i in range(sums.shape[0]):
                sums[i] += one[i] * other[i] * by


def grid_of(steps: FloatArray) -> FloatArray:
    """Buckets that hold few steps each: whether they divide a value's bits or the value, where they begin and
    how many there are in a unit, (3,).

    Bits of positive numbers are in the numbers' order, and even buckets of them nearly even ones of the
    logarithm: thresholds of amounts lie so.
    """
    known = steps[np.isfinite(steps)]
    if not len(known):
        return np.zeros(3)
    grids = [_even(known, by_bits=False), *([_even(known, by_bits=True)] if known[0] > 0 else [])]
    return min(grids, key=lambda grid: float((np.diff(guide_of(steps, grid)) ** 2).sum()))


def guide_of(steps: FloatArray, grid: FloatArray) -> np.ndarray:
    """How many steps lie in buckets before each, (BUCKETS + 1,), by the same arithmetic as a value's bucket.

    That arithmetic never falls as a value grows, so steps of earlier buckets are below every value of a
    bucket, whatever was rounded.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        at = ((steps.view(np.int64) if grid[0] else steps) - grid[1]) * grid[2]
        buckets = np.clip(np.nan_to_num(at, nan=0.0), 0, BUCKETS - 1).astype(np.int64)
    return np.searchsorted(buckets, np.arange(BUCKETS + 1)).astype(np.int64)


def _even(known: FloatArray, *, by_bits: bool) -> FloatArray:
    ends = (known.view(np.int64) if by_bits else known)[[0, -1]].astype(np.float64)
    with np.errstate(over="ignore", divide="ignore"):
        each = BUCKETS / (ends[1] - ends[0])
    return np.array([by_bits, ends[0], each if np.isfinite(each) else 0.0], dtype=np.float64)
