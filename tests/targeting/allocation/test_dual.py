"""Prices first: hundreds of rows at once, no plan proven by prices, and what is told when time is up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from random_problems import free_limits, market_of, worst_violation

from models.errors import InfeasibleError
from models.supply.curves import CurveSet
from targeting.allocation.problem import Problem, Row
from targeting.allocation.solver.deadline import NEVER, Deadline
from targeting.allocation.solver.dual import descend, least_value
from targeting.allocation.solver.layout import build
from targeting.allocation.solver.solve import solve


def capped(n: int, caps: int, *, slope: tuple[float, float] = (0.6, 1.0)) -> Problem:
    """n cells that stand alone under caps on twenty of them each, which overlap."""
    rng = np.random.default_rng(0)
    supply = CurveSet.of(
        "hill", top=rng.lognormal(3, 1, n), scale_cny=rng.lognormal(4, 1, n), shape=rng.uniform(*slope, n)
    )
    groups = [np.isin(np.arange(n), rng.choice(n, 20, replace=False)).astype(float) for _ in range(caps)]
    rows = tuple(
        Row(f"cap {i}", {"spend": g}, upper=float(u))
        for i, (g, u) in enumerate(zip(groups, rng.uniform(50, 400, caps), strict=True))
    )
    market = market_of(supply, block=np.arange(n), users=np.inf)
    return Problem(market, {"gmv": np.ones(n)}, 10.0 * n, free_limits(n, np.inf), rows)


def test_hundreds_of_overlapping_caps_need_no_linear_program():
    """Of 1,100 caps on 10,000 cells HiGHS solved four masters in 16 s, and no plan came of it."""
    problem = capped(1000, 150)
    found = solve(problem)
    assert found.status == "optimal"
    assert found.rounds == 0
    assert worst_violation(problem, found.spend_cny) <= 1e-8


def test_prices_prove_that_there_is_no_plan():
    problem = capped(100, 10)
    everything = np.ones(100)
    row = Row("worth", {"gmv": everything}, lower=1.01 * float(problem.market.supply.top.sum()))
    program = build(replace(problem, rows=(*problem.rows, row)))
    found = descend(program, None, least=least_value(program), deadline=NEVER)
    assert found is not None
    assert found.lowest < least_value(program)
    with pytest.raises(InfeasibleError, match="worth"):
        solve(replace(problem, rows=(*problem.rows, row)))


@pytest.mark.parametrize(
    ("slope", "known", "bound"), [((0.6, 1.0), 2871.016, 2871.242), ((1.2, 4.0), 3055.401, 3079.426)]
)
def test_when_time_is_up_the_best_plan_so_far_is_told_with_its_bound(monkeypatch, slope, known, bound):
    """Was an error, or a plan of nothing, until the master had been solved. A plan of the `known` worth and
    the `bound` on all are what `solve` gave within 20 s.
    """
    problem = capped(300, 60, slope=slope)
    problem = replace(problem, limits=replace(problem.limits, min_if_used_cny=np.full(300, 5.0)))
    looks = iter(range(10**6))
    monkeypatch.setattr(Deadline, "over", property(lambda self: next(looks) > 30))
    cut = solve(problem)
    assert cut.status == "time_limit"
    assert worst_violation(problem, cut.spend_cny) <= 1e-8
    assert 0.5 * known <= cut.value <= bound
    assert known <= cut.upper_bound < np.inf
