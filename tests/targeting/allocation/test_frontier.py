"""The frontier on the real solver: monotone, concave, certified; infeasible budgets say why."""

from __future__ import annotations

import numpy as np
import pytest
from small_markets import market

from models.errors import CampaignError
from targeting.allocation.formulation.compile import compile_problem
from targeting.allocation.solver.deadline import Deadline
from targeting.allocation.solver.solve import Warm
from targeting.allocation.whatif.frontier import frontier, scenarios

SMALL = market()


def at(budget, *constraints):
    return compile_problem(SMALL, budget_cny=budget, constraints=list(constraints))


def test_value_rises_with_diminishing_returns_and_prices_are_its_slope():
    budgets = [400.0, 800.0, 1200.0, 1600.0]
    found = frontier(at, budgets=budgets)
    assert found["budget_cny"].to_list() == budgets
    assert (found["gap"] <= 1e-6).all()
    value = found["value"].to_numpy()
    steps = np.diff(value)
    assert (steps > 0).all()
    assert (np.diff(steps) < 0).all()
    price = found["price"].to_numpy()
    assert (price[:-1] * 400 >= steps).all()
    assert (price[1:] * 400 <= steps).all()
    np.testing.assert_allclose(found["worth_per_cny"], value / found["spend_cny"].to_numpy())


def test_the_order_asked_for_is_kept_and_equal_budgets_are_equal():
    found = frontier(at, budgets=[900.0, 300.0, 900.0])
    assert found["budget_cny"].to_list() == [900.0, 300.0, 900.0]
    assert found["value"][0] == found["value"][2]


def test_a_budget_below_a_floor_is_infeasible_with_its_reason():
    floor = {"kind": "bounds", "name": "floor", "placement": "live", "min_cny": 500}
    found = frontier(lambda b: at(b, floor), budgets=[300.0, 600.0])
    assert found["status"].to_list() == ["infeasible", "optimal"]
    assert "'floor'" in found["note"][0]
    assert found["value"][0] is None


def test_a_budget_that_a_limit_in_yuan_cannot_be_written_for_is_infeasible_too():
    ticket = {"kind": "min_if_used", "name": "ticket", "min_cny": 500}
    found = frontier(lambda b: at(b, ticket), budgets=[300.0, 600.0])
    assert found["status"].to_list() == ["infeasible", "optimal"]
    assert "ticket" in found["note"][0]


@pytest.mark.parametrize("budgets", [[], [0.0], [100.0, float("nan")], [float("inf")]])
def test_budgets_must_be_positive_numbers(budgets):
    with pytest.raises(CampaignError, match="budgets"):
        frontier(at, budgets=budgets)


def test_scenarios_stand_side_by_side():
    half = {"kind": "bounds", "placement": "live", "max_share": 0.5}
    found = scenarios({"free": at(800.0), "half live": at(800.0, half)})
    assert found["scenario"].to_list() == ["free", "half live"]
    assert found["value"][0] >= found["value"][1]


def test_budgets_and_briefs_that_there_is_no_time_for_are_left_out():
    over = Deadline.of(0.0)
    assert frontier(at, budgets=[900.0, 300.0], deadline=over).is_empty()
    assert scenarios({"as it is": at(900.0)}, deadline=over).is_empty()


def test_a_plan_starts_from_what_another_budget_left():
    warm = Warm()
    first = frontier(at, budgets=[900.0], warm=warm)
    assert warm.spend is not None
    again = frontier(at, budgets=[950.0, 900.0], warm=warm)
    assert again["value"][1] == pytest.approx(first["value"][0], rel=2e-6)
    assert (again["gap"] <= 1e-6).all()
