import json

import jewellery_shop
import jsonschema
import numpy as np
import polars as pl
import pytest

from models.errors import CampaignError, DataError
from targeting.allocation.outcomes import outcomes
from targeting.decision.verbs import plan_from_files
from targeting.plan.decided import ALLOCATION_COLUMNS

NUMBER_OR_NULL = {"type": ["number", "null"]}
INTERVAL = {
    "anyOf": [
        {"type": "null"},
        {
            "type": "object",
            "required": ["value", "low", "high"],
            "properties": {"value": {"type": "number"}, "low": NUMBER_OR_NULL, "high": NUMBER_OR_NULL},
            "additionalProperties": False,
        },
    ]
}
RANGE = {
    "anyOf": [
        {"type": "null"},
        {
            "type": "object",
            "required": ["low", "high"],
            "properties": {"low": {"type": "number"}, "high": {"type": "number"}},
            "additionalProperties": False,
        },
    ]
}
PLAN_JSON = {
    "type": "object",
    "required": [
        "status", "objective", "value", "upper_bound", "gap", "budget_cny", "spend_cny", "expected",
        "realised", "shadow_prices", "binding", "claims", "model_uri", "fingerprints", "versions",
        "baselines",
    ],
    "properties": {
        "status": {"enum": ["optimal", "within_gap", "time_limit"]},
        "objective": {"enum": ["new_fan_gmv", "new_fans", "live_entries", "profit"]},
        "value": {"type": "number"},
        "upper_bound": {"type": "number"},
        "gap": {"type": "number", "minimum": 0},
        "expected": {
            "type": "object",
            "properties": {"new_fans": INTERVAL, "new_fan_gmv_cny": INTERVAL, "profit_cny": INTERVAL},
            "required": ["new_fans", "new_fan_gmv_cny", "profit_cny"],
            "additionalProperties": False,
        },
        "realised": {
            "type": "object",
            "properties": {"new_fans": RANGE, "new_fan_gmv_cny": RANGE, "profit_cny": RANGE},
            "required": ["new_fans", "new_fan_gmv_cny", "profit_cny"],
            "additionalProperties": False,
        },
        "shadow_prices": {"type": "object", "additionalProperties": {"type": "number"}},
        "binding": {"type": "array", "items": {"type": "string"}},
        "claims": {
            "type": "object",
            "properties": {"kind": {"enum": ["causal", "observational"]}, "why": {"type": "string"}},
            "required": ["kind", "why"],
        },
        "model_uri": {"type": ["string", "null"]},
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def plan():
    return jewellery_shop.plan()


def test_plan_json_is_the_contract(plan):
    text = plan.files(html=False)["plan.json"]
    said = json.loads(text)
    jsonschema.validate(said, PLAN_JSON)
    assert said["gap"] == pytest.approx(said["upper_bound"] / said["value"] - 1.0, abs=1e-12)
    assert said["gap"] <= 1e-6
    assert said["status"] == "optimal"
    assert set(said["shadow_prices"]) >= {"total", "live-floor"}
    assert said["binding"] == ["total", "live-floor"] or set(said["binding"]) == {"total", "live-floor"}


def test_allocation_has_exactly_the_columns_of_the_contract(plan):
    assert tuple(plan.allocation.columns) == ALLOCATION_COLUMNS
    assert plan.allocation.height == 10
    assert plan.allocation["slot"].to_list() == [0] * 10
    assert plan.allocation["reason"].null_count() == 0


def test_spend_is_in_whole_li_and_keeps_every_constraint(plan):
    spend, li = plan.allocation["spend_cny"].to_numpy(), plan.allocation["spend_li"].to_numpy()
    np.testing.assert_allclose(li, spend * 1000.0, rtol=0, atol=1e-6)
    assert li.dtype == np.int64
    assert li.sum() <= 20_000_000
    assert li[plan.allocation["placement"].to_numpy() == "live"].sum() >= 14_000_000
    assert plan.violations() == ()


def test_every_number_comes_from_the_true_curves(plan):
    spend = plan.allocation["spend_cny"].to_numpy()
    found = outcomes(plan.market, spend)
    for column, metric in (("impressions", "impressions"), ("new_fans", "fans"), ("new_fan_gmv_cny", "gmv")):
        np.testing.assert_allclose(plan.allocation[column], found[metric], rtol=1e-12)
    assert plan.value == pytest.approx(found["gmv"].sum(), rel=1e-12)
    assert plan.expected["profit_cny"].value == pytest.approx(0.4 * found["gmv"].sum() - spend.sum())
    low, high = plan.allocation["new_fans_low"], plan.allocation["new_fans_high"]
    assert ((low <= plan.allocation["new_fans"]) & (plan.allocation["new_fans"] <= high)).all()


def test_no_baseline_that_keeps_the_brief_beats_the_plan(plan):
    kept = plan.baselines.filter(pl.col("feasible"))
    assert (kept["value"] <= plan.value * (1 + 1e-9)).all()
    assert plan.baselines.height == 3


def test_the_same_brief_gives_the_same_plan_to_the_last_byte(plan):
    again = jewellery_shop.plan()
    assert again.files(html=False)["plan.json"] == plan.files(html=False)["plan.json"]
    assert again.allocation.equals(plan.allocation)


def test_a_saved_plan_says_what_it_said(plan):
    files = plan.files(html=False)
    back = plan_from_files(files)
    assert back.to_dict() == plan.to_dict()
    assert back.allocation.equals(plan.allocation)
    assert back.curves.equals(plan.curves)
    assert back.violations() == ()
    assert back.why("precise · likely", "live") == plan.why("precise · likely", "live")
    assert back.audience.diagnosis.sentences == plan.audience.diagnosis.sentences


def test_a_saved_plan_survives_a_csv_that_guesses_types():
    numbered = jewellery_shop.learned()
    names = {s: str(i) for i, s in enumerate(jewellery_shop.SEGMENTS)}
    from dataclasses import replace

    from targeting.market import market_of

    brief = jewellery_shop.campaign(constraints=[])
    cells = numbered.cells.with_columns(pl.col("segment").replace(names))
    plan = jewellery_shop.plan(
        brief, market=market_of(replace(numbered, cells=cells), campaign=brief), audience=None, history=None
    )
    files = plan.files(html=False)
    text = files["allocation.csv"].write_csv()
    back = plan_from_files({**files, "allocation.csv": pl.read_csv(text.encode())})
    assert back.allocation.equals(plan.allocation)
    assert back.why("0", "live") == plan.why("0", "live")


@pytest.mark.parametrize("name", ["plan.json", "market.json", "allocation.csv"])
def test_an_incomplete_plan_directory_is_named(plan, name):
    files = {k: v for k, v in plan.files(html=False).items() if k != name}
    with pytest.raises(DataError, match=f"{name}: is missing"):
        plan_from_files(files)


def test_a_plan_of_an_earlier_version_is_read_and_a_changed_one_named_by_key(plan):
    files = plan.files(html=False)
    said = json.loads(files["plan.json"])

    def read(**changes):
        content = {k: v for k, v in {**said, **changes}.items() if v != "left out"}
        return plan_from_files({**files, "plan.json": json.dumps(content)})

    assert read(warnings="left out").to_dict() == plan.to_dict()
    slots = {**said["campaign"]["slots"], "carryover": 0.0}
    assert read(campaign={**said["campaign"], "slots": slots}).to_dict() == plan.to_dict()
    with pytest.raises(CampaignError, match=r"^plan.json: campaign: slots.carryover: unknown key"):
        read(campaign={**said["campaign"], "slots": {**slots, "carryover": 0.5}})
    for changes, key in (
        ({"budget_cny": "20,000"}, "budget_cny"),
        ({"status": "perfect"}, "status"),
        ({"expected": {"new_fans": {"value": 1.0, "low": "few"}}}, r"expected.new_fans.low"),
        ({"claims": "left out"}, "claims"),
        ({"note": "mine"}, "note"),
    ):
        with pytest.raises(DataError, match=rf"^plan.json: is not a saved plan \({key}: "):
            read(**changes)


def test_a_market_whose_slots_carried_over_cannot_be_asked_again(plan):
    files = plan.files(html=False)
    market = json.loads(files["market.json"])

    def read(**changes):
        return plan_from_files({**files, "market.json": json.dumps({**market, **changes})})

    assert read(carryover=0.0, carry_in_cny=None).to_dict() == plan.to_dict()
    with pytest.raises(DataError, match=r"^market.json: is not a saved market \(carryover: "):
        read(carryover=0.5)


def test_damaged_plan_files_are_named(plan):
    files = plan.files(html=False)
    with pytest.raises(DataError, match=r"plan.json: is not a saved plan \(Invalid JSON"):
        plan_from_files({**files, "plan.json": "{"})
    with pytest.raises(DataError, match=r"plan.json: is not a saved plan \(status: Field required"):
        plan_from_files({**files, "plan.json": "{}"})
    with pytest.raises(DataError, match=r"plan.json: is not a saved plan \(Input should be an object"):
        plan_from_files({**files, "plan.json": "[]"})
    with pytest.raises(DataError, match=r"allocation.csv: column 'reason' is missing"):
        plan_from_files({**files, "allocation.csv": plan.allocation.drop("reason")})
    text = plan.allocation.with_columns(spend_li=pl.lit("much"))
    with pytest.raises(DataError, match=r"allocation.csv: .*much.*; expected a file of"):
        plan_from_files({**files, "allocation.csv": text})
    people = {"segments.parquet": pl.DataFrame({"uid": ["u"], "segment": ["s"]})}
    with pytest.raises(DataError, match=r"segments.parquet: column 'user_id' is missing"):
        plan_from_files({**files, **people})
    people = {"segments.parquet": pl.DataFrame({"user_id": ["u"], "segment": ["s"]})}
    with pytest.raises(DataError, match=r"segment_summary.csv: is missing"):
        plan_from_files({k: v for k, v in {**files, **people}.items() if k != "segment_summary.csv"})


def test_an_allocation_that_was_edited_is_not_taken_for_what_was_promised(plan):
    files = plan.files(html=False)
    edited = plan.allocation.with_columns(spend_li=pl.col("spend_li") + 1)
    with pytest.raises(DataError, match=r"allocation.csv: spends 20,000.010 yuan, plan.json 20,000.000"):
        plan_from_files({**files, "allocation.csv": edited})


def test_files_are_those_of_the_contract(plan):
    files = plan.files(html=False)
    people = ("scores.parquet", "segments.parquet", "segment_summary.csv")
    assert set(files) == {*people, "curves.csv", "allocation.csv", "plan.json", "market.json"}
    assert files["scores.parquet"].columns == [
        "user_id", "placement", "p_follow", "gmv_per_fan_cny", "p_precise", "eligible",
    ]  # fmt: skip


def test_compare_values_both_plans_on_the_same_curves(plan):
    equal = {(s, p): 2000.0 for s in jewellery_shop.SEGMENTS for p in jewellery_shop.PLACEMENTS}
    table = plan.compare(equal)
    total = table.row(-1, named=True)
    assert total["segment"] == "total"
    assert total["new_fan_gmv_cny"] == pytest.approx(plan.value)
    assert total["other_spend_cny"] == pytest.approx(20_000)
    assert plan.compare(plan)["gmv_change_cny"].abs().max() == 0.0


def test_why_speaks_of_funded_and_unfunded_cells(plan):
    assert "precise · likely × live gets" in plan.why("precise · likely", "live")
    assert "gets nothing" in plan.why("content · cheap reach", "live")
    with pytest.raises(DataError, match=r"has no cell 'nobody', 'live'"):
        plan.why("nobody", "live")


def test_the_frontier_passes_through_the_plan_and_rises(plan):
    points = plan.frontier([10_000, 20_000, 40_000])
    value = points["value"].to_list()
    assert value[1] == pytest.approx(plan.value, rel=1e-5)
    assert value[0] < value[1] < value[2]
    assert value[1] - value[0] > (value[2] - value[1]) / 2  # concave


def test_scenarios_stand_beside_the_plan(plan):
    half = {"kind": "bounds", "name": "half live", "placement": "live", "max_share": 0.5}
    table = plan.scenarios(
        {
            "twice the money": {"budget_cny": 2 * plan.budget_cny},
            "no limits": {"constraints": []},
            "half live": {"constraints": [half]},
        }
    )
    assert table["scenario"].to_list() == ["this plan", "twice the money", "no limits", "half live"]
    here, twice, free, limited = table["value"]
    assert here == pytest.approx(plan.value, rel=1e-5)
    assert twice > here
    assert free >= here * (1 - 1e-6)
    assert limited <= free * (1 + 1e-6)
    with pytest.raises(CampaignError, match=r"no money: budget_cny"):
        plan.scenarios({"no money": {"budget_cny": 0.0}})


def test_experiments_rank_cells_by_what_knowing_them_is_worth(plan):
    table = plan.experiments()
    assert (table["evpi"] >= -1e-9).all()
    assert table["evpi"].is_sorted(descending=True)


def test_a_plan_prints_and_shows_itself(plan):
    text = str(plan)
    assert text.startswith("Spending ¥20,000 is expected to leave ¥")
    assert "precise · likely" in text
    assert "content · cheap reach  live" not in text
    assert "<table>" in plan._repr_html_()


def test_slots_are_rows_of_their_own():
    brief = jewellery_shop.campaign(slots={"count": 3}, constraints=[])
    plan = jewellery_shop.plan(brief)
    assert plan.allocation["slot"].unique().sort().to_list() == [0, 1, 2]
    assert plan.allocation.height == 30
    assert plan.spend_cny == pytest.approx(20_000, abs=0.01)
    assert plan.why("precise · likely", "live", slot=2)
