"""The closed form of random worlds against brute force, mechanism by mechanism, and the best plans' laws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from targeting.world import simulate
from targeting.world.beliefs import all_known, from_scores, given_features
from targeting.world.chance import realised_totals
from targeting.world.delivery import follow_rate, room_left
from targeting.world.oracle import omniscient, oracle_on, seen, worth_segments
from targeting.world.supply import Hill, Log, Power, draw_landscape

GMV = "new_fan_gmv_cny"
MECHANISMS = {
    "power": {"shape": Power(0.7)},
    "log": {"shape": Log(0.4)},
    "hill": {"shape": Hill(0.7)},
    "auction": {"shape": draw_landscape(np.random.default_rng(0))},
    "cap": {"cap": 2},
    "room": {"room_share": 0.01},
    "repeats": {"repeats": 2.5},
    "refunds": {"refund_full": 0.3, "refund_half": 0.1},
    "heavy tail": {"pareto_alpha": 2.8},
    "everything": {"shape": Hill(0.8), "cap": 3, "room_share": 0.02, "repeats": 1.0, "refund_full": 0.25},
}
PLAIN = {"cap": None, "room_share": None, "pareto_alpha": None, "amount_sd": 0.6, "shape": Power(2.0)}


def world_with(seed=3, users=2_500, **changes):
    """The truth of a random world under chosen mechanisms (what happens after the logs is not of them)."""
    truth = simulate("random", users=users, seed=seed).truth
    return replace(truth, kind=replace(truth.kind, **{**PLAIN, **changes}))


def some_plan(truth, *, budget, seed=1):
    segments = worth_segments(truth, n_segments=4)
    names = sorted(segments["segment"].unique())
    weight = np.random.default_rng(seed).dirichlet(np.ones(2 * len(names)))
    spend = pl.DataFrame(
        {
            "segment": np.repeat(names, 2),
            "placement": ["video", "live"] * len(names),
            "spend_cny": budget * weight,
        }
    )
    return segments, spend


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_closed_form_is_the_mean_of_what_comes(mechanism):
    truth = world_with(**MECHANISMS[mechanism])
    segments, spend = some_plan(truth, budget=3_000.0)
    expected = truth.value(segments, spend)
    assert expected["new_fans"] > 5
    got = realised_totals(truth, segments, spend, rng=np.random.default_rng(2), times=600)
    error = got.std(axis=0) / np.sqrt(len(got))
    assert np.all(np.abs(got.mean(axis=0) - [expected["new_fans"], expected[GMV]]) < 3.5 * error)


@pytest.mark.parametrize("seed", [1, 4])
def test_tables_of_a_realised_campaign_have_the_same_mean(seed):
    """`realise` writes what `realised_totals` counts, and the impressions and entries of the closed form."""
    truth = world_with(seed=seed, cap=2, room_share=0.01)
    zero = np.zeros(len(truth.user_id))
    truth = replace(
        truth, people=replace(truth.people, organic_follow=zero, organic_orders=zero), fans=zero > 0
    )
    segments, spend = some_plan(truth, budget=3_000.0)
    expected, rng = truth.value(segments, spend), np.random.default_rng(3)
    got = []
    for _ in range(80):
        real = truth.realise(segments, spend, rng=rng)
        net = real.orders["gmv_cny"].sum() - real.orders["refund_cny"].sum()
        rows = real.exposures
        got.append([rows["followed"].sum(), net, rows["impressions"].sum()])
        assert rows["impressions"].max() <= 2
    mean, error = np.mean(got, axis=0), np.std(got, axis=0) / np.sqrt(len(got))
    want = [expected["new_fans"], expected[GMV], expected["impressions"]]
    assert np.all(np.abs(mean - want) < 3.5 * error)


def test_a_segment_costs_what_its_plan_says():
    """Each one's impressions at the price of its segment's pressure add up to the money, under a cap too."""
    from targeting.world.delivery import daily_cost, mean_impressions

    for changes in ({}, {"cap": 1}, {"shape": Log(0.3), "cap": 3}):
        truth = world_with(**changes)
        segments, spend = some_plan(truth, budget=2_000.0)
        fate = truth.fate(segments, spend)
        names, code = truth.segment_codes(segments)
        people, cap = truth.people, truth.kind.cap
        for i in range(len(names)):
            inside = code == i
            k = people.capacity[inside]
            a = fate.impressions[inside]
            pressure = a / k if cap is None else -np.log1p(-a / cap) * cap / k
            assert np.allclose(pressure, pressure[0], rtol=1e-6)
            paid = daily_cost(truth.kind, pressure, capacity=k, price_cny=people.price_cny[inside])
            asked = spend.filter(pl.col("segment") == names[i])["spend_cny"].to_numpy()
            assert paid.sum(axis=0) == pytest.approx(asked, rel=1e-5)
            assert np.allclose(mean_impressions(k, pressure, cap=cap), a)


def test_a_full_room_turns_people_away():
    free, full = world_with(), world_with(room_share=0.002)
    segments, spend = some_plan(free, budget=20_000.0)
    one, two = (t.cells(segments, spend).filter(pl.col("placement") == "live") for t in (free, full))
    assert two["impressions"].sum() == pytest.approx(one["impressions"].sum())
    assert two["live_entries"].sum() <= 0.002 * 2_500
    assert two["new_fans"].sum() / one["new_fans"].sum() < 0.3


def believed(truth, beliefs, impressions):
    """Mean GMV over what people may be, of mean impressions (n, 2): written apart from the search."""
    arrivals = float(truth.people.enter @ impressions[:, 1])
    let_in = np.array([1.0, room_left(arrivals, truth.places)])
    total = 0.0
    for weight, follow, gmv in zip(beliefs.weight, beliefs.follow, beliefs.gmv_cny, strict=True):
        z = follow_rate(impressions, follow * let_in, cap=truth.kind.cap)
        both = z.sum(axis=1, keepdims=True)
        fans = z / np.maximum(both, 1e-300) * -np.expm1(-both)
        total += float((weight[:, None] * fans * gmv).sum())
    return total


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 6, 9])
def test_no_plan_made_from_features_beats_the_best(seed):
    truth = simulate("random", users=2_000, seed=seed).truth
    known, budget = given_features(truth), 1_500.0
    code = np.where(truth.eligible, np.cumsum(truth.eligible) - 1, -1)
    best = seen(truth, budget_cny=budget)
    ours = believed(truth, known, truth.follow_rates(code, best.spend_cny[None], days=1.0).impressions)
    assert best.value["spend_cny"] <= budget * (1 + 1e-6)
    for n_segments, beliefs in ((4, known), (100, known), (64, from_scores(truth, truth.scores()))):
        segments = worth_segments(truth, n_segments=n_segments, beliefs=known)
        plan = oracle_on(truth, segments, budget_cny=budget, beliefs=beliefs)
        assert believed(truth, known, truth.fate(segments, plan.spend).impressions) <= ours * 1.003
    segments, spend = some_plan(truth, budget=budget)
    assert believed(truth, known, truth.fate(segments, spend).impressions) < ours
    everything = omniscient(truth, budget_cny=budget)
    assert best.value[GMV] <= everything.value[GMV] * 1.003


def test_the_personal_plan_is_the_best_of_each_one_alone():
    """With one person, the split between placements is the best of two hundred that were tried."""
    truth = world_with(users=400)
    only = np.zeros(len(truth.user_id), bool)
    only[np.flatnonzero(truth.eligible)[0]] = True
    truth = replace(truth, eligible=only)
    grid = np.linspace(0.0, 1.0, 201)
    budget = 0.2 * float((truth.people.price_cny * truth.people.capacity)[only].sum())
    code = np.where(only, 0, -1)
    tried = [truth.totals(code, budget * np.array([[[share, 1 - share]]]), days=1.0)[GMV] for share in grid]
    assert omniscient(truth, budget_cny=budget).value[GMV] == pytest.approx(max(tried), rel=2e-3)


def test_features_cannot_tell_intent_and_time_takes_the_keen():
    """Believed follows of those who are left are their mean, and less than before anybody had followed."""
    truth = simulate("random", users=20_000, seed=_with_intent()).truth
    known, left = given_features(truth), truth.eligible
    told = np.einsum("qn,qnj->nj", known.weight, known.follow)[left]
    true = truth.people.follow[left]
    error = true.std(axis=0) / np.sqrt(left.sum())
    assert np.all(np.abs(told.mean(axis=0) - true.mean(axis=0)) < 4 * error)
    assert np.all(told.mean(axis=0) < truth.people.follow_given_features[left].mean(axis=0))
    assert np.allclose(known.weight.sum(axis=0), 1.0)
    assert all_known(truth).follow.shape == (1, 20_000, 2)


def _with_intent():
    from targeting.world.random.draw import draw_kind

    kinds = ((seed, draw_kind(np.random.default_rng([seed, 1]))[0]) for seed in range(200))
    return next(seed for seed, k in kinds if k.intent_sd == 0.6 and k.intent_delivery < 0.2)
