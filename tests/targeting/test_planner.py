from datetime import timedelta

import numpy as np
import polars as pl
import pytest

import targeting as tg
from models.audience.horizon import horizon_sd
from models.errors import CampaignError, DataError
from targeting.planning_state import last_moment, logged_placements, present_users, tables

USERS = 3000


@pytest.fixture(scope="module")
def world():
    return tg.simulate("jewellery", users=USERS, seed=3)


@pytest.fixture(scope="module")
def data(world):
    return {"users": world.users, "exposures": world.exposures, "orders": world.orders}


@pytest.fixture(scope="module")
def planner(world, data):
    return tg.Planner.fit(data, campaign=world.campaign, n_draws=40, min_audience=200, threads=1)


@pytest.fixture(scope="module")
def audience(world, planner):
    return planner.audience(world.users_now)


@pytest.fixture(scope="module")
def plan(world, planner, audience):
    return planner.plan(world.campaign, audience, last_plan=world.last_plan)


def test_every_eligible_user_is_in_exactly_one_segment(world, audience):
    eligible = world.users_now.filter(~pl.col("is_fan"))
    assert audience.segments.height == eligible.height
    assert audience.segments["user_id"].n_unique() == eligible.height
    assert set(audience.segments["user_id"]) == set(eligible["user_id"])
    assert audience.summary["users"].sum() == eligible.height
    assert audience.summary["users"].min() >= 150
    assert "eligible users in" in str(audience)


def test_the_chain_gives_a_certified_plan(world, plan):
    assert plan.status == "optimal"
    assert plan.gap <= 1e-6
    assert plan.violations() == ()
    assert plan.spend_cny <= world.campaign["budget_cny"]
    assert plan.expected["new_fans"].low < plan.expected["new_fans"].value < plan.expected["new_fans"].high
    assert plan.baselines["label"].to_list() == ["last plan", "equal split", "ROAS-proportional split"]
    assert (plan.baselines["value"] <= plan.value * (1 + 1e-9)).all()
    assert set(plan.provenance.fingerprints) == {"users", "exposures", "orders"}
    assert plan.claims["kind"] in ("causal", "observational")


def test_the_promise_is_near_the_truth(world, audience, plan):
    truth = world.truth.value(audience.segments, plan.allocation)
    for name in ("new_fans", "new_fan_gmv_cny"):
        assert 0.4 < plan.expected[name].value / truth[name] < 2.5


def test_a_planner_read_back_from_files_plans_the_same(world, planner, plan):
    back = tg.Planner.from_files(planner.to_files())
    again = back.plan(world.campaign, back.audience(world.users_now), last_plan=world.last_plan)
    assert again.to_dict() == plan.to_dict()
    assert again.allocation.equals(plan.allocation)
    assert repr(back) == repr(planner)
    assert back.warnings == planner.warnings


@pytest.mark.slow
def test_the_same_data_and_seed_give_the_same_planner(world, data, planner):
    again = tg.Planner.fit(data, campaign=world.campaign, n_draws=40, min_audience=200, threads=1)
    assert again.to_files() == planner.to_files()


def test_users_may_come_from_pandas_and_in_any_order(world, planner, audience):
    shuffled = world.users_now.sample(fraction=1.0, shuffle=True, seed=1).to_pandas()
    other = planner.audience(shuffled)
    assert other.segments.sort("user_id").equals(audience.segments.sort("user_id"))


def test_a_larger_audience_gets_more_for_the_same_money(world, planner, audience, plan):
    twin = world.users_now.with_columns(pl.col("user_id") + "-twin")
    double = planner.plan(world.campaign, planner.audience(pl.concat([world.users_now, twin])))
    assert double.value > plan.value


def test_the_report_of_a_learned_plan_reads(plan):
    page = plan.to_html()
    for sentence in plan.audience.diagnosis.sentences[:1]:
        assert sentence.split(";")[0][:30] in page
    assert "How to enter it in the console" in page


def test_a_finished_campaign_is_evaluated(world, audience, plan):
    truth = world.truth
    daily = plan.allocation.select("segment", "placement", "spend_cny")
    real = truth.realise(audience.segments, daily, rng=np.random.default_rng(0))
    done = tg.evaluate_campaign(plan, _dataset(world, real))
    assert done.totals["spend_cny"]["realised"] == pytest.approx(plan.spend_cny, rel=0.3)
    assert (
        done.cells.filter(pl.col("promised_spend_cny") > 0).height == (plan.allocation["spend_cny"] > 0).sum()
    )


def _dataset(world, real):
    from models.contracts import gather

    return gather(users=world.users, exposures=real.exposures, orders=real.orders)


def test_without_a_kept_order_nothing_is_promised_about_money(world, data):
    nothing_bought = {**data, "orders": data["orders"].clear()}
    brief = {**world.campaign, "objective": "new_fans"}
    planner = tg.Planner.fit(nothing_bought, campaign=brief, n_draws=10, min_audience=200, threads=1)
    plan = planner.plan(brief, planner.audience(world.users_now))
    assert plan.expected["new_fans"].value > 0
    assert plan.expected["new_fan_gmv_cny"] is None
    assert plan.expected["profit_cny"] is None
    assert plan.allocation["new_fan_gmv_cny"].is_null().all()
    assert "new_fan_gmv_cny" in plan.to_dict()["unknown"]
    assert "0 of new-fan GMV" not in str(plan)


def test_a_brief_for_another_horizon_is_refused(world, planner, audience):
    with pytest.raises(CampaignError, match=r"horizon_days: the brief says 7, the model was trained for 30"):
        planner.plan({**world.campaign, "horizon_days": 7}, audience)


def test_nobody_eligible_is_refused(world, planner):
    with pytest.raises(DataError, match="nobody is eligible"):
        planner.audience(world.users_now.with_columns(is_fan=pl.lit(True)))


def test_an_audience_read_back_cannot_be_planned_for(world, planner, plan):
    back = tg.plan_from_files(plan.files(html=False))
    with pytest.raises(DataError, match="was read back from a saved plan"):
        planner.plan(world.campaign, back.audience)


def test_a_model_without_planning_state_says_so(planner):
    with pytest.raises(DataError, match=r"segmenter.json is missing, so it can score but not plan"):
        tg.Planner.from_files(planner.model.to_files())


def test_followers_of_the_logs_are_fans_now(world, data):
    from models.contracts import gather

    dataset = gather(**data)
    assert present_users(dataset)["is_fan"].sum() > dataset.users["is_fan"].sum()
    assert present_users(dataset)["is_fan"].sum() == world.users_now["is_fan"].sum()
    assert logged_placements(dataset) == ("live", "video")
    last = max(dataset.exposures["exposed_at"].max(), dataset.orders["ordered_at"].max())
    assert last_moment(dataset) > last
    assert last_moment(dataset) <= last + timedelta(days=2)


def test_a_missing_table_is_named():
    with pytest.raises(DataError, match="table 'orders' is missing"):
        tables({"users": 1, "exposures": 2})


def test_a_horizon_beyond_the_logs_is_told_and_widens_what_is_promised(world, data, planner, plan):
    brief = {**world.campaign, "horizon_days": 60}
    far = tg.Planner.fit(data, campaign=brief, n_draws=40, min_audience=200, threads=1)
    longer = far.plan(brief, far.audience(world.users_now))
    said = [line for line in longer.to_dict()["warnings"] if line.startswith("horizon_days: 60 days")]
    assert len(said) == 1
    assert said[0].replace("'", "&#39;") in longer.to_html()
    assert said[0] in far.warnings, "the terminal prints these"
    doubt = {p.model.horizon_days: horizon_sd(p.model.value.gmv) for p in (planner, far)}
    assert doubt[60] > doubt[30] + 0.1, "forty draws are too few to see it in the totals"
    assert not any("horizon_days" in line for line in plan.to_dict()["warnings"])


def test_an_absurd_horizon_is_refused_before_anything_is_learned(world, data):
    with pytest.raises(CampaignError, match=r"horizon_days: 300 days, .* set at most"):
        tg.Planner.fit(data, campaign={**world.campaign, "horizon_days": 300}, threads=1)


def test_a_campaign_far_from_its_logs_says_that_no_season_is_in_its_numbers(world, planner, audience, plan):
    later = {**world.campaign, "starts_at": f"{planner.state.as_of + timedelta(days=90):%Y-%m-%dT%H:%M:%S}"}
    [said] = [w for w in planner.plan(later, audience).to_dict()["warnings"] if w.startswith("starts_at")]
    assert "90 days after what is known ends" in said
    assert not any(line.startswith("starts_at") for line in plan.to_dict()["warnings"])
