import jewellery_shop
import numpy as np
import polars as pl
import pytest

from models.errors import CampaignError, DataError
from targeting.allocation.outcomes import outcomes
from targeting.allocation.tabled import market_from_curves
from targeting.market import market_of
from targeting.plan.market_file import market_from_json, market_to_json


def test_more_days_buy_what_the_days_would_buy_one_by_one():
    one = jewellery_shop.market(jewellery_shop.campaign(days=1))
    three = jewellery_shop.market(jewellery_shop.campaign(days=3))
    spend = np.linspace(10.0, 500.0, len(one))
    np.testing.assert_allclose(three.supply.value(3 * spend), 3 * one.supply.value(spend))
    np.testing.assert_allclose(three.draws.supply.value(3 * spend), 3 * one.draws.supply.value(spend))
    np.testing.assert_allclose(three.observed_max_cny, 3 * one.observed_max_cny)


def test_slots_share_the_days_and_compete_for_the_same_people():
    brief = jewellery_shop.campaign(days=2, slots={"count": 4})
    market = jewellery_shop.market(brief)
    assert len(market) == 4 * 10
    assert market.cells["slot"].unique().sort().to_list() == [0, 1, 2, 3]
    # A block is one segment in all slots: one person becomes a fan once in the whole campaign.
    assert np.bincount(market.block).tolist() == [8] * 5
    half_day = jewellery_shop.learned().supply.rescaled(top=0.5, spend=0.5)
    spend = np.full(10, 100.0)
    np.testing.assert_allclose(market.supply.value(np.tile(spend, 4))[:10], half_day.value(spend))


def test_only_the_placements_of_the_brief_are_bought():
    market = jewellery_shop.market(jewellery_shop.campaign(placements=["live"], constraints=[]))
    assert market.cells["placement"].unique().to_list() == ["live"]
    assert (market.entry == 0.06).all()
    assert market.draws.hazard.shape[1] == 5


def test_a_placement_that_was_never_learned_is_named():
    brief = jewellery_shop.campaign(placements=["video", "search"], constraints=[])
    with pytest.raises(CampaignError, match=r"'search' is not among those that were learned \(video, live\)"):
        market_of(jewellery_shop.learned(), campaign=brief)


def test_a_market_survives_json_exactly():
    market = jewellery_shop.market(jewellery_shop.campaign(slots={"count": 2}))
    back = market_from_json(market_to_json(market))
    spend = np.linspace(1.0, 900.0, len(market))
    for draw in (None, 0, 59):
        there, here = outcomes(market, spend, draw=draw), outcomes(back, spend, draw=draw)
        for metric, values in there.items():
            np.testing.assert_array_equal(values, here[metric])
    assert back.cells.equals(market.cells)


def test_infinite_users_and_tabulated_curves_survive_json():
    table = {
        "segment": ["a", "a", "b", "b"],
        "placement": ["x"] * 4,
        "spend_cny": [0.0, 10, 0, 10],
        "value": [0.0, 5, 0, 7],
    }
    market = market_from_curves(pl.DataFrame(table))
    back = market_from_json(market_to_json(market))
    assert np.isinf(back.users).all()
    np.testing.assert_array_equal(
        back.supply.value(np.array([3.0, 20.0])), market.supply.value(np.array([3.0, 20.0]))
    )


@pytest.mark.parametrize("text", ["{}", "[]", "not json", '{"cells": {}}'])
def test_a_damaged_market_is_one_line(text):
    with pytest.raises(DataError, match=r"market.json: is not a saved market"):
        market_from_json(text)
