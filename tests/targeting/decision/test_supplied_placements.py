"""A brief's placements and the placements of supplied curves: nothing vanishes without a word."""

from __future__ import annotations

import polars as pl
import pytest

import targeting as tg
from models.errors import CampaignError
from targeting.campaign import parse_campaign

CURVES = pl.DataFrame(
    {
        "segment": ["a", "a"],
        "placement": ["短视频", "feed"],
        "top": [900.0, 500.0],
        "half_spend_cny": [120.0, 60.0],
        "slope": [1.0, 1.0],
    }
)


def planned(**brief: object) -> tg.Plan:
    campaign = parse_campaign({"campaign_id": "c", "budget_cny": 100, **brief})
    return tg.allocate(CURVES, budget_cny=100, campaign=campaign)


def test_a_placement_that_the_brief_names_and_no_curve_has_is_refused():
    with pytest.raises(CampaignError, match="placements: 'live' has no curve, expected one of video, feed"):
        planned(placements=["video", "live"])


def test_curves_that_the_brief_does_not_buy_are_left_out_with_a_word():
    plan = planned(placements=["video"])
    assert plan.allocation["placement"].to_list() == ["video"]
    assert any("those of feed are left out" in said for said in plan.provenance.warnings)


def test_a_brief_that_names_no_placements_buys_what_there_are_curves_for():
    assert set(planned().allocation["placement"]) == {"video", "feed"}
