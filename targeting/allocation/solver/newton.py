"""One Newton step on the optimality conditions: [H -A'; A 0] [ds; dp] = [-slope; gap].

H is solved block by block and the binding rows A by a Schur complement, as arrays where there are few rows (a
handful is the rule, and sparse bookkeeping would cost more than the sums), sparse where there are many. It
must not import cvxpy.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.supply.curves import FloatArray
from targeting.allocation.settings import SETTINGS
from targeting.allocation.solver.arrays import Program
from targeting.allocation.solver.blocks import metric_slopes

Matrix: TypeAlias = Any  # an array or a sparse matrix: both know `@` and `.T`


def jacobian(program: Program, spend: FloatArray, rows: NDArray[np.int64]) -> sparse.csr_matrix:
    """d activity / d spend of some rows, sparse (len(rows), m)."""
    slopes = metric_slopes(program, spend, tuple(program.absolute))
    out = sparse.csr_matrix((len(rows), len(program.cell)))
    for name, own in slopes.items():
        out = out + program.matrix[name][rows] @ block_diagonal(own, program.width)
    return sparse.csr_matrix(out)


def block_diagonal(blocks: FloatArray, k: int) -> sparse.csr_matrix:
    """(m, m) with the k x k blocks, given as any array of m k numbers in order, on its diagonal."""
    m = blocks.size // k
    line, column = np.repeat(np.arange(m), k), ((np.arange(m) // k)[:, None] * k + np.arange(k)).ravel()
    return sparse.csr_matrix((blocks.ravel(), (line, column)), shape=(m, m))


def newton_step(
    program: Program,
    hessian: FloatArray,
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
        hessian: (n_blocks, k, k) of the price-adjusted value; bent until it curves down.
        slope: (m,) its gradient, 0 where a cell is held.
        free: (m,) cells that may move.
        spend: (m,) where the rows are linearised.
        rows: the binding ones.
        gap: (len(rows),) limit - left-hand side; size: what it is measured against.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        inverse = bent_inverse(hessian, program.grid(free), _least(hessian), margin=SETTINGS.polish_margin)
        base = -np.matmul(inverse, program.grid(slope)[:, :, None])[:, :, 0].ravel() * free
        ds, dp = base, np.zeros(len(rows))
        if len(rows):
            flat, through = _coupling(program, inverse, spend, rows, free, 1.0 / size)
            dp = _prices(flat, through, gap / size - flat @ base)
            ds, dp = (base + through @ dp) * free, dp / size
    if not (np.isfinite(ds).all() and np.isfinite(dp).all()):
        return np.zeros(len(spend)), np.zeros(len(rows))
    return ds, dp


def bent_inverse(
    hessian: FloatArray, free: NDArray[np.bool_], least: FloatArray | float, *, margin: float
) -> FloatArray:
    """(n_blocks, k, k) inverse over the free cells (n_blocks, k), 0 elsewhere; bent until it curves down.

    Args:
        hessian: (n_blocks, k, k).
        free: (n_blocks, k).
        least: a cell's curvature counts as at least this, in size.
        margin: what is left of the scaled curvature (at most 1 on the diagonal) where it must be bent.
    """
    k = free.shape[1]
    diagonal = np.arange(k)
    h = hessian * free[:, :, None] * free[:, None, :]
    own = np.abs(h[:, diagonal, diagonal])
    scale = free / np.sqrt(np.where(free, np.maximum(own, least), 1.0))
    h = h * scale[:, :, None] * scale[:, None, :]
    h[:, diagonal, diagonal] -= ~free
    if k > 1:
        top = np.linalg.eigvalsh(h)[:, -1]
        bend = top + margin * np.maximum(1.0, top)  # in proportion, or rounding would leave nothing of it
        h = h - np.maximum(0.0, bend)[:, None, None] * np.eye(k)
    else:
        h = -np.maximum(np.abs(h), margin)
    inverse: FloatArray = np.linalg.inv(h) * scale[:, :, None] * scale[:, None, :]
    return inverse


def _least(hessian: FloatArray) -> float:
    """1e-12 of what is typical of the blocks' largest curvatures."""
    size = np.abs(np.diagonal(hessian, axis1=1, axis2=2)).max(axis=1)
    return 1e-12 * float(np.median(size[size > 0]) if (size > 0).any() else 1.0)


def _coupling(
    program: Program,
    inverse: FloatArray,
    spend: FloatArray,
    rows: NDArray[np.int64],
    free: NDArray[np.bool_],
    unit: FloatArray,
) -> tuple[Matrix, Matrix]:
    """The scaled rows A (r, m) and H^-1 A' (m, r)."""
    m, k, n = len(spend), program.width, program.n_blocks
    if len(rows) * m > SETTINGS.dense_entries:
        flat = sparse.diags(unit) @ jacobian(program, spend, rows) @ sparse.diags(free.astype(float))
        return flat, block_diagonal(inverse, k) @ flat.T
    slopes = metric_slopes(program, spend, tuple(program.absolute))
    a = np.zeros((len(rows), n, k))
    for name, own in slopes.items():
        part = program.matrix[name][rows].toarray().reshape(len(rows), n, 1, k)
        a += np.matmul(part, own.reshape(n, k, k))[:, :, 0, :]
    a = a * unit[:, None, None] * program.grid(free)
    through = np.matmul(inverse, a[..., None])[..., 0].reshape(len(rows), m).T
    return a.reshape(len(rows), m), through


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
