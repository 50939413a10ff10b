import jewellery_shop
import numpy as np
import polars as pl
import pytest

from models.errors import DataError
from targeting.plan.questions import compiled
from targeting.plan.usual_plans import past_spend, spend_vector, usual_plans, worth


def baselines(brief, **changed):
    market = jewellery_shop.market(brief)
    problem = compiled(market, campaign=brief, last=None)
    last = past_spend(market, last_plan=None, history=jewellery_shop.history())
    options = {"money_cny": brief.budget_cny, "last_spend_cny": last, "feasible": lambda _: True, **changed}
    return usual_plans(problem, campaign=brief, **options)


def test_every_rival_spends_the_same_money():
    table = baselines(jewellery_shop.campaign())
    assert table["label"].to_list() == ["last plan", "equal split", "ROAS-proportional split"]
    np.testing.assert_allclose(table["spend_cny"], 20_000)


def test_without_history_there_is_no_last_plan():
    table = baselines(jewellery_shop.campaign(), last_spend_cny=None)
    assert table["label"].to_list() == ["equal split", "ROAS-proportional split"]


def test_profit_counts_the_spend():
    brief = jewellery_shop.campaign(objective="profit")
    table = baselines(brief)
    np.testing.assert_allclose(table["value"], 0.4 * table["new_fan_gmv_cny"] - table["spend_cny"])


def test_worth_counts_what_the_brief_counts():
    market = jewellery_shop.market()
    spend = np.full(len(market), 500.0)
    fans = jewellery_shop.campaign(objective="new_fans")
    table = baselines(fans, money_cny=5000.0)
    equal = table.filter(pl.col("label") == "equal split")
    assert worth(compiled(market, campaign=fans, last=None), fans, spend) == pytest.approx(
        equal["new_fans"].item()
    )


def test_a_last_plan_over_other_segments_still_says_the_split_over_placements():
    market = jewellery_shop.market()
    last = pl.DataFrame(
        {"segment": ["all", "all"], "placement": ["video", "live"], "spend_cny": [900.0, 100.0]}
    )
    spend = past_spend(market, last_plan=last, history=jewellery_shop.history())
    live = (market.cells["placement"] == "live").to_numpy()
    assert spend[live].sum() == pytest.approx(100.0)
    logged = past_spend(market, last_plan=None, history=jewellery_shop.history())
    np.testing.assert_allclose(spend[live] / spend[live].sum(), logged[live] / logged[live].sum())


def test_spends_are_aligned_by_name_not_by_position():
    market = jewellery_shop.market()
    frame = market.cells.select("segment", "placement").with_columns(spend_cny=pl.int_range(pl.len()) * 1.0)
    shuffled = frame.sample(fraction=1.0, shuffle=True, seed=3)
    np.testing.assert_array_equal(spend_vector(market, shuffled), np.arange(10.0))
    np.testing.assert_array_equal(spend_vector(market, shuffled.to_pandas()), np.arange(10.0))
    one = spend_vector(market, {("precise · likely", "live"): 7.0})
    assert one.sum() == one[1] == 7.0


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({("nobody", "live"): 1.0}, "segment 'nobody', placement 'live' is not in this plan"),
        ({("precise · likely", "live"): -1.0}, "is -1.0; expected a number >= 0"),
        ({("precise · likely", "live"): float("nan")}, "expected a number >= 0"),
        (pl.DataFrame({"segment": ["a"], "spend": [1.0]}), "column 'placement' is missing"),
    ],
)
def test_a_plan_that_cannot_be_compared_is_refused(other, message):
    with pytest.raises(DataError, match=message):
        spend_vector(jewellery_shop.market(), other)
