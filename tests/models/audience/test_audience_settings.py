"""Tuning numbers of the audience model: each is right where the truth is of the size that its text states."""

import numpy as np
import pytest
import right_size

from models.audience.cells import posteriors, selection
from models.audience.cells.selection import Ratio
from models.audience.cells.tables import CellTable
from models.audience.settings import CELLS


def shops_of(n, rng):
    """Gaps of ranked rows: nothing hidden in three of four shops; both kinds of rows known to 0.05."""
    hidden = rng.random(n) < 0.25
    gaps = np.where(hidden, rng.normal(0.0, 0.25, n), rng.normal(0.0, 0.03, n))
    return hidden, gaps + rng.normal(0.0, 0.05 * 2**0.5, n)


@pytest.mark.parametrize("name", ["selection_odds", "selected_sd"])
def test_the_chance_of_selection_means_what_it_says(monkeypatch, name):
    hidden, seen = shops_of(1500, np.random.default_rng(2))

    def loss():
        odds, zero, sd = selection.CELLS.selection_odds, np.zeros(1), np.array([0.05])
        pairs = ((Ratio(np.array([gap]), sd), Ratio(zero, sd)) for gap in seen)
        chances = np.array([selection.chance_of_selection(*pair, before=odds) for pair in pairs])
        return -np.mean(np.log(np.where(hidden, chances, 1.0 - chances)))

    right_size.check(monkeypatch, selection, "CELLS", name, loss)


def test_a_shop_of_which_nothing_is_known_is_selected_as_often_as_stated():
    unknown = Ratio(np.zeros(1), np.full(1, np.inf))
    assert selection.chance_of_selection(unknown, unknown) == pytest.approx(CELLS.selection_odds)


def test_ranked_rows_without_selection_tell_the_level_as_well_as_stated(monkeypatch):
    rng = np.random.default_rng(3)
    truth = rng.normal(0.0, 0.3, 400)
    ranked = truth + rng.normal(0.0, 0.03, 400)
    randomised = truth + rng.normal(0.0, 0.03, 400)

    def loss():
        sharp = Ratio(ranked, np.full(400, 1e-3)), Ratio(randomised, np.full(400, 0.03))
        draws = np.log(selection.draw_levels(*sharp, selected=0.0, rng=np.random.default_rng(0), n_draws=400))
        sd, error = draws.std(axis=0), draws.mean(axis=0) - truth
        return np.mean(np.log(sd) + 0.5 * (error / sd) ** 2)

    right_size.check(monkeypatch, selection, "CELLS", "not_selected_sd", loss)


def test_scores_that_are_off_as_stated_are_corrected_best(monkeypatch):
    rng = np.random.default_rng(4)
    truth = rng.normal(0.0, 0.3, 400)
    seen = Ratio(truth + rng.normal(0.0, 0.3, 400), np.full(400, 0.3))
    unknown = Ratio(np.zeros(400), np.full(400, np.inf))

    def loss():
        levels = selection.draw_levels(unknown, seen, selected=0.0, rng=np.random.default_rng(0), n_draws=400)
        return np.mean((np.log(levels.mean(axis=0)) - truth) ** 2)

    right_size.check(monkeypatch, selection, "CELLS", "score_sd", loss)


def test_cells_that_are_selected_apart_as_stated_are_weighed_best(monkeypatch):
    """100 ranked follows a cell, biased by 0.12 either way, beside 40 randomised ones."""
    rng, cells = np.random.default_rng(5), 40
    worlds = []
    for _ in range(60):
        truth = rng.gamma(16.0, 1 / 16.0, cells)
        bias = np.exp(rng.normal(0.0, 0.12, cells))
        worlds.append((truth, rng.poisson(100 * truth * bias), rng.poisson(40 * truth)))

    def loss():
        lost = []
        for truth, ranked, randomised in worlds:
            sums = {
                "all": ((ranked + randomised).astype(float), np.full(cells, 140.0)),
                "randomized": (randomised.astype(float), np.full(cells, 40.0)),
            }
            none = np.zeros(0)
            table = CellTable({}, sums, (none.astype(np.int64), none, none), none.astype(bool))
            group = np.zeros(cells, dtype=np.int64)
            mean, _, _ = posteriors.hazard_posterior(table, group, rng=np.random.default_rng(0), n_draws=2)
            lost.append(np.mean((mean / mean.mean() - truth / truth.mean()) ** 2))
        return np.mean(lost)

    right_size.check(monkeypatch, posteriors, "CELLS", "cell_bias_sd", loss)
