"""Random small tables beside the whole integer program, as HiGHS solves it without any of our mathematics."""

import numpy as np
import offered_people
import polars as pl
import pytest
from scipy.optimize import Bounds, LinearConstraint, milp

import targeting as tg
from models.errors import InfeasibleError
from targeting.assignment.everybody import Everybody, reply, within
from targeting.assignment.prices import best_prices


def exact(people):
    """The best worth of whole people, or None where there is no choice."""
    n = len(people)
    place, who = np.nonzero(np.isfinite(people.worth))
    once = np.zeros((n, len(who)))
    once[who, np.arange(len(who))] = 1.0
    rows = [np.stack([np.zeros(n) if u is None else u for u in row.use])[place, who] for row in people.rows]
    found = milp(
        -people.worth[place, who],
        integrality=np.ones(len(who)),
        bounds=Bounds(0, 1),
        constraints=[
            LinearConstraint(np.array(rows), people.lower, people.upper),
            LinearConstraint(once, -np.inf, 1.0),
        ],
        options={"mip_rel_gap": 0.0},
    )
    return None if found.x is None else -float(found.fun)


def drawn(seed):
    """A table of 5-30 people, a budget, and up to three limits, two-sided and lumpy ones among them."""
    rng = np.random.default_rng(seed)
    n, k = int(rng.integers(5, 31)), int(rng.integers(1, 4))
    table = offered_people.offers(n, k, seed=seed, coarse=bool(seed % 3 == 0), missing=0.1)
    table = table.with_columns(reach=pl.Series(rng.choice([1.0, 10.0, 1000.0], table.height)))
    reach = float(table["reach"].sum())
    some = [
        {"kind": "bounds", "name": "cap", "placement": "video", "max_share": float(rng.uniform(0.2, 0.8))},
        {"kind": "bounds", "name": "each", "each": "segment", "max_share": float(rng.uniform(0.3, 0.6))},
        {"kind": "amount", "column": "reach", "min": 0.1 * reach, "max": 0.1 * reach + 1005.0},
        {"kind": "amount", "column": "reach", "name": "most", "max": float(rng.uniform(0.1, 0.5)) * reach},
    ]
    limits = [some[i] for i in np.flatnonzero(rng.random(4) < 0.4)]
    return table, float(rng.uniform(0.1, 0.7)) * float(table["cost_cny"].sum()), limits


@pytest.mark.parametrize("seed", range(60))
def test_small_tables_get_the_best_there_is_and_nothing_is_exceeded(seed):
    table, budget, limits = drawn(seed)
    people = offered_people.people_of(table, budget_cny=budget, limits=limits)
    best = exact(people)
    if best is None:
        with pytest.raises(InfeasibleError):
            tg.assign(table, budget_cny=budget, limits=limits)
        return
    found = tg.assign(table, budget_cny=budget, limits=limits)
    assert best <= found.upper_bound * (1 + 1e-6) + 1e-6
    # HiGHS keeps the limits of its whole program to 1e-6 only: it may have a hair more.
    assert found.value == pytest.approx(best, rel=1e-6, abs=1e-6)
    assert found.gap <= 1e-6
    for lower, used, upper in found.limits.select("lower", "used", "upper").iter_rows():
        assert lower - 1e-12 * abs(lower) <= used <= upper + 1e-12 * abs(upper)


@pytest.mark.parametrize("seed", range(50))
def test_small_tables_with_ratios_means_and_shares_too(seed):
    table, budget, limits = drawn(seed)
    rng = np.random.default_rng(seed + 1000)
    table = table.with_columns(
        impressions=pl.Series(rng.integers(1, 6, table.height) + 0.0),
        merchant_id=pl.Series(rng.choice(["m1", "m2"], table.height)),
    )
    some = [
        {"kind": "ratio", "of": {"placement": "video"}, "to": {}, "max": float(rng.uniform(0.3, 0.7))},
        {"kind": "roi_floor", "min": float(rng.uniform(0.8, 2.0))},
        {"kind": "frequency_cap", "impressions": float(rng.uniform(1.5, 3.5))},
        {"kind": "fairness_floor", "min_share": float(rng.uniform(0.2, 0.45))},
    ]
    limits = [*limits, *(some[i] for i in np.flatnonzero(rng.random(4) < 0.6))]
    people = offered_people.people_of(table, budget_cny=budget, limits=limits)
    best = exact(people)
    if best is None:
        with pytest.raises(InfeasibleError):
            tg.assign(table, budget_cny=budget, limits=limits)
        return
    found = tg.assign(table, budget_cny=budget, limits=limits)
    assert best <= found.upper_bound * (1 + 1e-6) + 1e-6
    assert found.value == pytest.approx(best, rel=1e-6, abs=1e-6)
    assert found.gap <= 1e-6
    gross = float(table["worth"].abs().sum() + table["cost_cny"].sum() + table["impressions"].sum())
    for lower, used, upper in found.limits.select("lower", "used", "upper").iter_rows():
        assert lower - 1e-12 * gross <= used <= upper + 1e-12 * gross


def test_amounts_a_thousand_times_apart_are_chosen_exactly():
    rng = np.random.default_rng(1)
    n = 40
    table = pl.DataFrame(
        {
            "user_id": np.repeat([f"u{i:03d}" for i in range(n)], 2),
            "placement": ["video", "live"] * n,
            "worth": np.round(rng.gamma(1, 3, 2 * n), 3),
            "cost_cny": np.round(rng.gamma(2, 0.5, 2 * n), 3),
            "reach": np.where(rng.integers(1, 9, 2 * n) > 4, 1000.0, 1.0),
        }
    )
    limit = {"kind": "amount", "column": "reach", "min": 1000, "max": 1005}
    found = tg.assign(table, budget_cny=20, limits=[limit])
    assert found.value == pytest.approx(86.135, rel=1e-9)
    assert (found.status, found.gap) == ("optimal", 0.0)


@pytest.mark.parametrize("seed", range(5))
def test_who_is_decided_in_a_box_chooses_the_same_all_over_it(seed):
    table = offered_people.offers(500, 3, seed=seed, coarse=bool(seed % 2))
    limits = offered_people.usual_limits(table)
    people = offered_people.people_of(table, budget_cny=80.0, limits=limits)
    middle = best_prices(Everybody.of(people)).reply.prices
    low = np.where(np.isfinite(people.lower), 1.0, 0.9) * middle - np.isfinite(people.lower) * 0.05
    high = np.where(np.isfinite(people.upper), 1.1, 1.0) * middle
    near = within(Everybody.of(people), low, high)
    assert 0 < len(near.at) < len(people)
    rng = np.random.default_rng(seed)
    for _ in range(20):
        prices = low + rng.random(len(low)) * (high - low)
        whole, rest = (reply(Everybody.of(some), prices) for some in (people, near.people))
        assert near.worth + rest.bound == pytest.approx(whole.bound, rel=1e-12)


def test_where_money_is_used_up_to_the_last_fen_the_price_is_that_of_the_next_yuan():
    table = pl.DataFrame(
        {
            "user_id": list("abcd"),
            "placement": ["live"] * 4,
            "worth": [9.0, 7.0, 4.0, 1.0],
            "cost_cny": [1.0] * 4,
        }
    )
    for money, price in ((1, 7.0), (2, 4.0), (3, 1.0), (4, 0.0)):
        assert tg.assign(table, budget_cny=money).prices["total"] == pytest.approx(price, abs=1e-9)
