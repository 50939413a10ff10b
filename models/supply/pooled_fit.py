"""Concave one-day supply curves of many cells, fitted together. In: a panel. Out: prices and capacities.

A cell (segment x placement) delivers y impressions for s yuan on a day. Every family is written as a price
that rises with pressure, which makes four different shapes one regression with two parameters per cell:

    y = size tau phi(u),   u = s / (size tau p)      p: price of the first impression, tau: capacity per user

where a day's log p is the cell's, less a day effect of the placement (heavy-tailed: festivals), less lean x
(log spend that was not randomised): whoever spends more on good days must not take the day for the money.

    hill    y = size tau u / (1 + u)        expsat  y = size tau (1 - exp(-u))
    log     y = size tau log(1 + u)         power   y = s^m ... (elasticity m instead of a capacity)

Both are partially pooled: log p around placement and segment effects, log tau around a placement mean that
itself has a prior. The fit is the posterior mode by Gauss-Newton on a quasi-likelihood with variance
phi mu + sigma^2 mu^2 (relative noise grows where little is bought), Huber weights against outliers, and all
draws at once along the first axis: a Bayesian bootstrap over days with perturbed priors ("randomise, then
optimise", Bardsley et al. 2014), so what the data does not say stays as wide as the prior.

It must not import anything above `models.supply.panel`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.arrays import FloatArray
from models.supply.group_sums import grouped, indicator, typical_log_price
from models.supply.panel import Panel
from models.supply.price_shapes import capped, log_price
from models.supply.settings import SUPPLY
from models.supply.spread import Residuals, Spread, learned_spread


@dataclass(frozen=True)
class SupplyFit:
    """Parameters, axis 0 the draw: log_price, log_capacity (n, n_cells), period (n, K)."""

    family: str
    log_price: FloatArray
    log_capacity: FloatArray
    period: FloatArray
    lean: FloatArray
    spread: Spread
    log_mean: FloatArray


def fit_supply(
    panel: Panel,
    *,
    family: str,
    weights: FloatArray | None = None,
    spread: Spread | None = None,
    noise: dict[str, FloatArray] | None = None,
    start: SupplyFit | None = None,
) -> SupplyFit:
    """Posterior mode of every cell's curve, for each row of observation weights.

    Args:
        panel: the cell-days.
        family: one of `SUPPLY_FAMILIES`.
        weights: (n_fits, n_obs); default one fit with weight 1.
        spread: fixed spreads; default: learned (empirical Bayes) with the fit.
        noise: perturbation of the priors: price, capacity (n_fits, n_cells), centre (n_fits, n_placements).
        start: parameters to start from.
    """
    return _Gauss(panel, family=family, weights=weights, spread=spread, noise=noise, start=start).run()


class _Gauss:
    """One Gauss-Newton run; holds the indicator matrices and the current parameters."""

    def __init__(
        self,
        panel: Panel,
        *,
        family: str,
        weights: FloatArray | None,
        spread: Spread | None,
        noise: dict[str, FloatArray] | None,
        start: SupplyFit | None,
    ) -> None:
        self.panel, self.family, self.learn = panel, family, spread is None
        self.spread = spread or Spread(dispersion=1.0 if panel.dispersion is None else panel.dispersion)
        n_obs, n_cells, n_placements = len(panel.cell), len(panel.size), len(panel.capacity_log)
        self.weights = np.ones((1, n_obs)) if weights is None else weights
        n = len(self.weights)
        self._design()
        shift = noise or {}
        self.price_noise = shift.get("price", np.zeros((n, n_cells)))
        self.capacity_noise = shift.get("capacity", np.zeros((n, n_cells)))
        self.centre = panel.capacity_log + shift.get("centre", np.zeros((n, n_placements)))
        self.alpha = np.repeat(self.typical[None, :], n, axis=0)
        self.top = self.centre.copy()
        self.zeta = np.zeros((n, self.by_segment.shape[1]))
        self.b = self.price_noise.copy()
        self.v = self.capacity_noise.copy()
        self.delta = np.zeros((n, self.by_period.shape[1]))
        self.lean = np.zeros(n)
        if start is not None:
            known = start.log_price[:1] - panel.price_offset
            middle = np.asarray(known @ self.by_placement) / np.maximum(self.by_placement.sum(axis=0), 1)
            self.alpha = np.repeat(middle, n, axis=0)
            self.b = np.repeat(known - middle[:, panel.placement], n, axis=0)
            self.delta = np.repeat(start.period[:1], n, axis=0)

    def _design(self) -> None:
        """Everything that does not depend on the parameters."""
        panel = self.panel
        self.by_cell = indicator(panel.cell, len(panel.size))
        self.by_period = indicator(panel.period, int(panel.period.max()) + 1)
        self.by_placement = indicator(panel.placement, len(panel.capacity_log))
        self.by_segment = indicator(panel.segment, int(panel.segment.max()) + 1)
        self.seen = np.bincount(panel.cell, minlength=len(panel.size)) > 0
        self.log_spend = np.log(panel.spend_cny)
        self.per_size = self.log_spend - np.log(panel.size)[panel.cell]
        self.typical = typical_log_price(
            panel.spend_cny / np.exp(panel.price_offset)[panel.cell],
            panel.got if panel.got.ndim == 1 else panel.got.mean(axis=0),
            panel.placement[panel.cell],
            len(panel.capacity_log),
        )
        place = panel.placement[panel.cell]
        halfway = panel.capacity_log - np.log(SUPPLY.capacity_over_observed)
        self.reference = np.stack([panel.reference_log[place], halfway[place]])

    def run(self) -> SupplyFit:
        for step in range(SUPPLY.learning_iterations if self.learn else SUPPLY.iterations):
            self._step_curves()
            self._step_periods()
            if self.learn and step >= SUPPLY.burn_in:
                self._learn_spread()
        beta, t = self._parameters()
        return SupplyFit(self.family, beta, t, self.delta, self.lean, self.spread, self._evaluate()[0])

    def _parameters(self) -> tuple[FloatArray, FloatArray]:
        place, segment = self.panel.placement, self.panel.segment
        beta = self.panel.price_offset + self.alpha[:, place] + self.zeta[:, segment] + self.b
        t = self.top[:, place] + self.v
        return beta, capped(t, self.panel.capacity_ceiling_log[place])[0]

    def _evaluate(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """log mean (n, n_obs) and its derivatives in log p and log tau."""
        beta, t = self._parameters()
        cell = self.panel.cell
        cheaper = self.delta[:, self.panel.period] + self.lean[:, None] * self.panel.control
        q, by_beta, by_t = log_price(
            self.family,
            log_spend_per_size=self.per_size,
            beta=beta[:, cell] - cheaper,
            t=t[:, cell],
            reference=self.reference,
        )
        raw = self.top[:, self.panel.placement] + self.v
        room = capped(raw, self.panel.capacity_ceiling_log[self.panel.placement])[1]
        return self.log_spend - q, -by_beta, -by_t * room[:, cell]

    def _residuals(self, log_mean: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Relative residual (got - mean) / mean, held in [-1, 4], and its working weight."""
        mean = np.exp(np.clip(log_mean, -30.0, 60.0))
        relative = np.clip(self.panel.got / mean - 1.0, -1.0, 4.0)
        variance = self.spread.dispersion / mean + self.spread.noise**2
        pearson = np.abs(relative) / np.sqrt(variance)
        return relative, self.weights * np.minimum(1.0, SUPPLY.huber / np.maximum(pearson, 1e-12)) / variance

    def _step_curves(self) -> None:
        log_mean, jb, jt = self._evaluate()
        r, w = self._residuals(log_mean)

        def rows(x: FloatArray) -> FloatArray:
            """Sums over the observations of each cell."""
            return np.asarray(x @ self.by_cell)

        info = np.stack([np.stack([rows(w * jb * jb), rows(w * jb * jt)], -1),
                         np.stack([rows(w * jb * jt), rows(w * jt * jt)], -1)], -2)  # fmt: skip
        gradient = np.stack([rows(w * jb * r), rows(w * jt * r)], -1)
        prior = np.diag([self.spread.price**-2, self.spread.capacity**-2])
        local = np.stack([self.b - self.price_noise, self.v - self.capacity_noise], -1)
        pull = gradient - local @ prior
        inner = np.linalg.inv(info + prior)
        # Placement effects first (Schur complement of the arrow), then the cells given them.
        tied = SUPPLY.price_sd**-2
        folded = info - info @ inner @ info
        right = gradient - np.einsum("bcij,bcjk,bck->bci", info, inner, pull)
        system = grouped(folded, self.by_placement) + np.diag([tied, self.panel.capacity_sd**-2])
        push = grouped(right, self.by_placement)
        push[..., 0] -= tied * (self.alpha - self.typical)
        push[..., 1] -= (self.top - self.centre) / self.panel.capacity_sd**2
        common = np.clip(np.linalg.solve(system, push[..., None])[..., 0], -1.0, 1.0)
        self.alpha, self.top = self.alpha + common[..., 0], self.top + common[..., 1]
        moved = np.einsum(
            "bcij,bcj->bci", inner, pull - np.einsum("bcij,bcj->bci", info, common[:, self.panel.placement])
        )
        moved = np.clip(moved, -1.0, 1.0)
        self.b, self.v = self.b + moved[..., 0], self.v + moved[..., 1]
        self.last_variance = inner
        self._step_segments()

    def _step_segments(self) -> None:
        """Move the part of the price effects that a segment's placements share into the segment effect."""
        shared = np.asarray(((self.b - self.price_noise) * self.seen) @ self.by_segment)
        count = np.asarray(self.seen.astype(float) @ self.by_segment)
        ratio = self.spread.price**2 / self.spread.segment**2
        # (zeta + shift): posterior mean of a normal effect given its cells' deviations b + zeta
        target = (shared + count * self.zeta) / (count + ratio)
        shift = target - self.zeta
        self.zeta = target
        self.b = self.b - shift[:, self.panel.segment]

    def _step_periods(self) -> None:
        log_mean, jb, _ = self._evaluate()
        r, w = self._residuals(log_mean)
        prior = self._period_precision()
        precision = np.asarray((w * jb * jb) @ self.by_period) + prior
        pull = np.asarray((w * -jb * r) @ self.by_period) - self.delta * prior
        self.delta = self.delta + np.clip(pull / precision, -0.5, 0.5)
        self.period_variance = 1.0 / precision
        c = self.panel.control
        if np.any(c != 0.0):
            log_mean, jb, _ = self._evaluate()
            r, w = self._residuals(log_mean)
            precision = (w * jb * jb * c * c).sum(axis=1) + SUPPLY.lean_sd**-2
            self.lean = (
                self.lean + ((w * -jb * r * c).sum(axis=1) - self.lean * SUPPLY.lean_sd**-2) / precision
            )

    def _period_precision(self) -> FloatArray:
        """Student-t prior of day effects: most days are alike, a festival is not pulled towards them."""
        return (SUPPLY.day_freedom + 1.0) / (SUPPLY.day_freedom * self.spread.period**2 + self.delta**2)

    def _learn_spread(self) -> None:
        """Empirical Bayes update of the spreads, from the one fit there is."""
        mean = np.exp(np.clip(self._evaluate()[0][0], -30.0, 60.0))
        found = Residuals(
            relative=np.clip(self.panel.got / mean - 1.0, -1.0, 4.0),
            mean=mean,
            price=self.b[0][self.seen],
            capacity=self.v[0][self.seen],
            variance=self.last_variance[0][self.seen],
            segment=self.zeta[0],
            day=self.delta[0],
            day_variance=self.period_variance[0],
            day_weight=self._period_precision()[0] * self.spread.period**2,
        )
        self.spread = learned_spread(
            found, old=self.spread, dispersion_known=self.panel.dispersion is not None
        )
