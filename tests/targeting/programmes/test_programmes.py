"""Every boundary of the packaged programmes, what they give, and what that is worth."""

import jewellery_shop
import numpy as np
import polars as pl
import pytest

from models.errors import CampaignError
from pipelines.config.job_settings import ProgrammesSettings, load
from targeting.decision.support_worth import outlook, with_worth
from targeting.grants import with_grants
from targeting.programmes.programme_rules import Programme
from targeting.programmes.support import supported
from targeting.programmes.verdicts import judged
from targeting.words import words_in

RULES = load(ProgrammesSettings)


def brief(merchant=None, **changed):
    who = {"merchant_id": "m1", **(merchant or {})}
    return jewellery_shop.campaign(constraints=[], merchant=who, **changed)


def verdict(name, campaign):
    return next(v for v in judged(RULES.programmes, campaign) if v.name == name)


FEE, CHALLENGE, CAMP = "service-fee-relief", "origin-streamer-challenge", "training-camp"
FACTS = {"challenge_impressions": 5000}
STREAMER = {"month_gmv_cny": 999_999.99, "fans": 9_999_999, "stars": 4.1, "facts": FACTS}
OLD = {"opened_on": "2018-03-01"}


@pytest.mark.parametrize(
    ("name", "merchant", "starts", "outcome"),
    [
        # September GMV < 50,000, or opened from 10-01 to 11-11, both days counted.
        (FEE, {**OLD, "facts": {"september_gmv_cny": 49_999.99}}, "2020-11-11", "granted"),
        (FEE, {**OLD, "facts": {"september_gmv_cny": 50_000}}, "2020-11-11", "refused"),
        (FEE, {**OLD, "facts": {"september_gmv_cny": 5e4}, "month_gmv_cny": 1.0}, "2020-11-11", "refused"),
        (FEE, {**OLD, "month_gmv_cny": 49_999.99}, "2020-11-11", "granted"),
        (FEE, {**OLD, "month_gmv_cny": 50_000}, "2020-11-11", "refused"),
        (FEE, {"opened_on": "2020-09-30", "month_gmv_cny": 50_000}, "2020-11-11", "refused"),
        (FEE, {"opened_on": "2020-10-01", "month_gmv_cny": 50_000}, "2020-11-11", "granted"),
        (FEE, {"opened_on": "2020-11-11", "month_gmv_cny": 50_000}, "2020-11-11", "granted"),
        (FEE, {"opened_on": "2020-11-12", "month_gmv_cny": 50_000}, "2020-11-12", "refused"),
        (FEE, {"opened_on": "2020-10-01"}, "2020-11-11", "granted"),  # one of two is enough
        (FEE, OLD, "2020-11-11", "unknown"),
        (FEE, {}, "2020-11-11", "unknown"),
        (FEE, {"opened_on": "2020-10-01"}, "2020-09-30", "not running"),
        (FEE, {"opened_on": "2020-10-01"}, "2020-10-01", "granted"),
        # Month GMV < 1,000,000, fans < 10,000,000, stars > 4.
        (CHALLENGE, STREAMER, "2020-11-11", "granted"),
        (CHALLENGE, {**STREAMER, "month_gmv_cny": 1_000_000}, "2020-11-11", "refused"),
        (CHALLENGE, {**STREAMER, "fans": 10_000_000}, "2020-11-11", "refused"),
        (CHALLENGE, {**STREAMER, "stars": 4}, "2020-11-11", "refused"),
        (CHALLENGE, {**STREAMER, "stars": 4.0001}, "2020-11-11", "granted"),
        (CHALLENGE, {**STREAMER, "facts": {}}, "2020-11-11", "unknown"),
        (CHALLENGE, {**STREAMER, "stars": None}, "2020-11-11", "unknown"),
        (CHALLENGE, {**STREAMER, "stars": None, "fans": 10_000_000}, "2020-11-11", "refused"),
        # Fewer than 1,000 sales a month, no violations.
        (CAMP, {"facts": {"month_sales": 999}, "violations": 0}, "2020-11-11", "granted"),
        (CAMP, {"facts": {"month_sales": 1000}, "violations": 0}, "2020-11-11", "refused"),
        (CAMP, {"facts": {"month_sales": 999}, "violations": 1}, "2020-11-11", "refused"),
        # Awarded money, a tag, an attribute.
        ("cash-subsidy", {"facts": {"cash_awarded_cny": 0}}, "2020-11-11", "refused"),
        ("cash-subsidy", {"facts": {"cash_awarded_cny": 0.01}}, "2020-11-11", "granted"),
        ("cash-subsidy", {}, "2020-11-11", "unknown"),
        ("new-merchant-tag", {"opened_on": "2020-10-01"}, "2020-11-11", "granted"),
        ("new-merchant-tag", {"opened_on": "2020-09-30"}, "2020-11-11", "refused"),
        ("supply-base", {"facts": {"supply_base": "临沂"}}, "2020-11-11", "granted"),
        ("supply-base", {"facts": {"supply_base": "elsewhere"}}, "2020-11-11", "refused"),
    ],
)  # fmt: skip
def test_every_boundary(name, merchant, starts, outcome):
    found = verdict(name, brief(merchant, starts_at=starts))
    assert found.outcome == outcome
    assert found.reasons


def test_a_verdict_says_which_number_decided():
    refused = verdict(FEE, brief({**OLD, "month_gmv_cny": 50_000}))
    assert "month_gmv_cny 50,000 is not < 50,000" in str(refused)
    assert "opened_on 2018-03-01 is not within 2020-10-01 to 2020-11-11" in str(refused)
    unknown = verdict(CAMP, brief({"violations": 0}))
    assert "month_sales or month_orders is not known: say it under merchant" in str(unknown)
    assert str(verdict(FEE, brief({"opened_on": "2020-10-01"}))).startswith(
        "技术服务费 1%: granted (fee 1.00%)"
    )


def test_a_fact_of_the_wrong_kind_is_named():
    with pytest.raises(CampaignError, match=r"merchant\.cash_awarded_cny: is 'much'; expected a number"):
        judged(RULES.programmes, brief({"facts": {"cash_awarded_cny": "much"}}))


def test_what_is_granted_changes_the_brief_and_nothing_else_does():
    plain = brief({**OLD, "month_gmv_cny": 2e6, "fans": 10_000_000})
    assert supported(plain, RULES.programmes, judged(RULES.programmes, plain)) == plain
    lucky = brief({**STREAMER, "opened_on": "2020-10-01", "facts": {**FACTS, "cash_awarded_cny": 3000}})
    verdicts = judged(RULES.programmes, lucky)
    found = supported(lucky, RULES.programmes, verdicts)
    assert found.economics.fee_rate == 0.01
    assert found.budget_cny == lucky.budget_cny + 3000
    assert [(g.impressions, g.placement) for g in found.grants] == [(5000.0, ("live",))]
    without = supported(lucky, RULES.programmes, verdicts, without="cash-subsidy")
    assert without.budget_cny == lucky.budget_cny
    assert without.grants == found.grants


def test_a_fee_that_is_lower_already_stays():
    low = brief({"opened_on": "2020-10-01"}, economics={"gross_margin": 0.45, "fee_rate": 0.005})
    assert supported(low, RULES.programmes, judged(RULES.programmes, low)).economics.fee_rate == 0.005


def test_a_grant_is_what_its_cells_get_for_no_money():
    campaign = brief(grants=[{"impressions": 9000, "placement": "live", "segment": "content · keen"}])
    bare, given = jewellery_shop.market(brief()), jewellery_shop.market(campaign)
    nothing = np.zeros(len(bare))
    more = given.supply.value(nothing) - bare.supply.value(nothing)
    here = (bare.cells["placement"] == "live") & (bare.cells["segment"] == "content · keen")
    assert more[here.to_numpy()] == pytest.approx([9000.0])
    assert more[~here.to_numpy()] == pytest.approx(0.0)
    assert given.draws.supply.value(nothing).sum(axis=1) == pytest.approx(9000.0)
    back = with_grants(given, campaign.grants, sign=-1.0)
    assert back.supply.value(nothing) == pytest.approx(bare.supply.value(nothing))
    with pytest.raises(CampaignError, match="selects no cell"):
        jewellery_shop.market(brief(grants=[{"impressions": 1, "segment": "nobody"}]))


def test_a_grant_lowers_what_the_next_paid_impression_brings_in_its_cells_so_money_moves_away():
    plain = jewellery_shop.plan(brief())
    granted = brief(grants=[{"impressions": 60_000, "segment": "precise · likely"}])
    plan = jewellery_shop.plan(granted)
    spend = [p.allocation.group_by("segment").agg(spend=pl.col("spend_cny").sum()) for p in (plain, plan)]
    before, after = (dict(table.iter_rows()) for table in spend)
    assert after["precise · likely"] < before["precise · likely"]
    assert plan.expected["new_fan_gmv_cny"].value > plain.expected["new_fan_gmv_cny"].value


def test_a_fee_cut_moves_the_plan_for_profit_only():
    economics = {"gross_margin": 0.45, "fee_rate": 0.05}
    for objective, moves in (("profit", True), ("new_fan_gmv", False)):
        dear = brief({"opened_on": "2020-10-01"}, objective=objective, economics=economics, budget_cny=1e6)
        cheap = supported(dear, RULES.programmes, judged(RULES.programmes, dear))
        spend = [jewellery_shop.plan(c).allocation["spend_cny"].to_numpy() for c in (dear, cheap)]
        assert bool(np.abs(spend[0] - spend[1]).max() > 1.0) is moves


def test_what_each_is_worth_is_profit_with_it_less_profit_without():
    facts = {**FACTS, "cash_awarded_cny": 3000}
    written = brief({**STREAMER, "opened_on": "2020-10-01", "facts": facts}, objective="profit")
    verdicts = judged(RULES.programmes, written)
    campaign = supported(written, RULES.programmes, verdicts)
    plan = jewellery_shop.plan(campaign)
    worth = {v.name: v.worth_cny for v in with_worth(plan, written, RULES.programmes, verdicts)}
    without_fee = jewellery_shop.plan(supported(written, RULES.programmes, verdicts, without=FEE))
    gain = plan.expected["profit_cny"].value - without_fee.expected["profit_cny"].value
    assert worth[FEE] == pytest.approx(gain, rel=1e-6)
    # At least what 4 % of the plan's GMV is, since the plan may move as well.
    gmv = without_fee.expected["new_fan_gmv_cny"].value
    assert worth[FEE] >= 0.04 * gmv * (1 - 1e-6)
    assert worth["cash-subsidy"] == pytest.approx(3000, abs=3000)
    assert worth[CHALLENGE] > 0
    assert worth["new-merchant-tag"] == 0.0
    assert worth["supply-base"] is None


def test_a_board_has_progress_a_chance_and_a_cheapest_plan():
    plan = jewellery_shop.plan(brief({"month_gmv_cny": 999_000}))
    near = outlook(plan, RULES.boards)[0]
    assert (near.reached, near.missing) == (999_000, 1000)
    assert 0 < near.cheapest_cny < plan.spend_cny
    half = jewellery_shop.plan(brief({"month_gmv_cny": 999_000}, budget_cny=near.cheapest_cny))
    assert half.expected["new_fan_gmv_cny"].value == pytest.approx(1000, rel=1e-3)
    assert outlook(half, RULES.boards)[0].chance == pytest.approx(0.5, abs=0.02)
    assert near.chance > 0.9
    far = outlook(jewellery_shop.plan(brief({"month_gmv_cny": 0})), RULES.boards)[0]
    assert far.cheapest_cny is None
    assert far.chance < 0.01
    done = outlook(jewellery_shop.plan(brief({"month_gmv_cny": 1e6})), RULES.boards)[0]
    assert (done.missing, done.chance, done.cheapest_cny) == (0.0, 1.0, 0.0)
    unknown = outlook(jewellery_shop.plan(brief()), RULES.boards)[0]
    assert "is not known" in str(unknown)


def test_rules_of_ones_own():
    own = Programme.model_validate(
        {
            "name": "belt",
            "title": "Pearl belt",
            "when": {
                "all": [{"fact": "belt", "equals": "pearls"}, {"any": [{"fact": "fans", "at_least": 10}]}]
            },
            "gives": {"grants": [{"impressions": 100, "placement": "video"}], "tags": ["belt"]},
        }
    )
    campaign = brief({"fans": 10, "facts": {"belt": "pearls"}})
    found = judged([own], campaign)[0]
    assert (found.outcome, found.gives) == ("granted", "100 impressions in video, belt")
    for wrong in ({"fact": "fans"}, {"fact": "fans", "below": 1, "above": 2}):
        with pytest.raises(ValueError, match="needs exactly one of"):
            Programme.model_validate({"name": "n", "title": "t", "when": wrong, "gives": {}})


def test_verdicts_speak_chinese():
    zh = words_in("zh")
    lucky = brief({**STREAMER, "opened_on": "2020-10-01", "violations": 1, "facts": FACTS})
    said = {v.name: v.said(zh) for v in judged(RULES.programmes, lucky)}
    within = "开店日期（opened_on） 2020-10-01 在 2020-10-01 至 2020-11-11 之内"
    assert said[FEE] == f"技术服务费 1%：已获得（费率 1.00%）：{within}"
    assert said[CHALLENGE].startswith("产地好主播挑战赛：已获得（直播间曝光 5,000 次）：")
    assert said[CAMP] == "新商家训练营：不符合：违规次数（violations） 1，不满足 <= 0"
    assert said["cash-subsidy"] == (
        "现金补贴：尚不能判断：不知道获批现金补贴（cash_awarded_cny）：请写在投放需求的 merchant 下"
    )
    near = outlook(jewellery_shop.plan(brief({"month_gmv_cny": 999_000})), RULES.boards)[0]
    assert near.said(zh).startswith("百万榜：还差 1,000，按本计划达到的概率为 ")
    english = [line for v in judged(RULES.programmes, lucky) for line in v.said(zh).split("：")[1:2]]
    assert not [line for line in english if line.isascii()]
