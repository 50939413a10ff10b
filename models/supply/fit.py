"""The price of attention in every cell, learned at once. In: units. Out: parameters of each cell, and draws.

A unit o (campaign x placement x day x segment) got y impressions for S yuan spread over A people. One
regression, all placements together:

    log E[y] = log S - log price(S / A; level, bend)          price: `models.supply.price`
    level = placement + segment + cell + day + campaign
    bend  = placement + cell + doubt

Every term is a block of normal effects around its prior mean, their deviations given (`settings`). Those of
days (Student-t) and campaigns are small: a thousand units of one campaign share what its audience is like and
are no thousand witnesses of how price rises with pressure. The fit is the posterior mode by Gauss-Newton on a
quasi-likelihood with variance phi mu + sigma^2 mu^2 and Huber weights. Draws are of the normal posterior
around it, by perturbing data and priors and solving once (Papandreou & Yuille, NeurIPS 2010), in pairs around
it, so that means over few of them hold: what the units do not say stays as wide as the prior, so doubt grows
with distance from the pressures that were seen.

It must not import anything above `models.supply.units`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from models.arrays import FloatArray, IntArray
from models.supply.price import capacity_of, price_at
from models.supply.settings import SUPPLY
from models.supply.units import Units


@dataclass(frozen=True)
class Block:
    """Effects of one kind.

    Attributes:
        name: what they are.
        part: which parameter of the price they add to.
        index: (n_units,) effect of each unit.
        at_cell: (n_cells,) effect of each cell; None for what passes (days, campaigns, doubt).
        mean: (n_effects,) prior mean.
        sd: prior deviation.
    """

    name: str
    part: Literal["level", "bend"]
    index: IntArray
    at_cell: IntArray | None
    mean: FloatArray
    sd: float


@dataclass(frozen=True)
class Parameters:
    """Log price of the first impression and log capacity a head of every cell: (..., n_cells)."""

    log_price: FloatArray
    log_capacity: FloatArray


@dataclass(frozen=True)
class SupplyFit:
    """Draws (n_draws, n_cells) around the mode, dispersion, noise, scatter of days."""

    draws: Parameters
    dispersion: float
    noise: float
    days: float


def fit_supply(units: Units, *, rng: np.random.Generator, n_draws: int) -> SupplyFit:
    """Posterior mode and draws of every cell's price."""
    blocks = _blocks(units)
    x = np.concatenate([b.mean for b in blocks])
    dispersion, noise = units.dispersion, 0.1
    for _ in range(SUPPLY.iterations):
        state = _linearised(units, blocks, x, dispersion=dispersion, noise=noise)
        x = x + np.clip(state.solve(state.pull), -1.0, 1.0)
        dispersion, noise = _split_noise(units, state, blocks, old=(dispersion, noise))
    state = _linearised(units, blocks, x, dispersion=dispersion, noise=noise)
    half, places = -(-n_draws // 2), int(units.placement.max()) + 1
    drawn = x + _paired(state.solve(state.perturbation(rng, half)).T, n_draws)
    cells = _cells(units, blocks, drawn)
    common, single, room, _ = units.transfer_sds
    price, filled = (_paired(rng.normal(size=(half, places)), n_draws)[:, units.placement] for _ in "pc")
    alone = _paired(rng.normal(size=(half, len(units.size))), n_draws)
    draws = Parameters(
        log_price=cells.log_price + common * price + single * alone,
        log_capacity=np.minimum(cells.log_capacity + room * filled, units.ceiling_log[units.placement]),
    )
    days = _day_scatter(units, blocks, x, state, dispersion=dispersion, noise=noise)
    return SupplyFit(draws, dispersion, noise, days)


def _paired(half: FloatArray, n_draws: int) -> FloatArray:
    """The first `n_draws` of `half` and its mirror image."""
    return np.concatenate([half, -half])[:n_draws]


def _blocks(units: Units) -> tuple[Block, ...]:
    cells = np.arange(len(units.size))
    place, segment = units.placement, units.segment
    typical = _typical_log_price(units)
    segments, cell_of, bends = SUPPLY.sds

    def none(index: IntArray) -> FloatArray:
        return np.zeros(int(index.max()) + 1)

    at = units.cell
    return (
        Block("placement", "level", place[at], place, typical, SUPPLY.price_sd),
        Block("segment", "level", segment[at], segment, none(segment), segments),
        Block("cell", "level", at, cells, units.price_offset, cell_of),
        Block("day", "level", units.day, None, none(units.day), SUPPLY.passing_sd),
        Block("campaign", "level", units.campaign, None, none(units.campaign), SUPPLY.passing_sd),
        Block("bend", "bend", place[at], place, units.bend_log, SUPPLY.bend_sd),
        Block("doubt", "bend", place[at], None, none(place), units.transfer_sds[3]),
        Block("bend of cell", "bend", at, cells, np.zeros(len(cells)), bends),
    )


def _typical_log_price(units: Units) -> FloatArray:
    """Log of total spend over total delivery of each placement."""
    place = units.placement[units.cell]
    paid = np.bincount(place, units.spend_cny / np.exp(units.price_offset)[units.cell])
    return np.asarray(np.log(paid / np.bincount(place, units.got)))


def _places(blocks: tuple[Block, ...]) -> list[slice]:
    ends = np.cumsum([len(b.mean) for b in blocks])
    return [slice(end - len(b.mean), end) for b, end in zip(blocks, ends, strict=True)]


def _summed(blocks: tuple[Block, ...], x: FloatArray, part: str) -> FloatArray:
    """(n_units,) sum of the effects on one parameter."""
    terms = [x[at][b.index] for b, at in zip(blocks, _places(blocks), strict=True) if b.part == part]
    return np.asarray(sum(terms))


def _cells(units: Units, blocks: tuple[Block, ...], x: FloatArray) -> Parameters:
    """Parameters of the cells, (..., n_cells) for effects (..., n_effects): without what passes."""
    parts: dict[str, FloatArray] = {}
    for b, at in zip(blocks, _places(blocks), strict=True):
        if b.at_cell is not None:
            parts[b.part] = parts.get(b.part, 0.0) + x[..., at][..., b.at_cell]
    ceiling = units.ceiling_log[units.placement]
    return Parameters(parts["level"], capacity_of(parts["bend"], ceiling))


@dataclass(frozen=True)
class _Linear:
    """The model around one point: J (n_units, n_effects), working weights, the posterior's precision."""

    jacobian: object
    weight: FloatArray
    precision: FloatArray
    relative: FloatArray
    mean: FloatArray
    pull: FloatArray
    factor: object
    information: FloatArray

    def solve(self, right: FloatArray) -> FloatArray:
        """H^-1 right."""
        return np.asarray(self.factor.solve(right))  # type: ignore[attr-defined]

    def perturbation(self, rng: np.random.Generator, n_draws: int) -> FloatArray:
        """(n_effects, n_draws) with covariance H."""
        data = rng.normal(size=(len(self.weight), n_draws)) * np.sqrt(self.weight)[:, None]
        prior = rng.normal(size=(len(self.precision), n_draws)) * np.sqrt(self.precision)[:, None]
        return np.asarray(self.jacobian.T @ data + prior)  # type: ignore[attr-defined]


def _linearised(
    units: Units, blocks: tuple[Block, ...], x: FloatArray, *, dispersion: float, noise: float
) -> _Linear:
    from scipy.sparse import csr_array, diags_array
    from scipy.sparse.linalg import splu

    price = price_at(
        np.log(units.spend_cny / units.people),
        level=_summed(blocks, x, "level"),
        bend=_summed(blocks, x, "bend"),
        ceiling=units.ceiling_log[units.placement[units.cell]],
    )
    mean = np.exp(np.clip(np.log(units.spend_cny) - price.log_price, -30.0, 60.0))
    relative = np.clip(units.got / mean - 1.0, -1.0, 4.0)
    variance = dispersion / mean + noise**2
    pearson = np.abs(relative) / np.sqrt(variance)
    weight = np.minimum(1.0, SUPPLY.huber / np.maximum(pearson, 1e-12)) / variance
    by = {"level": price.by_level, "bend": price.by_bend}
    places, n = _places(blocks), len(mean)
    values = np.column_stack([-by[b.part] for b in blocks])
    columns = np.column_stack([b.index + at.start for b, at in zip(blocks, places, strict=True)])
    rows = np.repeat(np.arange(n), len(blocks))
    jacobian = csr_array((values.ravel(), (rows, columns.ravel())), shape=(n, len(x)))
    precision = np.concatenate([_precision(b, x[at]) for b, at in zip(blocks, places, strict=True)])
    prior_mean = np.concatenate([b.mean for b in blocks])
    data = jacobian.T @ (jacobian * weight[:, None])
    whole = (data + diags_array(precision)).tocsc()
    pull = jacobian.T @ (weight * relative) - precision * (x - prior_mean)
    return _Linear(jacobian, weight, precision, relative, mean, pull, splu(whole), whole.diagonal())


def _precision(block: Block, x: FloatArray) -> FloatArray:
    """Of the normal prior, and of the Student-t prior of days where they are."""
    if block.name != "day":
        return np.full(len(x), block.sd**-2)
    return (SUPPLY.day_freedom + 1.0) / (SUPPLY.day_freedom * block.sd**2 + x**2)


def _day_scatter(
    units: Units, blocks: tuple[Block, ...], x: FloatArray, state: _Linear, *, dispersion: float, noise: float
) -> float:
    """Deviation of the log of a placement's day around the curves, beyond what its units scatter apart.

    The effects of days are taken out of what was expected: they are a part of it.
    """
    passing = np.concatenate(
        [x[at] * (b.name == "day") for b, at in zip(blocks, _places(blocks), strict=True)]
    )
    expected = state.mean / np.exp(state.jacobian @ passing)
    got, due = (np.bincount(units.day, w) for w in (units.got, expected))
    apart = (dispersion + noise**2 * np.bincount(units.day, expected**2) / due) / due
    beyond = np.log((got + 0.5) / (due + 0.5)) ** 2 - apart
    return float(np.sqrt(max(np.average(beyond, weights=due), 0.0)))


def _split_noise(
    units: Units, state: _Linear, blocks: tuple[Block, ...], *, old: tuple[float, float]
) -> tuple[float, float]:
    """phi and sigma of Var(relative) = phi / mean + sigma^2, by weighted least squares held positive."""
    phi, sigma = old
    mean, n = state.mean, len(state.mean)
    expected = phi / mean + sigma**2
    # Effects that the units pin down cost a degree of freedom each.
    spent = float((1.0 - state.precision / state.information).sum())
    squared = np.minimum(state.relative**2, 9.0 * expected) * n / max(n - spent, 0.3 * n)
    w, x = expected**-2, 1.0 / mean
    design = np.array([[np.sum(w * x * x), np.sum(w * x)], [np.sum(w * x), np.sum(w)]])
    right = np.array([np.sum(w * x * squared), np.sum(w * squared)])
    scale = np.sqrt(np.diag(design))
    phi_new, square = np.linalg.lstsq(design / np.outer(scale, scale), right / scale, rcond=1e-10)[0] / scale
    if phi_new <= 0.0:
        phi_new, square = 0.0, right[1] / design[1, 1]
    elif square <= 0.0:
        phi_new, square = right[0] / design[0, 0], 0.0
    floor = 1e-3 * np.median(mean) * max(square, 1e-4)
    return float(0.5 * (phi + max(phi_new, floor))), float(np.sqrt(0.5 * (sigma**2 + max(square, 4e-4))))
