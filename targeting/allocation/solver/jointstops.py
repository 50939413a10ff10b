"""Marginal floors of competing placements as seen from an interval of z, the segment's expected follows.

Exists because the return of a cell's last yuan depends on what the others of its segment spend; given z (see
`certificate`) it depends on the cell's own spend only, so that floors become limits of single cells there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.supply.curves import FloatArray
from targeting.allocation.settings import SETTINGS
from targeting.allocation.solver.arrays import Floors, Program
from targeting.allocation.solver.blocks import phi_jet


def joint_stops(
    program: Program,
    floors: Floors,
    rate: FloatArray,
    low: FloatArray,
    high: FloatArray,
    block: NDArray[np.int64],
    z0: FloatArray,
    z1: FloatArray,
) -> FloatArray:
    """(n_intervals, k) the most a cell may spend, z in [z0, z1] of its block, for its floor to be returned.

    An impression's last worth is shown + hazard (follow phi + phi' sum_d follow_d x_d). The others' x_d sum
    to z - x and count at least their lowest `follow`, g, and phi' < 0, so it is at most
    shown + hazard ((follow - g) (phi + phi' x) + g exp(-z)). What rises with x (follow < g) is read at the
    highest x, repeatedly; what falls is bisected.

    Args:
        program: competing blocks of k cells.
        floors: what must be returned.
        rate: (n_blocks, k) x per impression; low, high: (n_blocks, k) limits of spend.
        block: (n_intervals,) block of each interval [z0, z1].
    """
    grid, k = program.grid, program.width
    curves = program.curves.take((block[:, None] * k + np.arange(k)).ravel())
    follow = np.where(grid(program.hazard) > 0, grid(floors.follow), np.inf)
    others = np.array([np.delete(follow, c, axis=1).min(axis=1, initial=np.inf) for c in range(k)]).T
    g = np.where(np.isfinite(others), others, 0.0)[block]
    own, least, hazard = (
        grid(floors.follow)[block] - g,
        grid(floors.least)[block],
        grid(program.hazard)[block],
    )
    falls, z = own >= 0, z1[:, None]
    (p0, d0), (p1, d1) = (phi_jet(end[:, None])[:2] for end in (z0, z1))
    fixed = grid(floors.shown)[block] + hazard * g * np.exp(-z0)[:, None]
    p, d = np.where(falls, p0, p1), np.where(falls, d1, d0)
    top = high[block]
    bottom = np.minimum(np.maximum(grid(program.curves.inflection_cny), low)[block], top)
    start, stop = bottom, top
    for _ in range(SETTINGS.joint_steps):
        at = np.where(falls, 0.5 * (start + stop), stop)
        x = np.minimum(rate[block] * curves.value(at.ravel()).reshape(at.shape), z)
        each = fixed + hazard * own * (p + d * x)
        enough = each * curves.slope(at.ravel()).reshape(at.shape) >= least
        wanted = np.where(each > 0, least / np.where(each > 0, each, 1.0), np.inf)
        lower = np.clip(curves.inverse_slope(wanted.ravel()).reshape(at.shape), bottom, top)
        start = np.where(falls & enough, at, start)
        stop = np.where(falls, np.where(enough, stop, at), np.minimum(stop, lower))
    return np.where(least > 0, stop, top)
