"""What will really come, beside what is expected: coverage against campaigns played out."""

import json
from dataclasses import replace

import jewellery_shop
import numpy as np
import polars as pl
import pytest

import targeting as tg
from models.chance import Chance, binned
from targeting.allocation.outcomes import outcomes
from targeting.decision.verbs import plan_from_files
from targeting.evaluation.totals import total_of, totals
from targeting.plan.promise import Interval, promise
from targeting.plan.realised import Range
from targeting.report.sections.promise import promises
from targeting.words import words_in

EN = words_in("en")
SIGMA = 1.1


def chance(**scatter):
    orders = np.random.default_rng(5).lognormal(4.5, SIGMA, 4000)
    return Chance(*binned(orders), **scatter)


def sure(market):
    """The market as if everything but luck were known: every draw is the truth."""
    draws = market.draws
    n = len(draws.hazard)
    return replace(
        market,
        draws=replace(
            draws,
            supply=replace(
                draws.supply,
                **{
                    k: np.tile(getattr(market.supply, k), (n, 1))
                    for k in ("top", "scale_cny", "shape", "base")
                },
            ),
            hazard=np.tile(market.hazard, (n, 1)),
            gmv_per_fan_cny=np.tile(market.gmv_per_fan_cny, (n, 1)),
        ),
    )


def played(market, spend, *, times, day_sd, seed=0):
    """(fans, gmv) of campaigns played out: the day's delivery, who follows, each purchase."""
    rng = np.random.default_rng(seed)
    expected, mean_order = outcomes(market, spend), np.exp(4.5 + SIGMA**2 / 2)
    found = []
    for _ in range(times):
        day = np.exp(rng.normal(0.0, day_sd) - day_sd**2 / 2)
        fans, gmv = 0, 0.0
        for cell in range(len(market)):
            people = int(market.users[cell])
            followed = rng.binomial(people, day * expected["fans"][cell] / people)
            buys = rng.random(followed) < market.gmv_per_fan_cny[cell] / mean_order
            gmv += float(rng.lognormal(4.5, SIGMA, int(buys.sum())).sum())
            fans += followed
        found.append((fans, gmv))
    return np.array(found)


@pytest.mark.parametrize(("share", "day_sd"), [(1.0, 0.0), (0.05, 0.0), (1.0, 0.2)])
def test_four_in_five_campaigns_played_out_lie_inside(share, day_sd):
    market = replace(sure(jewellery_shop.market()), chance=chance(day_sd=day_sd))
    assert (market.gmv_per_fan_cny < np.exp(4.5 + SIGMA**2 / 2)).all(), "a fan buys at most once here"
    spend = share * np.linspace(200.0, 2000.0, len(market))
    said = promise(market=market, spend_cny=spend, kept_share=0.4)
    came = played(market, spend, times=400, day_sd=day_sd)
    for name, totals_ in zip(("new_fans", "new_fan_gmv_cny"), came.T, strict=True):
        band = said.realised[name]
        inside = np.mean((totals_ >= band.low) & (totals_ <= band.high))
        assert 0.74 <= inside <= 0.87, (name, inside)
    expected = said.new_fan_gmv_cny
    assert expected.high - expected.low < 1e-6, "what is expected is known exactly here"


def test_the_range_of_what_comes_holds_the_doubt_about_the_expectation_too():
    market = jewellery_shop.market()
    spend = np.full(len(market), 1500.0)
    lucky = promise(market=replace(market, chance=chance()), spend_cny=spend, kept_share=0.4)
    sure_of_all = promise(market=replace(sure(market), chance=chance()), spend_cny=spend, kept_share=0.4)
    for name in ("new_fans", "new_fan_gmv_cny", "profit_cny"):
        came, expected = lucky.realised[name], getattr(lucky, name)
        assert came.high - came.low > expected.high - expected.low
        assert came.high - came.low > sure_of_all.realised[name].high - sure_of_all.realised[name].low
    profit, gmv = lucky.realised["profit_cny"], lucky.realised["new_fan_gmv_cny"]
    assert profit.low == pytest.approx(0.4 * gmv.low - spend.sum())


@pytest.fixture(scope="module")
def plan():
    return jewellery_shop.plan(market=replace(jewellery_shop.market(), chance=chance(day_sd=0.1)))


def test_the_range_is_in_plan_json_and_comes_back(plan):
    files = plan.files(html=False)
    said = json.loads(files["plan.json"])
    assert set(said["realised"]) == set(said["expected"]) == {"new_fans", "new_fan_gmv_cny", "profit_cny"}
    assert set(said["realised"]["new_fans"]) == {"low", "high"}
    back = plan_from_files(files)
    assert back.realised == plan.realised
    assert back.price(plan.allocation).promise.realised == plan.realised, "a loaded plan knows its luck"


def test_a_plan_of_before_loads_and_says_that_it_has_no_range(plan):
    files = dict(plan.files(html=False))
    for name, key in (("plan.json", "realised"), ("market.json", "chance")):
        content = json.loads(files[name])
        del content[key]
        files[name] = json.dumps(content)
    old = plan_from_files(files)
    assert old.realised == {}
    assert "of a version that gave no range" in " ".join(promises(old, EN))


def test_expected_and_realised_are_told_apart(plan):
    expected, came, market = promises(plan, EN)
    assert "many times" in expected
    assert "¥" in expected
    assert "four of five" in came
    assert "luck" in came
    assert "change of the market" in market
    assert "four of five" in plan.to_html()


def test_curves_from_outside_have_no_range_and_say_why():
    hill = {"top": [9.0, 5.0], "half_spend_cny": [10.0, 10.0], "slope": [1.0, 1.0]}
    curves = pl.DataFrame({"segment": ["a", "b"], "placement": ["x", "x"], **hill})
    made = tg.allocate(curves, budget_cny=12)
    assert set(made.realised.values()) == {None}
    assert "without uncertainty" in promises(made, EN)[0]
    assert any("luck" in line or "chance" in line for line in made.provenance.warnings)


def test_what_came_is_held_against_the_range_and_not_against_the_expectation(plan):
    band, expected = plan.realised["new_fan_gmv_cny"], plan.expected["new_fan_gmv_cny"]
    between = (band.low + expected.low) / 2
    assert band.low < between < expected.low
    row = totals(plan, spend_cny=plan.spend_cny, fans=None, gmv_cny=between)["new_fan_gmv_cny"]
    assert row["within"] is True
    assert (row["low"], row["high"]) == (band.low, band.high)
    row = totals(plan, spend_cny=plan.spend_cny, fans=None, gmv_cny=0.9 * band.low)["new_fan_gmv_cny"]
    assert row["within"] is False


def test_fans_that_were_counted_with_an_error_have_room_for_it():
    promise_, came = Interval(60.0, 50.0, 70.0), Range(45.0, 75.0)
    assert total_of(promise_, 44.0, came=came)["within"] is False
    assert total_of(promise_, 44.0, came=came, unsure=10.0)["within"] is True
    assert total_of(promise_, 30.0, came=came, unsure=10.0)["within"] is False
