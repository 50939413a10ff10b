"""The Qini and uplift curves against hand-computed values, a brute force, and laws."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import DataError
from models.judging.bootstrap import Interval, resample
from models.judging.cost_curve import cost_curve, cost_curve_band
from models.judging.heterogeneity import heterogeneity, over_splits, verdict
from models.judging.uplift import (
    perfect_qini_curve,
    perfect_uplift_curve,
    qini_auc_score,
    qini_curve,
    uplift_auc_score,
    uplift_curve,
)

# ten rows, with a tie; the scores below were computed with scikit-uplift 0.5.1 on exactly these rows
OUTCOME = np.array([1, 0, 1, 0, 1, 0, 0, 1, 0, 1])
SCORE = np.array([0.9, 0.8, 0.7, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1])
TREATED = np.array([1, 0, 1, 0, 1, 1, 0, 0, 1, 0])
QINI_FROZEN, UPLIFT_FROZEN = 0.7432432432432432, 0.8945312499999999


def brute_qini(outcome, score, treated, weight):
    """Counts taken afresh at every threshold; nothing shared with the code under test."""
    points = [(0.0, 0.0)]
    for threshold in sorted(set(score), reverse=True):
        n1 = n0 = y1 = y0 = 0.0
        for y, s, t, w in zip(outcome, score, treated, weight, strict=True):
            if s >= threshold:
                n1, n0 = n1 + w * t, n0 + w * (1 - t)
                y1, y0 = y1 + w * y * t, y0 + w * y * (1 - t)
        points.append((n1 + n0, y1 - (y0 * n1 / n0 if n0 else 0.0)))
    return points


def brute_area(points):
    return sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in itertools.pairwise(points))


def brute_qini_score(outcome, score, treated, weight):
    best = [y if t else -y for y, t in zip(outcome, treated, strict=True)]
    actual, perfect = (brute_qini(outcome, s, treated, weight) for s in (score, best))
    chance = actual[-1][0] * actual[-1][1] / 2
    return (brute_area(actual) - chance) / (brute_area(perfect) - chance)


def rows(seed, n=200, effect=0.3):
    rng = np.random.default_rng(seed)
    x = rng.random(n)
    treated = rng.random(n) < 0.5
    outcome = (rng.random(n) < 0.2 + effect * x * treated).astype(float)
    return {"outcome": outcome, "score": x, "treated": treated}


def test_frozen_values_of_scikit_uplift():
    given_rows = {"outcome": OUTCOME, "score": SCORE, "treated": TREATED}
    assert qini_auc_score(**given_rows) == pytest.approx(QINI_FROZEN, abs=1e-12)
    assert uplift_auc_score(**given_rows) == pytest.approx(UPLIFT_FROZEN, abs=1e-12)


def test_curves_by_hand():
    curve = qini_curve(outcome=OUTCOME, score=SCORE, treated=TREATED)
    # after 1: one treated responder; 2: a silent control; 4: tie of a treated responder and a silent control
    assert curve.targeted.tolist() == [0, 1, 2, 4, 5, 6, 7, 8, 9, 10]
    assert curve.gain[:4].tolist() == [0, 1, 1, 2]
    assert curve.gain[-1] == 3 - 2 * 5 / 5
    lift = uplift_curve(outcome=OUTCOME, score=SCORE, treated=TREATED)
    assert lift.gain[-1] == pytest.approx((3 / 5 - 2 / 5) * 10)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 4), st.booleans(), st.integers(1, 3)),
        min_size=4,
        max_size=14,
    )
)
def test_qini_is_the_brute_force_one(drawn):
    outcome, score, treated, weight = (np.array(column, dtype=float) for column in zip(*drawn, strict=True))
    if not 0 < treated.sum() < treated.size:
        return
    found = qini_auc_score(outcome=outcome, score=score, treated=treated, weight=weight)
    if np.isnan(found):
        return
    assert found == pytest.approx(brute_qini_score(outcome, score, treated, weight), abs=1e-9)


def test_weights_are_repetitions():
    sample = rows(1)
    times = np.random.default_rng(2).integers(1, 4, 200)
    repeated = {name: np.repeat(values, times) for name, values in sample.items()}
    assert qini_auc_score(**sample, weight=times) == pytest.approx(qini_auc_score(**repeated))
    assert uplift_auc_score(**sample, weight=times) == pytest.approx(uplift_auc_score(**repeated))


def test_a_perfect_ranking_scores_one_and_any_monotone_score_the_same():
    sample = rows(3)
    y, t = sample["outcome"], sample["treated"]
    assert qini_auc_score(outcome=y, score=y * t - y * ~t, treated=t) == pytest.approx(1.0)
    assert perfect_qini_curve(outcome=y, treated=t).area >= qini_curve(**sample).area
    assert perfect_uplift_curve(outcome=y, treated=t).area >= uplift_curve(**sample).area
    moved = {**sample, "score": np.exp(5 * sample["score"]) - 7}
    assert qini_auc_score(**moved) == pytest.approx(qini_auc_score(**sample))


def test_order_of_the_rows_does_not_matter():
    sample = rows(4)
    sample["score"] = np.round(sample["score"], 1)
    order = np.random.default_rng(0).permutation(200)
    shuffled = {name: values[order] for name, values in sample.items()}
    assert qini_auc_score(**shuffled) == pytest.approx(qini_auc_score(**sample))


def test_cost_curve_ends_at_the_whole_effect_and_cost():
    sample = rows(5, n=4000, effect=0.6)
    cost = np.where(sample["treated"], 2.0, 0.0)
    curve = cost_curve(**sample, cost_cny=cost)
    y, t = sample["outcome"], sample["treated"]
    assert curve.cost_cny[-1] == pytest.approx(2.0 * 4000)
    assert curve.gain[-1] == pytest.approx((y[t].mean() - y[~t].mean()) * 4000)
    assert curve.area > 0.55, "a good ranking gets more than half of the effect for half of the money"
    free = cost_curve(**sample, cost_cny=np.zeros(4000))
    assert np.isnan(free.area)


def test_heterogeneity_is_found_where_it_is_and_only_there():
    rng = np.random.default_rng(0)
    found = heterogeneity(**rows(6, n=6000, effect=0.6), rng=rng)
    assert found.verdict == "heterogeneity found"
    assert found.qini.value in found.qini
    assert found.effect.low < 0.3 < found.effect.high
    assert "heterogeneity found: Qini" in str(found)
    reverse = rows(6, n=6000, effect=0.6)
    reverse["score"] = -reverse["score"]
    assert heterogeneity(**reverse, rng=rng).verdict == "ranked the wrong way round"


@pytest.mark.slow
def test_no_heterogeneity_is_said_at_its_rate():
    """The effect is the same for everybody: at most a few of 40 data sets may claim otherwise."""
    rng, alarms = np.random.default_rng(1), 0
    for _ in range(40):
        treated = rng.random(600) < 0.5
        outcome = (rng.random(600) < 0.2 + 0.2 * treated).astype(float)
        found = heterogeneity(outcome=outcome, score=rng.random(600), treated=treated, rng=rng, draws=100)
        alarms += found.verdict != "no exploitable heterogeneity found"
    assert alarms <= 6


def test_rows_of_one_person_are_resampled_together():
    """Four copies of each row must not make the interval narrower."""
    sample = rows(7, n=500)
    copies = {name: np.tile(values, 4) for name, values in sample.items()}

    def width(data, **more):
        interval = heterogeneity(**data, rng=np.random.default_rng(2), draws=200, **more).qini
        return interval.high - interval.low

    assert width(copies, cluster=np.tile(np.arange(500), 4)) == pytest.approx(width(sample), rel=0.25)
    assert width(copies) < 0.7 * width(sample)


def test_resample_draws_whole_clusters():
    counted = resample(
        lambda w: (w[:2].sum(), w.sum()),
        weight=np.ones(4),
        cluster=np.array([7, 7, 9, 9]),
        rng=np.random.default_rng(0),
        draws=20,
    )
    assert set(counted[:, 0]) <= {0.0, 2.0, 4.0}
    assert (counted[:, 1] == 4).all()


def test_an_unknown_interval_finds_nothing():
    unknown = Interval(float("nan"), float("nan"), float("nan"))
    assert verdict(unknown) == "no exploitable heterogeneity found"
    silent = rows(8)
    silent["outcome"] = np.zeros(200)
    found = heterogeneity(**silent, rng=np.random.default_rng(0), draws=20)
    assert np.isnan(found.qini.low)
    assert found.verdict == "no exploitable heterogeneity found"


def test_how_large_it_is_stands_beside_the_verdict():
    """Everybody gains 0.40 to 0.42: with enough rows that is certain, and a ranking gains next to nothing."""
    rng = np.random.default_rng(0)
    x, treated = rng.random(200_000), rng.random(200_000) < 0.5
    outcome = (rng.random(200_000) < 0.1 + (0.39 + 0.04 * x) * treated).astype(float)
    found = heterogeneity(outcome=outcome, score=x, treated=treated, rng=rng, draws=40)
    assert found.verdict == "heterogeneity found"
    assert found.p_value < 0.025
    assert 0 < found.advantage.low < found.advantage.high < 0.08
    assert "% more than by lot" in str(found)


@pytest.mark.slow
def test_splits_of_the_same_people_alarm_at_most_at_their_level():
    """No heterogeneity, ten splits each: the doubled median stays above 5 % in nearly all of 40 data sets."""
    rng, alarms = np.random.default_rng(2), 0
    for _ in range(40):
        score, treated = rng.random(900), rng.random(900) < 0.5
        outcome = (rng.random(900) < 0.2 + 0.2 * treated).astype(float)
        p_values = []
        for _ in range(10):
            rows = rng.permutation(900)[:300]
            found = heterogeneity(
                outcome=outcome[rows], score=score[rows], treated=treated[rows], rng=rng, draws=40
            )
            p_values.append(found.p_value)
        alarms += over_splits(p_values) <= 0.05
    assert alarms <= 4
    assert over_splits([np.nan, np.nan, 0.001]) == 1.0


def test_a_cost_curve_has_a_band_that_narrows_with_rows_and_ends_at_the_whole():
    def band(n):
        sample = rows(5, n=n, effect=0.6)
        cost = np.where(sample["treated"], 2.0, 0.0)
        return cost_curve_band(**sample, cost_cny=cost, rng=np.random.default_rng(0), draws=100)

    small, large = band(1000), band(8000)
    assert [share for share, _, _ in large] == [0.1, 0.25, 0.5, 0.75, 1.0]
    assert large[-1][1] == pytest.approx(2.0 * 8000)
    half, whole = large[2][2], large[-1][2]
    assert half.value > 0.5 * whole.value, "half of the money for the best half gains more than half"
    assert all(interval.low <= interval.value <= interval.high for _, _, interval in large)
    assert (half.high - half.low) / 8000 < (small[2][2].high - small[2][2].low) / 1000
    free = rows(5, n=1000, effect=0.6)
    assert cost_curve_band(**free, cost_cny=np.zeros(1000), rng=np.random.default_rng(0)) == []


def test_crossing_effects_are_exploitable_without_a_mean_effect():
    rng = np.random.default_rng(1)
    x, treated = rng.random(8000), rng.random(8000) < 0.5
    outcome = (rng.random(8000) < 0.4 + 0.6 * (x - 0.5) * treated).astype(float)
    found = heterogeneity(outcome=outcome, score=x, treated=treated, rng=rng, draws=100)
    assert 0.0 in found.effect
    assert found.verdict == "heterogeneity found"


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"score": np.ones(3)}, "differ or are empty"),
        ({"treated": np.ones(10)}, "one arm is empty"),
        ({"score": np.full(10, np.nan)}, "finite"),
        ({"treated": np.full(10, 2)}, "treated 0 or 1"),
    ],
)
def test_bad_rows_are_told(change, match):
    with pytest.raises(DataError, match=match):
        qini_curve(**{"outcome": OUTCOME, "score": SCORE, "treated": TREATED, **change})


def test_too_few_rows_and_amounts():
    with pytest.raises(DataError, match="expected at least 20"):
        heterogeneity(outcome=OUTCOME, score=SCORE, treated=TREATED, rng=np.random.default_rng(0))
    with pytest.raises(DataError, match="outcomes of 0 and 1"):
        uplift_auc_score(outcome=OUTCOME * 2.5, score=SCORE, treated=TREATED)
    assert np.isnan(qini_auc_score(outcome=np.zeros(10), score=SCORE, treated=TREATED))
