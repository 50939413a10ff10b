"""Hours and weekdays that differ are found with their size; where nothing differs all are 1."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from models.supply.day_parts import HOURS, fit_day_parts

EVEN_DAY, EVEN_WEEK = np.ones(24), np.ones(7)


def hourly(seed: int, *, hour=EVEN_DAY, weekday=EVEN_WEEK, days=28, spend=10.0) -> pl.DataFrame:
    """Impressions at 100 a yuan times the multipliers, a fan in 200 impressions, 20 yuan a fan."""
    rng = np.random.default_rng(seed)
    rows = []
    for d in range(days):
        at = date(2024, 1, 1) + timedelta(days=d)
        luck = rng.lognormal(0.0, 0.1)
        for h in range(HOURS):
            for placement in ("video", "live"):
                cost = spend * rng.lognormal(0.0, 0.3)
                mean = (
                    cost * 100.0 * luck * weekday[at.weekday()] * (hour[h] if placement == "video" else 1.0)
                )
                units = float(rng.poisson(mean * rng.lognormal(0.0, 0.2)))
                fans = float(rng.poisson(units / 200.0))
                rows.append((at, h, placement, "s", cost, units, fans, fans * 20.0))
    schema = ["date", "hour", "placement", "cell", "spend", "units", "fans", "value"]
    return pl.DataFrame(rows, schema=schema, orient="row")


def test_bad_hours_are_found_with_their_size():
    true = np.where(np.arange(24) < 6, 0.1, 1.0)
    found = fit_day_parts(hourly(1, hour=true))
    video = found.placements.index("video")
    assert found.hour[0, video] == pytest.approx(true / true.mean(), rel=0.12, abs=0.03)
    assert (found.hour[0, 1 - video] == 1.0).all(), "the live room's hours do not differ"
    assert (found.hour[2] == 1.0).all(), "the value of a fan does not differ"


def test_weekdays_are_found_with_their_size():
    true = np.array([1, 1, 1, 1, 1, 1.6, 1.6])
    found = fit_day_parts(hourly(2, weekday=true, days=56))
    assert found.weekday[0] == pytest.approx(np.tile(true / true.mean(), (2, 1)), rel=0.12)


def test_nothing_to_find_is_found_in_99_of_100():
    differing = 0
    for seed in range(40):
        found = fit_day_parts(hourly(100 + seed, days=14))
        differing += int(found.hours_differ) + int(found.weekdays_differ)
    # 40 shops x 2 placements x 2 parts x 3 measures = 480 questions at one in a hundred each.
    assert differing <= 14


def test_days_of_much_money_are_no_bad_weekdays():
    """Bursts make dear days; which weekdays they fall on is chance."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        days = []
        for d in range(28):
            burst = 8.0 if rng.random() < 0.15 else 1.0
            day = date(2024, 1, 1) + timedelta(days=d)
            luck = rng.lognormal(0.0, 0.05)
            for cell in ("a", "b", "c", "d"):
                cost = 100.0 * burst * rng.lognormal(0.0, 0.1)
                units = 100.0 * np.log1p(cost / 50.0) * luck
                days.append((day, None, "video", cell, cost, float(rng.poisson(units)), None, None))
        schema = ["date", "hour", "placement", "cell", "spend", "units", "fans", "value"]
        rows = pl.DataFrame(days, schema=schema, orient="row", infer_schema_length=None).with_columns(
            pl.col("hour").cast(pl.Int64), pl.col("fans", "value").cast(pl.Float64)
        )
        found = fit_day_parts(rows).weekday[0]
        assert found == pytest.approx(np.ones((1, 7)), abs=0.15), seed


def test_a_dozen_buyers_do_not_make_a_weekday_worthless():
    """Yuan of three dozen buyers in six weeks: a weekday without any was worth a fifth of the others."""
    least = 1.0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        rows = hourly(seed, days=42).group_by("date", "placement", "cell")
        rows = rows.agg(pl.sum("spend", "units", "fans")).sort("date", "placement")
        buyers = rng.poisson(18 / 42, rows.height)
        spent = [float(rng.lognormal(3.0, 1.2, count).sum()) for count in buyers]
        rows = rows.with_columns(hour=pl.lit(None, pl.Int64), value=pl.Series(spent, dtype=pl.Float64))
        least = min(least, float(fit_day_parts(rows).weekday[2].min()))
    assert least > 0.5


def test_one_hour_or_one_day_says_nothing():
    rows = hourly(3, hour=np.linspace(0.2, 2.0, 24))
    assert not fit_day_parts(rows.filter(pl.col("hour") == 0)).hours_differ
    assert not fit_day_parts(rows.with_columns(hour=pl.lit(None, dtype=pl.Int64))).hours_differ
    assert not fit_day_parts(rows.filter(pl.col("date") < date(2024, 1, 4))).weekdays_differ


def test_slots_have_the_mean_of_their_hours_and_a_whole_day_is_one():
    true = np.where(np.arange(24) < 6, 0.1, 1.0)
    found = fit_day_parts(hourly(1, hour=true))
    assert found.over(None, days=1, slots=1) == pytest.approx(np.ones((3, 2, 1)))
    quarters = found.over(datetime(2024, 1, 1), days=1, slots=4)
    by_hour = found.over(datetime(2024, 1, 1), days=1, slots=24)
    assert by_hour == pytest.approx(found.hour * found.weekday[:, :, [0]])
    assert quarters == pytest.approx(by_hour.reshape(3, 2, 4, 6).mean(axis=3))
    late = found.over(datetime(2024, 1, 1, 18), days=1, slots=4)
    assert late == pytest.approx(np.roll(quarters, 1, axis=2))
