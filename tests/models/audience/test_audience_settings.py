"""Tuning numbers of the audience model: each is right where the truth is of the size that its text states."""

from dataclasses import replace

import numpy as np
import pytest
import right_size

from models.audience.cells import agreement
from models.audience.cells.agreement import Sums
from models.audience.settings import CELLS


def agreed(*, ranked, coin, placements=1, n_draws=2):
    """Posterior of follows alone, (observed, expected) of ranked and randomised rows, (n_cells,) each."""
    n = np.size(ranked[0])
    table = [np.array([coin[k], ranked[k]], dtype=float).reshape(2, n) for k in (0, 1)]
    observed, expected = (np.stack([x, np.zeros((2, n))]) for x in table)
    sums = Sums(observed, expected, np.arange(n) % placements)
    return agreement.agreement(sums, rng=np.random.default_rng(0), n_draws=n_draws)


def shops_of(n, rng):
    """Ranked rows of 400 expected follows beside 400 randomised: nothing hidden in three of four shops."""
    hidden = rng.random(n) < 0.25
    gap = np.where(hidden, rng.normal(0.0, 0.25, n), rng.normal(0.0, 0.03, n))
    level = np.exp(rng.normal(0.0, 0.3, n))
    return hidden, rng.poisson(400 * level * np.exp(gap)), rng.poisson(400 * level)


@pytest.mark.parametrize("name", ["selection_odds", "selected_sd"])
def test_the_chance_of_selection_means_what_it_says(monkeypatch, name):
    hidden, ranked, coin = shops_of(500, np.random.default_rng(2))
    monkeypatch.setattr(agreement, "CELLS", replace(CELLS, cell_sd=(0.05,), cell_bias_sd=0.01))

    def loss():
        chances = np.array(
            [agreed(ranked=(r, 400), coin=(c, 400)).selected for r, c in zip(ranked, coin, strict=True)]
        )
        return -np.mean(np.log(np.where(hidden, chances, 1.0 - chances)))

    right_size.check(monkeypatch, agreement, "CELLS", name, loss)


def test_a_shop_of_which_nothing_is_known_is_selected_as_often_as_stated():
    assert agreed(ranked=(0, 0), coin=(0, 0)).selected == pytest.approx(CELLS.selection_odds)


def _scored(draws, truth):
    """Minus the log density of log truths under normals of the draws' moments."""
    sd, error = draws.std(axis=0), draws.mean(axis=0) - truth
    return np.mean(np.log(sd) + 0.5 * (error / sd) ** 2)


def test_ranked_rows_without_selection_tell_the_level_as_well_as_stated(monkeypatch):
    """A million ranked follows, off by 0.03 either way, beside 1,000 randomised ones."""
    rng = np.random.default_rng(3)
    truth = rng.normal(0.0, 0.3, 120)
    ranked = rng.poisson(1e6 * np.exp(truth + rng.normal(0.0, 0.03, 120)))
    coin = rng.poisson(1e3 * np.exp(truth))
    monkeypatch.setattr(agreement, "CELLS", replace(CELLS, cell_sd=(0.01,), selection_odds=1e-9))

    def loss():
        draws = [
            np.log(agreed(ranked=(r, 1e6), coin=(c, 1e3), n_draws=400).draws[0])
            for r, c in zip(ranked, coin, strict=True)
        ]
        return _scored(np.hstack(draws), truth)

    right_size.check(monkeypatch, agreement, "CELLS", "not_selected_sd", loss)


def test_scores_that_are_off_as_stated_are_corrected_best(monkeypatch):
    """Eleven randomised follows are expected, and nothing else is known."""
    rng = np.random.default_rng(4)
    truth = rng.normal(0.0, 0.3, 300)
    seen = rng.poisson(11 * np.exp(truth))
    monkeypatch.setattr(agreement, "CELLS", replace(CELLS, cell_sd=(0.01,)))

    def loss():
        found = [agreed(ranked=(0, 0), coin=(y, 11)).mean[0, 0] for y in seen]
        return np.mean((np.array(found) - np.exp(truth)) ** 2)

    right_size.check(monkeypatch, agreement, "CELLS", "level_sd", loss)


def test_cells_that_are_selected_apart_as_stated_are_weighed_best(monkeypatch):
    """400 ranked follows a cell, biased by 0.12 either way, beside 100 randomised ones."""
    rng, cells = np.random.default_rng(5), 40
    worlds = []
    for _ in range(25):
        truth = np.exp(rng.normal(0.0, 0.15, cells))
        bias = np.exp(rng.normal(0.0, 0.12, cells))
        worlds.append((truth, rng.poisson(400 * truth * bias), rng.poisson(100 * truth)))
    monkeypatch.setattr(agreement, "CELLS", replace(CELLS, cell_sd=(0.15,), selection_odds=1.0 - 1e-9))

    def loss():
        lost = []
        for truth, ranked, coin in worlds:
            known = np.full(cells, 400.0), np.full(cells, 100.0)
            mean = agreed(ranked=(ranked, known[0]), coin=(coin, known[1])).mean[0]
            lost.append(np.mean((mean / mean.mean() - truth / truth.mean()) ** 2))
        return np.mean(lost)

    right_size.check(monkeypatch, agreement, "CELLS", "cell_bias_sd", loss)
