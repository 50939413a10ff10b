"""Array types of the whole project, written once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


def totals(key: IntArray, amount: FloatArray) -> FloatArray:
    """Sum of the amounts of all rows that share a row's key, (n,), in no more memory than some columns.

    >>> totals(np.array([3, 5, 3]), np.array([1.0, 2.0, 4.0])).tolist()
    [5.0, 2.0, 5.0]
    """
    order = np.argsort(key, kind="stable")  # in no time where the rows are in its order
    key = key[order]
    start = np.flatnonzero(np.append(True, key[1:] != key[:-1])[: key.size])
    found = np.empty(key.size)
    if key.size:
        found[order] = np.repeat(np.add.reduceat(amount[order], start), np.diff(np.append(start, key.size)))
    return found
