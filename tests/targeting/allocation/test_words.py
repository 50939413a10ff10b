"""Reasons for every cell: built so that the reason is known, solved by scipy where a plan is needed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize
from small_markets import market

from models.supply.curves import CurveSet
from targeting.allocation.explain.words import (
    REASONS,
    findings,
    hurdle,
    reasons,
    value_coefficients,
    value_unit,
    why,
)
from targeting.allocation.formulation.compile import compile_problem
from targeting.allocation.outcomes import outcomes, total
from targeting.allocation.problem import Solution


def solved(problem, binding=("total",)):
    """A plan by scipy and the price of its budget by a difference."""
    n = len(problem.market)

    def value(spend):
        return float(total(problem.objective, outcomes(problem.market, spend)))

    def best(budget):
        ends = np.minimum(problem.limits.upper_cny, budget)
        found = minimize(
            lambda s: -value(s) / 1e3,
            np.clip(np.full(n, budget / n), problem.limits.lower_cny, ends),
            method="SLSQP",
            bounds=list(zip(problem.limits.lower_cny, ends, strict=True)),
            constraints=[{"type": "ineq", "fun": lambda s: (budget - s.sum()) / budget}],
            options={"maxiter": 500, "ftol": 1e-12},
        )
        return np.where(found.x < 1e-3, 0.0, found.x)

    spend = best(problem.budget_cny)
    price = (value(best(problem.budget_cny * 1.001)) - value(spend)) / (0.001 * problem.budget_cny)
    return Solution("optimal", spend, value(spend), value(spend), {"total": price}, binding, 0.0, 1)


def plan(spend, price=10.0, binding=("total",)):
    return Solution("optimal", np.array(spend, float), 1.0, 1.0, {"total": price}, binding, 0.0, 1)


def test_caps_floors_margins_and_weak_cells_are_told_apart():
    small = market()
    problem = compile_problem(
        small,
        budget_cny=1000,
        constraints=[
            {"kind": "bounds", "name": "cap", "segment": "s2", "placement": "live", "max_cny": 100},
            {"kind": "bounds", "name": "floor", "segment": "s0", "placement": "live", "min_cny": 30},
            {"kind": "bounds", "name": "shut", "segment": "s1", "placement": "video", "max_cny": 0},
        ],
    )
    solution = solved(problem)
    found = findings(problem, solution)
    assert [f.code for f in found] == ["margin", "floor", "closed", "too_weak", "margin", "cap"]
    assert [f.names for f in found] == [(), ("floor",), ("shut",), (), (), ("cap",)]
    said = reasons(problem, solution)
    assert said[5] == "at its cap ('cap')"
    sentence = why(small, problem, solution, 5)
    assert sentence.startswith("s2 × live gets 100.00 CNY: at its cap ('cap').")
    assert "CNY of GMV" in sentence
    assert "gets nothing: its first yuan" in why(small, problem, solution, 3)
    assert why(small, problem, solution, 2).endswith("closed by a limit of 0 ('shut').")
    margin = [f for f in found if f.code == "margin"]
    assert all(f.returns == pytest.approx(f.hurdle, rel=0.02) for f in margin)


def s_curves(top=(1e3, 1e3), half=(400.0, 400.0)):
    base = market(segments=1, users=np.inf)
    ones = np.ones(2)
    supply = CurveSet(np.zeros(2, np.int8), np.array(top), np.array(half), 3 * ones, 0 * ones)
    return replace(base, supply=supply, hazard=ones, gmv_per_fan_cny=ones)


def test_an_s_curve_that_needs_too_much_money_is_a_slow_start():
    problem = compile_problem(s_curves(half=(100.0, 2000.0)), budget_cny=300)
    found = findings(problem, plan([300, 0], price=1.0))[1]
    assert found.code == "slow_start"
    assert found.best_cny == pytest.approx(300.0)
    assert found.returns < 1.0


def test_a_minimum_spend_that_is_not_worth_it():
    small = market(segments=1, users=np.inf)
    brief = [{"kind": "min_if_used", "name": "lot", "min_cny": 900, "placement": "live"}]
    problem = compile_problem(small, budget_cny=1000, constraints=brief)
    first, average = (outcomes(small, np.array([0.0, s]))["gmv"][1] / s for s in (0.1, 900.0))
    found = findings(problem, plan([1000, 0], price=0.5 * (first + average)))[1]
    assert (found.code, found.names) == ("below_minimum", ("lot",))
    at_least = findings(problem, plan([0, 900], price=2 * average))[1]
    assert (at_least.code, at_least.names) == ("minimum", ("lot",))


def test_rows_that_hold_back_hold_up_and_hold_out_are_named():
    small = market(segments=1, users=np.inf)
    brief = [{"kind": "bounds", "name": "both", "max_cny": 50}]
    problem = compile_problem(small, budget_cny=1000, constraints=brief)
    poor, rich = plan([30, 20], price=1e6, binding=("both",)), plan([50, 0], price=1e-9, binding=("both",))
    assert {f.code for f in findings(problem, poor)} == {"held_up"}
    assert [f.code for f in findings(problem, rich)] == ["held_back", "held_out"]
    assert all(f.names == ("both",) for f in (*findings(problem, poor), *findings(problem, rich)))
    alone = replace(rich, binding=())
    assert {f.code for f in findings(problem, alone)} == {"near_tie"}


def test_marginal_floor_stops_and_keeps_out():
    small = market(segments=1, users=np.inf)
    base, more = (outcomes(small, np.array([s, 0.0]))["gmv"].sum() for s in (100.0, 100.001))
    brief = [{"kind": "marginal_floor", "name": "enough", "min": (more - base) / 0.001}]
    problem = compile_problem(small, budget_cny=1000, constraints=brief)
    found = findings(problem, plan([100, 0], price=0.0))
    assert (found[0].code, found[0].names) == ("marginal_floor", ("enough",))
    assert found[1].code in ("marginal_floor", "near_tie")


def test_no_value_and_saturation():
    small = market(segments=1, users=np.inf)
    dead = replace(small, hazard=np.array([0.0, 1.0]))
    flat = replace(dead.supply, family=np.full(2, 3, np.int8), scale_cny=np.full(2, 1e-3))
    problem = compile_problem(replace(dead, supply=flat), budget_cny=1000)
    found = findings(problem, plan([0, 500], price=0.0, binding=()))
    assert [f.code for f in found] == ["no_value", "saturated"]


def test_hurdles_of_profit_marginal_roi_and_cheapest_plans():
    small = market(segments=1)

    class Kept:
        kept_share = 0.4

    profit = compile_problem(small, budget_cny=100, objective="profit", economics=Kept())
    assert hurdle(profit, plan([0, 0], price=0.5)).tolist() == [1.5, 1.5]
    assert value_unit(profit) == "CNY of margin"
    marginal = compile_problem(
        small, budget_cny=100, constraints=[{"kind": "target", "metric": "marginal_roi", "value": 3}]
    )
    assert hurdle(marginal, plan([0, 0], price=0.5)).tolist() == [3.5, 3.5]
    cheapest = compile_problem(
        small,
        budget_cny=100,
        constraints=[{"kind": "target", "name": "fans", "metric": "new_fans", "value": 3}],
    )
    priced = replace(plan([0, 0], price=0.0), shadow_prices={"fans": 4.0})
    assert hurdle(cheapest, priced).tolist() == [0.25, 0.25]
    assert value_unit(cheapest) == "new fans"
    assert list(value_coefficients(cheapest)) == ["fans"]
    assert np.isinf(hurdle(cheapest, plan([0, 0], price=0.0))).all()


def test_every_code_has_a_phrase_without_jargon():
    assert all(phrase and "dual" not in phrase for phrase in REASONS.values())
