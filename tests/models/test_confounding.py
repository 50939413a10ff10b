"""Sensitivity to a hidden cause, against the paper's own numbers and against a regression that sees it."""

import numpy as np
import pytest

from models.confounding import HiddenCause, adjusted_error, benchmark, bias_bound, robustness_value

# Cinelli & Hazlett 2020, section 5 (violence in Darfur): estimate, standard error, t, residual df
ESTIMATE, ERROR, T, DF = 0.09731582, 0.02325654, 4.18445, 783


def test_the_robustness_value_is_the_published_one():
    assert robustness_value(t=T, df=DF) == pytest.approx(0.139, abs=5e-4)


@pytest.mark.parametrize(
    ("of_treatment", "of_outcome", "adjusted"),
    [(0.0092, 0.1246, 0.0752), (0.0183, 0.2493, 0.0529), (0.0275, 0.3741, 0.0304)],
)
def test_adjusted_estimates_are_the_published_ones(of_treatment, of_outcome, adjusted):
    """One to three times as strong as `female`, the paper's benchmark."""
    cause = HiddenCause(of_treatment, of_outcome)
    bias = bias_bound(standard_error=ERROR, df=DF, cause=cause)
    assert ESTIMATE - bias == pytest.approx(adjusted, abs=2e-4)


def fit(y, *columns):
    x = np.column_stack([np.ones(y.size), *columns])
    beta, *_ = np.linalg.lstsq(x, y, rcond=None)
    residual = y - x @ beta
    df = y.size - x.shape[1]
    errors = np.sqrt(residual @ residual / df * np.diag(np.linalg.inv(x.T @ x)))
    return beta, errors, residual, df


def share(y, z, *rest):
    return 1 - (fit(y, *rest, z)[2] ** 2).sum() / (fit(y, *rest)[2] ** 2).sum()


def test_the_bias_and_the_error_are_those_of_the_regression_that_leaves_the_cause_out():
    """An identity, not an approximation: with the true shares the bound is the bias."""
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(2, 400))
    d = 0.5 * x + 0.7 * z + rng.normal(size=400)
    y = 2.0 * d - x + 1.5 * z + rng.normal(size=400)
    short, short_errors, _, df = fit(y, d, x)
    long, long_errors, _, _ = fit(y, d, x, z)
    cause = HiddenCause(share(d, z, x), share(y, z, d, x))
    bias = bias_bound(standard_error=short_errors[1], df=df, cause=cause)
    assert bias == pytest.approx(abs(short[1] - long[1]))
    assert adjusted_error(standard_error=short_errors[1], df=df, cause=cause) == pytest.approx(long_errors[1])
    assert short[1] > long[1] + 0.5


def test_a_benchmark_bounds_a_hidden_cause_that_is_as_strong_as_a_seen_one():
    rng = np.random.default_rng(1)
    seen, hidden = rng.normal(size=(2, 20_000))
    d = 0.4 * seen + 0.4 * hidden + rng.normal(size=20_000)
    y = d + seen + hidden + rng.normal(size=20_000)
    found = benchmark(treatment_share=share(d, seen), outcome_share=share(y, seen, d))
    assert found.of_treatment == pytest.approx(share(d, hidden, seen), abs=0.02)
    assert found.of_outcome >= share(y, hidden, d, seen) - 0.02


def test_a_covariate_that_explains_half_of_the_treatment_allows_any_bias():
    cause = benchmark(treatment_share=0.5, outcome_share=0.1)
    assert cause == HiddenCause(1.0, 1.0)
    assert bias_bound(standard_error=1.0, df=100, cause=cause) == np.inf
