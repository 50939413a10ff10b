"""What chance adds: moments of counts and of compound sums."""

import numpy as np
import pytest

from models.chance import Chance, binned


def chance(amounts, **scatter):
    return Chance(*binned(np.asarray(amounts, dtype=float)), **scatter)


def test_bins_keep_mean_and_second_moment_of_a_heavy_tail():
    amounts = np.random.default_rng(0).lognormal(5.0, 1.2, 5000)
    size, share = binned(amounts)
    assert len(size) <= 101
    assert share.sum() == pytest.approx(1.0)
    assert size @ share == pytest.approx(amounts.mean())
    assert size**2 @ share == pytest.approx((amounts**2).mean(), rel=0.01)


def test_no_buyer_known_is_an_empty_table():
    assert [len(x) for x in binned(np.array([0.0, -3.0]))] == [0, 0]


def test_money_scatters_by_the_second_moment_of_what_a_buyer_leaves():
    amounts = np.random.default_rng(1).lognormal(4.0, 1.0, 2000)
    drawn = chance(amounts).gmv(np.full(40_000, 30_000.0), np.random.default_rng(2))
    assert drawn.mean() == pytest.approx(30_000.0, rel=0.005)
    assert drawn.var() == pytest.approx(30_000.0 * (amounts**2).sum() / amounts.sum(), rel=0.05)


def test_fans_are_people_and_never_more_than_there_are():
    none = np.zeros(0)
    rng = np.random.default_rng(3)
    few = Chance(none, none).fans(np.full((20_000, 1), 90.0), np.array([100.0]), rng)
    assert few.max() <= 100
    assert few.var() == pytest.approx(100 * 0.9 * 0.1, rel=0.05)
    many = Chance(none, none).fans(np.full((20_000, 1), 90.0), np.array([np.inf]), rng)
    assert many.var() == pytest.approx(90.0, rel=0.05)
    by_tens = Chance(none, none, fan_unit=10.0).fans(np.full((20_000, 1), 90.0), np.array([np.inf]), rng)
    assert by_tens.var() == pytest.approx(900.0, rel=0.05)


def test_a_week_scatters_less_than_its_days_together_and_apart():
    day = Chance(np.zeros(0), np.zeros(0), day_sd=0.3, cell_sd=0.2)
    week = day.over_days(7)
    assert (week.day_sd, week.cell_sd) == (pytest.approx(0.3 / 7**0.5), pytest.approx(0.2 / 7**0.5))
    slots = day.over_days(4, slots=4)
    assert (slots.day_sd, slots.cell_sd) == (pytest.approx(0.15), 0.2), "a slot of one day is one day"
    moved = day.delivery((40_000, 3), np.random.default_rng(4))
    assert moved.mean() == pytest.approx(1.0, abs=0.01)
    assert np.log(moved).std(axis=0) == pytest.approx(np.hypot(0.3, 0.2), rel=0.03)
    assert np.corrcoef(np.log(moved).T)[0, 1] == pytest.approx(0.09 / 0.13, abs=0.03)
