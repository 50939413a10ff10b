"""Tuning numbers of the rates: each is right where the truth is of the size that its text states."""

import re
from dataclasses import fields

import numpy as np
import pytest
import right_size

from models.audience.settings import AudienceSettings, CellSettings
from models.judging.settings import JudgingSettings
from models.rates import pooling
from models.rates.coin import Tossed, coin_shifts
from models.rates.likelihood import HazardRows
from models.rates.settings import RateSettings, TreeSettings
from models.supply.settings import SupplySettings


@pytest.mark.parametrize(
    "kind",
    [RateSettings, TreeSettings, AudienceSettings, CellSettings, SupplySettings, JudgingSettings],
    ids=lambda kind: kind.__name__,
)
def test_every_number_says_what_it_is_and_where_it_is_from(kind):
    text = " ".join(kind.__doc__.split("Attributes:")[1].split())
    names = [one.name for one in fields(kind)]
    starts = [re.search(rf"\b{name}\b[\w, ]*: ", text).start() for name in names]
    assert starts == sorted(starts), "in the order of the fields"
    for name, start, end in zip(names, starts, [*starts[1:], len(text)], strict=True):
        source = [word for word in ("Derived", "Cited", "Tested", "Convention") if word in text[start:end]]
        assert source, f"{name}: derived, cited, tested, or a convention?"


def test_slopes_of_the_stated_spread_are_shrunk_best(monkeypatch):
    rng = np.random.default_rng(1)
    truth = np.where(rng.random(1500) < 0.5, 0.0, rng.normal(1.0, 0.5, 1500))
    precision = 4.0  # a slope is known as well as it is known beforehand
    moments = precision * (truth + rng.normal(0.0, precision**-0.5, truth.size))

    def loss():
        found = [pooling.shrunk_slope(float(moment), precision) for moment in moments]
        return np.mean((np.array(found) - truth) ** 2)

    right_size.check(monkeypatch, pooling, "RATES", "slope_sd", loss)


def test_order_sizes_that_differ_as_stated_are_shrunk_best(monkeypatch):
    rng = np.random.default_rng(2)
    ratios = rng.normal(0.0, 0.3, 400)
    own = rng.lognormal(ratios[:, None] - 0.32, 0.8, (400, 9))
    others = rng.lognormal(-0.32, 0.8, 400)

    def loss():
        found = [np.log(amounts.mean() * pooling.size_factor(amounts, others)) for amounts in own]
        return np.mean((np.array(found) - ratios) ** 2)

    right_size.check(monkeypatch, pooling, "RATES", "order_sd", loss)


def test_cells_that_differ_as_stated_are_pooled_best(monkeypatch):
    rng = np.random.default_rng(3)
    rates = rng.gamma(16.0, 1 / 16.0, (400, 3))  # coefficient of variation 0.25
    events = rng.poisson(16.0 * rates).astype(float)

    def loss():
        rng, group = np.random.default_rng(0), np.zeros(3, dtype=np.int64)
        found = [
            pooling.pool_rates(events=e, exposure=np.full(3, 16.0), group=group, rng=rng, n_draws=1).mean
            for e in events
        ]
        return np.mean((np.array(found) - rates) ** 2)

    right_size.check(monkeypatch, pooling, "RATES", "prior_cv", loss)


def test_three_cells_say_as_much_about_the_spread_as_was_known_before():
    events = np.array([0.6, 1.0, 1.4]) * 1e5
    found = pooling.pool_rates(
        events=events, exposure=np.full(3, 1e5), group=np.zeros(3, dtype=np.int64),
        rng=np.random.default_rng(0), n_draws=1,
    )  # fmt: skip
    seen = np.mean((events / 1e5 - 1.0) ** 2)
    assert found.cv**2 == pytest.approx((seen + 0.25**2) / 2, rel=0.1)


def test_an_experiment_that_agrees_with_the_logs_adds_little_of_its_noise():
    """170 randomised follows know a level to 8 %: where they are off by that much, a third of it is taken."""
    n, error = 3400, 170**-0.5
    y = (np.arange(n) < 170).astype(float)
    rows = HazardRows(
        np.arange(n), y, np.full(n, -np.log1p(-170 / n) * np.exp(-error)), np.zeros(n), np.ones(n)
    )
    moved = coin_shifts({"one": Tossed(rows, np.zeros(n))})["one"].shift
    assert 0.15 * error < moved < 0.45 * error
