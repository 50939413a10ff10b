"""Prices of cells' own limits against finite differences of the solved value."""

from __future__ import annotations

import pytest
from small_markets import market

from targeting.allocation.formulation.compile import compile_problem
from targeting.allocation.solver.solve import solve


def solved(limit, *, on, **fixed):
    brief = [{"name": "limit", **fixed, **limit}]
    return solve(compile_problem(on, budget_cny=1000, constraints=brief), gap_tol=1e-10)


@pytest.mark.parametrize(
    ("key", "limit", "sign", "fixed"),
    [
        ("max_cny", 190.0, 1.0, {"kind": "bounds", "each": "cell"}),
        ("min_cny", 40.0, -1.0, {"kind": "bounds", "each": "cell"}),
    ],
)
def test_the_price_is_the_slope_of_the_value(key, limit, sign, fixed):
    on = market(segments=2, slots=2)
    step = 0.05
    here = solved({key: limit}, on=on, **fixed)
    near = solved({key: limit - step}, on=on, **fixed), solved({key: limit + step}, on=on, **fixed)
    slope = sign * (near[1].value - near[0].value) / (2 * step)
    assert here.shadow_prices["limit"] == pytest.approx(slope, rel=2e-3)
    assert "limit" in here.binding


def test_a_limit_that_is_not_reached_has_no_price():
    free = solved({"max_cny": 999.0}, on=market(), kind="bounds", each="cell")
    assert free.shadow_prices.get("limit", 0.0) == 0.0
    assert "limit" not in free.binding
