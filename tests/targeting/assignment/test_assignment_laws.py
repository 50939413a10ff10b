"""Laws of every assignment, whatever the offers."""

import itertools

import offered_people
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import targeting as tg
from benchmarks.assignment import relaxed_optimum
from models.errors import InfeasibleError
from targeting.assignment.everybody import Everybody
from targeting.assignment.prices import best_prices

LAWS = settings(derandomize=True, max_examples=25, deadline=None)
SEEDS = st.integers(0, 10_000)
SHARES = st.floats(0.0, 1.2)


def limited(seed, share, *, n=80, coarse=False):
    table = offered_people.offers(n, 2, seed=seed, coarse=coarse, missing=0.1)
    return table, share * float(table["cost_cny"].sum()), offered_people.usual_limits(table)[1:]


@LAWS
@given(SEEDS, SHARES, st.booleans())
def test_no_limit_is_ever_exceeded_and_nobody_is_chosen_twice(seed, share, coarse):
    table, budget, limits = limited(seed, share, coarse=coarse)
    found = tg.assign(table, budget_cny=budget, limits=limits)
    assert found.chosen["user_id"].n_unique() == found.chosen.height
    assert offered_people.used_by(found, table) <= budget * (1 + 1e-12)
    assert offered_people.used_by(found, table, placement="video") <= 0.4 * budget * (1 + 1e-12)
    assert offered_people.used_by(found, table, "live_entries") <= limits[1]["viewers"] * (1 + 1e-12)
    assert offered_people.used_by(found, table, "worth") == pytest.approx(found.value, rel=1e-12, abs=1e-12)
    assert found.value <= found.upper_bound
    assert found.value >= 0


@LAWS
@given(SEEDS, SHARES)
def test_the_bound_is_never_below_the_linear_programs_and_the_value_within_its_rounding(seed, share):
    table, budget, limits = limited(seed, share)
    found = tg.assign(table, budget_cny=budget, limits=limits)
    # Offers that alone exceed a limit count in the linear program, so its optimum may be above our bound.
    assert found.upper_bound <= relaxed_optimum(found.people) * (1 + 1e-7) + 1e-9
    assert found.value >= found.upper_bound - 3 * float(table["worth"].max()) - 1e-9


@LAWS
@given(SEEDS, st.floats(0.0, 0.8), st.floats(0.01, 0.5))
def test_more_money_is_never_worse_and_the_bound_is_concave_in_it(seed, share, step):
    table = offered_people.offers(60, 2, seed=seed, missing=0.1)
    whole = float(table["cost_cny"].sum())
    found = [tg.assign(table, budget_cny=whole * (share + i * step / 2)) for i in range(3)]
    value = [f.value for f in found]
    assert all(b >= a * (1 - 1e-6) for a, b in itertools.pairwise(value))
    people = [Everybody.of(f.people) for f in found]
    bound = [best_prices(each).reply.bound for each in people]
    assert bound[1] >= 0.5 * (bound[0] + bound[2]) - 1e-9 * max(bound)


@LAWS
@given(SEEDS, SHARES, st.booleans())
def test_the_order_of_rows_does_not_matter(seed, share, coarse):
    table, budget, limits = limited(seed, share, coarse=coarse)
    one = tg.assign(table, budget_cny=budget, limits=limits)
    other = tg.assign(table.sample(fraction=1, shuffle=True, seed=seed), budget_cny=budget, limits=limits)
    assert other.chosen.equals(one.chosen)
    assert other.value == one.value
    assert other.upper_bound == one.upper_bound


@LAWS
@given(SEEDS, st.floats(0.05, 0.8), st.sampled_from([1e-7, 1e6]), st.sampled_from([1000.0, 1e-4]))
def test_units_do_not_matter(seed, share, worth, money):
    table, budget, limits = limited(seed, share)
    one = tg.assign(table, budget_cny=budget, limits=limits)
    restated = table.with_columns(pl.col("worth") * worth, pl.col("cost_cny") * money)
    other = tg.assign(restated, budget_cny=budget * money, limits=limits)
    assert other.upper_bound == pytest.approx(one.upper_bound * worth, rel=1e-7)
    assert other.value == pytest.approx(one.value * worth, rel=2e-2)
    assert other.status == one.status or one.gap < 1e-3


@LAWS
@given(SEEDS, st.floats(0.1, 0.6), st.floats(0.05, 0.9))
def test_a_floor_is_kept_or_refused_by_name(seed, share, floor):
    table = offered_people.offers(60, 2, seed=seed)
    budget = share * float(table["cost_cny"].sum())
    limit = {"kind": "bounds", "name": "floor", "placement": "live", "min_share": floor}
    reach = offered_people.most_spend(table, "live")
    if floor * budget > reach:
        with pytest.raises(InfeasibleError, match="'floor' asks for at least"):
            tg.assign(table, budget_cny=budget, limits=[limit])
        return
    found = tg.assign(table, budget_cny=budget, limits=[limit])
    assert offered_people.used_by(found, table, placement="live") >= floor * budget * (1 - 1e-12)
    assert found.prices["floor"] <= 0
