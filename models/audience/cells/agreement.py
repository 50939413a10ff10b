"""How far scores and logs agree, as one hierarchical fit. In: logged and predicted sums per cell. Out: draws.

Follows and GMV of new fans, won by ranked delivery or by a coin: four counts a cell, each Poisson in
independent events (money in units of E[x^2] / E[x]) around what the scores predict,

    y ~ Poisson(E exp(f)),     f_coin = level + cell,     f_ranked = f_coin + selection,

where level + cell is log truth / score. All are Gaussian and centred so that E[exp] = 1: scores
that the logs say nothing of stand. Ranked delivery may show to people who act anyway, beyond their features;
`selection` is a placement's plus a cell's, and that of GMV is that of follows give or take a little, as the
same intent is at work. Hypotheses (nothing is hidden or something is; how much cells differ) are fitted one
by one by Laplace's approximation (Rasmussen & Williams 2006, algorithm 3.1) and averaged by their evidence.
So ranked rows sharpen a level where a coin agrees and count for little where it does not, and cells are
shrunk as far as their own few events leave open, by no rule but the prior's table. It must not import
targeting.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from models.arrays import BoolArray, FloatArray, IntArray
from models.audience.settings import CELLS
from models.rates.evidence import posterior_weights

OUTCOMES, KINDS = ("follows", "gmv"), ("coin", "ranked")


@dataclass(frozen=True)
class Sums:
    """What was logged beside what was predicted, in independent events.

    Attributes:
        observed: (2, 2, n_cells) by outcome (`OUTCOMES`) and kind of row (`KINDS`), >= 0.
        expected: the same of the scores.
        group: (n_cells,) placement of each cell, 0..
    """

    observed: FloatArray
    expected: FloatArray
    group: IntArray


@dataclass(frozen=True)
class Agreement:
    """Truth over score.

    Attributes:
        mean: (2, n_cells) posterior means, by outcome.
        draws: (2, n_draws, n_cells), joint over outcomes and cells.
        selected: chance that ranked delivery is selected beyond the features.
    """

    mean: FloatArray
    draws: FloatArray
    selected: float


@dataclass(frozen=True)
class _Fit:
    """Laplace's approximation under one hypothesis: of f_coin, (2 n_cells,)."""

    mean: FloatArray
    covariance: FloatArray
    evidence: float


def agreement(sums: Sums, *, rng: np.random.Generator, n_draws: int) -> Agreement:
    """Posterior of truth over score in every cell."""
    table = list(product((False, True), CELLS.cell_sd, CELLS.cell_sd))
    fits = [_fit(sums, selected=hidden, cell_sd=(follow, gmv)) for hidden, follow, gmv in table]
    odds = np.array([CELLS.selection_odds if hidden else 1.0 - CELLS.selection_odds for hidden, *_ in table])
    weight = posterior_weights(np.array([fit.evidence for fit in fits]), odds=odds / odds.sum())
    means = np.array([np.exp(fit.mean + 0.5 * np.diag(fit.covariance)) for fit in fits])
    n = len(sums.group)
    draws = np.concatenate(
        [
            rng.multivariate_normal(fit.mean, fit.covariance, size=times, method="cholesky")
            for fit, times in zip(fits, rng.multinomial(n_draws, weight), strict=True)
        ]
    )
    hidden = np.array([row[0] for row in table])
    return Agreement(
        mean=(weight @ means).reshape(2, n),
        draws=np.exp(rng.permutation(draws)).reshape(n_draws, 2, n).swapaxes(0, 1),
        selected=float(weight[hidden].sum()),
    )


def _prior(group: IntArray, *, selected: bool, cell_sd: tuple[float, float]) -> FloatArray:
    """Covariance of f, (4 n, 4 n): coin follows, coin GMV, ranked follows, ranked GMV."""
    n = len(group)
    same: BoolArray = group[:, None] == group
    one = np.eye(n)
    truth = np.zeros((2, n, 2, n))
    bias = np.zeros((2, n, 2, n))
    shared, apart, like = CELLS.not_selected_sd, CELLS.not_selected_sd, 0.0
    if selected:
        shared, apart, like = CELLS.selected_sd, CELLS.cell_bias_sd, CELLS.selection_like_sd
    bias[:] = (shared**2 * same)[None, :, None]
    bias[1, :, 1] += like**2 * same
    for o, level in enumerate((CELLS.level_sd, CELLS.gmv_level_sd)):
        truth[o, :, o] = level**2 + cell_sd[o] ** 2 * one
        bias[o, :, o] += apart**2 * one
    t, b = truth.reshape(2 * n, 2 * n), bias.reshape(2 * n, 2 * n)
    return np.block([[t, t], [t, t + b]])


def _fit(sums: Sums, *, selected: bool, cell_sd: tuple[float, float]) -> _Fit:
    k = _prior(sums.group, selected=selected, cell_sd=cell_sd)
    y, e = (x.swapaxes(0, 1).ravel() for x in (sums.observed, sums.expected))
    centre = -0.5 * np.diag(k)
    f: FloatArray = centre.copy()
    rate, root, lower = _curvature(k, e, f)
    a: FloatArray = np.zeros(len(y))
    for _ in range(CELLS.newton_steps):
        b: FloatArray = rate * (f - centre) + y - rate
        a = b - root * _solve(lower, root * (k @ b))
        step = np.clip(centre + k @ a - f, -1.0, 1.0)
        f = np.asarray(f + step)
        rate, root, lower = _curvature(k, e, f)
        if np.abs(step).max() < CELLS.newton_tolerance:
            break
    half = np.linalg.solve(lower, root[:, None] * k)
    m = len(y) // 2
    return _Fit(
        mean=f[:m],
        covariance=(k - half.T @ half)[:m, :m],
        evidence=float(y @ f - rate.sum() - 0.5 * a @ (f - centre) - np.log(np.diag(lower)).sum()),
    )


def _curvature(k: FloatArray, e: FloatArray, f: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Expected events W, their root, and the Cholesky factor of 1 + W^1/2 K W^1/2."""
    rate: FloatArray = e * np.exp(f)
    root: FloatArray = np.sqrt(rate)
    lower = np.linalg.cholesky(np.eye(len(e)) + root[:, None] * k * root)
    return rate, root, np.asarray(lower, dtype=np.float64)


def _solve(lower: FloatArray, right: FloatArray) -> FloatArray:
    """(L L^T)^-1 b."""
    return np.asarray(np.linalg.solve(lower.T, np.linalg.solve(lower, right)))
