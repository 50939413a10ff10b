"""How many the live room holds, from planted rooms and from logs without a limit."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from models.saturation import saturation
from models.supply.live_room import RoomDays, days_of_log, days_of_report, fit_room

SEEDS = range(20)


def days_with(places, *, seed, spread=0.5, arrivals=300.0, days=28, day_sd=0.03):
    """Days of a room with so many places (None: no limit); rates as learned at the load of those days."""
    rng = np.random.default_rng(seed)
    came = arrivals * np.exp(spread * rng.normal(size=days))
    share = np.ones(days) if places is None else saturation(came / places)
    size = 0.05 * np.exp(0.7 * rng.normal(size=40))
    day = np.repeat(np.arange(days), len(size))
    rows, each = came[day] / size.sum(), np.tile(size, days)
    mean = np.bincount(day, rows * -np.expm1(-each * share[day])) * np.exp(day_sd * rng.normal(size=days))
    opened = float(came @ share / came.sum())
    entries = rng.poisson(mean).astype(float)
    return RoomDays(day, rows, each * opened, entries, np.arange(days, dtype=float)), opened


def fitted(places, *, seed, **how):
    days, opened = days_with(places, seed=seed, **how)
    return fit_room(days, rng=np.random.default_rng(seed)), opened


def test_a_planted_room_is_recovered_within_its_error():
    inside, levels = 0, []
    for seed in SEEDS:
        room, opened = fitted(200.0, seed=seed)
        assert room.found
        low, high = np.quantile(room.places_draws, [0.05, 0.95])
        inside += low <= 200.0 <= high
        levels.append(room.opened / opened)
    assert inside >= 16
    assert np.median(levels) == pytest.approx(1.0, abs=0.05)


def test_a_log_without_a_limit_finds_none():
    assert sum(fitted(None, seed=seed)[0].found for seed in SEEDS) <= 1


def test_days_that_are_alike_tell_nothing_but_that_it_is_not_full_at_once():
    room, _ = fitted(None, seed=1, spread=0.0)
    assert not room.found
    assert room.opened == room.level == 1.0
    assert np.isinf(room.places_draws).any()
    assert np.isfinite(room.places_draws).any()


def test_rates_of_an_empty_room_are_those_of_the_logs_over_what_was_saturation():
    """Arrivals counted with the level are those of the planted room."""
    days, _ = days_with(150.0, seed=3)
    room = fit_room(days, rng=np.random.default_rng(0))
    true = days.arrivals.max() / days_with(150.0, seed=3)[1]
    assert room.busiest == pytest.approx(true, rel=0.15)


def test_too_few_days_or_no_entries_say_nothing():
    assert fit_room(None, rng=np.random.default_rng(0)) is None
    assert fitted(200.0, seed=0, days=4)[0] is None


def test_rows_of_a_log_are_summed_by_day_and_size_without_loss():
    rng = np.random.default_rng(0)
    n = 3000
    user = pl.Series(rng.integers(0, 500, n)).cast(pl.String)
    exposures = pl.DataFrame(
        {
            "user_id": user,
            "placement": "live",
            "impressions": rng.integers(1, 9, n),
            "entered_live": rng.random(n) < 0.3,
            "exposed_at": [date(2020, 1, 1) + timedelta(days=int(d)) for d in rng.integers(0, 6, n)],
        }
    ).with_columns(pl.col("exposed_at").cast(pl.Datetime))
    scores = pl.DataFrame(
        {"user_id": [str(u) for u in range(500)], "placement": "live", "p_enter": rng.uniform(0.01, 0.2, 500)}
    )
    days = days_of_log(exposures, scores)
    joined = exposures.join(scores, on=["user_id", "placement"])
    one = joined.with_columns(e=1 - (-0.5 * pl.col("impressions") * pl.col("p_enter")).exp())
    by_day = (
        one.group_by(pl.col("exposed_at").dt.date()).agg(pl.col("e", "entered_live").sum()).sort("exposed_at")
    )
    assert days.entries.tolist() == by_day["entered_live"].to_list()
    assert days.expected(np.full(6, 0.5)) == pytest.approx(by_day["e"].to_numpy(), rel=1e-3)


def test_a_console_report_tells_the_same():
    rng = np.random.default_rng(2)
    came = 300.0 * np.exp(0.6 * rng.normal(size=40))
    entries = rng.poisson(came * saturation(came / 250.0))
    report = pl.DataFrame(
        {
            "date": [date(2020, 1, 1) + timedelta(days=d) for d in range(40)],
            "segment": "all",
            "placement": "live",
            "impressions": came / 0.1,
            "live_entries": entries.astype(float),
        }
    )
    rate = pl.DataFrame(
        {"segment": ["all"], "placement": ["live"], "entry": [entries.sum() / (came.sum() / 0.1)]}
    )
    room = fit_room(days_of_report(report, rate), rng=np.random.default_rng(0))
    assert room.places == pytest.approx(250.0, rel=0.15)
