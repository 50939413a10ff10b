"""The hazard likelihood against numerical differentiation and direct maximisation."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from models.rates.likelihood import AmountRows, HazardRows, constant_log_rate, hazard_gradient, hazard_loss


def some_rows(n=400, seed=0, baseline=0.02):
    rng = np.random.default_rng(seed)
    w = rng.integers(1, 6, n).astype(float)
    b = rng.random(n) * baseline
    y = (rng.random(n) < -np.expm1(-(b + 0.05 * w))).astype(float)
    return HazardRows(np.arange(n), y, w, b, rng.random(n) + 0.5)


@pytest.mark.parametrize("level", [-6.0, -3.0, 0.0])
def test_gradient_is_the_derivative_of_the_loss(level):
    rows = some_rows()
    f = level + np.random.default_rng(1).normal(size=rows.y.size)
    gradient, _ = hazard_gradient(rows, f)
    step = 1e-6
    numeric = (hazard_loss(rows, f + step) - hazard_loss(rows, f - step)) / (2 * step)
    np.testing.assert_allclose(gradient, numeric, rtol=1e-4, atol=1e-7)


def test_information_is_the_expected_squared_gradient():
    rows = some_rows()
    f = np.full(rows.y.size, -3.0)
    probability = -np.expm1(-(rows.b + rows.w * np.exp(f)))
    yes = HazardRows(rows.user, np.ones_like(rows.y), rows.w, rows.b, np.ones_like(rows.y))
    no = HazardRows(rows.user, np.zeros_like(rows.y), rows.w, rows.b, np.ones_like(rows.y))
    expected = (
        probability * hazard_gradient(yes, f)[0] ** 2 + (1 - probability) * hazard_gradient(no, f)[0] ** 2
    )
    np.testing.assert_allclose(hazard_gradient(yes, f)[1], expected, rtol=1e-9)


@pytest.mark.parametrize("baseline", [0.0, 0.02])
def test_constant_is_the_maximum_likelihood(baseline):
    rows = some_rows(n=3000, baseline=baseline)
    best = minimize_scalar(lambda f: hazard_loss(rows, np.full(rows.y.size, f)).sum(), bounds=(-8, 2)).x
    assert constant_log_rate(rows) == pytest.approx(best, abs=1e-3)


def test_a_baseline_that_explains_everything_leaves_a_small_finite_rate():
    rng = np.random.default_rng(2)
    b = np.full(2000, 0.2)
    y = (rng.random(2000) < -np.expm1(-0.15)).astype(float)
    rows = HazardRows(np.arange(2000), y, np.ones(2000), b, np.ones(2000))
    assert -12 < constant_log_rate(rows) < -6
    assert np.isfinite(constant_log_rate(rows.take(y == 0)))


def test_amount_rows_have_the_gradient_of_half_the_squared_error():
    rows = AmountRows(np.arange(3), np.array([1.0, 2.0, 4.0]), np.array([1.0, 0.5, 1.0]), 2.0)
    f = np.array([0.5, 2.5, 3.0])
    numeric = (rows.loss(f + 1e-6) - rows.loss(f - 1e-6)) / 2e-6
    np.testing.assert_allclose(rows.gradient(f)[0], numeric, rtol=1e-6)
    assert rows.constant() == pytest.approx((1 + 1 + 4) / 2.5)


def test_thinned_rows_stand_for_all_of_them(monkeypatch):
    from models.rates import likelihood

    rng = np.random.default_rng(0)
    n = 20_000
    x = rng.normal(-3, 0.5, n)
    y = (rng.random(n) < -np.expm1(-np.exp(x))).astype(float)
    rows = likelihood.HazardRows(np.arange(n), y, np.ones(n), np.zeros(n), np.ones(n))
    assert rows.thinned(0).y.size == n, "few rows are all kept"
    monkeypatch.setattr(likelihood, "RATES", replace(likelihood.RATES, most_events=700, most_quiet=3000))
    few = rows.thinned(0)
    assert few.y.size == 3700
    assert (few.weight * few.y).sum() == pytest.approx(y.sum())
    assert few.weight.sum() == pytest.approx(n)
    assert few.loss(x[few.user]).sum() == pytest.approx(rows.loss(x).sum(), rel=0.03)
    assert np.array_equal(few.user, rows.thinned(0).user)
