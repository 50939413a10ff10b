"""A model on trial: later outcomes beside earlier promises, everybody once, nothing of it saved."""

from functools import cache

import polars as pl
import pytest
from known_truth import make_logs

from models.audience import held_out as proof
from models.audience.encoding import FeatureEncoder
from models.audience.model import AudienceModel
from models.events.event_log import read_events
from models.events.training_rows import training_log
from models.rates.shape import Fitting

BOTH = ("video", "live")


@cache
def fitted():
    logs = make_logs(users=8000, seed=4, wait_days=5.0)
    model = AudienceModel.fit(logs, placements=BOTH, as_of=logs.as_of, horizon_days=30, seed=1, threads=1)
    return logs, model


def later(logs):
    """The part of the exposures that the earlier model did not see: the last quarter, by whole days."""
    days = logs.exposures["exposed_at"].dt.truncate("1d")
    return logs.exposures.filter(
        days >= days.sort()[int(0.75 * (len(days) - 1))], pl.col("placement") != "none"
    )


def test_everybody_is_on_trial_once_per_placement():
    logs, model = fitted()
    trial = model.later_outcomes
    assert trial.height == 2 * logs.users.height
    assert trial.select("user_id", "placement").is_unique().all()
    assert trial.filter(pl.col("matured_impressions") == 0)["gmv_cny"].sum() == 0


def test_only_later_impressions_count_and_only_as_far_as_they_can_have_paid():
    logs, model = fitted()
    shown = later(logs).group_by("user_id", "placement").agg(pl.col("impressions").sum())
    both = model.later_outcomes.join(shown, on=["user_id", "placement"], how="left").fill_null(0)
    assert (both["matured_impressions"] <= both["impressions"] + 1e-9).all()
    assert ((both["matured_impressions"] > 0) <= (both["impressions"] > 0)).all()
    share = both["matured_impressions"].sum() / shown["impressions"].sum()
    assert 0.3 < share < 1.0


def test_what_came_is_what_later_followers_bought():
    logs, model = fitted()
    fans = later(logs).filter("followed").select("user_id", "placement", "followed_at")
    net = (
        logs.orders.join(fans, on="user_id")
        .filter(pl.col("ordered_at") >= pl.col("followed_at"))
        .select((pl.col("gmv_cny") - pl.col("refund_cny")).sum())
        .item()
    )
    assert model.later_outcomes["gmv_cny"].sum() == pytest.approx(
        net, rel=0.1
    )  # organic orders are taken off


def test_the_trial_is_not_part_of_the_model():
    _, model = fitted()
    again = AudienceModel.from_files(model.to_files())
    assert again.later_outcomes is None
    assert again == model


def test_where_nobody_could_be_tried_nothing_was_seen():
    logs = make_logs(users=400, seed=2, days=3, per_user=2, base=0.01)
    model = AudienceModel.fit(logs, placements=BOTH, as_of=logs.as_of, horizon_days=30, seed=1, threads=1)
    assert any("calibration cannot be judged" in warning for warning in model.warnings)
    assert model.later_outcomes.select(pl.col("matured_impressions", "gmv_cny").sum()).row(0) == (0.0, 0.0)


def test_a_trial_by_other_people_does_not_learn_from_their_orders():
    logs = make_logs(users=600, seed=2, days=6, per_user=3, base=0.01)
    log = training_log(read_events(logs, as_of=logs.as_of), placements=BOTH)
    fitting = Fitting(FeatureEncoder.fit(log.users).encode(log.users), (), 1, 1)
    past, judged, warnings = proof._split(fitting, log, BOTH)
    assert "held-out users" in warnings[0]
    for one, other in ((past, judged), (judged, past)):
        assert one.orders.height > 0
        strangers = set(other.exposures["user"].to_list())
        assert not strangers & set(one.orders["user"].to_list())
