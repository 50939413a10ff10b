"""Drift: found where it is, not invented where it is not, carried to the end of the window."""

import numpy as np
import polars as pl
import pytest

from models.audience.follow import _days
from models.rates.rate import Shift
from models.rates.trend import NO_TREND, Days, fit_trends


def logged(change, *, days=28, per_day=60.0, luck=0.0, wave=0.0, phase=0.0, seed=0):
    rng = np.random.default_rng(seed)
    age = np.arange(days, dtype=float) + 0.5
    position = 0.5 - age / days  # +1/2 today, -1/2 on the first day
    season = wave * np.sin(phase - 2 * np.pi * age / 40)
    rate = per_day * np.exp(change * position + season + rng.normal(0.0, luck, days))
    return {"age_days": age, "observed": rng.poisson(rate).astype(float), "expected": np.full(days, per_day)}


def trend_of(**rows):
    return fit_trends({"video": Days.of(**rows)})["video"]


def test_a_rate_that_fell_is_carried_to_its_end():
    found = trend_of(**logged(-0.6))
    assert found.now == pytest.approx(-0.3, abs=0.08)
    assert 0.01 < found.sd < 0.1
    assert found.at(np.array([27.5]))[0] == pytest.approx(0.58, abs=0.12)


def test_nothing_is_carried_beyond_the_last_day_with_rows():
    later = logged(-0.6)
    later["age_days"] = later["age_days"] + 60.0
    found, at_once = trend_of(**later), trend_of(**logged(-0.6))
    assert found.now == pytest.approx(at_once.now)
    assert found.sd == pytest.approx(at_once.sd)


def test_a_season_that_is_over_is_not_carried_on():
    """A wave of a fifth: where it stands today is known within a tenth, whatever its phase."""
    miss = []
    for seed, phase in enumerate(np.linspace(0.0, 2 * np.pi, 16, endpoint=False)):
        rows = logged(0.0, wave=0.2, phase=phase, luck=0.04, seed=seed)
        over = 0.2 * np.sin(phase) - np.log(rows["observed"].sum() / rows["expected"].sum())
        miss.append(trend_of(**rows).now - over)
    assert np.sqrt(np.mean(np.square(miss))) < 0.11  # 0.17 by a line alone


def test_placements_tell_each_other_of_a_season():
    miss = {"alone": [], "together": []}
    for seed, phase in enumerate(np.linspace(0.0, 2 * np.pi, 12, endpoint=False)):
        rare = logged(0.0, wave=0.2, phase=phase, per_day=6.0, seed=seed)
        often = logged(0.0, wave=0.2, phase=phase, per_day=200.0, seed=100 + seed)
        over = 0.2 * np.sin(phase) - np.log(rare["observed"].sum() / rare["expected"].sum())
        together = fit_trends({"live": Days.of(**rare), "video": Days.of(**often)})["live"]
        miss["alone"].append(abs(trend_of(**rare).now - over))
        miss["together"].append(abs(together.now - over))
    assert np.mean(miss["together"]) < 0.8 * np.mean(miss["alone"])


def test_weekdays_do_not_hide_a_drift():
    """A rate that fell, under weekdays that differ by a fifth: without knowing them it passes for luck."""
    weekday = np.exp(0.2 * np.array([1.0, -1.0, 0.5, -0.5, 1.0, -1.5, 0.5]))
    rows = logged(-0.6, per_day=200.0)
    rows["observed"] = rows["observed"] * np.tile(weekday, 4)
    assert trend_of(**rows).now == pytest.approx(-0.3, abs=0.06)
    assert trend_of(**rows).sd < 0.1


def test_an_experiment_on_the_last_days_is_no_drift():
    """Ranked rows follow 1.5 times as often as randomised ones, which are there in the last ten days only."""
    rng = np.random.default_rng(4)
    age = np.repeat(np.arange(30) + 1.5, 1500)
    coin = (age < 11) & (rng.random(age.size) < 0.6)
    hazard = 0.04 * np.where(coin, 1.0, 1.5)
    rows = pl.DataFrame(
        {
            "user": np.arange(age.size),
            "randomized": coin,
            "impressions": np.ones(age.size),
            "age_days": age,
            "even": np.ones(age.size),
            "followed": rng.random(age.size) < -np.expm1(-hazard),
        }
    )
    logged = np.full(age.size, np.log(0.04 * 1.5))

    def now(shift):
        return fit_trends({"video": _days(rows, np.zeros(age.size), logged, shift)})["video"].now

    assert abs(now(Shift(shift=-np.log(1.5)))) < 0.05
    assert now(None) < -0.1, "one hazard for all would see a fall"


def test_no_drift_is_left_alone():
    now = [trend_of(**logged(0.0, seed=seed)).now for seed in range(40)]
    assert np.mean(np.abs(now)) < 0.02


def test_days_of_good_and_bad_luck_are_no_drift():
    lucky = [trend_of(**logged(0.0, luck=0.5, per_day=400.0, seed=seed)) for seed in range(40)]
    assert np.mean([abs(one.now) for one in lucky]) < 0.1
    inside = [abs(one.now) <= 1.3 * one.sd for one in lucky]
    assert np.mean(inside) > 0.7


def test_the_interval_holds_the_truth():
    changes = np.random.default_rng(1).normal(0.0, 0.4, 60)
    found = [trend_of(**logged(change, per_day=20.0, seed=i)) for i, change in enumerate(changes)]
    inside = [abs(one.now - change / 2) <= 1.28 * one.sd for one, change in zip(found, changes, strict=True)]
    assert 0.65 <= np.mean(inside) <= 0.95


def test_a_few_days_or_no_event_say_nothing():
    few = logged(-0.6, days=7)
    assert trend_of(**few) == NO_TREND
    assert trend_of(**{**logged(0.0), "observed": np.zeros(28)}) == NO_TREND
    assert (NO_TREND.at(np.array([0.0, 9.0])) == 0.0).all()


def test_rows_of_a_day_are_added_up_and_days_of_a_long_log():
    whole = logged(-0.6)
    halves = {name: np.repeat(values / (1 if name == "age_days" else 2), 2) for name, values in whole.items()}
    assert trend_of(**halves).now == pytest.approx(trend_of(**whole).now)
    year = trend_of(**logged(-0.6, days=365))
    assert len(year.level) <= 60
    assert year.now == pytest.approx(-0.3, abs=0.08)
