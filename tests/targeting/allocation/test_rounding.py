"""Whole 厘 keep every limit and stay within one 厘 of the plan."""

from __future__ import annotations

import numpy as np
import pytest
from random_problems import random_problem, worst_violation

from models.errors import InfeasibleError
from targeting.allocation.solver.rounding import LI_PER_CNY, rounded, to_whole_li
from targeting.allocation.solver.solve import solve


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
