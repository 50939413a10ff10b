"""Calibration maps: monotone, unbiased in total, shrunk where there is little evidence."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.calibration import fit_calibration, fit_isotonic, reliability
from models.correction import CORRECTIONS
from models.likelihood import HazardRows
from models.rate_maps import LogRateMap, View, average_views, chain, fit_affine


def rows_of(log_rate, seed=0):
    rng = np.random.default_rng(seed)
    n = log_rate.size
    y = (rng.random(n) < -np.expm1(-np.exp(log_rate))).astype(float)
    return HazardRows(np.arange(n), y, np.ones(n), np.zeros(n), np.ones(n))


def test_affine_finds_shift_and_slope():
    x = np.random.default_rng(1).normal(-3, 1, 20_000)
    rows = rows_of(-3 + 0.4 + 0.6 * (x + 3))
    found = fit_affine(rows, x, View(1.0, 0.5))
    assert found.slope == pytest.approx(0.6, abs=0.06)
    expected = -np.expm1(-np.exp(found.apply(x)))
    assert expected.sum() == pytest.approx(rows.events, rel=0.03)


def test_affine_without_information_changes_nothing():
    x = np.array([-8.0, -9.0, -10.0])
    found = fit_affine(rows_of(x), x, View(0.3, 0.1))
    np.testing.assert_allclose(found.apply(x), x, atol=0.01)
    assert fit_affine(rows_of(x).take(np.zeros(3, bool)), x[:0], View(1, 1)) == LogRateMap()


def test_isotonic_repairs_a_bent_curve_and_is_chosen_for_it():
    x = np.random.default_rng(2).normal(-2.5, 1, 30_000)
    truth = np.where(x > -2, -1.9, x - 0.3)
    rows = rows_of(truth)
    maps = fit_calibration(rows, x, seed=0)
    assert len(maps) == 2
    assert np.exp(chain(x, maps)).mean() == pytest.approx(np.exp(truth).mean(), rel=0.05)


def test_few_events_get_two_numbers():
    x = np.random.default_rng(2).normal(-5, 1, 3000)
    assert len(fit_calibration(rows_of(x), x, seed=0)) == 1


@settings(derandomize=True, max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.floats(0.3, 2.0))
def test_maps_never_reorder(seed, slope):
    x = np.random.default_rng(seed).normal(-2, 1, 2000)
    rows = rows_of(-2 + slope * (x + 2), seed)
    maps = (fit_affine(rows, x, View(1.0, 0.5)), fit_isotonic(rows, x))
    grid = np.linspace(-9, 5, 300)
    assert (np.diff(chain(grid, maps)) >= -1e-12).all()
    assert LogRateMap.from_json(maps[1].to_json()) == maps[1]


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
    same = [fit_calibration(rows_of(np.full(noise.size, -3.0), s), noise, seed=0)[0].slope for s in range(6)]
    assert np.median(same) < 0.2
    slopes = [fit_calibration(rows_of(noise, s), noise, seed=0)[0].slope for s in range(6)]
    assert np.mean(slopes) == pytest.approx(1.0, abs=0.25)


def test_correction_is_no_noise_where_logs_agree_and_full_where_they_do_not():
    x = np.random.default_rng(3).normal(-4, 0.5, 9000)
    agree = [average_views(rows_of(x, seed), x, CORRECTIONS).shift for seed in range(8)]
    free = [fit_affine(rows_of(x, seed), x, View(1.0, 0.3)).shift for seed in range(8)]
    assert np.std(agree) < 0.8 * np.std(free)
    differ = average_views(rows_of(x - 1.0), x, CORRECTIONS)
    assert differ.shift == pytest.approx(-1.0, abs=0.25)
    assert average_views(rows_of(x).take(np.zeros(x.size, bool)), x[:0], CORRECTIONS) == LogRateMap()
