"""What the scores expected of a window's people: who counts as still to be won, and as a buyer."""

from datetime import datetime, timedelta
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from models.contracts import Dataset
from models.events.event_log import read_events
from targeting.evaluation import score_outcomes
from targeting.evaluation.backtest_windows import Window

START = datetime(2020, 11, 1)
WINDOW = Window(1, START, START + timedelta(days=5), START + timedelta(days=12))


class Model:
    """Scores anybody alike: 0.01 per impression in video, 0.02 in live, a quarter buy."""

    placements = ("video", "live")
    value_known = True
    threads = 1
    encoder = SimpleNamespace(encode=lambda users: np.zeros((users.height, 1)))
    funnel = SimpleNamespace(organic_hazard=lambda matrix, threads: np.zeros(len(matrix)))

    def score(self, users):
        return pl.concat(
            users.select("user_id", placement=pl.lit(name), p_follow=pl.lit(p), p_precise=pl.lit(0.25))
            for name, p in (("video", 0.01), ("live", 0.02))
        )


def data(*given, orders=()):
    """exposure_id, user_id, placement, hours after the start shown, followed (or None), by coin; and
    user_id, hours after the start of orders."""
    rows = [
        {
            "exposure_id": exposure,
            "user_id": user,
            "placement": placement,
            "exposed_at": START + timedelta(hours=shown),
            "impressions": 0 if placement == "none" else 3,
            "followed": followed is not None,
            "followed_at": None if followed is None else START + timedelta(hours=followed),
            "randomized": coin,
        }
        for exposure, user, placement, shown, followed, coin in given
    ]
    types = {"exposed_at": pl.Datetime("us"), "followed_at": pl.Datetime("us")}
    exposures = pl.DataFrame(rows, schema_overrides=types)
    users = exposures.select(pl.col("user_id").unique(maintain_order=True)).with_columns(
        snapshot_at=pl.lit(START - timedelta(days=9)), is_fan=pl.lit(False)
    )
    bought = pl.DataFrame(
        [(user, START + timedelta(hours=hours), 10.0, 0.0) for user, hours in orders],
        schema={
            "user_id": pl.String, "ordered_at": pl.Datetime("us"), "gmv_cny": pl.Float64,
            "refund_cny": pl.Float64,
        },
        orient="row",
    )  # fmt: skip
    everything = Dataset(users=users, exposures=exposures, orders=bought)
    return read_events(everything, as_of=START + timedelta(days=99))


def test_whoever_was_shown_before_the_window_and_follows_in_it_is_at_risk_until_then():
    logs = data(
        ("before", "late", "video", -2, 6, False),
        ("still", "late", "video", 3, None, True),
        ("fan", "late", "video", 30, None, True),
        ("other", "never", "live", 30, None, True),
    )
    probability, happened = score_outcomes.follows(Model(), logs, WINDOW)
    np.testing.assert_allclose(probability, -np.expm1([-0.03, -0.06]))
    assert happened.tolist() == [0.0, 0.0]


def test_a_fan_won_by_a_ranked_row_is_no_chance_of_the_coin_afterwards():
    logs = data(
        ("coin", "u", "video", 1, None, True),
        ("ranked", "u", "live", 30, 31, False),
        ("after", "u", "video", 60, None, True),
    )
    probability, happened = score_outcomes.follows(Model(), logs, WINDOW)
    assert (probability.size, happened.tolist()) == (1, [0.0])


def test_a_follow_after_the_window_through_one_of_its_rows_has_come():
    logs = data(("last", "u", "video", 5 * 24 - 1, 5 * 24 + 20, True))
    assert score_outcomes.follows(Model(), logs, WINDOW)[1].tolist() == [1.0]


def test_two_claims_of_one_follow_are_one_event():
    logs = data(("first", "u", "video", 1, 20, True), ("second", "u", "live", 2, 20, True))
    probability, happened = score_outcomes.follows(Model(), logs, WINDOW)
    np.testing.assert_allclose(probability, -np.expm1([-0.06]))
    assert happened.tolist() == [1.0]


@pytest.mark.parametrize(("hours", "bought"), [(0.5, 0.0), (1.5, 1.0), (7 * 24, 1.0), (7 * 24 + 1.5, 0.0)])
def test_a_buyer_buys_between_the_follow_and_exactly_the_horizon(hours, bought):
    logs = data(("a", "u", "video", 0, 1, True), orders=[("u", hours)])
    found = score_outcomes.buyers(Model(), logs, WINDOW, horizon_days=7, randomised=True)
    assert [part.tolist() for part in found] == [[0.25], [bought]]
    assert score_outcomes.buyers(Model(), logs, WINDOW, horizon_days=7, randomised=False)[0].size == 0


def test_a_fan_of_an_earlier_row_is_not_won_again_by_the_window():
    logs = data(
        ("before", "late", "video", -2, 6, False),
        ("again", "late", "video", 30, 31, True),
        orders=[("late", 40)],
    )
    assert score_outcomes.buyers(Model(), logs, WINDOW, horizon_days=7, randomised=True)[0].size == 0
