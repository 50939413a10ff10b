"""The best plan so far and the lowest bound so far: what every method of the optimiser reports to.

A plan counts only if it keeps every row on the true curves, and with the value it has there; a bound only if
it is a
Lagrangian bound or that of a relaxation. It must not import cvxpy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.supply.curves import FloatArray
from targeting.allocation.outcomes import outcomes, total
from targeting.allocation.problem import Problem, relative_gap
from targeting.allocation.settings import SETTINGS
from targeting.allocation.solver.arrays import Program
from targeting.allocation.solver.certificate import ceiling, lagrangian_bound
from targeting.allocation.solver.deadline import Deadline
from targeting.allocation.solver.polish import Polished, polish, violation
from targeting.allocation.solver.pricing import legal


@dataclass
class Incumbent:
    """Best plan (in the program's variables), its value, the lowest bound and its prices; Newton's prices of
    the plan, where it is Newton's.
    """

    problem: Problem
    gap_tol: float
    deadline: Deadline
    spend: FloatArray | None = None
    value: float = -np.inf
    bound: float = np.inf
    prices: FloatArray | None = None
    polished: Polished | None = None

    @property
    def gap(self) -> float:
        """Relative gap."""
        return relative_gap(self.bound, self.value)

    @property
    def closed(self) -> bool:
        """Whether the gap is within the tolerance."""
        return self.gap <= self.gap_tol

    def offer(self, program: Program, spend: FloatArray) -> bool:
        """Keep a plan if it earns more than the best so far; says whether it holds on the true curves."""
        spend = legal(program, spend)
        if np.abs(violation(program, spend)).max(initial=0.0) > SETTINGS.feasible:
            return False
        real = np.maximum(program.told(spend, len(self.problem.market)), 0.0)
        value = float(total(self.problem.objective, outcomes(self.problem.market, real)))
        if value > self.value:
            self.spend, self.value, self.polished = spend, value, None
        return True

    def bound_at(
        self, program: Program, prices: FloatArray, spend: FloatArray, *, within: float = 0.0
    ) -> FloatArray:
        """Lower the bound with the Lagrangian at these prices where that helps.

        Args:
            program: the problem, or a part of it.
            prices: (r,) of its rows; spend: (m,) to look around.
            within: the bound need not be closer than this.

        Returns:
            (m,) the best answers to the prices that were met: what pricing would have to find.
        """
        lawful = program.lawful(prices)
        size = abs(self.value) if np.isfinite(self.value) else 1.0
        tolerance = np.full(program.n_blocks, max(0.1 * self.gap_tol * size, within) / program.n_blocks)
        top = ceiling(program, program.weights(lawful), legal(program, spend), tolerance, self.deadline)
        bound = lagrangian_bound(program, lawful, top)
        if bound < self.bound:
            self.bound, self.prices = bound, lawful
        return top.spend

    def improve(self, program: Program, start: FloatArray, prices: FloatArray) -> Polished:
        """Newton from `start` with its on/off pattern; offers what is found and gives where it ended.

        Args:
            program: the problem, or a part of it.
            start: (m,); prices: (r,).
        """
        done = polish(program, start, prices, *_pattern_of(program, start), deadline=self.deadline)
        before = self.value
        held = self.offer(program, done.spend)
        if self.value > before:
            self.polished = done
        if held and done.residual <= SETTINGS.price_exact:
            return done
        for spend in (done.spend, legal(program, start)):
            held = self.offer(program, spend) or held
            if not held and self.spend is not None:
                self.offer(program, _kept(program, spend, self.spend))
        return done


def _kept(program: Program, spend: FloatArray, plan: FloatArray) -> FloatArray:
    """Spend (m,) taken back to a `plan` in the cells of broken rows, as far as those are broken."""
    share, hurry = np.ones(len(spend)), 1.1  # a return falls by less than the spend does
    for turn in range(SETTINGS.kept_turns):
        tried = legal(program, plan + share * (spend - plan))
        broken = np.abs(violation(program, tried))
        if broken.max(initial=0.0) <= SETTINGS.feasible:
            break
        back = sum(m.T @ np.where(broken > SETTINGS.feasible, broken, 0.0) for m in program.touching)
        share = share * (1.0 - np.where(back > 0, np.clip(hurry**turn * back + 1e-8, 0.0, 0.5), 0.0))
        share = np.where(share < 1e-3, 0.0, share)  # a return that no spend brings
    return tried


def _pattern_of(program: Program, start: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The box (low, high), each (m,), of the cells' on/off choices at `start`."""
    on = ~program.switch | (start >= 0.5 * program.floor_on) & (start > 1e-9 * program.upper)
    low = np.where(on, np.where(program.switch, program.floor_on, program.lower), 0.0)
    return low, np.where(on, program.upper, 0.0)
