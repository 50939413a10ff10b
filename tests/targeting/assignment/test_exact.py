"""Two independent answers: the linear program by HiGHS, and every choice of everybody."""

import numpy as np
import offered_people
import pytest

import targeting as tg
from benchmarks.assignment import relaxed_optimum
from models.errors import InfeasibleError
from targeting.assignment import prices
from targeting.assignment.everybody import Everybody, reply


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("coarse", [False, True])
def test_with_the_budget_alone_the_bound_is_the_linear_programs_optimum(k, coarse):
    table = offered_people.offers(2000, k, seed=k, coarse=coarse, missing=0.1)
    budget = 0.1 * float(table["cost_cny"].sum())
    found = tg.assign(table, budget_cny=round(budget) if coarse else budget)
    assert found.upper_bound == pytest.approx(relaxed_optimum(found.people), rel=1e-9)
    # Coarse costs are whole yuan: one may be left that fits nobody.
    left = found.prices["total"] if coarse else 1e-4 * found.value
    assert found.upper_bound - found.value <= left


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("coarse", [False, True])
def test_with_four_limits_too(seed, coarse):
    table = offered_people.offers(2000, 3, seed=seed, coarse=coarse, missing=0.1)
    limits = offered_people.usual_limits(table)
    found = tg.assign(table, budget_cny=0.1 * float(table["cost_cny"].sum()), limits=limits)
    assert found.upper_bound == pytest.approx(relaxed_optimum(found.people), rel=1e-7)
    # Dropping the at most four people whom the linear program splits would cost no more than this.
    split = 4 * float(table["worth"].max())
    assert found.value >= found.upper_bound - split
    assert found.gap <= 2e-3


@pytest.mark.parametrize("n", [5000, 20_000])
def test_prices_found_by_way_of_samples_are_those_of_the_whole_program(n):
    table = offered_people.offers(n, 2, seed=1)
    limits = offered_people.usual_limits(table)
    found = tg.assign(table, budget_cny=0.1 * float(table["cost_cny"].sum()), limits=limits)
    assert found.upper_bound == pytest.approx(relaxed_optimum(found.people), rel=1e-7)


@pytest.mark.parametrize("seed", range(3))
def test_a_floor_whose_price_the_sample_got_wrong_is_followed_beyond_the_box(seed):
    # The floor's price is negative and its limit one-sided: the edge of the box towards 0 must count as one.
    table = offered_people.offers(6000, 2, seed=seed)
    budget = 0.1 * float(table["cost_cny"].sum())
    limit = {"kind": "bounds", "name": "live floor", "placement": "live", "min_share": 0.75}
    people = offered_people.people_of(table, budget_cny=budget, limits=[limit])
    wrong = np.array([1.0, -3.0])
    edge, reach = np.full(2, np.inf), np.full(2, 0.05)
    found = prices.descend(Everybody.of(people), wrong, -edge, edge, reach)
    assert found.prices[1] < 0
    assert found.bound == pytest.approx(relaxed_optimum(people), rel=1e-7)


@pytest.mark.parametrize("seed", range(25))
def test_six_people_get_the_very_best_choice(seed):
    rng = np.random.default_rng(seed)
    table = offered_people.offers(6, 2, seed=seed, coarse=bool(seed % 2), missing=0.1)
    limits = offered_people.usual_limits(table) if seed % 3 else []
    budget = float(rng.uniform(0.1, 0.6)) * float(table["cost_cny"].sum())
    try:
        found = tg.assign(table, budget_cny=budget, limits=limits)
    except InfeasibleError:
        people = offered_people.people_of(table, budget_cny=budget, limits=limits)
        assert offered_people.best_by_hand(people) is None
        return
    assert found.value == pytest.approx(offered_people.best_by_hand(found.people), rel=1e-9)


def test_the_bound_holds_at_any_prices_of_the_right_sign():
    table = offered_people.offers(1000, 3, seed=3)
    found = tg.assign(table, budget_cny=150, limits=offered_people.usual_limits(table))
    rng = np.random.default_rng(0)
    for _ in range(50):
        prices = offered_people.random_prices(found.people, rng)
        assert reply(Everybody.of(found.people), prices).bound >= found.value * (1 - 1e-12)


def test_a_crowd_with_equal_offers_is_split_by_number_not_person_by_person():
    table = offered_people.offers(60_000, 2, seed=5, coarse=True)
    limits = offered_people.usual_limits(table)
    found = tg.assign(table, budget_cny=0.1 * float(table["cost_cny"].sum()), limits=limits)
    assert found.gap <= 5e-5
    for name, used, lower, upper in found.limits.select("name", "used", "lower", "upper").iter_rows():
        assert lower * (1 - 1e-12) <= used <= upper * (1 + 1e-12), name


def test_a_hundred_thousand_people_and_four_limits_are_certified_to_one_part_in_a_million():
    table = offered_people.offers(100_000, 2, seed=6)
    limits = offered_people.usual_limits(table)
    found = tg.assign(table, budget_cny=0.1 * float(table["cost_cny"].sum()), limits=limits)
    assert found.status == "optimal"
    assert found.gap <= 1e-6
