"""The cost guarantee as a rule of data, beside many simulated campaigns."""

import numpy as np
import pytest

from targeting.export.export_rules import Guarantee
from targeting.export.guarantee import Fans, compensation_cny, cover

RULE = Guarantee(over_target=1.2, least_conversions=10, most_edits=2, window_days=3)


@pytest.mark.parametrize(
    ("spend", "fans", "paid"),
    [
        (1200.0, 100, 0.0),  # 12 a fan is 1.2 times the target of 10: not more than that
        (1200.01, 100, 200.01),
        (1500.0, 100, 500.0),
        (1000.0, 100, 0.0),
        (500.0, 9, 0.0),  # too few fans, however dear
        (500.0, 10, 400.0),
    ],
)
def test_it_pays_the_excess_above_120_percent_with_enough_fans(spend, fans, paid):
    assert compensation_cny(RULE, spend_cny=spend, target_cny=10.0, conversions=fans) == pytest.approx(paid)


@pytest.mark.parametrize(("low", "high"), [(40.0, 60.0), (50.0, 50.0), (20.0, 90.0)])
def test_the_expected_compensation_is_that_of_many_campaigns(low, high):
    found = cover(RULE, spend_cny=500.0, target_cny=9.0, fans=Fans(50.0, low, high), days=1, edits=0)
    rng = np.random.default_rng(0)
    doubt = (high - low) / (2 * 1.2815515655446004)
    rate = rng.gamma(2500 / doubt**2, doubt**2 / 50.0, 200_000) if doubt else np.full(200_000, 50.0)
    fans = rng.poisson(rate)
    paid = np.where((fans >= 10) & (1.2 * 9.0 * fans < 500.0), 500.0 - 9.0 * fans, 0.0)
    assert found.eligible
    assert found.expected_cny == pytest.approx(paid.mean(), rel=0.02)
    assert found.chance == pytest.approx((paid > 0).mean(), rel=0.02)


def test_only_the_window_counts():
    whole = cover(RULE, spend_cny=500.0, target_cny=9.0, fans=Fans(50, 40, 60), days=3, edits=0)
    longer = cover(RULE, spend_cny=1000.0, target_cny=9.0, fans=Fans(100, 80, 120), days=6, edits=0)
    assert longer.expected_cny == pytest.approx(whole.expected_cny)


@pytest.mark.parametrize(
    ("fans", "edits", "target", "why"),
    [
        (Fans(50, 40, 60), 3, 9.0, "3 planned edits, at most 2 are allowed"),
        (Fans(9.9, 5, 15), 0, 9.0, "9.9 fans expected in 3 days, 10 are needed"),
        (Fans(0, 0, 0), 0, 9.0, "no cost per fan to hold it to"),
        (Fans(50, 40, 60), 0, 0.0, "no cost per fan to hold it to"),
    ],
)
def test_who_is_not_eligible_is_told_why(fans, edits, target, why):
    found = cover(RULE, spend_cny=500.0, target_cny=target, fans=fans, days=1, edits=edits)
    assert not found.eligible
    assert found.why == why


def test_two_edits_and_ten_fans_are_still_within():
    assert cover(RULE, spend_cny=90.0, target_cny=9.0, fans=Fans(10, 8, 12), days=1, edits=2).eligible
