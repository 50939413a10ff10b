"""Cell factors: calibrated scores give factors near 1, wrong ones are corrected, intervals are honest."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from paid_days import logs

from models.audience.cells import CellFactors, cell_factors
from models.audience.settings import CELLS
from models.errors import DataError
from models.events.event_log import read_events
from models.rates.trend import Trend


def judged(made, *, seed=0, n_draws=200, horizon=30):
    return cell_factors(
        read_events(made, as_of=made.as_of),
        made.assignment,
        made.scores,
        horizon_days=horizon,
        rng=np.random.default_rng(seed),
        n_draws=n_draws,
    )


def by_placement(evidence, values, placement):
    return values[..., (evidence.cells["placement"] == placement).to_numpy()]


def test_calibrated_scores_get_factors_near_one():
    evidence = judged(logs(1))
    assert np.abs(evidence.cells["hazard_factor"].to_numpy() - 1).max() < 0.25
    assert np.abs(np.log(evidence.cells["gmv_factor"].to_numpy())).max() < 0.4
    assert evidence.hazard_factor.shape == evidence.gmv_factor.shape == (200, 8)


def test_scores_that_are_wrong_for_one_placement_are_corrected_there():
    evidence = judged(logs(2, people=6000, wrong_hazard={"video": 2.0, "live": 1.0}))
    assert by_placement(evidence, evidence.hazard_factor, "video").mean() == pytest.approx(2.0, rel=0.25)
    assert by_placement(evidence, evidence.hazard_factor, "live").mean() == pytest.approx(1.0, rel=0.2)


def test_scores_of_today_are_judged_by_the_hazard_of_each_day():
    made = logs(2, people=6000)
    falling = {"video": Trend(now=-1.1, sd=0.1, age_days=(0.0, 200.0), level=(0.0, 4.0))}
    factors = [
        cell_factors(
            read_events(made, as_of=made.as_of), made.assignment, made.scores, horizon_days=30,
            rng=np.random.default_rng(0), trends=trends,
        ).hazard_factor
        for trends in ({}, falling)
    ]  # fmt: skip
    video = (judged(made).cells["placement"] == "video").to_numpy()
    # today's hazard is exp(-0.02 x 55) of the average day's: three times as many follows had been due
    assert factors[1][:, video].mean() / factors[0][:, video].mean() == pytest.approx(1 / 3, rel=0.25)
    assert factors[1][:, ~video].mean() == pytest.approx(factors[0][:, ~video].mean(), rel=0.1)


def test_values_that_are_wrong_are_corrected():
    evidence = judged(logs(3, people=8000, wrong_gmv=0.5))
    assert evidence.gmv_factor.mean() == pytest.approx(0.5, rel=0.35)
    assert evidence.gmv_factor.mean() < 0.75


def test_randomised_rows_decide_where_ranking_favours_those_about_to_follow():
    made = logs(4, people=8000, favour=0.6)
    with_coin = judged(made)
    without = judged(_replaced(made, exposures=made.exposures.with_columns(randomized=pl.lit(False))))
    assert with_coin.randomized
    assert not without.randomized
    assert with_coin.hazard_factor.mean() == pytest.approx(1.0, abs=0.2)
    assert without.hazard_factor.mean() > with_coin.hazard_factor.mean() + 0.1
    assert without.hazard_factor.std() > with_coin.hazard_factor.std()


def test_organic_follows_are_not_credited_to_the_money():
    evidence = judged(logs(5, people=6000, organic=0.02))
    assert evidence.diagnostics["organic_follows_per_user_day"] == pytest.approx(0.02, abs=0.006)
    assert evidence.hazard_factor.mean() == pytest.approx(1.0, abs=0.2)


def test_young_fans_are_scaled_not_counted_as_zeros():
    fresh = logs(6, people=9000, days=40, as_of_day=38.0)
    evidence = judged(fresh)
    assert evidence.diagnostics["share_of_horizon_seen"] < 0.85
    assert evidence.gmv_factor.mean() == pytest.approx(1.0, rel=0.35)


@pytest.mark.slow
def test_eighty_percent_intervals_hold_the_true_factors():
    hazard, value = [], []
    for seed in range(14):
        rng = np.random.default_rng(seed)
        wrong = {"video": np.exp(0.2 * rng.normal()), "live": np.exp(0.2 * rng.normal())}
        gmv = float(np.exp(0.2 * rng.normal()))
        made = logs(seed, people=2500, wrong_hazard=wrong, wrong_gmv=gmv, cell_sd=0.15, gmv_cell_sd=0.25)
        evidence = judged(made, seed=seed)
        cells = evidence.cells.select("segment", "placement").rows()
        for draws, truth, found in (
            (evidence.hazard_factor, made.factors, hazard),
            (evidence.gmv_factor, made.gmv_factors, value),
        ):
            target = np.array([truth[cell] for cell in cells])
            low, high = np.quantile(draws, [0.1, 0.9], axis=0)
            found.append(np.mean((low <= target) & (target <= high)))
    assert 0.7 <= np.mean(hazard) <= 0.97
    assert 0.7 <= np.mean(value) <= 0.97


def test_nothing_after_as_of_is_looked_at():
    made = logs(7, people=1500, days=30, as_of_day=20.0)
    late_orders = made.orders.with_columns(
        gmv_cny=pl.when(pl.col("ordered_at") > made.as_of)
        .then(pl.col("gmv_cny") * 100)
        .otherwise(pl.col("gmv_cny"))
    )
    late_rows = made.exposures.with_columns(
        impressions=pl.when(pl.col("exposed_at") > made.as_of).then(50).otherwise(pl.col("impressions"))
    ).filter((pl.col("exposed_at") <= made.as_of) | (pl.col("placement") == "video"))
    moved = _replaced(made, orders=late_orders, exposures=late_rows)
    assert np.array_equal(judged(made).hazard_factor, judged(moved).hazard_factor)
    assert np.array_equal(judged(made).gmv_factor, judged(moved).gmv_factor)


def test_without_any_outcome_the_scores_stand_and_the_interval_is_wide():
    made = logs(8, people=300, days=3)
    nothing = _replaced(
        made,
        exposures=made.exposures.with_columns(
            followed=pl.lit(False), followed_at=pl.lit(None, pl.Datetime("us"))
        ),
        orders=made.orders.clear(),
    )
    evidence = judged(nothing)
    assert np.allclose(evidence.cells["gmv_factor"], 1.0)
    assert evidence.gmv_factor.std() > 0.4
    early = _replaced(made, as_of=made.exposures["exposed_at"].min() + timedelta(hours=1))
    assert np.allclose(judged(early).cells["hazard_factor"], 1.0)


def test_json_round_trip_and_same_seed():
    made = logs(9, people=800)
    evidence = judged(made)
    back = CellFactors.from_json(evidence.to_json())
    assert back.cells.equals(evidence.cells)
    assert np.array_equal(back.hazard_factor, evidence.hazard_factor)
    assert np.array_equal(judged(made).gmv_factor, evidence.gmv_factor)
    assert back.diagnostics == dict(evidence.diagnostics)


def test_whoever_a_plan_reaches_is_less_keen_to_follow_and_to_buy_at_once():
    """One doubt moves both, so it does not average out in GMV."""
    ones = np.ones((4_000, 2))
    logged = CellFactors(pl.DataFrame(), ones, ones, False, {})
    plan = logged.of_the_plan(np.random.default_rng(0))
    follow, gmv = np.log(plan.hazard_factor), np.log(plan.gmv_factor)
    assert np.corrcoef(follow[:, 0], gmv[:, 1])[0, 1] > 0.99
    assert (follow.std(), gmv.std()) == pytest.approx(CELLS.transfer_sd, rel=0.1)
    assert plan.hazard_factor.mean() == pytest.approx(1.0, abs=0.02)


def test_an_empty_assignment_is_named():
    made = logs(10, people=100, days=2)
    with pytest.raises(DataError, match="no scored user has a segment"):
        judged(_replaced(made, assignment=made.assignment.clear()))


def _replaced(made, **changes):
    from dataclasses import replace

    return replace(made, **changes)
