"""Sums over cells, placements, segments, days. In: values, indices. Out: sums of many fits at once.

It must not import anything above numpy and scipy.sparse.
"""

from __future__ import annotations

import numpy as np

from models.arrays import FloatArray, IntArray


def typical_log_price(spend: FloatArray, got: FloatArray, group: IntArray, n_groups: int) -> FloatArray:
    """Log of total spend over total delivery of each group (n_groups,); the overall one where it has none."""
    paid, delivered = np.bincount(group, spend, n_groups), np.bincount(group, got, n_groups)
    overall = paid.sum() / max(delivered.sum(), 1e-9)
    known = (delivered > 0) & (paid > 0)
    return np.log(np.where(known, paid / np.where(delivered > 0, delivered, 1.0), overall))


def indicator(index: IntArray, width: int):  # type: ignore[no-untyped-def]  # scipy ships no types
    """(n, width) matrix of ones where `index` says."""
    from scipy.sparse import csr_array

    n = len(index)
    return csr_array((np.ones(n), (np.arange(n), index)), shape=(n, width))


def grouped(values: FloatArray, by) -> FloatArray:  # type: ignore[no-untyped-def]  # a scipy sparse matrix
    """Sum (n, n_cells, ...) over the cells of each group."""
    moved = np.moveaxis(values, 1, -1)
    summed = (moved.reshape(-1, moved.shape[-1]) @ by).reshape(*moved.shape[:-1], -1)
    return np.asarray(np.moveaxis(summed, -1, 1).copy())
