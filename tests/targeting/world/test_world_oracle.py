"""The oracle is at least as good as everything else that anybody tries."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest

from targeting.world import baselines, simulate
from targeting.world.oracle import oracle, oracle_on, worth_segments


@pytest.fixture(scope="module")
def world():
    return simulate(users=8_000, seed=11)


@pytest.fixture(scope="module")
def segments(world):
    return worth_segments(world.truth, n_segments=9)


def test_oracle_spends_the_budget_and_beats_the_baselines(world, segments):
    budget = world.campaign["budget_cny"]
    best = oracle_on(world.truth, segments, budget_cny=budget)
    assert best.value["spend_cny"] == pytest.approx(budget)
    others = [
        baselines.equal_split(segments, budget_cny=budget),
        baselines.last_plan(world, segments, budget_cny=budget),
        baselines.roas_proportional(world, segments, budget_cny=budget),
    ]
    for spend in others:
        assert spend["spend_cny"].sum() == pytest.approx(budget)
        assert spend["spend_cny"].min() >= 0
        assert world.truth.value(segments, spend)["new_fan_gmv_cny"] < best.value["new_fan_gmv_cny"]
    free = oracle(world.truth, budget_cny=budget)
    plain = baselines.plain_response(world, budget_cny=budget)
    assert plain.value["spend_cny"] == pytest.approx(budget)
    assert plain.value["new_fan_gmv_cny"] < free.value["new_fan_gmv_cny"]
    assert best.value["new_fan_gmv_cny"] < 1.02 * free.value["new_fan_gmv_cny"]


@pytest.mark.parametrize("objective", ["new_fan_gmv", "new_fans", "profit"])
def test_oracle_beats_random_plans(world, segments, objective):
    metric = {"new_fan_gmv": "new_fan_gmv_cny", "new_fans": "new_fans", "profit": "profit_cny"}[objective]
    budget = world.campaign["budget_cny"]
    best = oracle_on(world.truth, segments, budget_cny=budget, objective=objective)
    cells = best.spend.select("segment", "placement")
    rng = np.random.default_rng(1)
    near = best.spend["spend_cny"].to_numpy()
    for _ in range(60):
        wild = rng.dirichlet(np.full(cells.height, 0.4)) * budget
        close = near * rng.lognormal(0, 0.15, cells.height)
        for money in (wild, close * (near.sum() / close.sum())):
            value = world.truth.value(segments, cells.with_columns(spend_cny=money))[metric]
            assert value <= best.value[metric] + 1e-4 * abs(best.value[metric])


def test_oracle_agrees_with_brute_force():
    truth = simulate("overlap", users=1_000, seed=2).truth
    segments = worth_segments(truth, n_segments=4).with_columns(
        segment=pl.when(pl.col("segment").is_in(["cell-0000", "cell-0001"]))
        .then(pl.lit("a"))
        .otherwise(pl.lit("b"))
    )
    budget, parts = 300.0, 12
    best = oracle_on(truth, segments, budget_cny=budget).value["new_fan_gmv_cny"]
    cells = pl.DataFrame({"segment": ["a", "a", "b", "b"], "placement": ["video", "live"] * 2})
    brute = max(
        truth.value(segments, cells.with_columns(spend_cny=np.array([*c, parts - sum(c)]) * budget / parts))[
            "new_fan_gmv_cny"
        ]
        for c in itertools.product(range(parts + 1), repeat=3)
        if sum(c) <= parts
    )
    assert brute <= best * (1 + 1e-6)
    assert best < 1.03 * brute


def test_more_money_is_worth_more_and_less_per_yuan(world, segments):
    values = [
        oracle_on(world.truth, segments, budget_cny=b).value["new_fan_gmv_cny"]
        for b in (200.0, 400.0, 800.0, 1600.0)
    ]
    assert np.all(np.diff(values) > 0)
    assert np.all(np.diff(np.array(values) / [200, 400, 800, 1600]) < 0)


def test_profit_is_not_chased_into_loss(world, segments):
    best = oracle_on(world.truth, segments, budget_cny=1e6, objective="profit")
    assert best.value["spend_cny"] < 1e6
    assert best.value["profit_cny"] > 0


def test_where_nobody_differs_there_is_nothing_to_choose():
    world = simulate("null", users=3_000, seed=1)
    budget = world.campaign["budget_cny"]
    segments = worth_segments(world.truth, n_segments=4)
    equal = world.truth.value(segments, baselines.equal_split(segments, budget_cny=budget))
    assert oracle(world.truth, budget_cny=budget).value["new_fan_gmv_cny"] == pytest.approx(
        equal["new_fan_gmv_cny"], rel=0.01
    )


def test_reversed_world_prefers_video():
    plan = oracle(simulate("reversed", users=4_000, seed=1).truth, budget_cny=400.0)
    by = dict(plan.spend.group_by("placement").agg(pl.col("spend_cny").sum()).iter_rows())
    assert by["video"] > by["live"]


def test_no_budget_buys_nothing(world, segments):
    assert oracle_on(world.truth, segments, budget_cny=0.0).value["new_fans"] == 0.0
