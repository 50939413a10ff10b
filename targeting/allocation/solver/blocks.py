"""Price-adjusted value of every block, with gradient and Hessian: the function that pricing and polishing
climb.

For block b with weights w (see `Program.weights`) and x_c = hazard_c a_c(s_c) / N, z = sum x, Q = sum N
w_fans x:

    J_b(s) = phi(z) Q + phi(y) sum w_reached a + sum [w_imp a_c(s_c) + w_spend s_c + w_active 1(s_c > 0)]

with y = sum a / N and phi(z) = (1 - exp(-z)) / z. Additive blocks have phi = 1. It must not import cvxpy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.saturation import saturation
from models.supply.curves import FloatArray
from targeting.allocation.solver.arrays import Program


def phi_jet(z: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """phi, phi', phi'' for phi(z) = (1 - exp(-z)) / z; a series below 0.05, where the closed forms cancel."""
    small = z < 0.05
    x = np.where(small, 1.0, z)
    e = np.exp(-x)
    p = -np.expm1(-x) / x
    d = (e - p) / x
    dd = (-e - 2.0 * d) / x
    t = np.where(small, z, 0.0)
    ps = 1 - t / 2 * (1 - t / 3 * (1 - t / 4 * (1 - t / 5 * (1 - t / 6 * (1 - t / 7)))))
    ds = -0.5 + t * (1 / 3 - t * (1 / 8 - t * (1 / 30 - t * (1 / 144 - t * (1 / 840 - t / 5760)))))
    dds = 1 / 3 - t * (1 / 4 - t * (1 / 10 - t * (1 / 36 - t * (1 / 168 - t * (1 / 960 - t / 6480)))))
    return np.where(small, ps, p), np.where(small, ds, d), np.where(small, dds, dd)


@dataclass(frozen=True)
class Jet:
    """J and its derivatives in spend. Cells of a block meet in a few sums only, so its Hessian is a diagonal
    and a few directions, however many slots there are.

    Attributes:
        value: (n_blocks,); gradient: (n_blocks, k).
        own: (n_blocks, k) curvature of each cell alone.
        ways, mixed: (n_blocks, k, R) and (n_blocks, R, R): the rest of it is ways mixed ways'.
    """

    value: FloatArray
    gradient: FloatArray
    own: FloatArray
    ways: FloatArray
    mixed: FloatArray

    @property
    def hessian(self) -> FloatArray:
        """(n_blocks, k, k)."""
        full = self.ways @ self.mixed @ self.ways.transpose(0, 2, 1)
        diagonal = np.arange(self.own.shape[1])
        full[:, diagonal, diagonal] += self.own
        return full


def basic_metrics(program: Program, spend: FloatArray) -> dict[str, FloatArray]:
    """The five basic metrics of every grid cell at spend of shape (..., m)."""
    a = program.curves.value(spend)
    per_user = _per_user(program)
    grid = program.grid
    z = (grid(program.hazard * a) * per_user).sum(axis=-1)
    y = (grid(a) * per_user).sum(axis=-1)
    return {
        "spend": spend,
        "impressions": a,
        "fans": program.hazard * a * _wide(program, saturation(z)),
        "reached": a * _wide(program, saturation(y)),
        "active": (spend > 0).astype(float),
    }


def block_value(program: Program, weights: Mapping[str, FloatArray], spend: FloatArray) -> FloatArray:
    """J of every block, (..., n_blocks); leaves out what has no weight, being called most of all."""
    a, grid, per_user = program.curves.value(spend), program.grid, _per_user(program)
    cell = weights["impressions"] * a + weights["spend"] * spend
    if weights["active"].any():
        cell = cell + weights["active"] * (spend > 0)
    value = grid(cell).sum(axis=-1)
    for rate, weight in ((program.hazard, weights["fans"]), (None, weights["reached"])):
        if weight.any():
            x = a if rate is None else rate * a
            value = value + grid(weight * x).sum(axis=-1) * saturation((grid(x) * per_user).sum(axis=-1))
    return np.asarray(value)


def jet(program: Program, weights: Mapping[str, FloatArray], spend: FloatArray) -> Jet:
    """J with its first two derivatives at spend (m,)."""
    curves, grid = program.curves, program.grid
    a, a1, a2 = (grid(f(spend)) for f in (curves.value, curves.slope, curves.curvature))
    per_user = _per_user(program)
    h, none = grid(program.hazard), np.zeros(program.n_blocks)
    active = grid(weights["active"] * (spend > 0)).sum(axis=-1)
    value = (grid(weights["impressions"]) * a + grid(weights["spend"] * spend)).sum(axis=-1) + active
    slope_a = grid(weights["impressions"]).copy()
    ways, parts = list[FloatArray](), list[FloatArray]()
    for rate, weight in ((h, grid(weights["fans"])), (np.ones_like(h), grid(weights["reached"]))):
        if not weight.any():
            continue
        r, w = rate * per_user, weight * rate  # x = r a; N w x = w a
        z, q = (r * a).sum(axis=-1), (w * a).sum(axis=-1)
        p, p1, p2 = phi_jet(z)
        value = value + p * q
        slope_a = slope_a + p[:, None] * w + (p1 * q)[:, None] * r
        ways += [r * a1, w * a1]
        parts.append(np.stack([p2 * q, p1, p1, none], axis=-1).reshape(-1, 2, 2))
    mixed = np.zeros((program.n_blocks, len(ways), len(ways)))
    for i, part in enumerate(parts):
        mixed[:, 2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = part
    wide = np.stack(ways, axis=-1) if ways else np.zeros((*a.shape, 0))
    return Jet(value, slope_a * a1 + grid(weights["spend"]), slope_a * a2, wide, mixed)


def jacobian(program: Program, spend: FloatArray, rows: NDArray[np.int64], *, wide: bool = True) -> Any:
    """d activity / d spend of some rows (len(rows), m): sparse, or an array where not `wide`."""
    curves, grid, one = program.curves, program.grid, np.ones(len(spend))
    a, a1 = curves.value(spend), curves.slope(spend)
    per_user = np.repeat(_per_user(program)[:, 0], program.width)
    out: Any = sparse.csr_matrix((len(rows), len(spend))) if wide else np.zeros((len(rows), len(spend)))
    for name in program.absolute:
        of: Any = program.matrix[name][rows] if wide else program.matrix[name][rows].toarray()
        if name in ("spend", "impressions"):
            out = out + _times(of, one if name == "spend" else a1)
        elif name != "active":
            rate = program.hazard if name == "fans" else one
            p, p1, _ = phi_jet(grid(rate * per_user * a).sum(axis=-1))
            out = out + _times(of, _wide(program, p) * rate * a1)
            out = out + _times(_shared(program, _times(of, rate * a), p1), rate * per_user * a1)
    return sparse.csr_matrix(out) if wide else out


def _times(rows: Any, x: FloatArray) -> Any:
    return rows @ sparse.diags(x) if sparse.issparse(rows) else rows * x


def _shared(program: Program, rows: Any, x: FloatArray) -> Any:
    """Each block's sum of the rows (r, m) times x (n_blocks,), in all its cells."""
    if not sparse.issparse(rows):
        return _wide(program, program.grid(rows).sum(axis=-1) * x)
    m = rows.shape[1]
    gather = sparse.csr_matrix((np.ones(m), (np.arange(m), np.arange(m) // program.width)))
    return rows @ gather @ sparse.diags(x) @ gather.T


def _per_user(program: Program) -> FloatArray:
    return np.where(np.isfinite(program.users), 1.0 / np.where(program.users > 0, program.users, 1.0), 0.0)[
        :, None
    ]


def _wide(program: Program, per_block: FloatArray) -> FloatArray:
    return np.repeat(per_block, program.width, axis=-1)
