"""People in several parts are the people in one: sums, prices and choices."""

import numpy as np
import offered_people
import polars as pl
import pytest

import targeting as tg
from targeting.assignment.choose import Tally, at_fixed_prices, decide, judge
from targeting.assignment.crowd import People
from targeting.assignment.everybody import Everybody, reply
from targeting.assignment.limits import columns_of, parse_limits, rows_of
from targeting.assignment.offers import Layout, Offers


def in_parts(table, *, budget, limits, parts):
    """Everybody in parts by the last digits of their ids, one of which holds nobody."""
    parsed = parse_limits(limits)
    number = pl.col("user_id").str.slice(1).cast(pl.Int64) % parts
    tables = [table.filter(number == i) for i in range(parts)] + [table.clear()]
    told = [Layout.of(some, columns_of(parsed)) for some in tables]
    layout = told[0]
    for other in told[1:]:
        layout = layout.merged(other)
    held = []
    for some in tables:
        offers = Offers.of(some, layout)
        rows = rows_of(offers, budget_cny=budget, limits=parsed)
        held.append(People(offers.users, offers.placements, offers.worth, rows=rows).possible())
    return Everybody.over(held[0].rows, lambda question: [question(p, i) for i, p in enumerate(held)]), held


@pytest.mark.parametrize("n", [300, 5000, 30_000])
@pytest.mark.parametrize("coarse", [False, True])
def test_parts_and_one_table_give_the_same_offers(n, coarse):
    table = offered_people.offers(n, 3, seed=n, coarse=coarse, missing=0.1)
    budget = 0.1 * float(table["cost_cny"].sum())
    limits = [*offered_people.usual_limits(table), {"kind": "bounds", "each": "segment", "max_share": 0.5}]
    one = tg.assign(table, budget_cny=budget, limits=limits)
    everybody, held = in_parts(table, budget=budget, limits=limits, parts=7)
    decision = decide(everybody, gap_tol=1e-6)
    choices = [decision.choice(people, i) for i, people in enumerate(held)]
    pairs = list(zip(held, choices, strict=True))
    tally = Tally(sum(p.value(c) for p, c in pairs), np.sum([p.used(c) for p, c in pairs], axis=0))
    found = judge(everybody, decision, tally, gap_tol=1e-6)
    assert found.upper_bound == pytest.approx(one.upper_bound, rel=1e-9)
    assert found.value == pytest.approx(one.value, rel=2e-5 if coarse else 1e-6)
    assert (tally.used <= everybody.upper * (1 + 1e-12)).all()
    assert (tally.used >= everybody.lower * (1 - 1e-12)).all()
    if n == 300:  # the exact program proves both: they are the same
        chosen = pl.concat([p.chosen(c) for p, c in pairs]).sort("user_id")
        assert chosen["worth"].sum() == pytest.approx(one.value, rel=1e-12)


def test_prices_known_beforehand_are_a_start_however_wrong():
    table = offered_people.offers(20_000, 2, seed=3)
    budget = 0.1 * float(table["cost_cny"].sum())
    people = offered_people.people_of(table, budget_cny=budget, limits=offered_people.usual_limits(table))
    everybody = Everybody.of(people.possible())
    cold = decide(everybody, gap_tol=1e-6)
    for start in (cold.prices, 1.02 * cold.prices, 3.0 * cold.prices, np.zeros(4)):
        assert decide(everybody, gap_tol=1e-6, start=start).bound == pytest.approx(cold.bound, rel=1e-7)


def test_at_fixed_prices_everybody_chooses_alone_and_the_bound_holds():
    table = offered_people.offers(5000, 2, seed=4)
    budget = 0.1 * float(table["cost_cny"].sum())
    found = tg.assign(table, budget_cny=budget)
    everybody = Everybody.of(found.people)
    fixed = at_fixed_prices(everybody, np.array([found.prices["total"]]))
    choice = fixed.choice(found.people, 0)
    # Only who is next to a tie chooses something else than with the budget in view.
    again = found.people.chosen(choice).join(found.chosen, on=["user_id", "placement"], how="anti")
    assert again.height <= 32
    tally = Tally(found.people.value(choice), found.people.used(choice))
    judged = judge(everybody, fixed, tally, gap_tol=1e-6)
    assert judged.status == "fixed_prices"
    assert judged.upper_bound >= found.value


def test_negative_amounts_cost_most_at_the_other_end_of_a_box():
    rng = np.random.default_rng(0)
    table = offered_people.offers(400, 2, seed=5).with_columns(impressions=pl.lit(2.0))
    limits = [{"kind": "ratio", "of": {"placement": "live"}, "to": {"placement": "video"}, "max": 0.5}]
    people = offered_people.people_of(table, budget_cny=50.0, limits=limits)
    low, high = np.array([0.5, 0.2]), np.array([1.5, 0.9])
    most = np.array([*people.left(low, slice(None), high)])
    least = np.array([*people.left(high, slice(None), low)])
    for _ in range(20):
        left = np.array([*people.left(low + rng.random(2) * (high - low), slice(None))])
        assert (left <= most + 1e-12).all()
        assert (left >= least - 1e-12).all()
    assert reply(Everybody.of(people), low).bound > 0
