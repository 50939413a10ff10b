"""Campaigns whose audiences cut across segments: pressure is how often people were shown."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from crowds import COUNTED, crowd

from models.supply import fit, pressure
from models.supply.response import fit_response
from models.supply.settings import SUPPLY


def answers(made, factors, n_draws=100):
    """Per factor: promised over true impressions of each placement, and how often the interval holds."""
    fitted = fit_response(
        made.daily, users_by_segment=made.users, rng=np.random.default_rng(0), n_draws=n_draws
    )
    days = made.daily["date"].n_unique()
    paid = dict(made.daily.group_by("placement").agg(pl.col("cost_cny").sum() / days).rows())
    people = sum(made.users.values())
    rows = fitted.cells.select("segment", "placement", "size").rows()
    usual = np.array([paid[placement] * size / people for _, placement, size in rows])
    live = (fitted.cells["placement"] == "live").to_numpy()
    out = []
    for factor in factors:
        spend = factor * usual
        truth, found = made.delivered(fitted.cells, spend), fitted.curves().value(spend)
        low, high = np.quantile(fitted.draws().value(np.tile(spend, (n_draws, 1))), [0.1, 0.9], axis=0)
        ratios = [found[on].sum() / truth[on].sum() for on in (live, ~live)]
        out.append((*ratios, np.mean((low <= truth) & (truth <= high))))
    return np.array(out)


@pytest.mark.parametrize("cost", ["hill", "log", "capped", "steep", "auction"])
def test_packs_that_cut_across_segments_do_not_pass_for_saturation(cost):
    """Whatever the market, at the daily money, five times and 28 times as much (steep: 1.29, 1.48, 1.46)."""
    found = np.mean([answers(crowd(seed, cost=cost), (1, 5, 28)) for seed in range(3)], axis=0)
    for row, tolerance in zip(found[:, :2], (0.3, 0.5, 1.0), strict=True):
        assert np.abs(row - 1).max() < tolerance, found.round(2)
    assert found[:2, 2].min() > 0.4, found.round(2)


def test_people_pressed_harder_do_not_pass_for_active_ones(monkeypatch):
    """A platform that shows to the same people again pays more for them: the pressure is theirs."""
    made = crowd(0, stable=True, favour=0.7, activity=0.1, idle=0.0)
    half = answers(made, (1, 5))[:, :2]
    monkeypatch.setattr(pressure, "SUPPLY", replace(SUPPLY, activity_share=1.0))
    assert (answers(made, (1, 5))[:, :2] < half).all()


def test_zeros_are_corrected_for():
    """People shown at least once were shown 1.27 times where everybody was shown half a time."""
    rng = np.random.default_rng(0)
    activity = rng.gamma(2.0, 0.5, 50_000)  # h = 1.5
    shown = rng.poisson(0.5 * activity)
    pairs = pressure.pairs_of_reach(np.array([shown.sum()]), np.array([(shown > 0).sum()]))
    assert pairs[0] == pytest.approx((shown * (shown - 1)).sum(), rel=0.05)
    assert (shown > 0).mean() == pytest.approx(pressure.share_reached(np.array(0.5), 1.5), abs=0.01)


def test_overlapping_campaigns_add_up_their_pressure():
    """Two campaigns on the same people make each other dearer (a logarithm at five times the money: 1.61)."""
    packs = (0.5, 0.5)
    made = crowd(3, packs=packs, apart=True, level=0.2)
    found = answers(made, (1, 5))
    assert np.abs(found[0, :2] - 1).max() < 0.1, found.round(2)
    assert np.abs(found[1, :2] - 1).max() < 0.7, found.round(2)


def test_a_curve_never_promises_more_than_a_person_sees():
    made = crowd(1)
    fitted = fit_response(made.daily, users_by_segment=made.users, rng=np.random.default_rng(0), n_draws=50)
    assert np.exp(fitted.log_capacity_draws).max() <= 40.0


def test_a_dear_audience_that_is_pressed_hard_does_not_pass_for_saturation(monkeypatch):
    """One campaign is on everybody; one presses a sixth of them five times as hard and pays 40 % more.

    Neither one's price moves when its own money does.
    """
    rng = np.random.default_rng(0)
    rows = []
    for day in range(28):
        for name, people, pressure_, price in (("all", 6_000, 0.1, 0.05), ("few", 1_000, 0.5, 0.07)):
            for segment in ("s0", "s1"):
                shown = people * pressure_ * rng.uniform(0.5, 1.5)
                pairs = shown**2 / people
                when = date(2020, 10, 1) + timedelta(day)
                rows.append((when, name, segment, "video", price * shown, shown, 0.9 * shown, pairs, pairs))
    daily = pl.DataFrame(rows, schema=COUNTED, orient="row")

    def capacity():
        model = fit_response(
            daily, users_by_segment={"s0": 6_000.0, "s1": 6_000.0}, rng=np.random.default_rng(0), n_draws=50
        )
        return np.exp(model.log_capacity_draws.mean(axis=0)).min()

    told = capacity()
    monkeypatch.setattr(fit, "SUPPLY", replace(SUPPLY, passing_sd=1e-6))
    assert told > 1.5 * capacity()
