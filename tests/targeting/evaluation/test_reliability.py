"""Calibration with intervals: right where the model is, and few events are not over-read."""

import numpy as np
import pytest

from targeting.evaluation.reliability import calibration


def drawn(n, *, seed=0, factor=1.0):
    rng = np.random.default_rng(seed)
    p = rng.beta(1.0, 40.0, n)
    return p, (rng.random(n) < np.minimum(p * factor, 1.0)).astype(float)


def test_a_right_model_is_consistent_and_a_wrong_one_is_not():
    p, y = drawn(60_000)
    right = calibration("follows", probability=p, happened=y)
    assert right.consistent
    assert right.groups.height == 10
    assert right.groups["consistent"].sum() >= 8
    assert right.ece < 2 * right.ece_of_chance
    assert right.groups["predicted"].sum() == pytest.approx(p.sum())
    wrong = calibration("follows", probability=p, happened=drawn(60_000, factor=1.5)[1])
    assert not wrong.consistent
    assert wrong.low_95 > 1.2
    assert wrong.ece > 3 * wrong.ece_of_chance
    assert "ratio 1.46" in str(wrong)


def test_few_events_make_few_groups_with_wide_intervals():
    p, y = drawn(2_000)  # about fifty events
    few = calibration("buyers", probability=p, happened=y)
    assert few.groups.height == int(p.sum() // 20)
    assert (few.groups["high_95"] - few.groups["low_95"]).min() > 0.5
    assert calibration("buyers", probability=p[:50], happened=np.zeros(50)) is None, "nothing can be said"


def test_the_error_that_chance_makes_is_what_right_models_show():
    shown = []
    for seed in range(60):
        p, y = drawn(5_000, seed=seed)
        found = calibration("follows", probability=p, happened=y)
        shown.append((found.ece, found.ece_of_chance, found.consistent))
    ece, chance, consistent = np.mean(shown, axis=0)
    assert ece == pytest.approx(chance, rel=0.15)
    assert consistent > 0.85
