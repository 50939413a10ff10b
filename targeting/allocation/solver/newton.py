"""One Newton step on the optimality conditions: [H -A'; A 0] [ds; dp] = [-slope; gap].

H is solved block by block and the binding rows A by a Schur complement, as arrays where there are few rows (a
handful is the rule, and sparse bookkeeping would cost more than the sums), sparse where there are many. It
must not import cvxpy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.supply.curves import FloatArray
from targeting.allocation.settings import SETTINGS
from targeting.allocation.solver.arrays import Program
from targeting.allocation.solver.blocks import Jet, jacobian

Matrix: TypeAlias = Any  # an array or a sparse matrix: both know `@` and `.T`


def block_diagonal(blocks: FloatArray, k: int) -> sparse.csr_matrix:
    """(m, m) with the k x k blocks, given as any array of m k numbers in order, on its diagonal."""
    m = blocks.size // k
    line, column = np.repeat(np.arange(m), k), ((np.arange(m) // k)[:, None] * k + np.arange(k)).ravel()
    return sparse.csr_matrix((blocks.ravel(), (line, column)), shape=(m, m))


@dataclass(frozen=True)
class Inverse:
    """Of every block's Hessian: own (n_blocks, k) on the diagonal and ways (n_blocks, k, R) x size (n_blocks,
    R) x ways'.
    """

    own: FloatArray
    ways: FloatArray
    size: FloatArray

    def __matmul__(self, x: FloatArray) -> FloatArray:
        """Applied to (..., n_blocks, k)."""
        along = self.size * np.einsum("nkr,...nk->...nr", self.ways, x)
        return np.asarray(self.own * x + np.einsum("nkr,...nr->...nk", self.ways, along))

    def across(self, flat: sparse.csr_matrix) -> sparse.csr_matrix:
        """Applied to the transpose of sparse rows (r, m); gives (m, r)."""
        n, k, many = self.ways.shape
        line, block = np.repeat(np.arange(n * k), many), np.repeat(np.arange(n), k * many)
        at = (line, block * many + np.tile(np.arange(many), n * k))
        wide = sparse.csr_matrix((self.ways.ravel(), at), shape=(n * k, n * many))
        plain = sparse.diags(self.own.ravel()) @ flat.T
        return sparse.csr_matrix(plain + wide @ (sparse.diags(self.size.ravel()) @ (wide.T @ flat.T)))


def newton_step(
    program: Program,
    here: Jet,
    slope: FloatArray,
    free: NDArray[np.bool_],
    spend: FloatArray,
    rows: NDArray[np.int64],
    gap: FloatArray,
    size: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """The step in spend (m,) and in the prices of `rows`; none where the Hessian is next to nothing.

    Args:
        program: the problem.
        here: of the price-adjusted value; bent until it curves down.
        slope: (m,) its gradient, 0 where a cell is held.
        free: (m,) cells that may move.
        spend: (m,) where the rows are linearised.
        rows: the binding ones.
        gap: (len(rows),) limit - left-hand side; size: what it is measured against.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        inverse = bent_inverse(here, program.grid(free), _least(here), margin=SETTINGS.polish_margin)
        base = -(inverse @ program.grid(slope)).ravel() * free
        ds, dp = base, np.zeros(len(rows))
        if len(rows):
            wide = len(rows) * len(spend) > SETTINGS.dense_entries
            flat: Matrix = jacobian(program, spend, rows, wide=wide)
            if wide:
                flat = sparse.diags(1.0 / size) @ flat @ sparse.diags(free.astype(float))
                through: Matrix = inverse.across(flat)
            else:
                flat = flat / size[:, None] * free
                through = (inverse @ program.grid(flat)).reshape(len(rows), -1).T
            dp = _prices(flat, through, gap / size - flat @ base)
            ds, dp = (base + through @ dp) * free, dp / size
    if not (np.isfinite(ds).all() and np.isfinite(dp).all()):
        return np.zeros(len(spend)), np.zeros(len(rows))
    return ds, dp


def bent_inverse(here: Jet, free: NDArray[np.bool_], least: FloatArray | float, *, margin: float) -> Inverse:
    """The inverse over the free cells (n_blocks, k), 0 elsewhere; what does not curve down is turned over.

    Args:
        here: of the blocks.
        free: (n_blocks, k).
        least: a cell's curvature counts as at least this, in size.
        margin: what is left at least of the curvature along a direction, in shares of the cells' own.
    """
    root = free / np.sqrt(np.where(free, np.maximum(np.abs(here.own), least), 1.0))
    ways = here.ways * root[..., None]
    if ways.shape[1] <= ways.shape[2]:  # fewer cells than directions
        bend, straight = np.linalg.eigh(ways @ here.mixed @ ways.transpose(0, 2, 1))
    else:
        gram, basis = np.linalg.eigh(ways.transpose(0, 2, 1) @ ways)
        seen = gram > 1e-14 * gram.max(axis=1, initial=0.0, keepdims=True)
        even = ways @ (basis / np.sqrt(np.where(seen, gram, np.inf))[:, None, :])  # orthonormal, or 0
        basis = basis * np.sqrt(np.where(seen, gram, 0.0))[:, None, :]
        bend, turn = np.linalg.eigh(basis.transpose(0, 2, 1) @ here.mixed @ basis)
        straight = even @ turn
    left = np.maximum(np.abs(1.0 - bend), margin)
    return Inverse(-(root**2), straight * root[..., None], 1.0 - 1.0 / left)


def _least(here: Jet) -> float:
    """1e-12 of what is typical of the blocks' largest curvatures."""
    size = np.abs(here.own).max(axis=1)
    return 1e-12 * float(np.median(size[size > 0]) if (size > 0).any() else 1.0)


def _prices(flat: Matrix, through: Matrix, target: FloatArray) -> FloatArray:
    """Prices (r,) of the scaled rows that move them by `target`; not finite where those are out of range."""
    schur = flat @ through
    schur = schur.toarray() if sparse.issparse(schur) else schur
    reach = np.abs(np.diag(schur))
    # a row whose cells are all at their limits cannot be moved: its price stays
    live = reach > 1e-16 * reach.max(initial=0.0)
    norm = np.sqrt(np.where(live, reach, 1.0))
    scaled = np.where(live[:, None] & live[None, :], schur / norm[:, None] / norm[None, :], 0.0)
    wanted = np.where(live, target, 0.0) / norm
    if not (np.isfinite(scaled).all() and np.isfinite(wanted).all()):
        return np.full(len(target), np.nan)
    size, ways = np.linalg.eigh(scaled)
    seen = np.abs(size) > 1e-12 * np.abs(size).max(initial=0.0)  # rows that say the same share a price
    prices: FloatArray = ways[:, seen] @ ((wanted @ ways[:, seen]) / size[seen]) / norm
    return prices
