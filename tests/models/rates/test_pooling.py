"""Pooled rates: shrinkage towards the group, honest draws, no events, money in units of its dispersion."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.rates.pooling import dispersion_of, pool_rates


def pooled(events, exposure, *, group=None, n_draws=400, seed=0, **more):
    events, exposure = np.asarray(events, float), np.asarray(exposure, float)
    group = np.zeros(len(events), dtype=np.int64) if group is None else np.asarray(group)
    rng = np.random.default_rng(seed)
    return pool_rates(events=events, exposure=exposure, group=group, rng=rng, n_draws=n_draws, **more)


def test_equal_cells_are_pulled_together_and_different_ones_left_alone():
    rng = np.random.default_rng(1)
    exposure = np.full(20, 1000.0)
    equal = pooled(rng.poisson(20.0, 20), exposure)
    rates = np.exp(rng.normal(np.log(0.02), 1.0, 20))
    different = pooled(rng.poisson(rates * 20_000), exposure * 20)
    assert equal.cv < 0.2
    assert np.ptp(equal.mean) < 0.4 * 0.02
    assert np.allclose(different.mean, rates, rtol=0.2)


@settings(max_examples=30, derandomize=True, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 50), st.floats(1.0, 1e4)), min_size=1, max_size=8))
def test_every_mean_lies_between_its_own_rate_and_the_groups(cells):
    events, exposure = (np.array(x, float) for x in zip(*cells, strict=True))
    found = pooled(events, exposure, n_draws=5)
    own, group = events / exposure, found.group_mean[0]
    assert np.all(found.mean >= np.minimum(own, group) * 0.99 - 1e-12)
    assert np.all(found.mean <= np.maximum(own, group) * 1.01 + 1e-12)
    assert np.all(found.draws >= 0)


def test_draws_cover_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(2)
    hits = []
    for trial in range(60):
        rates = 0.02 * rng.gamma(1 / 0.09, 0.09, 8)
        exposure = rng.uniform(300, 3000, 8)
        found = pooled(rng.poisson(rates * exposure), exposure, seed=trial)
        low, high = np.quantile(found.draws, [0.1, 0.9], axis=0)
        hits.append(np.mean((low <= rates) & (rates <= high)))
    assert 0.74 <= np.mean(hits) <= 0.9


def test_an_untried_cell_gets_its_groups_rate_and_wider_draws():
    found = pooled([30, 25, 0], [1000, 1000, 0], group=[0, 0, 0])
    assert found.mean[2] == pytest.approx(found.group_mean[0])
    assert found.draws[:, 2].std() > found.draws[:, 0].std()


def test_no_event_at_all_gives_a_small_rate_not_zero():
    found = pooled([0, 0], [100, 200])
    assert np.all((found.mean > 0) & (found.mean < 0.01))


def test_money_is_as_uncertain_as_its_largest_orders():
    rng = np.random.default_rng(3)
    amounts = rng.pareto(2.2, 400) * 50
    heavy = pooled([amounts.sum()], [400.0], dispersion=dispersion_of(amounts), n_draws=2000)
    light = pooled([amounts.sum()], [400.0], dispersion=amounts.mean(), n_draws=2000)
    assert heavy.draws.std() > light.draws.std()
    assert dispersion_of(np.zeros(3)) == 1.0
