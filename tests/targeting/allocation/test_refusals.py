"""What cannot be meant, or cannot be met, is said in one line, and following what it says succeeds."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from small_markets import market

import targeting as tg
from models.errors import CampaignError, InfeasibleError
from targeting.allocation.explain.contradiction import solve_or_explain
from targeting.allocation.formulation.compile import compile_problem

CURVES = pl.DataFrame(
    {
        "segment": ["a", "b", "c"],
        "placement": ["video", "live", "video"],
        "top": [300.0, 500.0, 400.0],
        "half_spend_cny": [50.0, 80.0, 60.0],
        "slope": [1.0, 1.5, 2.0],
    }
)


def test_impressions_per_person_are_not_known_of_curves_from_outside():
    with pytest.raises(CampaignError, match=r"frequency_cap-1.*people.*not known"):
        tg.allocate(CURVES, budget_cny=100, constraints=[{"kind": "frequency_cap", "impressions": 2.0}])


@pytest.mark.parametrize(("objective", "metric"), [("new_fan_gmv", "new_fans"), ("new_fans", "new_fan_gmv")])
def test_a_target_in_what_the_curves_do_not_say_is_refused(objective, metric):
    target = {"kind": "target", "metric": metric, "value": 100.0}
    with pytest.raises(CampaignError, match=r"target-1.*one value"):
        tg.allocate(CURVES, budget_cny=100, objective=objective, constraints=[target])


def test_a_return_that_nothing_brings_is_no_plan_of_nothing():
    target = {"kind": "target", "metric": "roi", "value": 1000.0}
    with pytest.raises(InfeasibleError, match=r"best average return found is") as caught:
        tg.allocate(CURVES, budget_cny=100, constraints=[target])
    less = {**target, "value": 1000.0 - caught.value.relaxation["target-1"] * 1.001}
    assert tg.allocate(CURVES, budget_cny=100, constraints=[less]).spend_cny > 0


@pytest.mark.parametrize("each", ["cell", "segment", None])
def test_an_impossible_target_is_infeasible_and_its_relaxation_succeeds(each):
    on, target = market(segments=2), {"kind": "target", "metric": "new_fans", "value": 4000.0, "each": each}
    with pytest.raises(InfeasibleError) as caught:
        solve_or_explain(compile_problem(on, budget_cny=500, constraints=[target]))
    assert "target-1" in caught.value.conflict
    less = {**target, "value": 4000.0 - caught.value.relaxation["target-1"] * 1.001}
    assert solve_or_explain(compile_problem(on, budget_cny=500, constraints=[less])).gap <= 1e-6


def test_three_thirds_of_a_budget_fit_into_it():
    thirds = [{"kind": "bounds", "each": "segment", "min_share": 1 / 3}]
    plan = tg.allocate(CURVES, budget_cny=100, constraints=thirds)
    li = plan.allocation["spend_li"].to_numpy()
    assert li.sum() == 100_000
    assert (li >= 33_333).all()


def test_whole_li_never_exceed_a_budget_of_a_billion():
    wide = CURVES.with_columns(pl.col("half_spend_cny") * 7.77e6)
    budget = 900_000_000.000_7
    plan = tg.allocate(wide, budget_cny=budget)
    assert int(plan.allocation["spend_li"].sum()) <= int(np.floor(budget * 1000))


def test_no_cell_gets_less_than_the_smallest_ticket():
    brief = {"campaign_id": "c", "budget_cny": 100.0, "placements": ["video", "live"], "min_ticket_cny": 40.0}
    plan = tg.allocate(CURVES, budget_cny=100, campaign=tg.parse_campaign(brief))
    spend = plan.allocation["spend_cny"].to_numpy()
    assert ((spend == 0) | (spend >= 40.0)).all()
    assert not plan.violations()
    assert plan.gap <= 1e-6


def test_a_target_return_counts_what_the_brief_counts_as_value():
    """With objective profit a yuan is spent until it returns so much GMV, as target roi counts GMV, too."""
    on, kept = market(users=np.inf), type("Kept", (), {"kept_share": 0.4})()
    target = [{"kind": "target", "metric": "marginal_roi", "value": 45.0}]
    as_profit = compile_problem(on, objective="profit", economics=kept, budget_cny=1000, constraints=target)
    as_gmv = compile_problem(on, budget_cny=1000, constraints=target)
    found = [solve_or_explain(p).spend_cny for p in (as_profit, as_gmv)]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5)


def test_a_plan_made_by_hand_is_judged_on_the_same_curves():
    limit = {"kind": "bounds", "name": "cap", "segment": "a", "max_cny": 20.0}
    plan = tg.allocate(CURVES, budget_cny=100, constraints=[limit])
    own = plan.price(plan.allocation.select("segment", "placement", "spend_cny"))
    assert own.value == pytest.approx(plan.value, rel=1e-12)
    assert own.share_of_best == pytest.approx(1.0)
    assert not own.violations
    by_hand = pl.DataFrame({"segment": ["a", "b"], "placement": ["video", "live"], "spend_cny": [60.0, 40.0]})
    priced = plan.price(by_hand)
    assert priced.value < plan.value
    assert [v.name for v in priced.violations] == ["cap"]
    assert priced.promise.new_fan_gmv_cny.value == pytest.approx(priced.value)
    with pytest.raises(CampaignError, match=r"allocation: a row \('z', 'live'\) names no cell"):
        plan.price(by_hand.with_columns(segment=pl.Series(["a", "z"])))
