"""The closed form against a simulation of the same campaign, and the laws that it must keep."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from targeting.world import simulate
from targeting.world.oracle import worth_segments
from targeting.world.supply import Power, cost, impressions, unit_price


def without_organic(truth):
    """The same world in which nothing happens unless the campaign causes it."""
    zero = np.zeros(len(truth.user_id))
    people = replace(truth.people, organic_follow=zero, organic_orders=zero)
    return replace(truth, people=people, fans=np.zeros(len(zero), bool))


def split(assignment, *, budget, rng):
    names = sorted(assignment["segment"].unique())
    weight = rng.dirichlet(np.ones(2 * len(names)))
    return pl.DataFrame(
        {
            "segment": [n for n in names for _ in range(2)],
            "placement": ["video", "live"] * len(names),
            "spend_cny": budget * weight,
        }
    )


@pytest.mark.parametrize("kind", ["jewellery", "overlap", "long_delay"])
def test_closed_form_is_the_mean_of_realised_campaigns(kind):
    truth = simulate(kind, users=3_000, seed=7).truth
    segments = worth_segments(truth, n_segments=4)
    quiet = without_organic(truth)
    spend = split(segments, budget=1_500.0, rng=np.random.default_rng(1))
    expected = quiet.value(segments, spend)
    rng = np.random.default_rng(8)
    got = []
    for _ in range(150):
        real = quiet.realise(segments, spend, rng=rng)
        net = real.orders["gmv_cny"].sum() - real.orders["refund_cny"].sum()
        shown = real.exposures
        got.append([shown["followed"].sum(), net, shown["impressions"].sum(), shown["cost_cny"].sum()])
    mean, error = np.mean(got, axis=0), np.std(got, axis=0) / np.sqrt(len(got))
    want = [expected[m] for m in ("new_fans", "new_fan_gmv_cny", "impressions", "spend_cny")]
    assert np.all(np.abs(mean - want)[:3] < 3.5 * error[:3])
    assert mean[3] == pytest.approx(want[3], rel=2e-3)


def test_entries_are_the_mean_of_realised_entries():
    truth = without_organic(simulate(users=3_000, seed=7).truth)
    spend = pl.DataFrame({"segment": ["all"], "placement": ["live"], "spend_cny": [60.0]})
    rng = np.random.default_rng(2)
    rows = [
        truth.realise(truth.everyone(), spend, rng=rng).exposures["entered_live"].sum() for _ in range(200)
    ]
    # a row says "entered" once however many of its impressions led in, so it counts a little less
    assert np.mean(rows) == pytest.approx(truth.value(truth.everyone(), spend)["live_entries"], rel=0.06)


def test_first_orders_come_as_late_as_described():
    truth = without_organic(simulate(users=20_000, seed=1).truth)
    spend = pl.DataFrame({"segment": ["all"], "placement": ["live"], "spend_cny": [60_000.0]})
    real = truth.realise(truth.everyone(), spend, rng=np.random.default_rng(3))
    fans = real.exposures.filter("followed").select("user_id", "followed_at")
    first = real.orders.group_by("user_id").agg(pl.col("ordered_at").min()).join(fans, on="user_id")
    hours = (first["ordered_at"] - first["followed_at"]).dt.total_seconds().to_numpy() / 3600
    assert np.mean(hours < 1) == pytest.approx(0.35, abs=0.1)
    assert np.mean(hours < 12) == pytest.approx(0.50, abs=0.1)
    assert hours.max() <= 30 * 24 + 1
    assert 0.08 < (real.orders["refund_cny"] > 0).mean() < 0.27


def test_orders_of_the_logs_lack_those_still_to_come():
    """Followers of the last days have fewer orders so far, though nothing about them differs."""
    world = simulate("long_delay", users=40_000, seed=1)
    fans = world.exposures.filter("followed").select("user_id", "followed_at")
    bought = fans.join(world.orders, on="user_id", how="left").with_columns(
        late=(pl.col("ordered_at") > pl.col("followed_at")).fill_null(False)
    )
    start = pl.col("followed_at") < pl.lit(world.as_of).dt.offset_by("-18d")
    end = pl.col("followed_at") > pl.lit(world.as_of).dt.offset_by("-6d")
    assert bought.filter(start)["late"].mean() > 1.5 * bought.filter(end)["late"].mean()


@given(st.floats(1.0, 1e5), st.floats(1e-3, 5.0), st.floats(0.4, 8.0), st.floats(0.0, 0.95))
@settings(derandomize=True, max_examples=60, deadline=None)
def test_supply_inverts_and_is_concave(capacity, price, theta, pressure):
    world = {"capacity": capacity, "price_cny": price, "shape": Power(theta)}
    spend = cost(pressure, **world)
    assert impressions(spend, **world) == pytest.approx(pressure * capacity, rel=1e-6, abs=1e-6)
    grid = np.linspace(0.0, float(spend) + price * capacity, 40)
    bought = impressions(grid, **world)
    assert np.all(np.diff(bought) > 0)
    assert np.all(np.diff(bought, 2) <= 1e-9 * capacity)
    assert bought[-1] < capacity
    assert unit_price(pressure, price_cny=price, shape=Power(theta)) >= price * (1 - 1e-6)


def test_first_yuan_buys_at_the_base_price():
    assert impressions(1e-6, capacity=500.0, price_cny=0.2, shape=Power(2.0)) / 1e-6 == pytest.approx(
        5.0, rel=1e-6
    )


def test_merged_segments_cost_the_sum_of_their_parts_at_equal_pressure():
    truth = simulate(users=2_000, seed=1).truth
    code = np.where(truth.eligible, np.arange(len(truth.user_id)) % 3, -1)
    k, c = truth.supply(code, 3)
    merged_k, merged_c = truth.supply(np.minimum(code, 0), 1)
    parts = cost(0.4, capacity=k, price_cny=c, shape=truth.kind.shape).sum(axis=0)
    assert cost(0.4, capacity=merged_k, price_cny=merged_c, shape=truth.kind.shape)[0] == pytest.approx(parts)


def test_value_rises_with_spend_and_less_and_less():
    truth = simulate(users=3_000, seed=1).truth
    steps = np.linspace(0, 4_000, 15)
    for placement in ("video", "live"):
        fans = [
            truth.value(
                truth.everyone(),
                pl.DataFrame({"segment": ["all"], "placement": [placement], "spend_cny": [s]}),
            )["new_fans"]
            for s in steps
        ]
        assert np.all(np.diff(fans) > 0)
        assert np.all(np.diff(fans, 2) < 0)
    assert fans[0] == 0.0


def test_a_person_becomes_a_fan_once():
    truth = simulate("overlap", users=1_000, seed=1).truth
    spend = pl.DataFrame({"segment": ["all"] * 2, "placement": ["video", "live"], "spend_cny": [1e9, 1e9]})
    assert truth.value(truth.everyone(), spend, days=300)["new_fans"] < truth.eligible.sum()


def test_slots_are_days_of_supply_and_unknown_segments_buy_nothing():
    truth = simulate(users=1_500, seed=1).truth
    two = pl.DataFrame(
        {"segment": ["all"] * 2, "placement": ["live"] * 2, "slot": [0, 1], "spend_cny": [300.0, 300.0]}
    )
    one = pl.DataFrame({"segment": ["all"], "placement": ["live"], "spend_cny": [600.0]})
    whole = truth.value(truth.everyone(), one, days=2)
    assert truth.value(truth.everyone(), two, days=2)["new_fans"] == pytest.approx(whole["new_fans"])
    assert truth.value(truth.everyone(), one.with_columns(segment=pl.lit("nobody")))["new_fans"] == 0.0


def test_scores_are_the_truth_given_the_features():
    truth = simulate(users=1_000, seed=1).truth
    scores = truth.scores()
    assert scores.height == 2_000
    kept = scores.filter("eligible")
    assert kept["p_precise"].is_between(0, 1).all()
    z = (
        kept.group_by("placement")
        .agg(pl.col("p_follow").mean(), pl.col("gmv_per_fan_cny").mean())
        .sort("placement")
    )
    assert z["gmv_per_fan_cny"][0] > z["gmv_per_fan_cny"][1]  # live before video: fewer, more precise fans
