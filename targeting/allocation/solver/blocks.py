"""Price-adjusted value of every block, with gradient and Hessian: the function that pricing and polishing
climb.

For block b with weights w (see `Program.weights`) and x_c = hazard_c a_c(s_c) / N, z = sum x, Q = sum N
w_fans x:

    J_b(s) = phi(z) Q + phi(y) sum w_reached a + sum [w_imp a_c(s_c) + w_spend s_c + w_active 1(s_c > 0)]

with y = sum a / N and phi(z) = (1 - exp(-z)) / z. Additive blocks have phi = 1. It must not import cvxpy.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

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
    ds = -0.5 + t / 3 - t**2 / 8 + t**3 / 30 - t**4 / 144 + t**5 / 840 - t**6 / 5760
    dds = 1 / 3 - t / 4 + t**2 / 10 - t**3 / 36 + t**4 / 168 - t**5 / 960 + t**6 / 6480
    return np.where(small, ps, p), np.where(small, ds, d), np.where(small, dds, dd)


@dataclass(frozen=True)
class Jet:
    """J (n_blocks,), its gradient (n_blocks, k) and Hessian (n_blocks, k, k) in spend."""

    value: FloatArray
    gradient: FloatArray
    hessian: FloatArray


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
    h, k = grid(program.hazard), program.width
    active = grid(weights["active"] * (spend > 0)).sum(axis=-1)
    value = (grid(weights["impressions"]) * a + grid(weights["spend"] * spend)).sum(axis=-1) + active
    slope_a = grid(weights["impressions"]).copy()
    cross = np.zeros((program.n_blocks, k, k))
    for rate, weight in ((h, grid(weights["fans"])), (np.ones_like(h), grid(weights["reached"]))):
        if not weight.any():
            continue
        r, w = rate * per_user, weight * rate  # x = r a; N w x = w a
        z, q = (r * a).sum(axis=-1), (w * a).sum(axis=-1)
        p, p1, p2 = phi_jet(z)
        value = value + p * q
        slope_a = slope_a + p[:, None] * w + (p1 * q)[:, None] * r
        mixed = r[:, :, None] * w[:, None, :]
        both = p1[:, None, None] * (mixed + mixed.transpose(0, 2, 1))
        cross = cross + both + (p2 * q)[:, None, None] * (r[:, :, None] * r[:, None, :])
    gradient = slope_a * a1 + grid(weights["spend"])
    hessian = cross * a1[:, :, None] * a1[:, None, :]
    diagonal = np.arange(k)
    hessian[:, diagonal, diagonal] += slope_a * a2
    return Jet(value, gradient, hessian)


def metric_slopes(program: Program, spend: FloatArray, names: Collection[str]) -> dict[str, FloatArray]:
    """Derivatives of some of the basic metrics within a block.

    Returns:
        metric -> (m, width) where entry [c, d] = d metric_c / d s_d for d in c's block; `active` is left out.
    """
    curves, grid, k = program.curves, program.grid, program.width
    a, a1 = grid(curves.value(spend)), grid(curves.slope(spend))
    per_user, eye, out = _per_user(program), np.eye(k), {}
    if "spend" in names:
        out["spend"] = np.broadcast_to(eye, (program.n_blocks, k, k)).reshape(-1, k)
    if "impressions" in names:
        out["impressions"] = (eye * a1[:, :, None]).reshape(-1, k)
    for name, rate in (("fans", grid(program.hazard)), ("reached", np.ones_like(a))):
        if name not in names:
            continue
        r = rate * per_user
        p, p1, _ = phi_jet((r * a).sum(axis=-1))
        full = p[:, None, None] * eye * (rate * a1)[:, :, None]
        full = full + p1[:, None, None] * (rate * a)[:, :, None] * (r * a1)[:, None, :]
        out[name] = full.reshape(-1, k)
    return out


def _per_user(program: Program) -> FloatArray:
    return np.where(np.isfinite(program.users), 1.0 / np.where(program.users > 0, program.users, 1.0), 0.0)[
        :, None
    ]


def _wide(program: Program, per_block: FloatArray) -> FloatArray:
    return np.repeat(per_block, program.width, axis=-1)
