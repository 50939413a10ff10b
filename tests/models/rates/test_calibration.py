"""Calibration maps: monotone, unbiased in total, shrunk where there is little evidence."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stored_copy import read_back

from models.rates.calibration import fit_calibration, reliability
from models.rates.likelihood import HazardRows
from models.rates.randomised import randomised_fits, randomised_map
from models.rates.rate_maps import LogRateMap, average_maps, fit_affine
from models.rates.settings import RATES, MapPrior


def rows_of(log_rate, seed=0):
    rng = np.random.default_rng(seed)
    n = log_rate.size
    y = (rng.random(n) < -np.expm1(-np.exp(log_rate))).astype(float)
    return HazardRows(np.arange(n), y, np.ones(n), np.zeros(n), np.ones(n))


def test_affine_finds_shift_and_slope():
    x = np.random.default_rng(1).normal(-3, 1, 20_000)
    rows = rows_of(-3 + 0.4 + 0.6 * (x + 3))
    found = fit_affine(rows, x, MapPrior(1.0, 0.5))
    assert found.slope == pytest.approx(0.6, abs=0.06)
    expected = -np.expm1(-np.exp(found.apply(x)))
    assert expected.sum() == pytest.approx(rows.events, rel=0.03)


def test_affine_without_information_changes_nothing():
    x = np.array([-8.0, -9.0, -10.0])
    found = fit_affine(rows_of(x), x, MapPrior(0.3, 0.1))
    np.testing.assert_allclose(found.apply(x), x, atol=0.01)
    assert fit_affine(rows_of(x).take(np.zeros(3, bool)), x[:0], MapPrior(1, 1)) == LogRateMap()


def test_a_bent_curve_is_bent_back():
    x = np.random.default_rng(2).normal(-2.5, 1, 30_000)
    floor, ceiling = -3.2, -1.9
    truth = np.clip(x - 0.3, floor, ceiling)
    bent = fit_calibration(rows_of(truth), x)
    straight = fit_affine(rows_of(truth), x, MapPrior(1.0, 0.5))
    at = np.quantile(x, [0.02, 0.2, 0.5, 0.8, 0.98])
    wanted = np.clip(at - 0.3, floor, ceiling)
    assert np.abs(bent.apply(at) - wanted).max() < 0.2
    assert np.abs(straight.apply(at) - wanted).max() > 0.4
    assert np.exp(bent.apply(x)).mean() == pytest.approx(np.exp(truth).mean(), rel=0.03)


def test_few_events_do_not_bend_a_straight_line():
    x = np.random.default_rng(2).normal(-4, 1, 3000)
    at = np.linspace(-5.5, -2.5, 7)
    off = [fit_calibration(rows_of(x, seed), x).apply(at) - at for seed in range(6)]
    assert np.abs(np.mean(off, axis=0)).max() < 0.25


@settings(derandomize=True, max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.floats(0.0, 2.0), st.sampled_from([20, 200, 2000]))
def test_maps_never_reorder(seed, slope, n):
    x = np.random.default_rng(seed).normal(-2, 1, n)
    rows = rows_of(-2 + slope * (x + 2), seed)
    bends_only = average_maps(rows, x, [MapPrior(1.0, 0.5, bend_sd=3.0)])
    for one in (fit_affine(rows, x, MapPrior(1.0, 0.5)), fit_calibration(rows, x), bends_only):
        assert (np.diff(one.apply(np.linspace(-9, 5, 300))) > 0).all()
        assert read_back(LogRateMap, one) == one


def test_one_value_for_everybody_cannot_bend():
    x = np.full(500, -2.0)
    assert fit_calibration(rows_of(x), x).knots_x == ()
    assert fit_calibration(rows_of(x).take(np.zeros(500, bool)), x[:0]) == LogRateMap()


def test_reliability_counts_everything_once():
    rng = np.random.default_rng(0)
    p = rng.random(500) * 0.5
    y = (rng.random(500) < p).astype(float)
    table = reliability(probability=p, y=y, score=p)
    assert sum(table.rows) == 500
    assert sum(table.actual) == y.sum()
    assert sum(table.predicted) == pytest.approx(p.sum())
    assert table.ece < 0.1
    assert reliability(probability=p[:0], y=y[:0], score=p[:0]).ece == 0
    assert np.isinf(reliability(probability=p, y=y * 0, score=p).ratios).all()


@pytest.mark.parametrize("events", [60, 4000])
def test_a_shape_that_is_noise_is_flattened_and_one_that_holds_is_kept(events):
    noise = np.random.default_rng(5).normal(-3, 0.6, 20 * events)
    same = [fit_calibration(rows_of(np.full(noise.size, -3.0), s), noise).slope for s in range(6)]
    assert np.median(same) < 0.2
    slopes = [fit_calibration(rows_of(noise, s), noise).slope for s in range(6)]
    assert np.mean(slopes) == pytest.approx(1.0, abs=0.25)


def test_correction_is_no_noise_where_logs_agree_and_full_where_they_do_not():
    x = np.random.default_rng(3).normal(-4, 0.5, 9000)
    agree = [average_maps(rows_of(x, seed), x, RATES.corrections).shift for seed in range(8)]
    free = [fit_affine(rows_of(x, seed), x, MapPrior(1.0, 0.3)).shift for seed in range(8)]
    assert np.std(agree) < 0.8 * np.std(free)
    differ = average_maps(rows_of(x - 1.0), x, RATES.corrections)
    assert differ.shift == pytest.approx(-1.0, abs=0.25)
    assert average_maps(rows_of(x).take(np.zeros(x.size, bool)), x[:0], RATES.corrections) == LogRateMap()


def coin_rows(n, *, shift=0.0, seed=0):
    """Half of the rows by a coin; ranked ones follow exp(shift) times more."""
    rng = np.random.default_rng(seed)
    coin = rng.random(n) < 0.5
    rate = np.exp(-2.0 + shift * ~coin)
    return pl.DataFrame(
        {
            "user": np.arange(n, dtype=np.int64),
            "followed": rng.random(n) < -np.expm1(-rate),
            "impressions": np.ones(n),
            "randomized": coin,
            "propensity": np.full(n, 0.5),
        }
    )


def coin_of(rows, logged):
    out_of_fold = np.full(rows.height, logged)
    return randomised_fits(
        rows, event="followed", exposure="impressions", baseline=None, out_of_fold=out_of_fold
    )


def test_what_the_coin_says_of_other_rates_is_heard():
    few = coin_of(coin_rows(1500, seed=4), -2.0 + 0.25)  # the logged rate is a quarter too high
    agrees = coin_of(coin_rows(40_000, seed=5), -2.0)
    differs = coin_of(coin_rows(40_000, seed=6), -2.0 + 0.3)
    alone, with_agreeing, with_differing = (
        randomised_map(few, others)[0].shift for others in ((), (agrees,), (differs,))
    )
    assert with_differing < alone < with_agreeing <= 0.0
    assert with_differing == pytest.approx(-0.25, abs=0.12)


def test_without_a_coin_nothing_is_corrected():
    rows = coin_rows(500)
    assert coin_of(rows.with_columns(randomized=pl.lit(False)), -2.0) is None
    assert coin_of(rows.with_columns(randomized=pl.lit(True)), -2.0) is None
    assert randomised_map(None, (coin_of(rows, -2.0),)) == ()
