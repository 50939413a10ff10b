"""The shape of a rate recovers known rates through exposure, baseline and censoring; noise is flattened."""

import numpy as np
import pytest
from stored_copy import read_back

from models.rates.batch import Batch
from models.rates.design import Design
from models.rates.likelihood import AmountRows, HazardRows
from models.rates.linear import LinearTerm
from models.rates.rate import Rate
from models.rates.shape import Base, Fitting, fit_shape


def make(n=12_000, seed=0, step=False, baseline=0.01):
    rng = np.random.default_rng(seed)
    matrix = np.column_stack([rng.normal(size=n), rng.integers(0, 3, n).astype(float), rng.normal(size=n)])
    matrix[rng.random(n) < 0.05, 0] = np.nan
    x = np.nan_to_num(matrix[:, 0])
    truth = -3.5 + (1.5 * (np.abs(x) > 1) if step else 0.7 * x) + 0.5 * (matrix[:, 1] == 2)
    return matrix, rows_of(truth, rng, baseline), truth


def rows_of(truth, rng, baseline=0.0):
    n = truth.size
    w, b = rng.integers(1, 5, n).astype(float), rng.random(n) * baseline
    y = (rng.random(n) < -np.expm1(-(b + w * np.exp(truth)))).astype(float)
    return HazardRows(np.arange(n), y, w, b, np.ones(n))


def fit(matrix, rows, seed=3, **more):
    return fit_shape(Fitting(matrix, (1,), seed, 1), rows, **more)


def test_linear_truth_is_recovered_with_offset_and_baseline():
    matrix, rows, truth = make()
    found = fit(matrix, rows).rate.log_rate(matrix)
    assert np.corrcoef(found, truth)[0, 1] > 0.95
    assert np.exp(found).mean() == pytest.approx(np.exp(truth).mean(), rel=0.06)


def test_trees_find_what_a_line_cannot():
    matrix, rows, truth = make(step=True)
    result = fit(matrix, rows)
    assert result.rounds > 5
    assert np.corrcoef(result.rate.log_rate(matrix), truth)[0, 1] > 0.9


def lost(shape, rows, truth):
    """Expected log loss beyond that of who knows the truth, over the latter and over the constant's."""

    def loss(f):
        lam, true = rows.b + rows.w * np.exp(f), rows.b + rows.w * np.exp(truth)
        return float((-np.log(-np.expm1(-lam)) * -np.expm1(-true) + lam * np.exp(-true)).sum())

    best = loss(truth)
    more = loss(shape.out_of_fold) - best
    return more / best, more / (loss(np.full(truth.size, rows.constant())) - best)


@pytest.mark.parametrize("main_effect", [0.0, 0.5])
def test_an_interaction_of_three_is_found(main_effect):
    """Whoever has all three follows 3.3 times as often: 900 of 20,000 people follow."""
    rng, n = np.random.default_rng(0), 20_000
    matrix = rng.normal(size=(n, 6))
    matrix[:, 1] = rng.integers(0, 4, n)
    all_three = (matrix[:, 0] > 0) & (matrix[:, 1] >= 2) & (matrix[:, 2] > 0)
    truth = -4.2 + main_effect * matrix[:, 3] + 1.2 * all_three
    rows = rows_of(truth, rng)
    found = fit(matrix, rows)
    of_the_best, of_what_can_be_known = lost(found, rows, truth)
    assert found.rounds > 0
    assert of_the_best < 0.05
    assert of_what_can_be_known < 0.4
    effect = found.out_of_fold - main_effect * matrix[:, 3]
    assert np.subtract(effect[all_three].mean(), effect[~all_three].mean()) > 0.7


def test_an_effect_that_only_two_features_together_have_is_found():
    """Exclusive or: neither feature tells anything alone, so neither a line nor a first split sees it."""
    rng, n = np.random.default_rng(0), 20_000
    matrix = rng.normal(size=(n, 8))
    matrix[:, 1] = rng.integers(0, 4, n)
    one = (matrix[:, 0] > 0) != (matrix[:, 2] > 0)
    truth = -4.2 + 1.2 * one
    rows = rows_of(truth, rng)
    found = fit(matrix, rows)
    of_the_best, of_what_can_be_known = lost(found, rows, truth)
    assert of_the_best < 0.05
    assert of_what_can_be_known < 0.6
    assert found.out_of_fold[one].mean() - found.out_of_fold[~one].mean() > 0.6
    [pair] = found.rate.linear.pairs
    assert sorted(found.rate.linear.design.feature_of[list(pair)]) == [0, 2]
    as_scored = found.rate.log_rate(matrix)
    assert as_scored[one].mean() - as_scored[~one].mean() > 0.6


def test_the_baseline_is_not_counted_as_effect():
    matrix, rows, truth = make(baseline=0.1)
    found = np.exp(fit(matrix, rows).rate.log_rate(matrix)).mean()
    assert found == pytest.approx(np.exp(truth).mean(), rel=0.1)


def test_noise_is_flattened_and_few_events_give_the_constant():
    rng = np.random.default_rng(5)
    n = 3000
    y = (rng.random(n) < 0.05).astype(float)
    few = HazardRows(np.arange(n), y * (np.arange(n) < 200), np.ones(n), np.zeros(n), np.ones(n))
    result = fit(rng.normal(size=(n, 3)).round(1), few)
    assert result.rate.linear is None
    assert np.ptp(result.rate.log_rate(rng.normal(size=(10, 3)))) == 0
    for seed in range(6):
        rng = np.random.default_rng(seed)
        noise = rng.normal(size=(6000, 8))
        found = fit(noise, rows_of(np.full(6000, -4.0), rng))
        assert found.differs < 0.6
        assert np.std(found.out_of_fold) < 0.06


def test_a_related_rate_is_followed_where_events_are_few():
    """60 buyers alone cannot tell eight columns apart; what 2,000 of other people did can."""
    rng, n = np.random.default_rng(1), 24_000
    matrix = rng.normal(size=(n, 8))
    truth = matrix @ np.array([0.5, -0.4, 0.3, 0.3, -0.3, 0.2, 0.0, 0.0])
    often = rows_of(truth - 3.5, rng)
    rare = rows_of(truth - 5.0, rng).take(np.arange(n) < 3000)
    known = fit(matrix, often)
    alone, helped = (fit(matrix, rare, bases=bases) for bases in ((), (Base(known),)))
    unseen = np.arange(n) >= 3000
    far = [
        np.std((one.rate.log_rate(matrix) - truth)[unseen]) for one in (alone, helped)
    ]  # fmt: skip
    assert far[1] < 0.6 * far[0]


def test_groups_have_levels_of_their_own_as_far_as_events_say():
    rng, n = np.random.default_rng(2), 8000
    matrix = rng.normal(size=(n, 2))
    group = rng.integers(0, 2, n).astype(float)
    found = fit(matrix, rows_of(-3.0 + 0.8 * group, rng), group=group, groups=2).rate
    levels = [found.log_rate(np.zeros((1, 2)), np.array([g]))[0] for g in (0.0, 1.0)]
    assert levels[1] - levels[0] == pytest.approx(0.8, abs=0.15)


def test_same_seed_same_text_and_survives_json():
    matrix, rows, _ = make(n=4000, step=True)
    first, second = fit(matrix, rows).rate, fit(matrix, rows).rate
    assert first.trees.text == second.trees.text != ""
    again = read_back(Rate, first)
    np.testing.assert_array_equal(again.log_rate(matrix), first.log_rate(matrix))
    one_by_one = np.concatenate([again.log_rate(matrix[i : i + 1]) for i in range(50)])
    np.testing.assert_array_equal(one_by_one, again.log_rate(matrix)[:50])


def test_log_amounts():
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(1500, 2))
    y = 5.0 + 0.6 * matrix[:, 0] + rng.normal(size=1500)
    rows = AmountRows(np.arange(1500), y, np.ones(1500), float(y.std()))
    result = fit_shape(Fitting(matrix, (), 1, 1), rows)
    assert np.corrcoef(result.rate.log_rate(matrix), matrix[:, 0])[0, 1] > 0.95
    assert result.differs > 0.99


def test_few_events_on_a_line_leave_the_line():
    far = []
    for seed in range(12):
        matrix, rows, truth = make(n=1500, seed=seed, baseline=0.0)
        far.append(np.corrcoef(fit(matrix, rows).out_of_fold, truth)[0, 1])
    assert np.median(far) > 0.8


def test_rates_that_differ_only_in_which_columns_they_multiply_share_nothing():
    """A batch keeps what a rate made under all that it depends on."""
    matrix = np.random.default_rng(0).normal(size=(50, 2))
    design = Design.fit(matrix, ())
    zeros = (0.0,) * design.expand(matrix).shape[1]
    one, other = (Rate(0.0, LinearTerm(design, 0.0, (), (*zeros, 1.0), (pair,))) for pair in ((0, 0), (0, 3)))
    batch = Batch(matrix)
    assert not np.allclose(one.log_rate(batch), other.log_rate(batch))
    np.testing.assert_array_equal(other.log_rate(batch), other.log_rate(matrix))


def test_a_flag_for_missing_is_a_column_only_where_a_value_is_missing():
    matrix = np.random.default_rng(0).normal(size=(50, 2))
    matrix[3, 1] = np.nan
    design = Design.fit(matrix, ())
    assert design.feature_of.tolist() == [0, 0, 1, 1, 1]
    assert design.expand(matrix).shape == (50, 5)
    # one that is missing later is at the mean, as with a flag that had nothing to learn from
    assert design.expand(np.array([[np.nan, 0.0]]))[0, :2].tolist() == [0.0, 0.0]


def crowded(levels=400, n=16_000, sd=0.8, seed=5):
    """A category of hundreds of levels beside a number, and what each level is worth."""
    rng = np.random.default_rng(seed)
    worth = sd * rng.normal(size=levels)
    code = rng.integers(0, levels, n).astype(float)
    matrix = np.column_stack([rng.normal(size=n), code])
    return matrix, -2.5 + 0.5 * matrix[:, 0] + worth[code.astype(int)], rng


def test_a_category_of_hundreds_of_levels_is_found():
    matrix, truth, rng = crowded()
    rows = rows_of(truth, rng)
    found = fit(matrix, rows)
    assert found.rate.levels[0].feature == 1
    assert np.corrcoef(found.out_of_fold, truth)[0, 1] > 0.8  # the number alone: 0.5
    asked = np.array([[0.0, np.nan], [0.0, 399.0]])
    again = read_back(Rate, found.rate)
    np.testing.assert_array_equal(again.log_rate(asked), found.rate.log_rate(asked))


def test_levels_that_differ_by_chance_are_drawn_together():
    matrix, truth, rng = crowded(sd=0.0)
    found = fit(matrix, rows_of(truth, rng)).rate
    assert np.std(found.levels[0].effects) < 0.1


def test_levels_of_amounts():
    matrix, truth, rng = crowded()
    y = truth + rng.normal(size=truth.size)
    found = fit(matrix, AmountRows(np.arange(truth.size), y, np.ones(truth.size), 1.0))
    assert np.corrcoef(found.out_of_fold, truth)[0, 1] > 0.9
