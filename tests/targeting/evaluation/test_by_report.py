"""Plans from reports and curves, judged by a later delivery report."""

import json
from dataclasses import replace
from datetime import date, datetime, timedelta

import jewellery_shop
import numpy as np
import polars as pl
import pytest

import targeting as tg
from models.contracts import conform
from models.errors import DataError
from targeting.decision.delivery_plan import plan_delivery
from targeting.evaluation import evaluate_campaign, evaluate_delivery
from targeting.evaluation.evaluation_page import render

CELLS = (("mothers", "video", 0.6), ("mothers", "live", 1.1), ("students", "video", 0.3))
START = date(2020, 11, 1)
BRIEF = {"campaign_id": "c1", "budget_cny": 900, "starts_at": "2020-11-11", "objective": "new_fans"}


def report(*, days=10, start=START, factor=1.0, columns=("impressions", "new_fans", "gmv_cny"), **more):
    """Impressions rise with the root of the spend; a fan is 1 % of them and buys for 40 yuan."""
    rows = []
    for day in range(days):
        for k, (segment, placement, worth) in enumerate(CELLS):
            cost = 60.0 + 35.0 * ((day + k) % 4)
            shown = round(900 * worth * cost**0.5)
            fans = 0.01 * shown * factor
            figures = {"impressions": shown, "new_fans": fans, "orders": fans, "gmv_cny": 40.0 * fans}
            row = {"date": start + timedelta(days=day), "segment": segment, "placement": placement}
            rows.append({**row, "cost_cny": cost, **{c: figures[c] for c in columns}, **more})
    return pl.DataFrame(rows)


def judged(plan, frame, **options):
    return evaluate_delivery(plan, conform(frame, "delivery", source="delivery.csv").good, **options)


def planned(**options):
    return plan_delivery(report(**options), campaign=BRIEF, rng=np.random.default_rng(0), n_draws=40)


def test_a_later_report_is_held_against_the_promise():
    plan = planned()
    found = judged(plan, report(days=1, start=date(2020, 11, 11), factor=0.5))
    assert found.source == "delivery"
    fans = float(report(days=1, factor=0.5)["new_fans"].sum())
    assert found.totals["new_fans"]["realised"] == pytest.approx(fans)
    assert found.totals["cost_per_fan_cny"]["realised"] == pytest.approx(285 / fans)
    assert found.reasons["reason"].to_list() == ["spend", "price", "hazard", "value"]
    gap = found.totals["new_fan_gmv_cny"]["realised"] - float(plan.allocation["new_fan_gmv_cny"].sum())
    assert found.reasons["change"].sum() == pytest.approx(gap)
    because = dict(found.reasons.select("reason", "change").iter_rows())
    assert because["hazard"] < 0, "half of the fans per impression"
    assert abs(because["value"]) < 0.2 * abs(because["hazard"])
    assert set(found.drift["kind"]) == {"curve"}
    assert any("need user logs" in note for note in found.notes)
    json.dumps(found.to_dict(), allow_nan=False)
    assert "Where the difference comes from" in render(found, plan)
    assert "still following" not in str(found), "a report cannot tell"


def test_a_report_without_impressions_is_a_matter_of_yield():
    plan = planned(columns=("new_fans",))
    found = judged(plan, report(days=1, start=date(2020, 11, 11), columns=("new_fans",)))
    assert found.reasons["reason"].to_list() == ["spend", "yield"]
    assert found.reasons["unit"].to_list() == ["fans", "fans"]
    assert "new_fan_gmv_cny" not in found.totals
    assert found.drift.height == 3, "the curves of fans are compared"
    assert "new fans" in render(found, plan)


def test_orders_that_stood_for_fans_are_compared_with_orders():
    plan = planned(columns=("orders",))
    later = report(days=1, start=date(2020, 11, 11), columns=("new_fans", "orders"))
    found = judged(plan, later.with_columns(new_fans=pl.lit(1e6)))
    assert found.totals["new_fans"]["realised"] == pytest.approx(later["orders"].sum())
    assert any("orders are compared" in note for note in found.notes)


def test_a_plan_from_curves_is_judged_too():
    curves = pl.DataFrame(
        {"segment": ["mothers", "students"], "placement": ["live", "video"], "top": [900.0, 500.0]}
    ).with_columns(half_spend_cny=120.0, slope=1.0)
    plan = tg.allocate(curves, budget_cny=300)
    found = judged(plan, report(days=1, campaign_id=plan.campaign.campaign_id))
    assert found.reasons["reason"].to_list() == ["spend", "yield"]
    assert any("cells outside the plan" in note for note in found.notes)
    assert found.totals["new_fan_gmv_cny"]["realised"] > 0


def test_rows_are_found_by_id_then_by_days_and_else_refused():
    plan = planned()
    both = pl.concat([report(days=1, campaign_id="c1"), report(days=1, campaign_id="other")])
    assert judged(plan, both).totals["spend_cny"]["realised"] == pytest.approx(285)
    assert not any("no row of the report" in note for note in judged(plan, both).notes)
    by_day = judged(plan, report(days=1, start=date(2020, 11, 11), campaign_id="renamed"))
    assert any("the campaign's days are judged" in note for note in by_day.notes)
    with pytest.raises(DataError, match="no row of campaign_id 'c1' or of the campaign's days"):
        judged(plan, report())
    with pytest.raises(DataError, match=r"none of its cells .* is one of the plan's"):
        judged(plan, report(days=1, campaign_id="c1").with_columns(segment=pl.lit("aliens")))
    with pytest.raises(DataError, match="has none of impressions, new_fans, gmv_cny"):
        judged(plan, report(days=1, campaign_id="c1", columns=("orders",)))


def test_rows_of_later_dates_are_not_known():
    plan = planned()
    two = report(days=2, campaign_id="c1")
    first = judged(plan, two, as_of=datetime(2020, 11, 1, 12))
    assert first.totals["spend_cny"]["realised"] == pytest.approx(report(days=1)["cost_cny"].sum())
    with pytest.raises(DataError, match="no row of campaign_id 'c1'"):
        judged(plan, two, as_of=datetime(2020, 10, 1))


def test_gaps_in_a_report_are_told():
    plan = planned()
    later = report(days=1, campaign_id="c1").with_columns(
        gmv_cny=pl.when(pl.col("segment") == "mothers").then("gmv_cny")
    )
    assert any("gmv_cny is empty in 1 of 3 rows" in note for note in judged(plan, later).notes)
    without = report(days=1, campaign_id="c1", columns=("new_fans",))
    assert any("no impressions and no gmv_cny" in note for note in judged(plan, without).notes)


def test_user_logs_without_people_in_the_plan_point_to_the_report():
    from test_evaluation import logs

    plan = jewellery_shop.plan(audience=None)
    supplied = replace(plan, provenance=replace(plan.provenance, model_uri=None))
    with pytest.raises(DataError, match="holds a delivery report of the campaign"):
        evaluate_campaign(supplied, logs())
