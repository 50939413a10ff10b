"""What the coin says of logged rates: no noise where they agree, all of it where they do not, one for all."""

import numpy as np
import polars as pl
import pytest

from models.rates.coin import Tossed, coin_shifts, tossed
from models.rates.likelihood import HazardRows


def rows_of(log_rate, seed=0):
    rng = np.random.default_rng(seed)
    n = log_rate.size
    y = (rng.random(n) < -np.expm1(-np.exp(log_rate))).astype(float)
    return HazardRows(np.arange(n), y, np.ones(n), np.zeros(n), np.ones(n))


def shift_of(truth, logged, seed=0, **others):
    return coin_shifts({"it": Tossed(rows_of(truth, seed), logged), **others})["it"]


def test_the_coin_is_no_noise_where_logs_agree_and_full_where_they_do_not():
    x = np.random.default_rng(3).normal(-4, 0.5, 9000)
    agree = [shift_of(x, x, seed).shift for seed in range(8)]
    luck = [np.log(rows_of(x, seed).events / -np.expm1(-np.exp(x)).sum()) for seed in range(8)]
    assert np.std(agree) < 0.6 * np.std(luck)
    assert shift_of(x - 1.0, x).shift == pytest.approx(-1.0, abs=0.25)


def test_a_flatter_truth_tilts_the_rate():
    x = np.random.default_rng(1).normal(-3, 1, 20_000)
    found = shift_of(-3 + 0.4 + 0.6 * (x + 3), x)
    assert found.tilt == pytest.approx(-0.4, abs=0.1)
    assert np.exp(found.apply(x)).mean() == pytest.approx(np.exp(-3 + 0.4 + 0.6 * (x + 3)).mean(), rel=0.05)


def test_what_the_coin_says_of_other_rates_is_heard():
    few, logged = np.full(750, -2.0), np.full(750, -2.0 + 0.25)  # the logged rate is a quarter too high
    flat = np.full(20_000, -2.0)
    alone = shift_of(few, logged, 4).shift
    agreeing = shift_of(few, logged, 4, other=Tossed(rows_of(flat, 5), flat)).shift
    differing = shift_of(few, logged, 4, other=Tossed(rows_of(flat, 6), flat + 0.3)).shift
    assert differing < alone < agreeing <= 0.0
    assert differing == pytest.approx(-0.25, abs=0.12)


def coin_rows(n, seed=0):
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "user": np.arange(n, dtype=np.int64),
            "followed": rng.random(n) < 0.1,
            "impressions": np.ones(n),
            "randomized": rng.random(n) < 0.5,
            "propensity": np.full(n, 0.5),
        }
    )


def test_without_a_coin_nothing_is_corrected():
    rows = coin_rows(500)

    def coin_of(rows):
        return tossed(
            rows, event="followed", exposure="impressions", baseline=None, log_rate=np.full(500, -2.0)
        )

    assert coin_of(rows).rows.events == rows.filter("randomized")["followed"].sum()
    assert coin_of(rows.with_columns(randomized=pl.lit(False))) is None
    assert coin_of(rows.with_columns(randomized=pl.lit(True))) is None
    assert coin_shifts({"a": None}) == {}
