"""Laws that every plan obeys whatever the curves: money, order, units, duality; through the public entry."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import targeting as tg

LAWS = settings(derandomize=True, max_examples=15, deadline=None)
SLACK = 2e-6  # twice the certified gap: two answers may each be short by one


def hills(slopes):
    """Curves of 2 to 5 cells in Hill parameters, slopes from `slopes`."""
    cell = st.tuples(st.floats(10.0, 1e4), st.floats(1.0, 500.0), slopes)
    return st.lists(cell, min_size=2, max_size=5).map(as_curves)


def as_curves(cells):
    top, half, slope = zip(*cells, strict=True)
    return pl.DataFrame(
        {
            "segment": [f"s{i // 2}" for i in range(len(cells))],
            "placement": [("video", "live")[i % 2] for i in range(len(cells))],
            "top": top,
            "half_spend_cny": half,
            "slope": slope,
        }
    )


concave, any_shape = hills(st.floats(0.3, 1.0)), hills(st.floats(0.3, 4.0))
budgets = st.floats(1.0, 2000.0)


def worth(curves, spend):
    """Value of a spend vector (n,), by the formula of DESIGN 3.1."""
    top, half, slope = (curves[name].to_numpy() for name in ("top", "half_spend_cny", "slope"))
    return float((top * spend**slope / (spend**slope + half**slope)).sum())


def spend_of(plan, curves):
    keys = ["segment", "placement"]
    return curves.join(plan.allocation, on=keys, how="left", maintain_order="left")["spend_cny"].to_numpy()


@LAWS
@given(any_shape, budgets)
def test_the_budget_holds_to_the_li_and_the_value_is_that_of_the_spend(curves, budget):
    plan = tg.allocate(curves, budget_cny=budget)
    assert plan.allocation["spend_li"].sum() <= np.floor(budget * 1000 + 1e-6)
    assert plan.allocation["spend_li"].min() >= 0
    assert plan.value == pytest.approx(worth(curves, spend_of(plan, curves)), rel=1e-9)
    assert plan.violations() == ()


@LAWS
@given(any_shape, budgets, st.integers(0, 2**32 - 1))
def test_no_other_plan_is_worth_more_than_the_bound(curves, budget, seed):
    plan = tg.allocate(curves, budget_cny=budget)
    split = np.random.default_rng(seed).dirichlet(np.full(curves.height, 0.5), size=200) * budget
    best = max(worth(curves, one) for one in split)
    assert best <= plan.upper_bound * (1 + 1e-9)
    assert plan.value >= best * (1 - plan.gap) - 1e-9


@LAWS
@given(any_shape, budgets, st.floats(1.01, 3.0))
def test_more_money_never_earns_less(curves, budget, factor):
    less, more = (tg.allocate(curves, budget_cny=b) for b in (budget, budget * factor))
    assert more.upper_bound >= less.value * (1 - 1e-9)


@LAWS
@given(concave, budgets)
def test_concave_curves_give_diminishing_returns(curves, budget):
    """The value of a budget is concave: half way between two budgets it lies above the chord."""
    low, middle, high = (tg.allocate(curves, budget_cny=b) for b in (budget, 2 * budget, 3 * budget))
    assert middle.value >= 0.5 * (low.value + high.value) * (1 - SLACK) - 1e-6


@LAWS
@given(any_shape, budgets, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(curves, budget, random):
    order = list(range(curves.height))
    random.shuffle(order)
    plan, shuffled = (tg.allocate(c, budget_cny=budget) for c in (curves, curves[order]))
    assert shuffled.value == pytest.approx(plan.value, rel=SLACK, abs=1e-9)


@LAWS
@given(any_shape, budgets, st.sampled_from([1e-7, 1e-3, 1e3, 1e7]))
def test_the_unit_of_value_does_not_matter(curves, budget, scale):
    plan = tg.allocate(curves, budget_cny=budget)
    scaled = tg.allocate(curves.with_columns(pl.col("top") * scale), budget_cny=budget)
    assert scaled.value / scale == pytest.approx(plan.value, rel=SLACK)
    assert scaled.upper_bound / scale == pytest.approx(plan.upper_bound, rel=2 * SLACK)


@LAWS
@given(any_shape, st.floats(100.0, 2000.0), st.sampled_from([0.0, 1e-9, 0.1, 0.35, 0.9]))
def test_a_limit_never_adds_value_and_is_kept(curves, budget, share):
    free = tg.allocate(curves, budget_cny=budget)
    limit = {"kind": "bounds", "name": "video", "placement": "video", "max_share": share}
    limited = tg.allocate(curves, budget_cny=budget, constraints=[limit])
    video = limited.allocation.filter(pl.col("placement") == "video")["spend_cny"].sum()
    assert video <= share * budget + 1e-9
    assert limited.value <= free.upper_bound * (1 + 1e-9)
