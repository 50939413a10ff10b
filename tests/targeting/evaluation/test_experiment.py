"""Randomised rows of a finished campaign judge its plan: against a truth that is known here."""

import json
from datetime import datetime, timedelta

import jewellery_shop
import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from models.contracts import Dataset
from models.events.event_log import read_events
from targeting.audience import Audience
from targeting.evaluation import evaluate_campaign
from targeting.evaluation.experiment import PLAN, judge_experiment, plan_policy
from targeting.evaluation.plan_drift import KINDS, curve_drift, people_drift, summary

START = datetime(2020, 11, 11)
SEGMENT = "precise · likely"
ARMS = ("none", "video", "live")
BASE, LIVE_GAIN = 0.05, 0.30
PEOPLE = 3000


@pytest.fixture(scope="module")
def plan():
    rng = np.random.default_rng(0)
    liking = rng.random(PEOPLE)
    ids = [f"u{i:04d}" for i in range(PEOPLE)]
    scores = pl.concat(
        pl.DataFrame(
            {
                "user_id": ids,
                "placement": name,
                "p_follow": 0.001 + 0.02 * liking * (name == "live"),
                "gmv_per_fan_cny": 50.0,
                "p_precise": 0.3,
                "eligible": True,
            }
        )
        for name in ("video", "live")
    )
    people = Audience(
        scores=scores,
        segments=pl.DataFrame({"user_id": ids, "segment": SEGMENT}),
        summary=pl.DataFrame(),
    )
    return jewellery_shop.plan(audience=people), liking


def logs(liking, *, seed=1, propensity=1 / 3):
    """One person-day each; a third each by coin. Live adds up to LIVE_GAIN, video adds nothing."""
    rng = np.random.default_rng(seed)
    arm = rng.integers(0, 3, PEOPLE)
    followed = rng.random(PEOPLE) < BASE + LIVE_GAIN * liking * (arm == 2)
    at = pl.Series([START + timedelta(minutes=i % 600) for i in range(PEOPLE)], dtype=pl.Datetime("us"))
    return pl.DataFrame(
        {
            "exposure_id": [f"e{i}" for i in range(PEOPLE)],
            "user_id": [f"u{i:04d}" for i in range(PEOPLE)],
            "campaign_id": "jewellery-1111",
            "placement": np.array(ARMS)[arm],
            "exposed_at": at,
            "impressions": np.where(arm > 0, 4, 0),
            "cost_cny": np.where(arm > 0, 0.2, 0.0),
            "followed": followed,
            "followed_at": at.set(~pl.Series(followed), None),
            "randomized": True,
            "propensity": propensity,
        }
    )


def orders(exposures):
    fans = exposures.filter("followed")
    return pl.DataFrame(
        {
            "order_id": [f"o{i}" for i in range(fans.height)],
            "user_id": fans["user_id"],
            "ordered_at": fans["followed_at"] + timedelta(hours=3),
            "gmv_cny": 100.0,
            "refund_cny": 20.0,
        }
    )


def judged(plan, exposures, *, campaign=None, bought=None):
    known_by = START + timedelta(days=40)
    users = exposures.select(pl.col("user_id").unique()).with_columns(
        snapshot_at=pl.lit(START - timedelta(days=1)), is_fan=pl.lit(False)
    )
    data = Dataset(users=users, exposures=exposures, orders=orders(exposures) if bought is None else bought)
    return judge_experiment(
        plan,
        exposures if campaign is None else campaign,
        log=read_events(data, as_of=known_by),
        horizon_days=30,
        known_by=known_by,
        rng=np.random.default_rng(0),
    )


def value(found, policy, outcome):
    return found.values.row(
        by_predicate=(pl.col("policy") == policy) & (pl.col("outcome") == outcome), named=True
    )


def test_uniform_policies_are_worth_what_they_truly_are(plan):
    plan, liking = plan
    found = judged(plan, logs(liking))
    truth = {"all none": BASE, "all video": BASE, "all live": BASE + LIVE_GAIN * liking.mean()}
    for policy, follows in truth.items():
        fans = value(found, policy, "new_fans")
        assert fans["low_95"] - 0.005 < follows < fans["high_95"] + 0.005
        assert fans["overlap"] == "good"
        assert value(found, policy, "new_fan_gmv_cny")["value"] == pytest.approx(80 * fans["value"], rel=0.01)
    assert value(found, "all live", "cost_cny")["value"] == pytest.approx(0.2)


def test_the_plan_is_a_mixture_of_showing_and_not_showing(plan):
    plan, liking = plan
    exposures = logs(liking)
    with_segment = exposures.with_columns(segment=pl.lit(SEGMENT))
    policy = plan_policy(plan, with_segment, ARMS)
    np.testing.assert_allclose(policy.sum(axis=1), 1.0)
    bought = plan.allocation.filter(pl.col("segment") == SEGMENT).group_by("placement")
    per_user = dict(bought.agg(pl.col("impressions").sum() / PEOPLE / plan.campaign.days / 4).iter_rows())
    scale = max(sum(per_user.values()), 1.0)
    assert policy[0, 2] == pytest.approx(per_user["live"] / scale)
    found = judged(plan, exposures)
    mine = value(found, PLAN, "new_fans")
    truth = BASE + LIVE_GAIN * liking.mean() * policy[0, 2]
    assert mine["low_95"] - 0.005 < truth < mine["high_95"] + 0.005
    assert mine["plan_less_this"] == 0.0
    assert value(found, "all live", "new_fans")["plan_less_this"] <= 0.0


def test_the_ranking_is_found_where_the_effect_differs_only(plan):
    plan, liking = plan
    found = judged(plan, logs(liking))
    verdicts = {
        (r["placement"], r["outcome"]): r["verdict"] for r in found.rankings.qini.iter_rows(named=True)
    }
    assert verdicts["live", "new_fans"] == "heterogeneity found"
    assert verdicts["video", "new_fans"] == "no exploitable heterogeneity found"
    assert any("heterogeneity found" in line for line in found.sentences())
    live = found.rankings.cost.filter((pl.col("placement") == "live") & (pl.col("outcome") == "new_fans"))
    assert live["cost_share"].to_list() == [0.1, 0.25, 0.5, 0.75, 1.0]
    half, whole = live["gain"][2], live["gain"][4]
    assert half > 0.6 * whole, "the better half of the money brings most of the follows"
    assert any("half of the money" in line for line in found.sentences())


def test_missing_and_impossible_propensities_are_replaced_and_told(plan):
    plan, liking = plan
    for wrong in (None, 0.02):
        exposures = logs(liking).with_columns(propensity=pl.lit(wrong, dtype=pl.Float64))
        found = judged(plan, exposures)
        assert any("share of each action is used instead" in note for note in found.notes)
        assert value(found, "all none", "new_fans")["value"] == pytest.approx(BASE, abs=0.02)


def test_an_arm_that_was_never_tried_is_told(plan):
    plan, liking = plan
    found = judged(plan, logs(liking).filter(pl.col("placement") != "none"))
    assert "all none" not in found.values["policy"].to_list(), "nobody was held out, nothing is known of it"
    assert any("never chose none" in note for note in found.notes)
    assert found.rankings.qini.is_empty(), "without held-out rows there is no uplift to rank by"
    json.dumps(found.to_dict(), allow_nan=False)


def test_too_few_rows_strangers_and_fans_are_left_out(plan):
    plan, liking = plan
    exposures = logs(liking)
    assert judged(plan, exposures.head(100)) is None
    assert judged(plan, exposures.with_columns(randomized=pl.lit(False))) is None
    assert judged(plan, exposures.filter(pl.col("placement") == "none")) is None
    assert judged(jewellery_shop.plan(audience=None), exposures) is None
    later = exposures.with_columns(
        exposure_id="again" + pl.col("exposure_id"),
        exposed_at=pl.col("exposed_at") + timedelta(days=1),
        followed=pl.lit(False),
        followed_at=pl.lit(None, dtype=pl.Datetime("us")),
    )
    stranger = exposures.head(5).with_columns(
        user_id="x" + pl.col("user_id"), exposure_id="x" + pl.col("exposure_id")
    )
    both = judged(plan, pl.concat([exposures, later, stranger]))
    assert both.rows == 2 * PEOPLE - exposures["followed"].sum()


def test_a_value_from_a_handful_of_sales_is_called_a_hint(plan):
    plan, liking = plan
    exposures = logs(liking)
    found = judged(plan, exposures, bought=orders(exposures).head(3))
    assert value(found, PLAN, "new_fan_gmv_cny")["events"] <= 3
    assert any("a hint at most" in line for line in found.sentences() if "new_fan_gmv_cny" in line)
    assert not any("a hint at most" in line for line in found.sentences() if "new_fans" in line)


def test_scores_may_be_absent(plan):
    plan, liking = plan
    from dataclasses import replace

    blind = replace(plan, audience=replace(plan.audience, scores=pl.DataFrame()))
    found = judged(blind, logs(liking))
    assert found.rankings.qini.is_empty()
    assert value(found, "all live", "new_fans")["value"] == pytest.approx(BASE + LIVE_GAIN / 2, abs=0.04)


def test_the_evaluation_carries_the_experiment_and_the_drift(plan):
    plan, liking = plan
    exposures = logs(liking)
    users = pl.DataFrame(
        {"user_id": exposures["user_id"], "snapshot_at": START, "is_fan": False, "liking": liking}
    )
    found = evaluate_campaign(plan, Dataset(users=users, exposures=exposures, orders=orders(exposures)))
    assert found.experiment is not None
    assert "the coin's verdict on the plan" in str(found)
    assert "drift of curves" in str(found)
    assert {"evaluation_policies.csv", "evaluation_rankings.csv"} <= set(found.files())
    json.dumps(found.to_dict(), allow_nan=False, default=str)


def test_held_out_people_of_another_campaign_are_the_control(plan):
    plan, liking = plan
    exposures = logs(liking).with_columns(
        campaign_id=pl.when(pl.col("placement") == "none").then(pl.lit("holdout")).otherwise("campaign_id")
    )
    users = pl.DataFrame({"user_id": exposures["user_id"], "snapshot_at": START, "is_fan": False})
    found = evaluate_campaign(plan, Dataset(users=users, exposures=exposures, orders=orders(exposures)))
    assert value(found.experiment, "all none", "new_fans")["value"] == pytest.approx(BASE, abs=0.02)
    assert found.experiment.rankings.qini.height


def test_the_order_of_rows_changes_nothing(plan):
    plan, liking = plan
    once = logs(liking)
    twin = once.filter(pl.col("placement") != "none").with_columns(
        exposure_id="t" + pl.col("exposure_id"),
        placement=pl.when(pl.col("placement") == "live").then(pl.lit("video")).otherwise(pl.lit("live")),
        cost_cny=pl.lit(0.3),
    )
    exposures = pl.concat([once, twin])  # two rows of one moment claim each follow
    users = pl.DataFrame(
        {"user_id": once["user_id"], "snapshot_at": START + timedelta(days=3), "is_fan": liking > 0.5}
    )
    data = Dataset(users=users, exposures=exposures, orders=orders(once))
    shuffled = Dataset(
        users=users.sample(fraction=1.0, shuffle=True, seed=1),
        exposures=exposures.sample(fraction=1.0, shuffle=True, seed=2),
        orders=data.orders.sample(fraction=1.0, shuffle=True, seed=3),
    )
    soon = START + timedelta(hours=5)
    one, two = (evaluate_campaign(plan, each, as_of=soon) for each in (data, shuffled))
    assert one.experiment is not None
    assert one.maturity < 1.0, "something is projected"
    assert str(one) == str(two)
    assert one.files().keys() == two.files().keys()
    for name, table in one.files().items():
        assert_frame_equal(table, two.files()[name], rel_tol=1e-9)


def test_a_late_follower_of_the_day_before_is_not_judged_as_if_still_to_be_won(plan):
    plan, liking = plan
    exposures = logs(liking)
    eve = exposures.head(7).with_columns(
        exposure_id="eve" + pl.col("exposure_id"),
        exposed_at=pl.lit(START - timedelta(hours=3), dtype=pl.Datetime("us")),
        campaign_id=pl.lit("before"),
        followed=pl.lit(True),
        followed_at=pl.lit(START - timedelta(hours=1), dtype=pl.Datetime("us")),
    )
    found = judged(plan, pl.concat([eve, exposures]), campaign=exposures, bought=orders(exposures))
    assert found.rows == PEOPLE - 7


def cells(plan, factor):
    kept = plan.allocation.filter(pl.col("spend_cny") > 0).group_by(
        "segment", "placement", maintain_order=True
    )
    return kept.agg(
        pl.col("spend_cny").sum().alias("realised_spend_cny"),
        (pl.col("impressions").sum() * factor).alias("realised_impressions"),
    )


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "stable"), (0.3, "act"), (0.0, "act")])
def test_curves_drift_when_money_buys_less(plan, factor, verdict):
    plan, _ = plan
    drift = curve_drift(plan, cells(plan, factor))
    assert set(drift["verdict"]) == {verdict}
    if factor == 1.0:
        assert drift["psi"].max() < 1e-3
    assert summary(drift)[0].startswith(f"drift of curves: {verdict}")


def test_people_and_their_scores_drift(plan):
    plan, liking = plan
    then = pl.DataFrame({"user_id": [f"u{i:04d}" for i in range(PEOPLE)], "is_fan": False, "liking": liking})
    now = then.with_columns(pl.col("liking") + 0.5)
    scores = plan.audience.scores
    moved = scores.with_columns(pl.col("p_follow") * 3)
    drift = people_drift(trained_on=then, now=now, scores_then=scores, scores_now=moved)
    assert drift.filter(pl.col("kind") == "feature")["verdict"].to_list() == ["act"]
    by_name = dict(drift.filter(pl.col("kind") == "score").select("name", "verdict").iter_rows())
    assert by_name["p_follow in live"] == "act"
    assert by_name["gmv_per_fan_cny in live"] == "stable"
    assert {line.split()[2] for line in summary(drift)} == {f"{kind}s:" for kind in KINDS[1:]}
    assert people_drift(trained_on=then, now=then)["verdict"].to_list() == ["stable"]
