"""Marginal floors: the plan stops where the last yuan returned the floor, also where placements compete."""

from __future__ import annotations

import numpy as np
import pytest
from small_markets import market

from targeting.allocation.audit.check import violations
from targeting.allocation.explain.contradiction import solve_or_explain
from targeting.allocation.formulation.compile import compile_problem
from targeting.allocation.outcomes import outcomes


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


@pytest.mark.parametrize("family", ["log", "hill"])
@pytest.mark.parametrize("floor", [22.0, 30.0])
def test_together_the_bound_is_tight(family, floor):
    """Capping each placement where it would stop alone left a gap of 2-7 % here."""
    assert solved(market(family=family), floor, budget=3000.0).gap <= 3e-6


@pytest.mark.parametrize("users", [np.inf, 1e4])
def test_the_price_is_the_slope_of_the_value_in_the_floor(users):
    floor, step = 30.0, 0.03
    lower, here, higher = (solved(market(users=users), floor + d, budget=1500.0) for d in (-step, 0.0, step))
    slope = 0.1 * (lower.value - higher.value) / (2 * step)
    assert here.shadow_prices["marginal_floor-1"] == pytest.approx(slope, rel=1e-4)
    assert "marginal_floor-1" in here.binding


def test_a_floor_that_no_cell_reaches_has_no_price():
    assert solved(market(users=np.inf), 1.0).shadow_prices.get("marginal_floor-1", 0.0) == 0.0


def test_floors_of_their_own_in_each_placement_leave_no_better_plan_that_keeps_them():
    """Prices on spend, cell by cell: capping each where all return their floors lost value here."""
    on, budget = market(), 1500.0
    brief = [
        {"kind": "marginal_floor", "name": "live", "placement": "live", "min": 34.0},
        {"kind": "marginal_floor", "name": "video", "placement": "video", "min": 26.0},
    ]
    found = solve_or_explain(compile_problem(on, budget_cny=budget, constraints=brief))
    assert not violations(on, budget_cny=budget, constraints=brief, spend_cny=found.spend_cny)
    rng = np.random.default_rng(3)
    for spend in found.spend_cny * np.exp(rng.normal(0, 0.05, (200, 6))):
        tried = spend * min(1.0, budget / spend.sum())
        if outcomes(on, tried)["gmv"].sum() > found.value * (1 + 1e-6):
            assert violations(on, budget_cny=budget, constraints=brief, spend_cny=tried)
