"""Reliability tables: every row counted once."""

import numpy as np
import pytest

from models.rates.calibration import reliability


def test_reliability_counts_everything_once():
    rng = np.random.default_rng(0)
    p = rng.random(500) * 0.5
    y = (rng.random(500) < p).astype(float)
    table = reliability(probability=p, y=y, score=p)
    assert sum(table.rows) == 500
    assert sum(table.actual) == y.sum()
    assert sum(table.predicted) == pytest.approx(p.sum())
    assert table.ece < 0.1
    assert reliability(probability=p[:0], y=y[:0], score=p[:0]).ece == 0
    assert np.isinf(reliability(probability=p, y=y * 0, score=p).ratios).all()
