"""The walk forward: cut off from the future, and right where the truth is known."""

import json
from dataclasses import replace
from datetime import datetime, timedelta

import polars as pl
import pytest

import targeting as tg
from models.contracts import Dataset, gather
from models.errors import DataError
from models.events.event_log import read_events
from targeting.campaign import parse_campaign
from targeting.evaluation.backtest_result import _line
from targeting.evaluation.backtest_windows import eligible_at, known_at, walk_through
from targeting.evaluation.walk_forward import _scaled, backtest, plan_window
from targeting.evaluation.window_verdicts import TABLE, together, verdict
from targeting.planner import as_campaign
from targeting.planning_state import last_moment

OPTIONS = {"n_draws": 20, "min_audience": 200, "threads": 1, "seed": 0}


@pytest.fixture(scope="module")
def world():
    return tg.simulate("jewellery", users=6000, seed=5)


@pytest.fixture(scope="module")
def dataset(world):
    return gather(users=world.users, exposures=world.exposures, orders=world.orders)


@pytest.fixture(scope="module")
def brief(world):
    return as_campaign(world.campaign)


@pytest.fixture(scope="module")
def walk(dataset):
    windows, horizon = walk_through(dataset, horizon_days=30, windows=2, window_days=5, train_days=10)
    return windows, horizon


@pytest.fixture(scope="module")
def found(dataset, brief):
    return backtest(dataset, brief, **OPTIONS)


def window_plan(dataset, brief, window, horizon):
    return plan_window(dataset, brief, window, horizon_days=horizon, **OPTIONS)[1]


def test_windows_follow_each_other_and_ripen_within_the_data(walk, dataset):
    (first, second), horizon = walk
    assert first.stop == second.start
    assert second.stop - second.start == timedelta(days=5)
    assert second.stop + timedelta(days=horizon) <= dataset.exposures["exposed_at"].max() + timedelta(days=1)
    assert first.start - dataset.exposures["exposed_at"].min() >= timedelta(days=9)
    assert first.known_by == first.stop + timedelta(days=1 + horizon), (
        "whoever follows a day later ripens too"
    )
    assert horizon < 30, "the data are shorter than the brief's horizon"
    with pytest.raises(DataError, match=r"data: cover 28 days, .* 9 windows of 5 days .* do not fit"):
        walk_through(dataset, horizon_days=30, windows=9, window_days=5, train_days=10)


def test_amounts_of_the_brief_shrink_with_the_window_and_rates_do_not():
    brief = parse_campaign(
        {
            "campaign_id": "c", "budget_cny": 60_000, "days": 30, "placements": ["video", "live"],
            "constraints": [
                {"kind": "bounds", "placement": "live", "min_cny": 24_000, "max_share": 0.5},
                {"kind": "target", "metric": "new_fans", "value": 600},
                {"kind": "roi_floor", "min": 1.5},
            ],
        }
    )  # fmt: skip
    bounds, target, roi = (_scaled(one, 5 / 30) for one in brief.constraints)
    assert (bounds.min_cny, bounds.max_cny, bounds.max_share) == (4000, None, 0.5)
    assert (target.value, roi.min) == (100, 1.5)


def test_nothing_of_the_future_is_known(walk, dataset):
    start = walk[0][0].start
    past = known_at(dataset, start)
    assert past.exposures["exposed_at"].max() < start
    assert past.exposures["followed_at"].max() < start
    assert past.orders["ordered_at"].max() < start
    late = dataset.exposures.filter(
        (pl.col("exposed_at") < start) & pl.col("followed") & (pl.col("followed_at") >= start)
    )
    assert late.height, "some follow after the cut what they were shown before it"
    assert not past.exposures.join(late, on="exposure_id", how="semi")["followed"].any()
    later = dataset.users.with_columns(snapshot_at=pl.lit(start + timedelta(days=1)))
    with pytest.raises(DataError, match="every snapshot_at is after"):
        known_at(Dataset(later, dataset.exposures, dataset.orders), start)


def perturbed(dataset, moment):
    """Everything at or after a moment turned upside down."""
    future = pl.col("exposed_at") >= moment
    late = pl.coalesce("followed_at", "exposed_at") >= moment
    exposures = dataset.exposures.with_columns(
        followed=pl.when(future | (pl.col("followed") & late))
        .then(~pl.col("followed") | ~future)
        .otherwise("followed"),
        followed_at=pl.when(future).then("exposed_at").otherwise("followed_at"),
        cost_cny=pl.when(future & (pl.col("placement") != "none"))
        .then(pl.col("cost_cny") * 9)
        .otherwise("cost_cny"),
        randomized=pl.when(future).then(~pl.col("randomized")).otherwise("randomized"),
    )
    orders = dataset.orders.with_columns(
        gmv_cny=pl.when(pl.col("ordered_at") >= moment).then(pl.col("gmv_cny") * 50).otherwise("gmv_cny")
    )
    new = orders.filter(pl.col("ordered_at") >= moment).with_columns(order_id="x" + pl.col("order_id"))
    return replace(dataset, exposures=exposures, orders=pl.concat([orders, new]))


@pytest.mark.slow
def test_a_plan_does_not_move_with_the_future(walk, dataset, brief, found):
    (first, _), horizon = walk
    assert found.windows[0] == first
    before = found.plans[0]
    after = window_plan(perturbed(dataset, first.start), brief, first, horizon)
    assert before.allocation.equals(after.allocation)
    assert before.expected == after.expected
    assert before.audience.scores.equals(after.audience.scores)
    moved = window_plan(perturbed(dataset, first.start - timedelta(days=3)), brief, first, horizon)
    assert not before.allocation.equals(moved.allocation), "the test itself can see a difference"


@pytest.mark.slow
def test_a_judgement_does_not_move_with_what_its_window_cannot_know(walk, dataset, brief, found):
    (first, second), _ = walk
    known_by = max(second.known_by, first.known_by)
    shifted = dataset.orders.filter(pl.col("ordered_at") >= first.known_by).height
    assert shifted, "there is a future to perturb"
    orders = dataset.orders.with_columns(
        gmv_cny=pl.when(pl.col("ordered_at") >= first.known_by)
        .then(pl.col("gmv_cny") * 50)
        .otherwise("gmv_cny")
    )
    again = backtest(replace(dataset, orders=orders), brief, **OPTIONS)
    one, two = (b.table.filter(pl.col("window") == 1) for b in (found, again))
    assert one.equals(two)
    assert known_by <= dataset.exposures["exposed_at"].max() + timedelta(days=1)


@pytest.mark.slow
def test_the_table_holds_every_window_and_all_together(found, dataset):
    assert found.table.columns == list(TABLE)
    assert found.table["window"].unique().sort().to_list() == [0, 1, 2]
    fans = found.table.filter(pl.col("outcome") == "new_fans").sort("window")
    assert fans["promised"][0] == pytest.approx(fans["promised"][1:].sum())
    assert fans["standard_error"][0] == pytest.approx((fans["standard_error"][1:] ** 2).sum() ** 0.5)
    assert (fans["low_80"] < fans["realised"]).all()
    spend = found.table.filter(pl.col("outcome") == "spend_cny")
    assert set(spend["verdict"]) == {"at the prices of the logged pressure"}
    assert "all windows, new_fans: promised" in str(found)
    assert any("days after the follow" in note for note in found.notes)
    assert set(dataset.warnings) <= set(found.notes), "rows that were set aside are told"
    json.dumps(found.to_dict(), allow_nan=False, default=str)


@pytest.mark.slow
def test_calibration_counts_people_at_risk_once(found, walk, dataset):
    follows = found.calibrations[0]
    log = read_events(dataset, as_of=last_moment(dataset))
    coin = 0
    for window in walk[0]:
        rows = dataset.exposures.filter(
            pl.col("exposed_at").is_between(window.start, window.stop, closed="left")
            & pl.col("randomized")
            & (pl.col("placement") != "none")
            & pl.col("followed")
        ).join(eligible_at(log, window), on="user_id", how="semi")
        coin += rows["user_id"].n_unique()
    assert follows.events <= coin
    assert follows.events > 0
    assert follows.groups["predicted"].sum() > 0


@pytest.mark.slow
def test_data_without_a_coin_cannot_be_walked(dataset, brief):
    blind = replace(dataset, exposures=dataset.exposures.with_columns(randomized=pl.lit(False)))
    with pytest.raises(DataError, match="no window has enough randomised rows"):
        backtest(blind, brief, windows=1, **OPTIONS)


def row(**changed):
    base = {
        "window": 1, "start": datetime(2020, 1, 1), "outcome": "new_fans", "promised": 100.0,
        "promised_low_80": 90.0, "promised_high_80": 110.0, "realised": 100.0, "standard_error": 10.0,
        "ips": 90.0, "self_normalised": 95.0, "coin_rows": 500, "events": 50, "overlap": "good",
    }  # fmt: skip
    return {**base, **changed}


def test_a_line_claims_no_more_than_is_known():
    told = _line(row(verdict="agrees", low_80=87.2, high_80=112.8))
    assert told == (
        "from 2020-01-01, new_fans: promised 100 (90 to 110),"
        " realised 100 (80 %: 87 to 113; 50 events): agrees"
    )
    spend = _line(row(promised_low_80=None, promised_high_80=None, verdict="v", low_80=90.0, high_80=110.0))
    assert "promised 100, realised" in spend
    none = _line(row(realised=0.0, events=0, verdict="cannot be told", low_80=0.0, high_80=0.0))
    assert "realised 0 (0 events): cannot be told" in none
    assert "promised nothing," in _line(
        row(promised=None, promised_low_80=None, promised_high_80=None, verdict="v", low_80=1.0, high_80=2.0)
    )


def test_verdicts_weigh_both_errors():
    assert verdict(row()) == "agrees within the errors"
    assert verdict(row(realised=130.0, standard_error=20.0)) == "agrees within the errors"
    assert verdict(row(realised=150.0)) == "more came than was promised"
    assert verdict(row(realised=50.0)) == "less came than was promised"
    assert verdict(row(realised=50.0, events=4)) == "cannot be told from 4 events"
    assert "hardly tried" in verdict(row(overlap="poor"))
    assert verdict(row(promised=None)) == "nothing was promised"
    both = together([row(), row(window=2, promised=None, overlap="poor")])
    assert both["promised"].to_list() == [None]
    assert both["overlap"].to_list() == ["poor"]


@pytest.mark.slow
def test_what_the_coin_says_is_what_the_world_knows():
    """Three shops of 20,000 people: the coin's estimates of the fans that plans add, in standard errors from
    the true hazards' answer, average to what three draws of chance may.
    """
    errors, judged = [], []
    for seed in (11, 12, 13):
        world = tg.simulate("jewellery", users=20_000, seed=seed)
        dataset = gather(users=world.users, exposures=world.exposures, orders=world.orders)
        options = {**OPTIONS, "min_audience": 500}
        found = backtest(dataset, world.campaign, windows=1, window_days=12, **options)
        plan = found.plans[0]
        true = world.truth.scores().join(plan.audience.segments, on="user_id")
        hazard = true.group_by("segment", "placement").agg(pl.col("p_follow").mean().alias("hazard"))
        cells = plan.allocation.join(hazard, on=["segment", "placement"])
        truly = float((cells["impressions"] * cells["hazard"]).sum())
        fans = found.table.row(
            by_predicate=(pl.col("window") == 0) & (pl.col("outcome") == "new_fans"), named=True
        )
        errors.append((fans["realised"] - truly) / fans["standard_error"])
        assert 1.96 * fans["standard_error"] < truly, "not so wide that it would cover anything"
        judged.append(found.calibrations[0].consistent)
    assert abs(sum(errors) / 3) < 1.96 / 3**0.5, errors
    assert sum(judged) >= 2
