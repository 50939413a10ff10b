"""Column generation: master and pricing in turn until the bound meets the mixture.

Also phase 1: the same rounds with the rows' violations as the objective tell whether any plan exists at all.
It must not decide what to return to the user: that is `solve`'s work.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.supply.curves import FloatArray
from targeting.allocation.settings import SETTINGS
from targeting.allocation.solver.arrays import Program
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


def least(program: Program) -> FloatArray:
    """The smallest spend (m,) that each cell's own limits allow."""
    return legal(program, np.where(program.switch, 0.0, program.lower))


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
        mixture = solve_master(pool, penalty=penalty, deadline=deadline, objective=objective)
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
