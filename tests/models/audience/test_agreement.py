"""Scores against logs: sharp where ranked and randomised rows agree, the coin's where they do not."""

import numpy as np
import pytest

from models.audience.cells.agreement import Sums, agreement
from models.audience.settings import CELLS

NOTHING = (0.0, 0.0)


def judged(follows, gmv=(NOTHING, NOTHING), *, n_draws=4000):
    """One cell; (observed, expected) of randomised and of ranked rows, by outcome."""
    table = np.array([follows, gmv], dtype=float)[..., None]
    sums = Sums(table[:, :, 0], table[:, :, 1], np.zeros(1, dtype=np.int64))
    return agreement(sums, rng=np.random.default_rng(0), n_draws=n_draws)


def log_draws(found, outcome=0):
    return np.log(found.draws[outcome, :, 0])


def test_agreement_makes_selection_unlikely_and_disagreement_certain():
    assert judged([(300, 300), (5050, 5000)]).selected < 0.2
    assert judged([(300, 300), (7500, 5000)]).selected > 0.95


def test_without_a_coin_the_odds_stay_what_they_were():
    assert judged([NOTHING, (7500, 5000)]).selected == pytest.approx(CELLS.selection_odds, abs=0.05)


def test_ranked_rows_sharpen_the_level_only_where_they_are_not_selected():
    alone = log_draws(judged([(100, 100), NOTHING])).std()
    agreeing = log_draws(judged([(100, 100), (5000, 5000)])).std()
    differing = log_draws(judged([(100, 100), (8000, 5000)])).std()
    assert agreeing < 0.75 * alone
    assert differing > 0.9 * alone


def test_the_coin_decides_where_they_disagree():
    found = judged([(400, 400), (9000, 5000)])
    assert log_draws(found).mean() == pytest.approx(0.0, abs=0.06)
    assert found.mean[0, 0] == pytest.approx(1.0, abs=0.06)


def test_nothing_known_leaves_the_scores_and_a_wide_interval():
    found = judged([NOTHING, NOTHING])
    assert found.mean[:, 0] == pytest.approx(1.0)
    assert found.draws.mean(axis=1)[:, 0] == pytest.approx(1.0, abs=0.03)
    assert 0.3 < log_draws(found, 0).std() < 0.7
    assert log_draws(found, 1).std() > log_draws(found, 0).std()


def test_those_who_follow_by_intent_are_taken_to_buy_by_it():
    """Ranked rows follow 1.6 times as often as the coin's; no randomised fan has bought yet."""
    selected = judged([(400, 400), (8000, 5000)], [NOTHING, (160, 100)])
    plain = judged([(400, 400), (5000, 5000)], [NOTHING, (160, 100)])
    assert selected.mean[1, 0] < 1.25
    assert plain.mean[1, 0] > 1.4


def test_draws_have_the_posterior_means_and_are_joint():
    table = np.array([[[40, 30, 8, 0], [900, 800, 150, 20]], [[5, 2, 0, 0], [60, 30, 9, 1]]], dtype=float)
    expected = np.array([[[35, 35, 10, 1], [800, 900, 140, 25]], [[4, 3, 1, 0], [50, 40, 8, 2]]], dtype=float)
    sums = Sums(table, expected, np.array([0, 1, 0, 1]))
    found = agreement(sums, rng=np.random.default_rng(1), n_draws=20_000)
    np.testing.assert_allclose(found.draws.mean(axis=1), found.mean, rtol=0.02)
    correlation = np.corrcoef(np.log(found.draws[0]).T)
    assert correlation[0, 2] > 0.2, "cells of a placement err together"


def test_a_cell_is_pulled_towards_its_placement_as_far_as_its_events_leave_open():
    n = 12
    expected = np.zeros((2, 2, n))
    expected[0, 0] = 100.0
    expected[0, 0, 0] = 2.0
    observed = expected.copy()
    observed[0, 0, 0] = 8.0
    few = agreement(
        Sums(observed, expected, np.zeros(n, dtype=np.int64)), rng=np.random.default_rng(0), n_draws=2
    )
    assert 1.0 < few.mean[0, 0] < 1.6, "four times as many of two say little"
    observed[0, 0, 0], expected[0, 0, 0] = 800.0, 200.0
    many = agreement(
        Sums(observed, expected, np.zeros(n, dtype=np.int64)), rng=np.random.default_rng(0), n_draws=2
    )
    assert many.mean[0, 0] > 3.3


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_the_fit_converges_whatever_the_counts(scale):
    rng = np.random.default_rng(2)
    expected = rng.gamma(0.5, 200.0, (2, 2, 24)) * scale
    observed = rng.poisson(expected * rng.lognormal(0.0, 0.5, expected.shape)).astype(float)
    found = agreement(Sums(observed, expected, np.arange(24) % 2), rng=rng, n_draws=50)
    assert np.isfinite(found.draws).all()
    assert np.isfinite(found.mean).all()
    assert 0.0 <= found.selected <= 1.0
