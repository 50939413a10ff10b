"""Champion against challenger on logs with known rates."""

from dataclasses import replace
from datetime import timedelta
from functools import cache

import numpy as np
import polars as pl
import pytest
from known_truth import START, make_logs

from models.audience.model import AudienceModel
from models.errors import DataError
from models.events.event_log import read_events
from models.events.training_rows import training_log
from models.judging.champion import compare_models, held_out_since
from models.rates.trend import Trend

PLACEMENTS = ("video", "live")
SINCE = START + timedelta(days=14)


@cache
def logs():
    return make_logs(users=2500, seed=3, base=0.012)


@cache
def fitted(*, blind=False):
    """A model of the first 14 days; a blind one has no useful feature."""
    data = logs()
    if blind:
        keep = [c for c in data.users.columns if c not in ("gender", "watch_min_30d")]
        data = replace(data, users=data.users.select(keep))
    return AudienceModel.fit(data, placements=PLACEMENTS, as_of=SINCE, horizon_days=30, seed=1, threads=1)


def fight(champion, challenger, data=None, **more):
    data = data or logs()
    return compare_models(
        champion,
        challenger,
        data,
        **{"since": SINCE, "as_of": data.as_of, "rng": np.random.default_rng(0), "draws": 100, **more},
    )


def test_a_better_challenger_wins_and_a_worse_one_loses():
    won = fight(fitted(blind=True), fitted())
    assert won.outcome == "better"
    assert won.likelihood.low > 0
    assert won.challenger["log_likelihood"] > won.champion["log_likelihood"]
    lost = fight(fitted(), fitted(blind=True))
    assert lost.outcome == "worse"
    assert lost.likelihood.value == pytest.approx(-won.likelihood.value)
    assert lost.ranking.value == pytest.approx(-won.ranking.value)
    assert "worse on" in str(lost)
    assert [row["question"] for row in won.table()] == ["log_likelihood", "ranking"]


def test_the_same_model_is_not_better_than_itself():
    same = fight(fitted(), fitted())
    assert same.outcome == "undecided"
    assert (same.likelihood.low, same.likelihood.high, same.ranking.value) == (0.0, 0.0, 0.0)


def test_a_copy_with_twice_the_hazard_is_worse_calibrated():
    model = fitted()
    loud = {
        name: replace(one, trend=Trend(now=float(np.log(2.0))))
        for name, one in model.funnel.placements.items()
    }
    twice = replace(model, funnel=replace(model.funnel, placements=loud))
    found = fight(model, twice)
    assert found.likelihood.high < 0
    assert found.outcome == "worse"


def test_few_randomised_follows_leave_the_logged_rows():
    data = logs()
    no_coin = replace(data, exposures=data.exposures.with_columns(randomized=pl.lit(False)))
    assert fight(fitted(), fitted(), no_coin).randomized is False
    all_coin = replace(data, exposures=data.exposures.with_columns(randomized=pl.lit(True)))
    assert fight(fitted(), fitted(), all_coin).randomized is True


def test_without_orders_fans_are_what_is_ranked():
    data = replace(logs(), orders=logs().orders.clear())
    assert fight(fitted(), fitted(), data).worth == "fans"
    logged = replace(logs(), exposures=logs().exposures.with_columns(randomized=pl.lit(False)))
    assert fight(fitted(), fitted(), logged).worth == "gmv"


def test_the_contest_begins_after_what_the_champion_has_seen():
    data = logs()
    log = training_log(read_events(data, as_of=data.as_of), placements=PLACEMENTS)
    last_quarter = held_out_since(log, champion_as_of=START)
    assert START + timedelta(days=10) < last_quarter < data.as_of
    assert held_out_since(log, champion_as_of=data.as_of) == last_quarter, "nothing unseen is left"
    later = last_quarter + timedelta(days=1)
    assert held_out_since(log, champion_as_of=later) == later
    day = log.exposures["exposed_at"].min().date()
    one_day = replace(log, exposures=log.exposures.filter(pl.col("exposed_at").dt.date() == day))
    with pytest.raises(DataError, match="first day"):
        held_out_since(one_day, champion_as_of=START)


def test_models_of_different_questions_are_not_compared():
    model = fitted()
    with pytest.raises(DataError, match="horizon_days"):
        fight(model, replace(model, horizon_days=7))
    with pytest.raises(DataError, match="placements"):
        fight(model, replace(model, placements=("video",)))
    with pytest.raises(DataError, match="compare later"):
        fight(model, model, since=logs().as_of - timedelta(hours=1))
