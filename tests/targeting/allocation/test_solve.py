"""The allocator against independent answers: water filling, a grid dynamic programme, brute force, and its
own laws.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_problems import (
    brute_force,
    free_limits,
    market_of,
    random_problem,
    worst_violation,
)
from small_markets import market

from models.errors import CampaignError, InfeasibleError
from models.supply.curves import CurveSet
from targeting.allocation.formulation.compile import compile_problem
from targeting.allocation.outcomes import outcomes, total
from targeting.allocation.problem import Draws, Problem, Risk, Row
from targeting.allocation.settings import SETTINGS
from targeting.allocation.solver.incumbent import _kept
from targeting.allocation.solver.layout import build
from targeting.allocation.solver.polish import violation
from targeting.allocation.solver.risk import draw_totals, lower_tail
from targeting.allocation.solver.solve import Warm, solve


def hills(n: int, seed: int) -> Problem:
    """The S-curve instances of issue 3."""
    rng = np.random.default_rng(seed)
    slope, half, top = rng.uniform(1.2, 4, n), rng.uniform(50, 300, n), rng.lognormal(6, 0.5, n)
    supply = CurveSet.of("hill", top=top, scale_cny=half, shape=slope)
    limits = replace(free_limits(n, min(500.0, 100.0 * n)), lower_cny=np.full(n, 10.0))
    return Problem(
        market_of(supply, block=np.arange(n), users=np.inf), {"gmv": np.ones(n)}, 100.0 * n, limits, ()
    )


def competing(n: int, seed: int, family: str = "expsat") -> Problem:
    """n segments, two placements each, a budget, caps and a share floor for live."""
    rng = np.random.default_rng(seed)
    users = np.repeat(rng.lognormal(9, 1, n), 2)
    scale = users * rng.uniform(0.01, 0.1, 2 * n)
    supply = CurveSet.of(family, top=users * rng.uniform(1, 5, 2 * n), scale_cny=scale, shape=0.6)
    market = market_of(
        supply, block=np.repeat(np.arange(n), 2), users=users, hazard=rng.uniform(0.01, 0.3, 2 * n),
        gmv=rng.lognormal(2, 1, 2 * n), entry=np.tile([0.0, 0.2], n),
    )  # fmt: skip
    live = np.tile([0.0, 1.0], n)
    rows = (Row("live-share", {"spend": live - 0.6}, lower=0.0),)
    return Problem(market, {"gmv": np.ones(2 * n)}, 0.25 * scale.sum(), free_limits(2 * n, scale * 1.2), rows)


def water_filling(problem: Problem) -> np.ndarray:
    """The exact optimum of concave additive cells under one budget: bisection on the marginal value."""
    curves, high = problem.market.supply, problem.limits.upper_cny
    low_price, high_price = 1e-12, 1e12
    for _ in range(300):
        price = np.sqrt(low_price * high_price)
        spend = np.minimum(curves.inverse_slope(np.full(len(curves), price)), high)
        low_price, high_price = (
            (price, high_price) if spend.sum() > problem.budget_cny else (low_price, price)
        )
    return spend


def grid_optimum(problem: Problem, step: float) -> float:
    """Grid dynamic programme over the budget: a lower bound of the optimum."""
    levels = np.arange(0.0, problem.budget_cny + step / 2, step)
    best = np.zeros(len(levels))
    for c in range(len(problem.market)):
        one = problem.market.supply.take(np.array([c]))
        spend = levels[(levels >= problem.limits.lower_cny[c]) & (levels <= problem.limits.upper_cny[c])]
        gain = one.value(spend[:, None])[:, 0]
        k = np.rint(spend / step).astype(int)
        new = np.full(len(levels), -np.inf)
        for shift, g in zip(k, gain, strict=True):
            new[shift:] = np.maximum(new[shift:], best[: len(levels) - shift] + g)
        best = new
    return float(best[-1])


@pytest.mark.parametrize("family", ["log", "power", "expsat", "hill"])
def test_concave_cells_get_what_water_filling_gives(family: str) -> None:
    rng = np.random.default_rng(5)
    supply = CurveSet.of(family, top=rng.lognormal(3, 1, 30), scale_cny=rng.uniform(20, 200, 30), shape=0.7)
    problem = Problem(
        market_of(supply, block=np.arange(30), users=np.inf),
        {"gmv": np.ones(30)},
        900.0,
        free_limits(30, 90.0),
        (),
    )
    solution = solve(problem)
    assert solution.status == "optimal"
    assert np.abs(solution.spend_cny - water_filling(problem)).max() < 1e-6 * 900


@pytest.mark.parametrize("n", [4, 8, 16])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_s_curves_beat_the_grid_and_are_certified(n: int, seed: int) -> None:
    problem = hills(n, seed)
    solution = solve(problem)
    reference = grid_optimum(problem, 5.0)
    assert solution.gap <= 1e-6
    assert solution.value >= reference * (1 - 1e-6)
    assert solution.upper_bound >= reference
    assert solution.spend_cny.sum() == pytest.approx(problem.budget_cny, rel=1e-9)


@pytest.mark.parametrize("family", ["expsat", "log", "power"])
def test_competing_placements_are_certified(family: str) -> None:
    problem = competing(12, 3, family)
    solution = solve(problem)
    assert solution.gap <= 1e-6
    assert worst_violation(problem, solution.spend_cny) < 1e-9
    value = float(total(problem.objective, outcomes(problem.market, solution.spend_cny)))
    assert solution.value == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("seed", [0, 1, 2, 6, 7, 10, 12, 14, 19, 30])
def test_small_problems_against_brute_force(seed: int) -> None:
    check_against_brute_force(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 200))
def test_many_small_problems_against_brute_force(seed: int) -> None:
    check_against_brute_force(seed)


def check_against_brute_force(seed: int) -> None:
    """The bound is never below what a grid finds, nor the plan once it is called optimal; no limit is
    broken.
    """
    problem = random_problem(seed)
    brute = brute_force(problem, 11)
    try:
        solution = solve(problem, time_limit_s=10.0)
    except InfeasibleError:
        assert brute.value == -np.inf
        return
    assert worst_violation(problem, solution.spend_cny) < 1e-6
    assert solution.upper_bound >= brute.value - 1e-9 * abs(brute.value)
    if solution.status == "optimal":
        assert solution.value >= brute.value * (1 - 2e-6) - 1e-9


@pytest.mark.slow
@settings(derandomize=True, max_examples=8, deadline=None)
@given(st.sampled_from([1e-7, 1e-3, 1e4, 1e7]), st.sampled_from([1.0, 1000.0]), st.integers(0, 3))
def test_units_and_order_do_not_matter(values: float, money: float, seed: int) -> None:
    problem = hills(6, seed)
    order = np.random.default_rng(seed).permutation(6)
    scaled = problem.market.supply.rescaled(top=values, spend=money).take(order)
    limits = free_limits(6, problem.limits.upper_cny[order] * money)
    limits = replace(limits, lower_cny=problem.limits.lower_cny[order] * money)
    other = Problem(
        market_of(scaled, block=np.arange(6), users=np.inf),
        problem.objective,
        problem.budget_cny * money,
        limits,
        (),
    )
    plain, changed = solve(problem), solve(other)
    assert np.abs(changed.spend_cny / money - plain.spend_cny[order]).max() <= 1e-6 * problem.budget_cny


@pytest.mark.parametrize("seed", [0, 1])
def test_the_budget_price_is_the_slope_of_the_value(seed: int) -> None:
    problem = competing(10, seed)
    step = 1e-3 * problem.budget_cny
    ends = [solve(replace(problem, budget_cny=problem.budget_cny + d)).value for d in (-step, step)]
    price = solve(problem).shadow_prices["total"]
    assert price == pytest.approx((ends[1] - ends[0]) / (2 * step), rel=1e-3)


def test_value_grows_and_flattens_with_the_budget() -> None:
    problem, warm = competing(8, 1), Warm()
    budgets = problem.budget_cny * np.linspace(0.2, 1.0, 5)
    values = [solve(replace(problem, budget_cny=b, rows=()), warm=warm).value for b in budgets]
    assert (np.diff(values) > 0).all()
    assert (np.diff(values, 2) < 1e-6 * values[-1]).all()


def test_contradictions_are_infeasible_not_plans() -> None:
    problem = competing(3, 0)
    above = replace(problem.limits, lower_cny=problem.limits.upper_cny * 2)
    with pytest.raises(InfeasibleError):
        solve(replace(problem, limits=above))
    much = Row("floor", {"spend": np.ones(6)}, lower=2 * problem.budget_cny)
    with pytest.raises(InfeasibleError, match="total"):
        solve(replace(problem, rows=(much,)))
    fans = Row("fans", {"fans": np.ones(6)}, lower=float(problem.market.users.sum()))
    with pytest.raises(InfeasibleError, match="fans"):
        solve(replace(problem, rows=(fans,)))


@pytest.mark.parametrize(
    ("key", "value"), [("gap_tol", 0.0), ("time_limit_s", 0.0), ("gap_tol", float("nan"))]
)
def test_senseless_settings_are_named(key: str, value: float) -> None:
    with pytest.raises(CampaignError, match=key):
        solve(competing(2, 0), **{key: value})


def test_zero_budget_is_a_plan_of_zeros() -> None:
    solution = solve(replace(competing(3, 0), budget_cny=0.0))
    assert solution.spend_cny.sum() == 0
    assert solution.value == pytest.approx(solution.upper_bound, abs=1e-9)


def risky(seed: int) -> Problem:
    """Live is the better placement on average and the riskier one."""
    problem, rng, draws = competing(6, seed), np.random.default_rng(seed), 60
    market, one = problem.market, np.ones((60, 1))
    live = np.tile([0.0, 1.0], 6)
    shock = np.exp(rng.normal(0, 1.2, (draws, 1)) * live - 0.72 * live)
    supply = replace(
        market.supply, top=market.supply.top * one, scale_cny=market.supply.scale_cny * one,
        shape=market.supply.shape * one, base=market.supply.base * one,
    )  # fmt: skip
    drawn = Draws(supply, market.hazard * shock, market.gmv_per_fan_cny * one)
    return replace(problem, market=replace(market, draws=drawn), rows=())


@pytest.mark.parametrize("measure", ["cvar", "chance"])
def test_risk_floors_hold_on_the_draws(measure: str) -> None:
    problem = risky(0)
    level = 0.9 if measure == "chance" else 0.1
    free = solve(problem)
    tail = lower_tail(draw_totals(problem, free.spend_cny), Risk("r", measure, level, 0.0))
    risk = Risk("r", measure, level, tail * 1.01)
    safe = solve(replace(problem, risk=risk))
    assert lower_tail(draw_totals(problem, safe.spend_cny), risk) >= risk.floor * (1 - 1e-8)
    assert safe.value <= free.upper_bound
    with pytest.raises(InfeasibleError, match="'r'"):
        solve(replace(problem, risk=replace(risk, floor=tail * 100)))


def test_a_spend_that_breaks_returns_of_many_cells_is_taken_back_to_a_plan():
    """It stopped a hair short of most floors, and a solve out of time had no plan but to spend nothing."""
    on = market(segments=100)
    brief = [{"kind": "roi_floor", "each": "cell", "min": 20.0}]
    problem = compile_problem(on, budget_cny=60_000.0, constraints=brief)
    program = build(problem)
    kept = _kept(program, np.full(len(program.cell), 300.0), np.zeros(len(program.cell)))
    assert np.abs(violation(program, kept)).max() <= SETTINGS.feasible
    assert kept.sum() > 0.2 * problem.budget_cny
