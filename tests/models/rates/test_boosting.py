"""The boosted hazard recovers known rates through exposure, baseline and censoring."""

import numpy as np
import pytest
from stored_copy import read_back

from models.rates.boosted_fit import fit_boosted
from models.rates.boosting import HazardBooster
from models.rates.likelihood import AmountRows, HazardRows


def make(n=12_000, seed=0, step=False, baseline=0.01):
    rng = np.random.default_rng(seed)
    matrix = np.column_stack([rng.normal(size=n), rng.integers(0, 3, n).astype(float), rng.normal(size=n)])
    matrix[rng.random(n) < 0.05, 0] = np.nan
    x = np.nan_to_num(matrix[:, 0])
    truth = -3.5 + (1.5 * (np.abs(x) > 1) if step else 0.7 * x) + 0.5 * (matrix[:, 1] == 2)
    w, b = rng.integers(1, 5, n).astype(float), rng.random(n) * baseline
    y = (rng.random(n) < -np.expm1(-(b + w * np.exp(truth)))).astype(float)
    return matrix, HazardRows(np.arange(n), y, w, b, np.ones(n)), truth


def fit(matrix, rows, seed=3):
    return fit_boosted(matrix=matrix, rows=rows, categorical=(1,), seed=seed, threads=1)


def test_linear_truth_is_recovered_with_offset_and_baseline():
    matrix, rows, truth = make()
    found = fit(matrix, rows).booster.log_rate(matrix)
    assert np.corrcoef(found, truth)[0, 1] > 0.95
    assert np.exp(found).mean() == pytest.approx(np.exp(truth).mean(), rel=0.06)


def test_trees_find_what_a_line_cannot():
    matrix, rows, truth = make(step=True)
    result = fit(matrix, rows)
    assert result.rounds > 5
    assert np.corrcoef(result.booster.log_rate(matrix), truth)[0, 1] > 0.9


def test_the_baseline_is_not_counted_as_effect():
    matrix, rows, truth = make(baseline=0.1)
    found = np.exp(fit(matrix, rows).booster.log_rate(matrix)).mean()
    assert found == pytest.approx(np.exp(truth).mean(), rel=0.1)


def test_noise_gives_the_constant_and_few_events_give_the_constant():
    rng = np.random.default_rng(5)
    n = 3000
    rows = HazardRows(np.arange(n), (rng.random(n) < 0.05).astype(float), np.ones(n), np.zeros(n), np.ones(n))
    result = fit(
        rng.normal(size=(n, 3)).round(1),
        HazardRows(rows.user, rows.y * (np.arange(n) < 200), *(np.ones(n), np.zeros(n), np.ones(n))),
    )
    assert result.flat
    assert np.ptp(result.booster.log_rate(rng.normal(size=(10, 3)))) == 0
    spread = np.std(fit(rng.normal(size=(n, 3)).round(1), rows).booster.log_rate(rng.normal(size=(500, 3))))
    assert spread < 0.3


def test_same_seed_same_text_and_survives_json():
    matrix, rows, _ = make(n=4000, step=True)
    first, second = fit(matrix, rows), fit(matrix, rows)
    assert first.booster.text == second.booster.text
    again = read_back(HazardBooster, first.booster)
    np.testing.assert_array_equal(again.log_rate(matrix), first.booster.log_rate(matrix))
    one_by_one = np.concatenate([again.log_rate(matrix[i : i + 1]) for i in range(50)])
    np.testing.assert_array_equal(one_by_one, again.log_rate(matrix)[:50])


def test_log_amounts():
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(1500, 2))
    y = 5.0 + 0.6 * matrix[:, 0] + rng.normal(size=1500)
    rows = AmountRows(np.arange(1500), y, np.ones(1500), float(y.std()))
    result = fit_boosted(matrix=matrix, rows=rows, categorical=(), seed=1, threads=1)
    assert np.corrcoef(result.booster.log_rate(matrix), matrix[:, 0])[0, 1] > 0.95
    assert result.gain > 0


def test_few_events_on_a_line_get_few_trees():
    rounds = []
    for seed in range(12):
        matrix, rows, _ = make(n=1500, seed=seed, baseline=0.0)
        rounds.append(fit(matrix, rows).rounds)
    assert max(rounds) <= 5
