"""From nearly right to right: Newton on the Karush-Kuhn-Tucker conditions of the whole problem.

The master's mixture is close to the optimum and tells which rows bind. Where the problem is smooth, Newton
then doubles
the correct digits of spends and prices every step, at the cost of one small linear system per block and one
dense one
over the binding rows. What comes out is only a proposal: the caller checks feasibility and value on the true
curves.
It must not import cvxpy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.curves import POINTS, FloatArray
from targeting.allocation.solver.blocks import basic_metrics, jet, metric_slopes
from targeting.allocation.solver.program import Program

STEPS = 60
PATIENCE = 12  # steps without a better point
MOST_ROWS = 3000


@dataclass(frozen=True)
class Polished:
    """Spend (m,) and prices (r,) that satisfy the optimality conditions to `residual` (relative)."""

    spend: FloatArray
    prices: FloatArray
    residual: float


def activity(program: Program, spend: FloatArray) -> FloatArray:
    """(r,) the rows' left-hand sides at spend (m,)."""
    metrics = basic_metrics(program, spend)
    return np.asarray(sum(program.matrix[k] @ metrics[k] for k in program.absolute))


def row_size(program: Program, spend: FloatArray) -> FloatArray:
    """(r,) sum of the absolute terms of each row, or its limit: what a violation is measured against."""
    metrics = basic_metrics(program, spend)
    terms = np.asarray(sum(v @ np.abs(metrics[k]) for k, v in program.absolute.items()))
    limits = [np.where(np.isfinite(x), np.abs(x), 0.0) for x in (program.row_lower, program.row_upper)]
    size = np.maximum(terms, np.maximum(*limits))
    return np.where(size > 0, size, 1.0)


def violation(program: Program, spend: FloatArray) -> FloatArray:
    """(r,) relative excess over the upper (> 0) or shortfall under the lower limit (< 0)."""
    return excess(program, activity(program, spend)) / row_size(program, spend)


def excess(program: Program, lhs: FloatArray) -> FloatArray:
    """(r,) by how much left-hand sides are over the upper (> 0) or under the lower limit (< 0)."""
    return np.maximum(lhs - program.row_upper, 0.0) - np.maximum(program.row_lower - lhs, 0.0)


def jacobian(program: Program, spend: FloatArray, rows: NDArray[np.int64]) -> sparse.csr_matrix:
    """d activity / d spend of some rows, sparse (len(rows), m)."""
    slopes, _ = metric_slopes(program, spend)
    m, k = len(program.cell), program.width
    line = np.repeat(np.arange(m), k)
    column = ((np.arange(m) // k)[:, None] * k + np.arange(k)).ravel()
    out = sparse.csr_matrix((len(rows), m))
    for name, own in slopes.items():
        part = program.matrix[name][rows]
        if part.nnz:
            out = out + part @ sparse.csr_matrix((own.ravel(), (line, column)), shape=(m, m))
    return sparse.csr_matrix(out)


def polish(
    program: Program,
    spend: FloatArray,
    prices: FloatArray,
    low: FloatArray,
    high: FloatArray,
    *,
    tolerance: float = 1e-11,
) -> Polished:
    """Newton from (spend, prices) within the box [low, high]; returns the best point met."""
    spend = np.clip(spend, low, high)
    prices = prices.copy()
    still = np.flatnonzero(program.curves.family == POINTS)
    binding = _binding(program, spend, prices)
    best = Polished(spend, prices, np.inf)
    last_gain = 0
    for step in range(STEPS):
        rows = np.flatnonzero(binding)
        if len(rows) > MOST_ROWS:
            break
        here = jet(program, program.weights(prices), spend)
        slope = here.gradient.ravel()
        fixed = ((spend <= low) & (slope <= 0)) | ((spend >= high) & (slope >= 0)) | (high <= low)
        fixed[still] = True
        lhs = activity(program, spend)
        limit = np.where(prices[rows] >= 0, program.row_upper[rows], program.row_lower[rows])
        other = np.where(prices[rows] >= 0, program.row_lower[rows], program.row_upper[rows])
        limit = np.where(np.isfinite(limit), limit, other)
        size = row_size(program, spend)
        money = max(float(np.abs(spend).sum()), 1e-300)
        gain = max(float(np.abs(here.value).sum()), 1e-300)
        residual = max(
            float(
                np.abs(np.where(fixed, 0.0, slope * np.maximum(spend, 1e-9 * money / len(spend)))).max(
                    initial=0
                )
            )
            / gain,
            float(np.abs((lhs[rows] - limit) / size[rows]).max(initial=0.0)),
        )
        if residual < 0.7 * best.residual:
            last_gain = step
        if residual < best.residual:
            best = Polished(spend, prices.copy(), residual)
        if step - last_gain > PATIENCE:
            break
        if residual < tolerance and step > 0:
            changed = _update_rows(program, spend, prices, binding)
            if not changed:
                break
            continue
        ds, dp = _kkt_step(
            program, here.hessian, np.where(fixed, 0.0, slope), ~fixed, spend, rows, limit - lhs[rows]
        )
        room = np.where(ds < 0, spend - low, high - spend)
        bold = np.abs(ds) > room
        ds = np.where(bold & (step < 3), np.sign(ds) * np.maximum(room * 0.9, 0.0), ds) if step < 3 else ds
        spend = np.clip(spend + ds, low, high)
        prices[rows] += dp
        _update_rows(program, spend, prices, binding, dead=step > 8)
    return best


def _binding(program: Program, spend: FloatArray, prices: FloatArray) -> NDArray[np.bool_]:
    return (
        (prices != 0) | (np.abs(violation(program, spend)) > 1e-9) | (program.row_lower == program.row_upper)
    )


def _update_rows(
    program: Program, spend: FloatArray, prices: FloatArray, binding: NDArray[np.bool_], *, dead: bool = True
) -> bool:
    """Drop rows whose price has the wrong sign, add those that are broken; says whether anything changed."""
    lawful = program.lawful(prices)
    wrong = binding & (lawful != prices) & dead
    beyond = violation(program, spend)
    broken = ~binding & (np.abs(beyond) > 1e-10)
    prices[wrong] = 0.0
    binding[wrong] = False
    binding[broken] = True
    prices[broken] = np.sign(beyond[broken]) * 1e-300
    return bool(wrong.any() or broken.any())


def _kkt_step(program, hessian, slope, free, spend, rows, gap):  # type: ignore[no-untyped-def]
    """Solve [H -A'; A 0] [ds; dp] = [-slope; gap] over the free cells, H block by block, rows by a Schur
    complement.
    """
    k = program.width
    loose = program.grid(free)
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
    inverse = np.linalg.inv(h) * scale[:, :, None] * scale[:, None, :]
    m = len(spend)
    line = np.repeat(np.arange(m), k)
    column = ((np.arange(m) // k)[:, None] * k + np.arange(k)).ravel()
    h_inverse = sparse.csr_matrix((inverse.ravel(), (line, column)), shape=(m, m))
    unit = 1.0 / row_size(program, spend)[rows]
    a = sparse.diags(unit) @ jacobian(program, spend, rows) @ sparse.diags(free.astype(float))
    base = -(h_inverse @ slope)
    if not len(rows):
        return base * free, np.zeros(0)
    through = h_inverse @ a.T
    schur = (a @ through).toarray()
    reach = np.abs(np.diag(schur))
    live = reach > 1e-16 * reach.max(
        initial=0.0
    )  # a row whose cells are all at their limits cannot be moved: its price stays
    norm = np.sqrt(np.where(live, reach, 1.0))
    scaled = np.where(live[:, None] & live[None, :], schur / norm[:, None] / norm[None, :], 0.0)
    target = np.where(live, gap * unit - a @ base, 0.0) / norm
    if not (np.isfinite(scaled).all() and np.isfinite(target).all()):
        return np.zeros(m), np.zeros(len(rows))
    dp = np.linalg.lstsq(scaled, target, rcond=1e-12)[0] / norm
    return (base + through @ dp) * free, dp * unit
