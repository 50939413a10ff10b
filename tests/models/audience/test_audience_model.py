"""The whole audience model on generated logs: recovery, point in time, determinism, clear errors, files."""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache

import numpy as np
import polars as pl
import pytest
from known_truth import make_logs

from models.audience.held_out import claim
from models.audience.model import AudienceModel
from models.audience.model_files import FORMAT
from models.audience.score_table import score_schema
from models.errors import DataError
from models.events.event_log import EventLog, read_events
from models.events.training_rows import training_log

BOTH = ("video", "live")


@cache
def shop():
    return make_logs(users=8000, seed=4)


def fit(logs, placements=BOTH, seed=1, as_of=None):
    return AudienceModel.fit(
        logs, placements=placements, as_of=as_of or logs.as_of, horizon_days=30, seed=seed, threads=1
    )


@cache
def model():
    return fit(shop())


def column(scores, placement, name):
    return scores.filter(pl.col("placement") == placement)[name].to_numpy()


@pytest.mark.parametrize(
    ("short", "said"),
    [(("live",), "; live needs 300 randomised"), (("live", "video"), "; video and live need 300 randomised")],
)
def test_the_claim_names_the_placements_that_lack_a_coin(short, said):
    few = pl.DataFrame(
        [
            (name, 5 if name in short else 400)
            for name in ("video", "live", "none")
        ],
        schema=["placement", "rows"], orient="row",
    )  # fmt: skip
    rows = few.select(pl.col("placement").repeat_by("rows")).explode("placement")
    log = EventLog(
        users=pl.DataFrame(),
        exposures=rows.with_columns(randomized=pl.lit(True), followed=pl.int_range(pl.len()) % 3 == 0),
        follows=pl.DataFrame(),
        orders=pl.DataFrame(),
        as_of=datetime(2020, 11, 1),
        warnings=(),
    )
    assert said in claim(log.exposures, ("video", "live")).why


def test_hazards_and_values_are_recovered():
    logs, scores = shop(), model().score(shop().users)
    for name in BOTH:
        h, g = column(scores, name, "p_follow"), column(scores, name, "gmv_per_fan_cny")
        assert h.sum() == pytest.approx(logs.hazard[name].sum(), rel=0.25)
        assert np.corrcoef(np.log(h), np.log(logs.hazard[name]))[0, 1] > 0.9
        assert g.mean() == pytest.approx((0.9 * logs.buy * logs.amount_cny).mean(), rel=0.3)
        assert np.corrcoef(g, logs.buy * logs.amount_cny)[0, 1] > 0.9
        precise = -np.expm1(-0.9 * logs.buy)
        assert column(scores, name, "p_precise").mean() == pytest.approx(precise.mean(), rel=0.25)
    assert model().claims.kind == "causal"
    assert "held out" in model().claims.why
    assert model().metrics["heldout_follow_live_ece"] < 0.02


def test_shape_of_scores():
    users = shop().users.head(3).with_columns(is_fan=pl.Series([True, None, False]))
    scores = model().score(users.select(pl.all().reverse()))
    assert scores.columns == [
        "user_id",
        "placement",
        "p_follow",
        "gmv_per_fan_cny",
        "p_precise",
        "eligible",
        "p_enter",
    ]
    assert scores["user_id"].to_list() == ["u000002", "u000002", "u000001", "u000001", "u000000", "u000000"]
    assert scores["placement"].to_list() == ["video", "live"] * 3
    assert scores["p_enter"].null_count() == 6
    nobody = model().score(users.head(0))
    assert nobody.height == 0
    assert nobody.schema == scores.schema


@pytest.mark.slow
def test_nothing_after_as_of_matters():
    logs = shop()
    as_of = logs.as_of - timedelta(days=5)
    late = pl.col("exposed_at") >= as_of
    late_follow = pl.col("followed_at") >= as_of
    exposures = logs.exposures.with_columns(
        impressions=pl.when(late).then(99).otherwise("impressions"),
        followed=pl.when(late).then(~pl.col("followed")).otherwise("followed"),
        followed_at=pl.when(late_follow)
        .then(pl.col("followed_at") + timedelta(days=1))
        .otherwise("followed_at"),
    )
    orders = logs.orders.with_columns(
        gmv_cny=pl.when(pl.col("ordered_at") >= as_of).then(1e6).otherwise("gmv_cny")
    )
    moved = replace(logs, exposures=exposures.reverse(), orders=orders.reverse(), users=logs.users.reverse())
    assert fit(moved, as_of=as_of).to_files() == fit(logs, as_of=as_of).to_files()


def test_text_files_give_the_same_scores():
    files = model().to_files()
    assert all(isinstance(text, str) for text in files.values())
    again = AudienceModel.from_files(files)
    assert again.score(shop().users).equals(model().score(shop().users))
    assert again.metrics == model().metrics
    assert again.to_files() == files
    with pytest.raises(DataError, match=r"audience\.json is missing"):
        AudienceModel.from_files({})
    with pytest.raises(DataError, match=f"expected {FORMAT}"):
        AudienceModel.from_files({"audience.json": '{"format": 0}'})


def test_batches_score_like_frames():
    batch = shop().users.head(50).to_arrow().to_batches()[0]
    scored = model().score_batch(batch)
    assert scored.schema == score_schema()
    assert pl.DataFrame(pl.from_arrow(scored)).equals(model().score(shop().users.head(50)))
    assert model().score_batch(batch.slice(0, 0)).num_rows == 0


def test_unknown_levels_missing_columns_and_extra_columns():
    users = shop().users.head(20)
    assert model().score(users.with_columns(gender=pl.lit("other")))["p_follow"].is_finite().all()
    assert model().score(users.with_columns(more=pl.lit(1))).equals(model().score(users))
    with pytest.raises(DataError, match="column watch_min_30d is missing"):
        model().score(users.drop("watch_min_30d"))
    with pytest.raises(DataError, match="user_id is missing"):
        model().score(users.drop("user_id"))


@pytest.mark.slow
def test_confounded_delivery_is_corrected_by_the_coin():
    logs = make_logs(users=12_000, seed=3, intent=0.8, randomized_share=0.4, base=0.006)
    observed = logs.exposures.with_columns(
        randomized=pl.lit(False), propensity=pl.lit(None, dtype=pl.Float64)
    )
    blind = fit(replace(logs, exposures=observed))
    aware = fit(logs)
    truth = logs.hazard["live"] * np.exp(0.8**2 / 2)
    ratio = [column(one.score(logs.users), "live", "p_follow").sum() / truth.sum() for one in (blind, aware)]
    assert ratio[1] < ratio[0]
    assert ratio[1] == pytest.approx(1.0, abs=0.25)
    assert blind.claims.kind == "observational"
    assert "are needed" in blind.claims.why


@pytest.mark.slow
def test_a_placement_that_wears_out_is_scored_as_of_now():
    logs = shop()
    middle = logs.exposures["exposed_at"].median()
    late_video = (pl.col("placement") == "video") & (pl.col("exposed_at") > middle)
    tired = late_video & (pl.int_range(pl.len()) % 2 == 0)
    worn = logs.exposures.with_columns(
        followed=pl.col("followed") & ~tired,
        followed_at=pl.when(tired).then(None).otherwise("followed_at"),
    )
    trends = fit(replace(logs, exposures=worn)).funnel.trends
    assert trends["video"].now < -0.15
    assert abs(trends["live"].now) < 0.1


@pytest.mark.slow
def test_young_followers_are_censored_not_barren():
    fresh = make_logs(users=12_000, days=6, seed=8, delay_days=10.0, per_user=5, base=0.01)
    model_ = fit(fresh)
    found = column(model_.score(fresh.users), "live", "p_precise").mean()
    truth = -np.expm1(-0.9 * fresh.buy).mean()
    log = training_log(read_events(fresh, as_of=fresh.as_of), placements=BOTH)
    naive = fresh.orders["user_id"].n_unique() / log.follows.height
    assert naive < 0.55 * truth
    assert found > 1.4 * naive
    assert found == pytest.approx(truth, rel=0.45)


def test_live_is_two_steps_where_entering_is_logged():
    logs = shop()
    rng = np.random.default_rng(0)
    live = pl.col("placement") == "live"
    entered = pl.Series(rng.random(logs.exposures.height) < 0.2) | pl.Series(logs.exposures["followed"])
    exposures = logs.exposures.with_columns(entered_live=pl.when(live).then(entered).otherwise(None))
    two = fit(replace(logs, exposures=exposures))
    scores = two.score(logs.users)
    assert (
        column(scores, "video", "p_enter").dtype == object
        or scores.filter(pl.col("placement") == "video")["p_enter"].null_count() == logs.users.height
    )
    enter, follow = column(scores, "live", "p_enter"), column(scores, "live", "p_follow")
    assert (follow <= enter).all()
    assert follow.sum() == pytest.approx(logs.hazard["live"].sum(), rel=0.3)
    assert AudienceModel.from_files(two.to_files()).score(logs.users).equals(scores)


def test_no_orders_leaves_value_unknown_but_fans_known():
    silent = replace(shop(), orders=shop().orders.clear())
    one = fit(silent)
    assert not one.value_known
    assert any("GMV per fan is unknown" in warning for warning in one.warnings)
    scores = AudienceModel.from_files(one.to_files()).score(silent.users)
    assert scores["gmv_per_fan_cny"].sum() == 0
    assert scores["p_follow"].sum() > 0


def test_snapshot_after_the_campaign_is_warned_of_and_fans_of_later_are_kept():
    late = shop().users.with_columns(snapshot_at=pl.lit(shop().as_of))
    followers = shop().exposures.filter("followed")["user_id"].unique().to_list()
    late = late.with_columns(is_fan=pl.col("user_id").is_in(followers))
    log = training_log(read_events(replace(shop(), users=late), as_of=shop().as_of), placements=BOTH)
    plain = training_log(read_events(shop(), as_of=shop().as_of), placements=BOTH)
    assert log.follows.height == plain.follows.height
    assert any("snapshot" in warning for warning in log.warnings)


def test_a_snapshot_within_the_history_leaves_earlier_rows_out_when_enough_remain():
    middle = make_logs(users=12_000, seed=4, base=0.01)
    middle = replace(middle, users=middle.users.with_columns(pl.col("snapshot_at") + timedelta(days=4)))
    log = training_log(read_events(middle, as_of=middle.as_of), placements=BOTH)
    assert log.exposures["exposed_at"].min() >= middle.users["snapshot_at"].max()
    assert any("left out" in warning for warning in log.warnings)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e: e.filter(pl.col("placement") != "live"), r"placement live has no shown rows.*video=\d+"),
        (lambda e: e.head(1), "has no shown rows"),
        (lambda e: pl.concat([e.filter(pl.col("placement") == p).head(20) for p in BOTH]), "40 shown rows"),
        (lambda e: e.with_columns(followed=pl.lit(False)), "0 follows in .*at least 10"),
    ],
)
def test_too_little_data_is_said_in_one_line(change, message):
    with pytest.raises(DataError, match=message) as error:
        fit(replace(shop(), exposures=change(shop().exposures)))
    assert "\n" not in str(error.value)


def test_logs_of_fans_only_are_told_as_what_they_are():
    users = shop().users.with_columns(is_fan=pl.lit(True))
    with pytest.raises(DataError, match=r"all \d+ rows are of people who followed already"):
        training_log(read_events(replace(shop(), users=users), as_of=shop().as_of), placements=BOTH)


def test_a_handful_of_follows_gives_constants():
    few = make_logs(users=600, seed=1, base=0.02, organic=0.0)
    one = fit(few)
    scores = one.score(few.users)
    assert scores["p_follow"].is_finite().all()
    assert (scores["p_follow"] > 0).all()


def test_only_placements_of_the_brief_are_used():
    one = fit(shop(), placements=("live",))
    assert one.score(shop().users.head(2))["placement"].to_list() == ["live", "live"]


def test_one_day_of_logs_is_judged_on_held_out_users():
    day = make_logs(users=4000, days=1, per_user=1, seed=2, base=0.03)
    one = fit(day)
    assert any("held-out users" in warning for warning in one.warnings)
    assert one.metrics["heldout_follow_live_ece"] < 0.05


def test_purchases_of_fans_help_where_fans_are_like_followers():
    logs = make_logs(users=9000, seed=5, buy_rate=0.15)
    fans = np.arange(9000) < 4000
    rng = np.random.default_rng(1)
    buyers = np.flatnonzero(fans & (rng.random(9000) < -np.expm1(-3 * logs.buy)))
    orders = pl.DataFrame(
        {
            "order_id": [f"f{i}" for i in buyers],
            "user_id": [f"u{i:06d}" for i in buyers],
            "ordered_at": pl.Series([logs.as_of - timedelta(days=3)] * buyers.size, dtype=pl.Datetime("us")),
            "gmv_cny": np.full(buyers.size, 100.0),
            "refund_cny": np.zeros(buyers.size),
            "product_id": pl.Series([None] * buyers.size, dtype=pl.String),
        }
    )
    shared = replace(
        logs,
        users=logs.users.with_columns(is_fan=pl.Series(fans)),
        orders=pl.concat([logs.orders, orders.select(logs.orders.columns)]),
    )
    one = fit(shared)
    scores = AudienceModel.from_files(one.to_files()).score(shared.users)
    assert scores.equals(one.score(shared.users))
    assert scores["eligible"].sum() == 2 * 5000
    g = column(scores, "live", "gmv_per_fan_cny")
    assert np.corrcoef(g, logs.buy * logs.amount_cny)[0, 1] > 0.85
