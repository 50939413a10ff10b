"""The brief: what is accepted, and one clear line for everything else."""

from __future__ import annotations

import json
from datetime import date, datetime

import jsonschema
import pytest
import yaml

from models.errors import CampaignError
from targeting.campaign import Economics, campaign_schema, parse_campaign

BRIEF = """
campaign_id: jewellery-1111
merchant: {merchant_id: m1, category: jewellery, opened_on: 2018-03-01, month_gmv_cny: 8.0e5, fans: 3200000,
  stars: 4.7, violations: 0}
objective: new_fan_gmv
horizon_days: 30
starts_at: 2020-11-11T00:00:00
days: 1
budget_cny: 200000
placements: [video, live]
economics: {gross_margin: 0.45, fee_rate: 0.05}
constraints: []
last_plan: null
"""


def brief(**changed):
    return {**yaml.safe_load(BRIEF), **changed}


def test_the_brief_of_the_design_is_read_exactly():
    campaign = parse_campaign(yaml.safe_load(BRIEF), "brief.yaml")
    assert campaign.budget_cny == 200000.0
    assert campaign.starts_at == datetime(2020, 11, 11)
    assert campaign.merchant is not None
    assert campaign.merchant.opened_on == date(2018, 3, 1)
    assert campaign.merchant.month_gmv_cny == 8.0e5  # YAML 1.1 reads 8.0e5 as text
    assert campaign.merchant_id == "m1"
    assert campaign.economics == Economics(gross_margin=0.45, fee_rate=0.05)


def test_defaults():
    campaign = parse_campaign({"campaign_id": 1111, "budget_cny": 10})
    assert campaign.campaign_id == "1111"
    assert campaign.merchant_id == "1111"
    assert (campaign.objective, campaign.horizon_days, campaign.days) == ("new_fan_gmv", 30, 1)
    assert campaign.placements == ("video", "live")
    assert campaign.constraints == ()
    assert campaign.slots.count == 1
    assert campaign.economics is None


@pytest.mark.parametrize(
    "value", ["2020-11-11", date(2020, 11, 11), datetime(2020, 11, 11), "2020-11-10T16:00:00+00:00"]
)
def test_times_are_dates_datetimes_or_iso_text_and_end_up_naive_shanghai(value):
    assert parse_campaign(brief(starts_at=value)).starts_at == datetime(2020, 11, 11)


def test_break_even_roi_without_margin_is_infinite():
    assert Economics(gross_margin=0.1, fee_rate=0.2).break_even_roi == float("inf")


def test_a_campaign_survives_json():
    campaign = parse_campaign(brief(constraints=[{"kind": "bounds", "placement": "live", "min_share": 0.2}]))
    assert parse_campaign(campaign.model_dump(mode="json")) == campaign


def as_json(written):
    return json.loads(json.dumps(written, default=str))


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"campaign_id": 1111},
        {"starts_at": date(2020, 11, 11), "constraints": None, "merchant": None},
        {"placements": "search", "budget_cny": "2e5"},
        {"constraints": [{"kind": "bounds", "segment": "a", "slot": 0, "max_cny": "1e4", "name": 7}]},
        {"constraints": [{"kind": "ratio", "of": {"slot": [0, 1]}, "to": {"placement": "live"}, "min": 1}]},
    ],
)
def test_the_schema_accepts_what_the_brief_accepts(changed):
    parse_campaign(brief(**changed))
    jsonschema.validate(as_json(brief(**changed)), campaign_schema())


@pytest.mark.parametrize(
    "changed",
    [
        {"budget": 3},
        {"budget_cny": 0},
        {"budget_cny": "lots"},
        {"economics": {"gross_margin": 1.4}},
        {"placements": []},
        {"campaign_id": ""},
        {"constraints": [{"kind": "bounds", "max_share": 30}]},
        {"constraints": [{"kind": "risk", "measure": "cvar", "level": 1, "floor": 5}]},
    ],
)
def test_the_schema_refuses_what_the_brief_refuses(changed):
    with pytest.raises(CampaignError):
        parse_campaign(brief(**changed))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(as_json(brief(**changed)), campaign_schema())


def test_placements_are_called_as_in_the_tables():
    limit = {"kind": "bounds", "placement": "直播间", "min_share": 0.2}
    campaign = parse_campaign(brief(placements=["短视频", "Live Room", "搜索"], constraints=[limit]))
    assert campaign.placements == ("video", "live", "搜索")
    assert campaign.constraints[0].placement == ("live",)
    with pytest.raises(CampaignError, match="listed twice"):
        parse_campaign(brief(placements=["video", "短视频"]))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"budget_cny": 0}, ["brief.yaml: budget_cny", "> 0", "got 0"]),
        ({"budget_cny": -5}, ["budget_cny", "> 0", "got -5"]),
        ({"budget_cny": float("nan")}, ["budget_cny", "finite number", "nan"]),
        ({"budget_cny": float("inf")}, ["budget_cny", "finite number", "inf"]),
        ({"budget_cny": True}, ["budget_cny", "a number", "True"]),
        ({"budget_cny": "lots"}, ["budget_cny", "a number", "'lots'"]),
        ({"budgte_cny": 5}, ["budgte_cny", "unknown key", 'did you mean "budget_cny"?', "allowed keys"]),
        ({"economics": {"gros_margin": 0.4}}, ["economics.gros_margin", 'did you mean "gross_margin"?']),
        ({"economics": {"gross_margin": 1.4}}, ["economics.gross_margin", "<= 1", "1.4"]),
        ({"objective": "new_fan"}, ["objective", "'new_fan_gmv'", 'did you mean "new_fans"?']),
        ({"objective": "profit", "economics": None}, ["profit needs economics"]),
        ({"placements": []}, ["placements", "at least one"]),
        ({"placements": ["live", "live"]}, ["placements", "twice"]),
        ({"placements": ["none"]}, ["placements", "cannot be bought"]),
        ({"merchant": 3}, ["merchant", "a mapping"]),
        ({"starts_at": "soon"}, ["starts_at", "2020-11-11T00:00:00", "'soon'"]),
        ({"days": 1.5}, ["days", "whole number", "1.5"]),
        ({"slots": {"count": 0}}, ["slots.count", ">= 1"]),
        ({"slots": {"carryover": 0.3}}, ["slots.carryover", "unknown key", "count"]),
        ({"last_plan": 3}, ["last_plan", "text"]),
        ({"constraints": [{"kind": "change_limit", "max_cny": 3}]}, ["change_limit", "last_plan"]),
    ],
)
def test_every_mistake_is_one_line_that_names_the_key(changed, words):
    with pytest.raises(CampaignError) as caught:
        parse_campaign(brief(**changed), "brief.yaml")
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith("brief.yaml: ")
    for word in words:
        assert word in line


@pytest.mark.parametrize(("mapping", "word"), [(None, "nothing"), ([1], "list"), ({3: 4}, "key 3")])
def test_what_is_no_mapping_is_refused(mapping, word):
    with pytest.raises(CampaignError, match=word):
        parse_campaign(mapping, "brief.yaml")


def test_a_missing_key_is_named():
    written = brief()
    del written["budget_cny"]
    with pytest.raises(CampaignError, match="budget_cny: required key is missing"):
        parse_campaign(written)


def test_a_campaign_cannot_be_changed():
    campaign = parse_campaign(brief())
    with pytest.raises(ValueError, match="frozen"):
        campaign.days = 3
