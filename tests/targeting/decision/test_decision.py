import jewellery_shop
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import targeting as tg
from models.errors import CampaignError, DataError, InfeasibleError
from targeting.decision.decide import decide
from targeting.plan.provenance import Provenance

HILL = pl.DataFrame(
    {
        "segment": ["a", "b", "c"],
        "placement": ["feed", "feed", "room"],
        "top": [100.0, 300.0, 200.0],
        "half_spend_cny": [50.0, 400.0, 200.0],
        "slope": [1.0, 2.5, 1.4],
    }
)


@pytest.fixture(scope="module")
def market():
    return jewellery_shop.market(jewellery_shop.campaign(constraints=[]), n_draws=5)


def planned(market, budget: float):
    brief = jewellery_shop.campaign(budget_cny=budget, constraints=[])
    return decide(campaign=brief, market=market, provenance=Provenance(claims=jewellery_shop.CAUSAL))


@settings(max_examples=12, deadline=None, derandomize=True)
@given(budget=st.floats(1.0, 3e5))
def test_the_budget_is_never_exceeded_and_the_bound_never_below_the_value(market, budget):
    plan = planned(market, budget)
    assert plan.allocation["spend_li"].sum() <= budget * 1000 + 1e-6
    assert plan.upper_bound >= plan.value
    assert plan.violations() == ()


@settings(max_examples=8, deadline=None, derandomize=True)
@given(budget=st.floats(100.0, 1e5), factor=st.floats(1.05, 3.0))
def test_more_money_never_earns_less(market, budget, factor):
    assert planned(market, budget * factor).value >= planned(market, budget).value * (1 - 1e-6)


def test_contradicting_constraints_are_named():
    rules = [
        {"kind": "bounds", "name": "much-live", "placement": "live", "min_share": 0.8},
        {"kind": "bounds", "name": "much-video", "placement": "video", "min_share": 0.5},
    ]
    with pytest.raises(InfeasibleError) as caught:
        jewellery_shop.plan(jewellery_shop.campaign(constraints=rules))
    assert set(caught.value.conflict) >= {"much-live", "much-video"}


def test_a_change_limit_refers_to_the_last_plan():
    rules = [{"kind": "change_limit", "name": "slowly", "max_share": 0.2}]
    last = jewellery_shop.history()
    last = last.with_columns(pl.col("spend_cny") * 20_000 / pl.col("spend_cny").sum())
    plan = jewellery_shop.plan(
        jewellery_shop.campaign(constraints=rules, last_plan="last.csv"), last_plan=last
    )
    moved = np.abs(plan.allocation["spend_cny"].to_numpy() - last["spend_cny"].to_numpy())
    assert (moved <= 0.2 * last["spend_cny"].to_numpy() + 0.01).all()
    back = tg.plan_from_files(plan.files(html=False))
    assert back.violations() == ()


def test_a_target_finds_the_cheapest_plan():
    free = jewellery_shop.plan(jewellery_shop.campaign(constraints=[], objective="new_fans"))
    goal = 0.5 * free.value
    rules = [{"kind": "target", "metric": "new_fans", "value": goal}]
    plan = jewellery_shop.plan(jewellery_shop.campaign(constraints=rules, objective="new_fans"))
    assert plan.spend_cny < 0.5 * free.spend_cny
    assert plan.expected["new_fans"].value == pytest.approx(goal, rel=1e-4)


def test_allocate_works_on_curves_from_any_frame_library():
    plans = [tg.allocate(table, budget_cny=500) for table in (HILL, HILL.to_pandas(), HILL.to_arrow())]
    assert isinstance(HILL.to_pandas(), pd.DataFrame)
    for plan in plans:
        assert plan.allocation.equals(plans[0].allocation)
        assert plan.gap <= 1e-6
        assert plan.spend_cny <= 500


def test_supplied_curves_speak_of_value_only():
    plan = tg.allocate(HILL, budget_cny=500)
    assert plan.expected["new_fans"] is None
    assert plan.expected["profit_cny"] is None
    assert plan.expected["new_fan_gmv_cny"].value == pytest.approx(plan.value)
    assert plan.expected["new_fan_gmv_cny"].low is None
    assert plan.allocation["new_fans"].null_count() == plan.allocation["impressions"].null_count() == 3
    assert plan.claims["kind"] == "observational"
    assert "supplied" in plan.claims["why"]
    assert set(plan.provenance.fingerprints) == {"curves"}


def test_fans_are_the_value_where_the_objective_counts_fans():
    plan = tg.allocate(HILL, budget_cny=500, objective="new_fans")
    assert plan.expected["new_fan_gmv_cny"] is None
    assert plan.expected["new_fans"].value == pytest.approx(plan.value)
    assert plan.allocation["marginal_gmv_per_cny"].null_count() == 3
    assert plan.baselines["new_fan_gmv_cny"].null_count() == plan.baselines.height


def test_allocate_takes_constraints_and_economics_as_in_a_brief():
    rules = [{"kind": "bounds", "placement": "room", "min_share": 0.5}]
    plan = tg.allocate(
        HILL,
        budget_cny=500,
        constraints=rules,
        objective="profit",
        economics={"gross_margin": 0.9, "fee_rate": 0.1},
    )
    room = plan.allocation.filter(pl.col("placement") == "room")["spend_cny"].sum()
    assert room >= 0.5 * 500 - 1e-9
    assert plan.value == pytest.approx(plan.expected["profit_cny"].value)


def test_curves_written_by_a_plan_are_curves_again():
    first = tg.allocate(HILL, budget_cny=500)
    again = tg.allocate(first.curves, budget_cny=500)
    assert again.value == pytest.approx(first.value, rel=0.05)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"budget_cny": 0}, CampaignError, "budget_cny"),
        ({"budget_cny": float("nan")}, CampaignError, "budget_cny"),
        ({"constraints": [{"kind": "bound"}]}, CampaignError, "bounds"),
        ({"objective": "fame"}, CampaignError, "objective"),
        ({"gap_tol": 0}, CampaignError, "gap_tol"),
        ({"time_limit_s": 0}, CampaignError, "time_limit_s"),
    ],
)
def test_wrong_settings_are_named(change, error, message):
    with pytest.raises(error, match=message):
        tg.allocate(HILL, **{"budget_cny": 500, **change})


def test_a_curve_that_falls_is_refused():
    falling = pl.DataFrame(
        {"segment": ["a"] * 3, "placement": ["x"] * 3, "spend_cny": [0.0, 1, 2], "value": [0.0, 5, 3]}
    )
    with pytest.raises(DataError, match="decrease"):
        tg.allocate(falling, budget_cny=2)


def test_campaigns_of_several_merchants_are_planned_and_read_back_apart():
    cells = {
        "segment": ["a", "a"],
        "placement": ["x", "x"],
        "campaign_id": ["one", "two"],
        "merchant_id": ["m", "n"],
    }
    hill = {"top": [100.0, 300.0], "half_spend_cny": [50.0, 50.0], "slope": [1.0, 1.0]}
    plan = tg.allocate(pl.DataFrame({**cells, **hill}), budget_cny=100)
    assert plan.allocation["campaign_id"].to_list() == ["one", "two"]
    assert plan.allocation["spend_cny"][0] < plan.allocation["spend_cny"][1]
    back = tg.plan_from_files(plan.files(html=False))
    np.testing.assert_allclose(back.solution.spend_cny, plan.solution.spend_cny)


def test_a_bad_row_of_a_curve_is_an_error_not_a_hole():
    table = {"segment": ["a"] * 3, "placement": ["x"] * 3, "spend_cny": [0.0, -1, 2], "value": [0.0, 1, 2]}
    with pytest.raises(DataError, match=r"curves: row 2: .*\(1 bad rows\)"):
        tg.allocate(pl.DataFrame(table), budget_cny=2)


def test_an_answer_that_fails_the_check_is_never_handed_on(monkeypatch):
    from dataclasses import replace

    import targeting.decision.decide as decision
    from models.errors import SolverError

    monkeypatch.setattr(decision, "rounded", lambda _, found: replace(found, spend_cny=2.0 * found.spend_cny))
    with pytest.raises(SolverError, match="breaks 'total'"):
        tg.allocate(HILL, budget_cny=500)
