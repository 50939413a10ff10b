"""One Newton step on the optimality conditions: [H -A'; A 0] [ds; dp] = [-slope; gap].

H is solved block by block and the binding rows A by a Schur complement, dense where there are few (a handful
is the rule, and sparse bookkeeping would cost more than the sums) and sparse where there are many (carry-over
makes one per cell). It must not import cvxpy.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.supply.curves import FloatArray
from targeting.allocation.solver.blocks import metric_slopes
from targeting.allocation.solver.program import Program

DENSE = 2_000_000  # rows x cells up to which A is an array


def jacobian(program: Program, spend: FloatArray, rows: NDArray[np.int64]) -> sparse.csr_matrix:
    """d activity / d spend of some rows, sparse (len(rows), m)."""
    slopes = metric_slopes(program, spend, tuple(program.absolute))
    m = len(program.cell)
    line, column = _block_pattern(m, program.width)
    out = sparse.csr_matrix((len(rows), m))
    for name, own in slopes.items():
        part = program.matrix[name][rows]
        out = out + part @ sparse.csr_matrix((own.ravel(), (line, column)), shape=(m, m))
    return sparse.csr_matrix(out)


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
    """The step in spend (m,) and in the prices of `rows`.

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
        ds, dp = _solved(program, hessian, slope, free, spend, rows, gap, size)
    if not (np.isfinite(ds).all() and np.isfinite(dp).all()):  # a Hessian of next to nothing
        return np.zeros(len(spend)), np.zeros(len(rows))
    return ds, dp


def _solved(program, hessian, slope, free, spend, rows, gap, size):  # type: ignore[no-untyped-def]
    """The solution of the linear system, not finite where its numbers are out of range."""
    grid, k = program.grid, program.width
    inverse = _inverse(hessian, grid(free))
    base = -np.matmul(inverse, grid(slope)[:, :, None])[:, :, 0].ravel() * free
    if not len(rows):
        return base, np.zeros(0)
    m, unit = len(spend), 1.0 / size
    if len(rows) * m <= DENSE:
        a = _dense_jacobian(program, spend, rows) * unit[:, None, None] * grid(free)
        through = np.matmul(inverse, a[..., None])[..., 0].reshape(len(rows), m).T
        flat = a.reshape(len(rows), m)
        schur = flat @ through
    else:
        flat = sparse.diags(unit) @ jacobian(program, spend, rows) @ sparse.diags(free.astype(float))
        line, column = _block_pattern(m, k)
        through = sparse.csr_matrix((inverse.ravel(), (line, column)), shape=(m, m)) @ flat.T
        schur = (flat @ through).toarray()
    reach = np.abs(np.diag(schur))
    # a row whose cells are all at their limits cannot be moved: its price stays
    live = reach > 1e-16 * reach.max(initial=0.0)
    norm = np.sqrt(np.where(live, reach, 1.0))
    scaled = np.where(live[:, None] & live[None, :], schur / norm[:, None] / norm[None, :], 0.0)
    target = np.where(live, gap * unit - flat @ base, 0.0) / norm
    if not (np.isfinite(scaled).all() and np.isfinite(target).all()):
        return np.full(m, np.nan), np.zeros(len(rows))
    dp = np.linalg.lstsq(scaled, target, rcond=1e-12)[0] / norm
    return (base + through @ dp) * free, dp * unit


def _inverse(hessian: FloatArray, loose: NDArray[np.bool_]) -> FloatArray:
    """(n_blocks, k, k) inverse over the free cells (n_blocks, k), bent to be negative definite first."""
    k = loose.shape[1]
    h = hessian * loose[:, :, None] * loose[:, None, :]
    diagonal = np.arange(k)
    size = np.abs(h[:, diagonal, diagonal]).max(axis=1)
    typical = np.median(size[size > 0]) if (size > 0).any() else 1.0
    h[:, diagonal, diagonal] = np.where(loose, h[:, diagonal, diagonal], -typical)
    scale = 1.0 / np.sqrt(np.maximum(np.abs(h[:, diagonal, diagonal]), 1e-12 * typical))
    h = h * scale[:, :, None] * scale[:, None, :]
    if k > 1:
        top = np.linalg.eigvalsh(h)[:, -1]
        h = h - np.maximum(0.0, top + 1e-4)[:, None, None] * np.eye(k)
    else:
        h = -np.maximum(np.abs(h), 1e-6)
    return np.linalg.inv(h) * scale[:, :, None] * scale[:, None, :]


def _dense_jacobian(program: Program, spend: FloatArray, rows: NDArray[np.int64]) -> FloatArray:
    """d activity / d spend of some rows, (len(rows), n_blocks, k)."""
    k, n = program.width, program.n_blocks
    slopes = metric_slopes(program, spend, tuple(program.absolute))
    out = np.zeros((len(rows), n, k))
    for name, own in slopes.items():
        part = program.matrix[name][rows].toarray().reshape(len(rows), n, 1, k)
        out += np.matmul(part, own.reshape(n, k, k))[:, :, 0, :]
    return out


def _block_pattern(m: int, k: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row and column of every entry of a block-diagonal (m, m) matrix."""
    return np.repeat(np.arange(m), k), ((np.arange(m) // k)[:, None] * k + np.arange(k)).ravel()
