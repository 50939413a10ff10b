"""Column generation: master and pricing in turn until the bound meets the mixture.

Also phase 1: the same rounds with the rows' violations as the objective tell whether any plan exists at all.
It must not decide what to return to the user: that is `solve`'s work.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from models.supply.curves import FloatArray
from targeting.allocation.settings import SETTINGS
from targeting.allocation.solver.arrays import Program
from targeting.allocation.solver.blocks import block_value
from targeting.allocation.solver.deadline import Deadline
from targeting.allocation.solver.master import Mixture, Pool, mixed_spend, row_scale, solve_master
from targeting.allocation.solver.pricing import legal, price


@dataclass(frozen=True)
class Relaxed:
    """Where column generation ended: the mixture, its average spend, prices and an estimate (not a bound) of
    the optimum.
    """

    mixture: Mixture
    spend: FloatArray
    prices: FloatArray
    estimate: float
    rounds: int
    feasible: bool


@dataclass(frozen=True)
class Rung:
    """The best answer (m,) to one price of the budget row, and the share of the budget that it takes."""

    price: float
    spend: FloatArray
    used: float


def ladder(program: Program) -> Iterator[Rung]:
    """Answers to a ladder of budget prices, closing in on the one at which the budget is just spent.

    Free of charge first where the budget cannot bind, so that its price is never looked for in vain.
    """
    prices = np.zeros(len(program.row_lower))
    warm: tuple[FloatArray, ...] = ()
    budget, line = program.row_upper[0], program.matrix["spend"][0]
    above = _price_bracket(program)
    below, trial = 0.0, above if (line @ program.upper).item() > budget else 0.0
    for _ in range(SETTINGS.ladder_rungs):
        prices[0] = trial
        spend, _value = price(program, program.weights(prices), warm)
        warm = (spend, *warm[-1:]) if warm else (spend,)
        used = (line @ spend).item() / max(budget, 1e-300)
        yield Rung(trial, spend, used)
        below, above = (trial, above) if used > 1.0 else (below, trial or above)
        trial = float(np.sqrt(max(below, above * 1e-4) * above))
        if above <= below * 1.02:
            return


def least(program: Program) -> FloatArray:
    """The smallest spend (m,) that each cell's own limits allow."""
    return legal(program, np.where(program.switch, 0.0, program.lower))


def _price_bracket(program: Program) -> float:
    """A budget price (objective per yuan) at which next to nothing is bought: the mean return of a first 0.1
    %.
    """
    step = np.minimum(
        program.upper, np.maximum(program.lower, 1e-3 * np.atleast_2d(program.curves.scale_cny).max(axis=0))
    )
    weights = dict(program.weights(np.zeros(len(program.row_lower))))
    weights["spend"] = np.zeros_like(step)
    gain = block_value(program, weights, step) - block_value(program, weights, program.lower)
    spent = program.grid(step - program.lower).sum(axis=1)
    rate = np.abs(gain[spent > 0] / spent[spent > 0])
    return float(rate.max(initial=0.0)) or 1.0


def generate(
    pool: Pool,
    deadline: Deadline,
    *,
    tolerance: float,
    objective: float = 1.0,
    max_rounds: int = SETTINGS.generation_rounds,
    beaten: float = -np.inf,
) -> Relaxed:
    """Add columns until pricing promises no more than `tolerance` (relative) above the mixture.

    Args:
        pool: starting columns; grows and is pruned in place.
        deadline: stops the rounds early.
        tolerance: relative gap to the price-guided estimate.
        objective: 1, or 0 for phase 1 (least violation).
        max_rounds: at most so many.
        beaten: what a plan that is known earns: prices at which nobody can earn more end the rounds, and the
            further above it the mixture is, the less exact it need be.
    """
    program = pool.program
    penalty, warm = SETTINGS.first_penalty if objective else 1.0, tuple(s.spend for s in pool.sheets[-1:])
    rounds = 0
    while True:
        rounds += 1
        mixture = solve_master(pool, penalty=penalty, objective=objective)
        prices = program.lawful(mixture.prices)
        weights = program.weights(prices, objective=objective)
        average = mixed_spend(pool, mixture)
        spend, value = price(program, weights, (*warm[-2:], average) if warm else ())
        warm = (spend,)
        estimate = float(value.sum() + program.price_limits(prices))
        broken = _relative_excess(mixture, pool)
        reached = objective * mixture.value - (0.0 if objective else broken)
        size = max(abs(estimate), abs(mixture.value) if objective else 1.0, 1e-300)
        above = max(reached - beaten, 0.0) if np.isfinite(beaten) else 0.0
        done = estimate - reached <= tolerance * size + SETTINGS.inexact * above
        if estimate <= beaten:
            return Relaxed(mixture, average, prices, estimate, rounds, broken <= 1e-9)
        if objective and broken > 1e-9 and (done or rounds % 8 == 0) and penalty < 1e8:
            penalty, done = penalty * 100.0, False
        if done or rounds >= max_rounds or deadline.over:
            return Relaxed(mixture, average, prices, estimate, rounds, broken <= 1e-9)
        pool.prune(mixture.worth, SETTINGS.kept_columns)
        pool.add(legal(program, average))
        pool.add(spend)


def _relative_excess(mixture: Mixture, pool: Pool) -> float:
    return float(np.abs(mixture.excess / row_scale(pool.program, pool)).sum())
