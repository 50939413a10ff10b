"""Risk floors: kept on the draws, bounded honestly; a chance floor covers out of sample what it asks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_markets import market

from models.errors import InfeasibleError
from targeting.allocation.audit.check import violations
from targeting.allocation.audit.judgement import lower_tail
from targeting.allocation.explain.contradiction import solve_or_explain
from targeting.allocation.formulation.compile import compile_problem
from targeting.allocation.outcomes import outcomes

MARKET = market(segments=4, draws=60, users=np.inf)


def worth_by_draw(problem, spend):
    return outcomes(problem.market, spend, draw=slice(None))["gmv"].sum(axis=-1)


def tail(risk, totals):
    return lower_tail(totals.tolist(), measure=risk.measure, level=risk.level)


def plan(measure, level, floor, on=MARKET):
    brief = [{"kind": "risk", "name": "tail", "measure": measure, "level": level, "floor": floor}]
    problem = compile_problem(on, budget_cny=1500, constraints=brief)
    found = solve_or_explain(problem)
    assert not violations(on, budget_cny=1500, constraints=brief, spend_cny=found.spend_cny)
    return problem, found


@pytest.mark.slow
@pytest.mark.parametrize(("measure", "level"), [("cvar", 0.1), ("quantile", 0.1), ("chance", 0.9)])
def test_a_binding_floor_is_kept_and_costs_value(measure, level):
    problem, free = plan(measure, level, 1.0)
    assert free.gap <= 1e-6
    now = tail(problem.risk, worth_by_draw(problem, free.spend_cny))
    _, careful = plan(measure, level, now * 1.005)
    assert careful.value <= free.value
    assert careful.upper_bound >= careful.value
    assert "tail" in careful.binding


def test_an_impossible_floor_says_how_far_the_best_plan_is():
    with pytest.raises(InfeasibleError, match="'tail'") as caught:
        plan("cvar", 0.1, 1e9)
    assert caught.value.conflict == ("tail",)
    assert 0 < caught.value.relaxation["tail"] < 1e9


def test_a_chance_floor_covers_out_of_sample():
    on = market(segments=4, draws=400, users=np.inf)
    half = replace(
        on.draws,
        hazard=on.draws.hazard[:200],
        gmv_per_fan_cny=on.draws.gmv_per_fan_cny[:200],
        supply=replace(
            on.draws.supply,
            **{k: getattr(on.draws.supply, k)[:200] for k in ("top", "scale_cny", "shape", "base")},
        ),
    )
    problem, free = plan("chance", 0.9, 1.0, on=replace(on, draws=half))
    floor = tail(problem.risk, worth_by_draw(problem, free.spend_cny))
    fresh = worth_by_draw(replace(problem, market=on), free.spend_cny)[200:]
    assert 0.82 <= np.mean(fresh >= floor) <= 0.97


def test_other_constraints_are_kept_too():
    on = market(segments=3, draws=40)
    cap = {"kind": "bounds", "placement": "live", "max_share": 0.5}
    free = solve_or_explain(compile_problem(on, budget_cny=1000, constraints=[cap]))
    problem = compile_problem(
        on, budget_cny=1000, constraints=[{"kind": "risk", "measure": "cvar", "level": 0.1, "floor": 1.0}]
    )
    now = tail(problem.risk, worth_by_draw(problem, free.spend_cny))
    brief = [cap, {"kind": "risk", "measure": "cvar", "level": 0.1, "floor": 1.002 * now}]
    found = solve_or_explain(compile_problem(on, budget_cny=1000, constraints=brief))
    assert not violations(on, budget_cny=1000, constraints=brief, spend_cny=found.spend_cny)
    assert found.value <= free.value * (1 + 1e-9)


@pytest.mark.parametrize("users", [np.inf, 1e4])
def test_a_cvar_floor_is_certified_and_its_price_is_the_slope(users):
    on = market(segments=3, draws=40, users=users)
    problem, free = plan("cvar", 0.1, 1.0, on=on)
    now = tail(problem.risk, worth_by_draw(problem, free.spend_cny))
    floor, step = 1.01 * now, 1e-4 * now
    found = [plan("cvar", 0.1, f, on=on)[1] for f in (floor - step, floor, floor + step)]
    assert all(f.gap <= 1e-4 for f in found)
    assert found[1].value < free.value
    slope = (found[0].value - found[2].value) / (2 * step)
    assert found[1].shadow_prices["tail"] == pytest.approx(slope, rel=2e-2)


def test_a_cvar_floor_out_of_reach_is_proven():
    with pytest.raises(InfeasibleError, match="there is no plan"):
        plan("cvar", 0.1, 1e9)
