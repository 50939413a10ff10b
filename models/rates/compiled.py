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

BLOCK = 128
"""Rows whose words are struck feature by feature."""
FEW = 4
"""Steps in a bucket that are all compared."""
ALL = np.uint64(2**64 - 1)

Loop = Callable[..., None]


@cache
def compiled(loop: Loop) -> Loop | None:
    """The loop for the processor; None where numba cannot be had, which is told once."""
    try:
        import numba
    except ImportError as error:
        log.warning("numba cannot be imported (%s): scoring takes several times as long", error)
        return None
    numba.extending.register_jitable(places_of)  # which the others call
    made: Any = numba.njit(nogil=True, error_model="numpy")(loop)
    return made  # type: ignore[no-any-return]


def places_of(
    x: FloatArray, bits: np.ndarray, grid: FloatArray, guide: np.ndarray, steps: FloatArray, out: np.ndarray
) -> None:
    """How many steps each value is above, (n,); anything where it is missing. Behind the steps is infinity.

    Most buckets hold no step or one: comparing as many as the fullest holds, without a branch that the
    processor may guess wrong, takes half of the time of stopping at the first that is above.
    """
    by_bits, low, each, most = grid[0] > 0.0, grid[1], grid[2], int(grid[3])
    for i in range(x.shape[0]):
        value = x[i]
        at = ((bits[i] if by_bits else value) - low) * each
        bucket = int(at) if at > 0.0 and at < BUCKETS else (BUCKETS - 1 if at >= BUCKETS else 0)
        place = guide[bucket]
        if most <= FEW:
            for _ in range(most):
                place += steps[place] < value
        else:
            while place < guide[bucket + 1] and steps[place] < value:
                place += 1
        out[i] = place


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
    """The words, (n, bytes / 8), that each row's values of all features leave."""
    lines = np.empty((features.shape[0], BLOCK), np.int64)
    for start in range(0, out.shape[0], BLOCK):  # within the processor's cache, feature by feature
        end = min(start + BLOCK, out.shape[0])
        for k in range(features.shape[0]):
            x, line, missing, first = columns[features[k], start:end], lines[k], places[k], first_word[k]
            if not sets[k]:
                own = steps[first_step[k] : first_step[k + 1]]
                places_of(x, bits[features[k], start:end], grids[k], guide[k], own, line)
            for i in range(x.shape[0]):
                is_in = x[i] > -1.0 and x[i] < missing  # -0.5 is 0 to LightGBM
                place = (int(x[i]) if is_in else missing) if sets[k] else line[i]
                line[i] = first + (place if x[i] == x[i] else missing)
        for i in range(end - start):
            row = out[start + i]
            row[:] = ALL
            for k in range(0, features.shape[0] - 3, 4):  # four at once: what is left of a row is loaded less
                one, two = words[lines[k, i]], words[lines[k + 1, i]]
                three, four = words[lines[k + 2, i]], words[lines[k + 3, i]]
                for piece in range(row.shape[0]):
                    row[piece] &= one[piece] & two[piece] & three[piece] & four[piece]
            for k in range(features.shape[0] // 4 * 4, features.shape[0]):
                one = words[lines[k, i]]
                for piece in range(row.shape[0]):
                    row[piece] &= one[piece]


def leaf_sums(
    left: np.ndarray,
    last: np.ndarray,
    leaves: FloatArray,
    bits: int,
    bit_of: np.ndarray,
    out: FloatArray,
) -> None:
    """The sum over the trees of each row's first leaf that is left, tree by tree as LightGBM adds them."""
    for i in range(left.shape[0]):
        total = 0.0
        for tree in range(left.shape[1]):
            word = np.uint64(left[i, tree] & last[i, tree])
            lone = word & (~word + np.uint64(1))
            total += leaves[tree * bits + bit_of[(lone * _SEQUENCE) >> np.uint64(58)]]
        out[i] = total


def standardised(
    columns: FloatArray,
    bits: np.ndarray,
    features: np.ndarray,
    rows: np.ndarray,
    flagged: np.ndarray,
    scales: FloatArray,
    grids: FloatArray,
    guide: np.ndarray,
    first_knot: np.ndarray,
    knots: FloatArray,
    start: FloatArray,
    height: FloatArray,
    slope: FloatArray,
    out: FloatArray,
) -> None:
    """`design.Scale.expand` of each feature: (value - centre) / spread within the limit, normal score of the
    rank and, where it is flagged, whether it is missing, from row `rows[k]` of `out`, (q, n), on.
    """
    place = np.empty(columns.shape[1], np.int64)
    for k in range(features.shape[0]):
        x, z, rank = columns[features[k]], out[rows[k]], out[rows[k] + 1]
        centre, spread, limit, first = scales[k, 0], scales[k, 1], scales[k, 2], first_knot[k]
        places_of(x, bits[features[k]], grids[k], guide[k], knots[first : first_knot[k + 1]], place)
        for i in range(x.shape[0]):
            value, line = x[i], first + place[i]
            is_known = value == value
            far = (value - centre) / spread
            z[i] = (limit if far > limit else -limit if far < -limit else far) if is_known else 0.0
            rank[i] = slope[line] * (value - start[line]) + height[line] if is_known else 0.0
            if flagged[k]:
                out[rows[k] + 2, i] = not is_known


def line_effects(
    columns: FloatArray, coefficients: FloatArray, pairs: np.ndarray, joint: FloatArray, out: FloatArray
) -> None:
    """For each line, (n_lines, n): the sum of the columns, (q, n), times its coefficients, (n_lines, q), and
    of products of pairs of them (line, one, other) times `joint`.
    """
    for start in range(0, out.shape[1], 512):  # the columns and the sums of all lines stay in the cache
        end = min(start + 512, out.shape[1])
        for k in range(columns.shape[0]):
            column = columns[k, start:end]
            for line in range(out.shape[0]):
                sums, by = out[line, start:end], coefficients[line, k]
                for i in range(sums.shape[0]):
                    sums[i] += column[i] * by
        for k in range(pairs.shape[0]):
            sums, by = out[pairs[k, 0], start:end], joint[k]
            one, other = columns[pairs[k, 1], start:end], columns[pairs[k, 2], start:end]
            for i in range(sums.shape[0]):
                sums[i] += one[i] * other[i] * by


def grid_of(steps: FloatArray) -> FloatArray:
    """Buckets that hold few steps each: whether they divide a value's bits or the value, where they begin,
    how many there are in a unit, and how many steps the fullest holds, (4,).

    Bits of positive numbers are in the numbers' order, and even buckets of them nearly even ones of the
    logarithm: thresholds of amounts lie so.
    """
    known = steps[np.isfinite(steps)]
    grids = [_even(known, by_bits=False)] if len(known) else [np.zeros(3)]
    grids += [_even(known, by_bits=True)] if len(known) and known[0] > 0 else []
    held = [np.diff(guide_of(steps, grid)) for grid in grids]
    best = min(range(len(grids)), key=lambda number: float((held[number] ** 2).sum()))
    return np.append(grids[best], held[best].max())


def guide_of(steps: FloatArray, grid: FloatArray) -> np.ndarray:
    """How many steps lie in buckets before each, (BUCKETS + 1,), by the same arithmetic as a value's bucket.

    That arithmetic never falls as a value grows, so steps of earlier buckets are below every value of a
    bucket, and those of later ones above it, whatever was rounded.
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
