"""What would happen if one cell alone had another spend, for all cells at once.

Exists because words, rounding and sensitivity all ask "and if this cell got s?". Cells that cannot influence
each other (other segments) are tried in the same evaluation of the true curves, so n questions cost a handful
of evaluations. A live room that fills couples them all: there they are asked at the plan's own load, where an
arrival pays for the crowding (`rooms`). It must not import the solver.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.supply.curves import FloatArray
from targeting.allocation.outcomes import outcomes
from targeting.allocation.problem import Market, Metric
from targeting.allocation.rooms import linearised


@dataclass(frozen=True)
class Neighbours:
    """Which cells influence each other.

    Attributes:
        component: (n_cells,) cells of one component share users; others are independent.
        seat: (n_cells,) number of the cell within its component; cells with equal seats can be tried
        together.
    """

    component: NDArray[np.int64]
    seat: NDArray[np.int64]

    @classmethod
    def of(cls, market: Market) -> Neighbours:
        """Blocks are the components; cells without an audience of their own stand alone."""
        n = len(market)
        alone = market.block.max(initial=-1) + 1 + np.arange(n)
        key = np.where(np.isfinite(market.users), market.block, alone)
        component = np.unique(key, return_inverse=True)[1].astype(np.int64)
        order = np.argsort(component, kind="stable")
        first = np.r_[True, np.diff(component[order]) != 0][:n]
        seat = np.empty(n, dtype=np.int64)
        seat[order] = np.arange(n) - np.maximum.accumulate(np.where(first, np.arange(n), 0))
        return cls(component, seat)


def trial_gains(
    market: Market,
    *,
    spend_cny: FloatArray,
    trials_cny: FloatArray,
    coefficients: Mapping[Metric, FloatArray],
    neighbours: Neighbours | None = None,
) -> FloatArray:
    """Change of sum(coefficient * metric) when one cell alone moves from its spend to its trial.

    Args:
        market: what money buys.
        spend_cny: (n_cells,) the plan.
        trials_cny: (n_trials, n_cells); column c holds the spends tried in cell c.
        coefficients: metric -> (n_cells,).
        neighbours: `Neighbours.of(market)`, where it is known already.

    Returns:
        (n_trials, n_cells), also counting what the move takes from or gives to other cells of the component.
    """
    near = neighbours or Neighbours.of(market)
    market, coefficients = linearised(market, coefficients, spend_cny)
    base = _by_component(market, spend_cny[None, :], coefficients, near)
    gains = np.empty_like(trials_cny)
    for seat in range(int(near.seat.max(initial=-1)) + 1):
        here = near.seat == seat
        moved = np.where(here, trials_cny, spend_cny)
        change = _by_component(market, moved, coefficients, near) - base
        gains[:, here] = change[:, near.component[here]]
    return gains


def marginals(
    market: Market,
    *,
    spend_cny: FloatArray,
    coefficients: Mapping[Metric, FloatArray],
    step_cny: float,
    neighbours: Neighbours | None = None,
) -> FloatArray:
    """(n_cells,) change of the sum per yuan for the next `step_cny` in each cell."""
    gains = trial_gains(
        market,
        spend_cny=spend_cny,
        trials_cny=(spend_cny + step_cny)[None, :],
        coefficients=coefficients,
        neighbours=neighbours,
    )
    return np.asarray(gains[0] / step_cny)


def _by_component(
    market: Market, spend: FloatArray, coefficients: Mapping[Metric, FloatArray], near: Neighbours
) -> FloatArray:
    """(n_trials, n_components)."""
    metrics = outcomes(market, spend)
    worth = np.zeros(spend.shape)
    for metric, weight in coefficients.items():
        worth += metrics[metric] * weight
    sums = np.zeros((len(spend), int(near.component.max(initial=-1)) + 1))
    np.add.at(sums.T, near.component, worth.T)
    return sums
