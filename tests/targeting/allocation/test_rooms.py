"""Plans where a live room fills: against brute force, the checker's own outcomes, and derivatives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from targeting.allocation.audit.recount import true_outcome
from targeting.allocation.explain.contradiction import solve_or_explain
from targeting.allocation.formulation.compile import compile_problem
from targeting.allocation.moves import marginals
from targeting.allocation.outcomes import outcomes, total
from targeting.allocation.problem import Rooms
from targeting.allocation.rooms import arrivals
from targeting.allocation.settings import SETTINGS
from targeting.plan.market_file import market_from_json, market_to_json
from targeting.plan.promise import promise
from tests.targeting.small_markets import market

BUDGET = 900.0


def with_room(on, places, *, sd=0.0, seed=0):
    """The market with a live room of so many places in every slot."""
    live = on.entry > 0
    slot = on.cells["slot"].to_numpy()
    count = int(slot.max()) + 1
    draws = None
    if on.draws is not None:
        noise = np.random.default_rng(seed).normal(0.0, sd, (len(on.draws.hazard), count))
        draws = places * np.exp(noise)
    return replace(on, rooms=Rooms(np.where(live, slot, -1), np.full(count, float(places)), draws))


def solved(on, *, budget=BUDGET, constraints=(), objective="new_fan_gmv"):
    problem = compile_problem(on, budget_cny=budget, constraints=list(constraints), objective=objective)
    return problem, solve_or_explain(problem, time_limit_s=30.0)


def searched(problem, spend, *, tries=2000, seed=0):
    """The best of many plans, near and far."""
    rng, best = np.random.default_rng(seed), -np.inf
    n = len(spend)
    for k in range(tries):
        tried = spend * np.exp(rng.normal(size=n) * rng.choice([0.001, 0.03, 0.3]))
        if k % 2:
            tried = rng.dirichlet(np.full(n, 0.3)) * problem.budget_cny
        tried = tried * min(1.0, problem.budget_cny / tried.sum())
        best = max(best, float(total(problem.objective, outcomes(problem.market, tried))))
    return best


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("places", [600.0, 4000.0])
def test_no_plan_is_better_than_the_bound_and_the_plan_is_near_it(seed, places):
    problem, found = solved(with_room(market(seed=seed), places))
    best = searched(problem, found.spend_cny)
    assert best <= found.upper_bound
    assert best <= found.value * (1 + 1e-3)
    assert found.gap <= SETTINGS.room_gap or places == 600.0  # full many times over may be left open
    assert found.value == pytest.approx(
        float(total(problem.objective, outcomes(problem.market, found.spend_cny))), rel=1e-12
    )


def test_where_the_room_is_small_the_plan_is_another_and_worth_more_than_one_that_does_not_know():
    on = market(seed=1)
    roomy = with_room(on, 100.0)
    problem, found = solved(roomy)
    blind = solved(on)[1].spend_cny
    assert arrivals(roomy, found.spend_cny)[0] < 0.8 * arrivals(roomy, blind)[0]
    assert found.value > 1.02 * float(total(problem.objective, outcomes(roomy, blind)))


def test_a_room_without_a_limit_changes_nothing():
    on = market(seed=2)
    assert solved(with_room(on, np.inf))[1].spend_cny == pytest.approx(solved(on)[1].spend_cny)


def test_a_room_and_a_least_spend_together_keep_an_honest_bound():
    on = with_room(market(segments=2, seed=3), 1500.0)
    _, found = solved(on, constraints=[{"kind": "min_if_used", "min_cny": 200.0}])
    assert found.value <= found.upper_bound < 1.5 * found.value


def test_limits_on_entries_and_fans_hold_at_the_plans_own_load():
    on = with_room(market(seed=4), 200.0)
    free = solved(on)[1]
    entered = outcomes(on, free.spend_cny)["entries"].sum()
    capped = solved(on, constraints=[{"kind": "live_capacity", "viewers": 0.7 * entered}])[1]
    got = outcomes(on, capped.spend_cny)
    assert got["entries"].sum() <= 0.7 * entered * (1 + 1e-6)
    assert capped.gap <= 0.02
    fans = 0.8 * outcomes(on, free.spend_cny)["fans"].sum()
    least = [{"kind": "target", "metric": "new_fans", "value": fans}]
    cheapest = solved(on, constraints=least)[1]
    assert outcomes(on, cheapest.spend_cny)["fans"].sum() >= fans * (1 - 1e-6)
    assert cheapest.spend_cny.sum() < free.spend_cny.sum()


def test_most_live_entries_is_exact():
    problem, found = solved(with_room(market(seed=5), 100.0), objective="live_entries")
    assert found.gap <= 1e-9
    assert searched(problem, found.spend_cny) <= found.value * (1 + 1e-9)


def test_slots_have_rooms_of_their_own_and_the_bound_is_wide_but_right():
    problem, found = solved(with_room(market(seed=6, slots=2), 150.0))
    best = searched(problem, found.spend_cny)
    assert best <= found.value * (1 + 2e-3)
    assert best <= found.upper_bound


def test_the_checkers_own_outcomes_are_the_same():
    on = with_room(market(seed=7, draws=5), 120.0, sd=0.4)
    spend = np.random.default_rng(0).uniform(0, 300, len(on))
    for draw in (None, 3):
        ours, theirs = outcomes(on, spend, draw=draw), true_outcome(on, spend, draw=draw)
        assert ours["entries"] == pytest.approx(theirs.entries)
        assert ours["gmv"] == pytest.approx(theirs.gmv)


def test_marginals_count_the_crowd():
    on = with_room(market(seed=8), 120.0)
    spend, step = np.full(len(on), 150.0), 0.01
    gmv = {"gmv": np.ones(len(on))}
    told = marginals(on, spend_cny=spend, coefficients=gmv, step_cny=step)
    for cell in range(len(on)):
        moved = spend + step * (np.arange(len(on)) == cell)
        true = float(total(gmv, outcomes(on, moved)) - total(gmv, outcomes(on, spend))) / step
        assert told[cell] == pytest.approx(true, rel=2e-3, abs=1e-3)


def test_doubt_of_the_places_is_in_the_interval():
    def width(sd):
        on = with_room(market(seed=9, draws=200), 100.0, sd=sd)
        told = promise(market=on, spend_cny=150.0 * (on.entry > 0), kept_share=None).new_fans
        return told.high - told.low

    assert width(0.8) > 1.1 * width(0.0)


def test_a_market_with_rooms_is_saved_to_the_last_digit():
    on = with_room(market(seed=10, draws=3), 100.0, sd=0.3)
    back = market_from_json(market_to_json(on))
    spend = np.full(len(on), 100.0)
    for draw in (None, 1):
        assert (outcomes(back, spend, draw=draw)["gmv"] == outcomes(on, spend, draw=draw)["gmv"]).all()
