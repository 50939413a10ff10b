"""Whole 厘 keep every limit and stay within one 厘 of the plan."""

from __future__ import annotations

import numpy as np
import pytest
from random_problems import free_limits, market_of, random_problem, worst_violation

from models.errors import InfeasibleError
from models.supply.curves import CurveSet
from targeting.allocation.outcomes import outcomes
from targeting.allocation.problem import LI_PER_CNY, Problem
from targeting.allocation.settings import SETTINGS
from targeting.allocation.solver import wholeli as rounding
from targeting.allocation.solver.solve import solve
from targeting.allocation.solver.wholeli import rounded, to_whole_li


@pytest.mark.parametrize("seed", [1, 2, 6, 7, 12, 19])
def test_rounded_plans_keep_every_limit(seed: int) -> None:
    problem = random_problem(seed)
    try:
        solution = solve(problem, time_limit_s=10.0)
    except InfeasibleError:
        return
    li = to_whole_li(problem, solution.spend_cny)
    assert li.dtype == np.int64
    assert np.abs(li - solution.spend_cny * LI_PER_CNY).max() < 1.0 + 1e-6
    assert li.sum() <= problem.budget_cny * LI_PER_CNY
    assert worst_violation(problem, li / LI_PER_CNY) < 1e-9
    whole = rounded(problem, solution)
    assert whole.value <= whole.upper_bound
    assert whole.value >= solution.value - 1e-3 * abs(solution.value)


def many_cells(n: int, funded: int) -> tuple[Problem, np.ndarray]:
    """`n` cells alike, the first few with a spend between two 厘."""
    supply = CurveSet.of("expsat", top=np.full(n, 50.0), scale_cny=np.full(n, 40.0), shape=0.7)
    market = market_of(supply, block=np.arange(n), users=np.inf)
    spend = np.where(np.arange(n) < funded, 10.0004, 0.0)
    return Problem(market, {"gmv": np.ones(n)}, 10.0004 * funded, free_limits(n, 90.0), ()), spend


@pytest.mark.parametrize("n", [40, 6000])
def test_roundings_are_all_tried_only_where_they_fit_into_memory(n: int, monkeypatch) -> None:
    sizes: list[int] = []

    def counted(market, spend, **rest):
        sizes.append(np.size(spend))
        return outcomes(market, spend, **rest)

    monkeypatch.setattr(rounding, "outcomes", counted)
    problem, spend = many_cells(n, funded=12)
    li = to_whole_li(problem, spend)
    assert max(sizes) <= SETTINGS.most_rounding_numbers
    assert (max(sizes) == 2**12 * n) == (n == 40), "few cells: every rounding of the twelve is tried"
    assert li.sum() == np.floor(problem.budget_cny * LI_PER_CNY + 1e-6)
    assert set(li[:12]) <= {10000, 10001}
    assert not li[12:].any()
