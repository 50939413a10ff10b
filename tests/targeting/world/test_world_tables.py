"""The simulated tables keep the contract and look like the merchant they describe."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from models.contracts import assemble, conform
from models.errors import CampaignError
from targeting.world import KINDS, simulate

TABLES = ("users", "exposures", "orders")


@pytest.fixture(scope="module")
def flagship():
    return simulate(users=12_000, seed=3)


@pytest.mark.parametrize("kind", KINDS)
def test_tables_keep_the_contract(kind):
    world = simulate(kind, users=2_000, seed=2)
    good = {name: conform(getattr(world, name), name, source=name) for name in TABLES}
    if kind != "restated":
        assert sum(found.rejected.height for found in good.values()) == 0
    dataset = assemble(good["users"], good["exposures"], good["orders"])
    assert dataset.exposures.height > 0.9 * world.exposures.height
    for name in TABLES:
        expected = dict(getattr(dataset, name).schema)
        given = getattr(world, name).schema
        assert all(expected[column] == dtype for column, dtype in given.items() if name != "users")


def test_brief_is_one_that_the_product_accepts(flagship):
    from targeting.campaign import parse_campaign

    brief = parse_campaign(dict(flagship.campaign), source="world")
    assert brief.budget_cny == flagship.campaign["budget_cny"]
    daily = flagship.exposures["cost_cny"].sum() / 28
    assert 1.4 * daily < brief.budget_cny < 3.1 * daily


def test_same_seed_gives_identical_frames_and_another_seed_others():
    one, two, other = (simulate(users=1_500, seed=seed) for seed in (5, 5, 6))
    for name in (*TABLES, "last_plan"):
        assert_frame_equal(getattr(one, name), getattr(two, name))
    assert one.campaign == two.campaign
    assert not one.exposures.equals(other.exposures)


def test_fan_base_is_male_content_fans_and_eligible_people_are_not(flagship):
    fans = flagship.users["is_fan"].to_numpy()
    crowd = (flagship.users["gender"] == "m").fill_null(False).to_numpy() & flagship.truth.people.content
    assert crowd[fans].mean() == pytest.approx(0.8, abs=0.01)
    assert crowd[~fans].mean() < 0.55
    assert not (flagship.truth.eligible & fans).any()


def test_merchant_at_its_real_size_has_millions_of_fans():
    about = simulate(users=40_000, seed=1).about
    assert 3.0e6 < about["fans"] < 3.4e6
    assert about["male_content_share"] == pytest.approx(0.8, abs=0.01)


def test_followers_of_the_history_are_no_longer_eligible(flagship):
    followers = flagship.exposures.filter("followed")["user_id"]
    now = flagship.users_now.filter("is_fan")["user_id"]
    assert followers.is_in(now.implode()).all()
    eligible = flagship.truth.user_id.filter(pl.Series(flagship.truth.eligible))
    assert not eligible.is_in(now.implode()).any()


def test_volumes_and_rates_are_those_of_a_learnable_merchant(flagship):
    rows = flagship.exposures
    assert 6 * 12_000 < rows.height < 9 * 12_000
    rate = rows.group_by("placement").agg(pl.col("followed").sum() / pl.col("impressions").sum())
    assert all(0.005 < r < 0.03 for p, r in rate.iter_rows() if p != "none")
    held = rows.filter(pl.col("placement") == "none")
    assert held["impressions"].max() == 0
    assert held["randomized"].all()
    assert 0 < held["followed"].mean() < 0.01
    coin = rows.filter("randomized").unique(["user_id", "placement", "propensity"])
    assert coin.group_by("placement").agg(pl.col("propensity").unique().sum())[
        "propensity"
    ].sum() == pytest.approx(1)
    assert rows.filter(~pl.col("randomized"))["propensity"].is_null().all()


def test_delivery_favours_likely_buyers(flagship):
    truth = flagship.truth
    shown = flagship.exposures.filter(~pl.col("randomized"))["user_id"].unique()
    was_shown = truth.user_id.is_in(shown.implode()).to_numpy() & ~truth.fans
    buy = truth.people.buy_given_features[:, 1]
    assert buy[was_shown].mean() > buy[~truth.fans].mean()


def test_nothing_after_the_planning_moment_is_in_the_tables(flagship):
    assert flagship.orders["ordered_at"].max() < flagship.as_of
    assert flagship.exposures["followed_at"].max() < flagship.as_of
    assert flagship.users["snapshot_at"].max() <= flagship.exposures["exposed_at"].min()


def test_features_do_not_know_what_happens_later():
    """The same people whatever the delays, amounts and prices of the future are."""
    base = simulate("jewellery", users=1_500, seed=4)
    for kind in ("long_delay", "heavy_tail", "drift", "festival", "no_exploration"):
        assert_frame_equal(simulate(kind, users=1_500, seed=4).users, base.users)


def test_live_follows_come_from_people_who_entered(flagship):
    live = flagship.exposures.filter((pl.col("placement") == "live") & pl.col("followed"))
    organic_share = 1 - live["entered_live"].mean()
    assert organic_share < 0.15
    assert flagship.exposures.filter(pl.col("placement") == "video")["entered_live"].is_null().all()


def test_damaged_logs_repeat_ids_and_miss_days():
    world = simulate("restated", users=3_000, seed=1)
    rows = world.exposures
    assert rows["exposure_id"].n_unique() < rows.height
    days = rows.group_by("placement").agg(pl.col("exposed_at").dt.date().n_unique())
    assert dict(days.iter_rows())["video"] == 27
    assert world.users["gender"].null_count() > 2 * simulate(users=3_000, seed=1).users["gender"].null_count()


def test_no_exploration_has_no_coin_and_no_control():
    rows = simulate("no_exploration", users=1_500, seed=1).exposures
    assert not rows["randomized"].any()
    assert "none" not in rows["placement"].unique()


def test_unknown_kind_names_the_nearest():
    with pytest.raises(CampaignError, match="did you mean 'jewellery'"):
        simulate("jewelery")


def test_kinds_describe_themselves():
    assert len(KINDS) == 14
    assert all(kind.sentence.endswith(".") and name == kind.name for name, kind in KINDS.items())


def test_logged_spend_lies_on_the_true_curve(flagship):
    """Daily impressions of the ordinary delivery against the formula for everybody at that day's spend."""
    truth = flagship.truth
    daily = (
        flagship.exposures.filter(pl.col("placement") == "video")
        .group_by(pl.col("exposed_at").dt.date())
        .agg(pl.col("cost_cny").sum(), pl.col("impressions").sum())
        .sort("exposed_at")
    )
    waiting = np.where(truth.fans, -1, 0)
    k, c = truth.supply(waiting, 1)
    from targeting.world.supply import impressions

    bought = impressions(
        daily["cost_cny"].to_numpy(), capacity=k[0, 0], price_cny=c[0, 0], shape=truth.kind.shape
    )
    ratio = daily["impressions"].to_numpy() / bought
    assert np.median(ratio) == pytest.approx(0.95, abs=0.1)  # favoured delivery is a little dearer
    assert ratio.std() < 0.2
