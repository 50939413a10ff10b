"""Drift is seen where it is, is not seen where there is none, and says which bin moved."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from models.errors import DataError
from models.judging.drift import (
    drift_of,
    drift_of_curve,
    drift_of_frames,
    drift_table,
    judged,
    noise_level,
    psi,
    worst_verdict,
)
from models.judging.settings import JUDGING


def sample(rng, n, *, shift=0.0, women=0.5, missing=0.1):
    return pl.DataFrame(
        {
            "minutes": rng.normal(shift, 1.0, n),
            "gender": np.where(rng.random(n) < women, "f", "m"),
            "buyer": rng.random(n) < 0.3,
            "tier": rng.integers(1, 5, n),
            "seen_at": [datetime(2020, 1, 1) + timedelta(hours=float(h)) for h in rng.random(n) * 100],
        }
    ).with_columns(pl.when(pl.Series(rng.random(n) > missing)).then("minutes").alias("minutes"))


def test_psi_by_hand():
    p, q = np.array([0.5, 0.3, 0.2]), np.array([0.4, 0.4, 0.2])
    by_hand = 0.1 * np.log(5 / 4) - 0.1 * np.log(3 / 4)
    assert psi(1e7 * p, 1e7 * q) == pytest.approx(by_hand, rel=1e-5)
    assert psi(p * 100, q * 100) == pytest.approx(psi(q * 100, p * 100))


def test_noise_is_what_chance_does():
    """Of samples without drift about one in a hundred lies above the noise level."""
    rng = np.random.default_rng(0)
    level = noise_level(reference_rows=3000, current_rows=1000, bins=10)
    found = [
        psi(rng.multinomial(3000, np.full(10, 0.1)), rng.multinomial(1000, np.full(10, 0.1)))
        for _ in range(1000)
    ]
    assert 0.002 <= np.mean(np.array(found) > level) <= 0.025
    assert noise_level(reference_rows=10, current_rows=10, bins=1) == 0.0


def test_nothing_changed_is_stable_even_on_few_rows():
    rng = np.random.default_rng(1)
    for n in (40, 400, 4000):
        table = drift_of_frames(sample(rng, n), sample(rng, n), columns=sample(rng, 5).columns)
        assert set(table["verdict"]) == {"stable"}


def test_small_and_large_shifts_have_their_verdicts():
    rng = np.random.default_rng(2)
    before = sample(rng, 5000)
    table = drift_of_frames(
        before, sample(rng, 5000, shift=0.38, women=0.85), columns=["minutes", "gender", "tier"]
    )
    assert dict(table.select("name", "verdict").iter_rows()) == {
        "minutes": "watch", "gender": "act", "tier": "stable"
    }  # fmt: skip
    assert table["name"][0] == "gender", "the worst comes first"
    assert "% then" in table["why"][0]


def test_missing_values_and_gone_columns_are_drift():
    rng = np.random.default_rng(3)
    before, after = sample(rng, 2000), sample(rng, 2000, missing=0.9)
    assert drift_of(before["minutes"], after["minutes"]).verdict == "act"
    table = drift_of_frames(before, after.drop("gender"), columns=["gender", "minutes", "unknown"])
    assert table["name"].to_list() == ["gender", "minutes"]
    assert table["psi"][0] is None
    assert table["why"][0] == "the column is gone"


def test_new_and_rare_levels_share_a_bin():
    before = pl.Series("city", [f"c{i % 50}" for i in range(5000)])
    after = pl.Series("city", ["nowhere"] * 5000)
    found = drift_of(before, after)
    assert found.verdict == "act"
    assert found.why.startswith("(others)")


def test_dates_booleans_constants_and_a_change_of_kind():
    rng = np.random.default_rng(4)
    before, after = sample(rng, 500), sample(rng, 500)
    assert drift_of(before["seen_at"], after["seen_at"] + timedelta(days=30)).verdict == "act"
    assert drift_of(before["buyer"], ~after["buyer"]).verdict == "act"
    assert drift_of(pl.Series("k", [1.0] * 50), pl.Series("k", [1.0] * 60)).verdict == "stable"
    assert drift_of(before["tier"], after["tier"].cast(pl.String) + "th").verdict == "act"
    nothing = pl.Series("k", [None] * 50, dtype=pl.Float64)
    assert drift_of(nothing, nothing).verdict == "stable"
    with pytest.raises(DataError, match="empty"):
        drift_of(before["tier"], before["tier"].head(0))


def test_thresholds_and_noise_decide_together():
    assert [judged(x, noise=0.0) for x in (JUDGING.watch - 0.01, JUDGING.watch, JUDGING.act)] == [
        "stable",
        "watch",
        "act",
    ]
    assert judged(0.9, noise=1.0) == "stable"
    assert worst_verdict([]) == "stable"
    assert worst_verdict(["watch", "stable"]) == "watch"


@pytest.mark.parametrize(
    ("realised", "expected"),
    [(100.0, "stable"), (114.0, "stable"), (118.0, "watch"), (60.0, "act"), (0.0, "act")],
)
def test_a_curve_drifts_when_it_leaves_its_interval_by_much(realised, expected):
    found = drift_of_curve(name="a, live", promised=100.0, low=85.0, high=115.0, realised=realised)
    assert found.verdict == expected
    assert drift_table([found]).height == 1
