"""Off-policy values against a known truth: unbiased, covered by their intervals, honest about overlap."""

import numpy as np
import pytest

from models.errors import DataError
from models.judging.policy_value import Estimate, overlap, policy_difference, policy_value, uniform_policy
from models.judging.propensity import Logged, cross_fitted_outcomes, usable_propensities

ACTIONS = ("none", "video", "live")


def world(seed, n=2000):
    """A coin with personal propensities; the outcome's mean is known for each person and action."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    mean = np.column_stack([0.5 + 0 * x, 0.8 + 0.5 * x, 1.0 - 0.4 * x])
    weight = np.exp(np.column_stack([0 * x, 0.4 * x, -0.3 * x]))
    chance = weight / weight.sum(axis=1, keepdims=True)
    action = (rng.random(n)[:, None] > np.cumsum(chance, axis=1)).sum(axis=1)
    outcome = mean[np.arange(n), action] + rng.normal(size=n)
    logged = Logged(ACTIONS, action, chance[np.arange(n), action], outcome, np.arange(n))
    policy = np.where((x > 0)[:, None], [0.0, 0.9, 0.1], [0.1, 0.1, 0.8])
    return logged, policy, mean, x


def estimate(seed):
    logged, policy, mean, x = world(seed)
    model = cross_fitted_outcomes(logged, features=x[:, None], rng=np.random.default_rng(seed))
    return policy_value(logged, policy=policy, outcome_model=model), float((policy * mean).sum(axis=1).mean())


def test_all_three_are_unbiased_and_their_intervals_cover():
    found = [estimate(seed) for seed in range(60)]
    for name in ("ips", "self_normalised", "doubly_robust"):
        errors = np.array([getattr(value, name).value - truth for value, truth in found])
        spread = np.array([getattr(value, name).standard_error for value, _ in found])
        assert abs(errors.mean()) < 3 * spread.mean() / np.sqrt(60), name
        assert 0.85 * errors.std() < spread.mean() < 1.25 * errors.std(), name
        inside = [
            getattr(value, name).interval_80[0] <= truth <= getattr(value, name).interval_80[1]
            for value, truth in found
        ]
        assert 0.68 <= np.mean(inside) <= 0.93, name


def test_a_good_outcome_model_narrows_the_interval_and_a_bad_one_does_no_harm():
    logged, policy, mean, _ = world(0, n=4000)
    plain = policy_value(logged, policy=policy, outcome_model=np.zeros_like(mean))
    good = policy_value(logged, policy=policy, outcome_model=mean)
    bad = policy_value(logged, policy=policy, outcome_model=mean[:, ::-1] + 3.0)
    assert plain.doubly_robust.value == pytest.approx(plain.ips.value)
    assert good.doubly_robust.standard_error < plain.doubly_robust.standard_error
    truth = (policy * mean).sum(axis=1).mean()
    assert abs(bad.doubly_robust.value - truth) < 4 * bad.doubly_robust.standard_error


def test_the_policy_of_the_coin_itself_is_worth_the_plain_mean():
    logged, _, _, _ = world(1)
    coin = np.zeros((2000, 3))
    coin[:, :] = 1 / 3
    fair = Logged(ACTIONS, logged.action, np.full(2000, 1 / 3), logged.outcome, logged.person)
    value = policy_value(fair, policy=coin, outcome_model=np.zeros((2000, 3)))
    assert value.ips.value == pytest.approx(logged.outcome.mean())
    assert value.self_normalised.value == pytest.approx(logged.outcome.mean())
    assert value.overlap.effective_rows == pytest.approx(2000)
    assert value.overlap.verdict == "good"


def test_a_difference_is_paired():
    logged, policy, mean, _ = world(2)
    other = uniform_policy(logged, "video")
    same = policy_difference(logged, policy=policy, other=policy, outcome_model=mean)
    assert (same.value, same.standard_error) == (0.0, 0.0)
    found = policy_difference(logged, policy=policy, other=other, outcome_model=mean)
    truth = ((policy - other) * mean).sum(axis=1).mean()
    assert found.interval_95[0] < truth < found.interval_95[1]


def test_rows_of_one_person_count_as_one():
    logged, policy, mean, _ = world(3, n=500)
    four = Logged(
        ACTIONS, *(np.tile(a, 4) for a in (logged.action, logged.propensity, logged.outcome, logged.person))
    )
    once = policy_value(logged, policy=policy, outcome_model=mean)
    again = policy_value(four, policy=np.tile(policy, (4, 1)), outcome_model=np.tile(mean, (4, 1)))
    assert again.ips.standard_error == pytest.approx(once.ips.standard_error)
    assert again.doubly_robust.value == pytest.approx(once.doubly_robust.value)


def test_overlap_says_what_was_never_tried():
    logged, _, _, _ = world(4)
    kept = logged.action != 2
    fewer = Logged(
        ACTIONS, *(a[kept] for a in (logged.action, logged.propensity, logged.outcome, logged.person))
    )
    nothing = overlap(fewer, policy=uniform_policy(fewer, "live"))
    assert (nothing.verdict, nothing.unsupported, nothing.effective_rows) == ("none", 1.0, 0.0)
    value = policy_value(fewer, policy=uniform_policy(fewer, "live"), outcome_model=np.zeros((kept.sum(), 3)))
    assert np.isnan(value.self_normalised.value)
    some = 0.9 * uniform_policy(fewer, "video") + 0.1 * uniform_policy(fewer, "live")
    assert overlap(fewer, policy=some).verdict == "poor"


def test_propensities_are_checked_against_how_often_the_coin_chose():
    logged, _, _, _ = world(5)
    as_logged = usable_propensities(action=logged.action, propensity=logged.propensity, n_actions=3)
    assert as_logged.note == ""
    np.testing.assert_array_equal(as_logged.value, logged.propensity)
    wrong = usable_propensities(action=logged.action, propensity=0.1 * logged.propensity, n_actions=3)
    assert "do not fit" in wrong.note
    assert wrong.value[0] == pytest.approx((logged.action == logged.action[0]).mean())
    holes = np.where(np.arange(2000) % 2, np.nan, logged.propensity)
    assert "50 %" in usable_propensities(action=logged.action, propensity=holes, n_actions=3).note


def test_an_estimate_has_both_intervals():
    one = Estimate(1.0, 0.5).to_dict()
    assert one["low_95"] < one["low_80"] < one["value"] < one["high_80"] < one["high_95"]
    assert one["high_80"] == pytest.approx(1 + 1.28155 * 0.5, abs=1e-4)


@pytest.mark.parametrize("propensity", [0.0, 1.5, np.nan])
def test_impossible_propensities_are_refused(propensity):
    with pytest.raises(DataError, match="propensity"):
        Logged(ACTIONS, np.zeros(2, int), np.array([0.5, propensity]), np.ones(2), np.arange(2))


def test_bad_shapes_and_policies_are_refused():
    logged, policy, mean, _ = world(6, n=50)
    with pytest.raises(DataError, match="shape"):
        policy_value(logged, policy=policy[:, :2], outcome_model=mean)
    with pytest.raises(DataError, match="add up"):
        policy_value(logged, policy=policy * 2, outcome_model=mean)
    with pytest.raises(DataError, match="outcome_model"):
        policy_value(logged, policy=policy, outcome_model=mean[:, :2])
    with pytest.raises(DataError, match="length"):
        Logged(ACTIONS, np.zeros(2, int), np.ones(3), np.ones(2), np.arange(2))
    with pytest.raises(DataError, match="finite"):
        Logged(ACTIONS, np.zeros(2, int), np.ones(2), np.array([1, np.inf]), np.arange(2))
    single = Logged(ACTIONS, np.zeros(1, int), np.ones(1), np.ones(1), np.arange(1))
    alone = policy_value(single, policy=uniform_policy(single, "none"), outcome_model=np.zeros((1, 3)))
    assert np.isnan(alone.ips.standard_error)
