"""Delay curves are unbiased for young followers; late refunds are anticipated."""

import numpy as np
import pytest
from stored_copy import read_back

from models.audience.delay import DelayCurve, RefundMaturity, fit_curve, fit_refunds


def followers(n=20_000, mean=6.0, seed=0, oldest=30.0):
    rng = np.random.default_rng(seed)
    age = rng.random(n) * oldest
    buys = rng.random(n) < 0.3
    delay = np.where(buys, rng.exponential(mean, n), np.inf)
    return age, delay


def test_first_purchase_curve_under_censoring():
    age, delay = followers()
    seen = delay <= age
    curve = fit_curve(
        event_age_days=delay[seen],
        amount=np.ones(seen.sum()),
        leave_age_days=np.minimum(age, delay),
        horizon_days=30.0,
    )
    days = np.array([1.0, 3.0, 10.0])
    bought = 0.3 * -np.expm1(-days / 6)
    truth = np.log1p(-bought) / np.log1p(-0.3 * -np.expm1(-30 / 6))
    np.testing.assert_allclose(curve.at(days), truth, rtol=0.06)
    # the naive share of buyers among all says less than the truth
    assert -np.expm1(-curve.total) == pytest.approx(0.3 * -np.expm1(-30 / 6), rel=0.03)
    assert seen.mean() < 0.83 * (-np.expm1(-curve.total))


def test_beyond_the_oldest_follower_the_curve_is_extended_not_cut():
    age, delay = followers(oldest=8.0)
    seen = delay <= age
    curve = fit_curve(
        event_age_days=delay[seen], amount=np.ones(seen.sum()), leave_age_days=age, horizon_days=30.0
    )
    assert curve.reached_days < 8.01
    assert curve.at(np.array([8.0]))[0] < 0.95
    assert (np.diff(curve.share) >= 0).all()
    assert read_back(DelayCurve, curve) == curve


def test_no_event_gives_a_straight_line():
    curve = fit_curve(
        event_age_days=np.array([]), amount=np.array([]), leave_age_days=np.array([3.0]), horizon_days=10.0
    )
    assert curve.total == 0
    assert curve.at(np.array([5.0]))[0] == pytest.approx(0.5)


def test_refunds_still_to_come():
    rng = np.random.default_rng(0)
    age = rng.random(6000) * 40
    refunded = rng.random(6000) < 0.3 * -np.expm1(-age / 5)
    gmv = rng.gamma(2.0, 100.0, 6000)
    found = fit_refunds(age_days=age, gmv_cny=gmv, refund_cny=np.where(refunded, gmv, 0.0))
    young = found.amount_factor(np.array([0.5]))[0]
    assert young == pytest.approx(0.7 / (1 - 0.3 * -np.expm1(-1 / 5)), abs=0.06)
    assert found.order_factor(np.array([39.0]))[0] == 1.0
    assert read_back(RefundMaturity, found) == found


def test_no_refund_trend_no_correction():
    rng = np.random.default_rng(1)
    age, gmv = rng.random(3000) * 40, np.full(3000, 100.0)
    found = fit_refunds(age_days=age, gmv_cny=gmv, refund_cny=np.where(rng.random(3000) < 0.1, 100.0, 0.0))
    assert found == RefundMaturity()
    assert fit_refunds(age_days=age[:9], gmv_cny=gmv[:9], refund_cny=gmv[:9]) == RefundMaturity()
    assert found.amount_factor(np.array([1.0, 2.0])).tolist() == [1.0, 1.0]
