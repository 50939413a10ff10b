"""Levels from ranked and randomised rows: sharp where they agree, the coin's where they do not."""

import numpy as np
import pytest

from models.audience.cells.selection import Ratio, chance_of_selection, draw_levels


def ratio(*logs, sd):
    return Ratio(np.array(logs), np.full(len(logs), sd))


def draws(ranked, coin, selected, n=4000):
    return np.log(draw_levels(ranked, coin, selected=selected, rng=np.random.default_rng(0), n_draws=n))


def test_agreement_makes_selection_unlikely_and_disagreement_certain():
    coin = ratio(0.0, 0.0, sd=0.08)
    assert chance_of_selection(ratio(0.03, -0.05, sd=0.02), coin) < 0.15
    assert chance_of_selection(ratio(0.4, 0.35, sd=0.02), coin) > 0.99


def test_without_a_coin_the_odds_stay_what_they_were():
    nothing = Ratio(np.zeros(2), np.full(2, np.inf))
    assert chance_of_selection(ratio(0.4, 0.4, sd=0.02), nothing, before=0.3) == pytest.approx(0.3)


def test_ranked_rows_sharpen_the_level_only_where_they_are_not_selected():
    ranked, coin = ratio(0.0, sd=0.02), ratio(0.0, sd=0.1)
    sharp, wide = draws(ranked, coin, 0.0), draws(ranked, coin, 1.0)
    assert sharp.std() == pytest.approx((1 / 0.1**2 + 1 / (0.02**2 + 0.03**2)) ** -0.5, rel=0.1)
    assert wide.std() == pytest.approx((1 / 0.1**2 + 1 / (0.02**2 + 0.25**2)) ** -0.5, rel=0.1)


def test_the_coin_decides_where_they_disagree():
    found = draws(ratio(0.6, sd=0.02), ratio(0.0, sd=0.05), 1.0)
    assert found.mean() == pytest.approx(0.0, abs=0.05)


def test_nothing_known_is_wide_and_centred():
    nothing = Ratio.of(np.zeros(1), np.zeros(1))
    found = draws(nothing, nothing, 0.5)
    assert found.std() == pytest.approx(0.5, rel=0.1)
    assert abs(found.mean()) < 0.2


def test_a_gap_known_from_elsewhere_is_taken_off_selected_rows_only():
    ranked, nothing = ratio(0.4, sd=0.05), Ratio(np.zeros(1), np.full(1, np.inf))
    rng = np.random.default_rng
    plain, less = (
        np.log(draw_levels(ranked, nothing, selected=p, rng=rng(0), n_draws=4000, gap=0.4)).mean()
        for p in (0.0, 1.0)
    )
    assert plain == pytest.approx(0.4, abs=0.05)
    assert less == pytest.approx(0.0, abs=0.06)
