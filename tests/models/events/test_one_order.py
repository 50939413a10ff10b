"""Sums of yuan are of one order: the same log gives the same numbers to the last digit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import targeting as tg
from models.contracts import gather
from models.events.daily_delivery import daily_delivery
from models.events.event_log import EventLog, read_events
from models.events.hourly_outcomes import hourly_outcomes
from models.supply.live_room import days_of_log


@pytest.fixture(scope="module")
def log() -> EventLog:
    world = tg.simulate("jewellery", users=3000, seed=1)
    found = read_events(
        gather(users=world.users, exposures=world.exposures, orders=world.orders), as_of=world.as_of
    )
    cost = np.random.default_rng(0).uniform(0.0, 1.0, found.exposures.height)
    return replace(found, exposures=found.exposures.with_columns(cost_cny=pl.Series(cost)))


def hours(log):
    return hourly_outcomes(log, horizon_days=14)


def segments(log):
    return log.users.select("user_id", segment=pl.format("s{}", pl.col("user_id").hash() % 9))


def days(log):
    return daily_delivery(log, segments(log))


def visits(log):
    entering = (pl.col("user_id").hash(seed=1) % 1000) / 1e4 + 0.01
    scores = log.users.select("user_id", placement=pl.lit("live"), p_enter=entering)
    found = days_of_log(log.exposures, scores)
    return pl.DataFrame({"size": found.size, "day": found.day, "rows": found.rows})


@pytest.mark.parametrize("summed", [hours, days, visits])
def test_the_same_rows_give_the_same_sums(log, summed):
    first = summed(log)
    assert all(summed(log).equals(first) for _ in range(6))
