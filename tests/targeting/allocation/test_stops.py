"""Marginal floors: the plan stops where the last yuan returned the floor, also where placements compete."""

from __future__ import annotations

import numpy as np
import pytest
from small_markets import market

from targeting.allocation.audit.check import violations
from targeting.allocation.explain.conflict import solve_or_explain
from targeting.allocation.explain.trial import Neighbours
from targeting.allocation.formulation.compile import compile_problem
from targeting.allocation.outcomes import outcomes
from targeting.allocation.solver.stops import stopping_spend


def solved(on, floor, budget=1000.0, **where):
    brief = [{"kind": "marginal_floor", "min": floor, **where}]
    problem = compile_problem(on, budget_cny=budget, constraints=brief)
    found = solve_or_explain(problem)
    assert not violations(on, budget_cny=budget, constraints=brief, spend_cny=found.spend_cny)
    return found


def test_alone_it_stops_exactly_where_the_slope_is_the_floor():
    on = market(users=np.inf)
    worth, scale = on.supply.top * on.hazard * on.gmv_per_fan_cny, on.supply.scale_cny
    found = solved(on, 45.0)
    np.testing.assert_allclose(found.spend_cny, np.maximum(worth / 45.0 - scale, 0.0), rtol=2e-3)
    assert found.gap <= 1e-6


@pytest.mark.parametrize("family", ["log", "hill"])
def test_together_it_is_kept_and_the_bound_is_not_below_sampling(family):
    on = market(family=family)
    found = solved(on, 30.0, budget=1500.0)
    rng = np.random.default_rng(2)
    spends = rng.dirichlet(np.full(6, 0.3), 300) * rng.uniform(100, 1500, (300, 1))
    brief = [{"kind": "marginal_floor", "min": 30.0}]

    for spend, value in zip(spends, outcomes(on, spends)["gmv"].sum(axis=1), strict=True):
        if value > found.value * 1.001 and not violations(
            on, budget_cny=1500, constraints=brief, spend_cny=spend
        ):
            assert value <= found.upper_bound


def test_a_floor_that_does_not_bind_changes_nothing():
    free = solve_or_explain(compile_problem(market(), budget_cny=1000, constraints=[]))
    assert solved(market(), 1.0).value == pytest.approx(free.value, rel=2e-6)


def test_only_the_selected_cells_stop():
    found = solved(market(), 35.0, placement="live")
    assert found.spend_cny[0::2].sum() > 0


def test_stopping_never_goes_below_a_lower_limit():
    on = market()
    brief = [{"kind": "marginal_floor", "min": 1e6}, {"kind": "bounds", "each": "cell", "min_cny": 7}]
    problem = compile_problem(on, budget_cny=1000, constraints=brief)
    stops = stopping_spend(problem, np.zeros(6), np.full(6, 500.0), Neighbours.of(on))
    assert stops.tolist() == [7.0] * 6
