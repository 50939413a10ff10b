"""New fans as if everybody had been shown alike."""

from datetime import datetime, timedelta
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from models.audience.evenly import even_rows, even_weights

DAYS = 20


def log_of(pressed, *, seed=0, randomized=False, chance=0.02):
    """Everybody is shown Poisson(`pressed`) times a day until the follow, of such a chance a showing."""
    rng = np.random.default_rng(seed)
    n = len(pressed)
    rows, waiting = [], np.ones(n, bool)
    for day in range(DAYS):
        shown = rng.poisson(pressed) * waiting
        follows = rng.random(n) < 1 - (1 - chance) ** shown
        when = datetime(2020, 10, 1) + timedelta(days=day)
        at = np.flatnonzero(shown)
        rows.append(
            pl.DataFrame(
                {"user": at, "user_id": [f"u{i:05d}" for i in at], "exposed_at": when,
                 "impressions": shown[at], "followed": follows[at]}
            )
        )  # fmt: skip
        waiting &= ~follows
    exposures = pl.concat(rows).with_columns(
        placement=pl.lit("video"), randomized=pl.lit(randomized), at_risk=pl.lit(True)
    )
    users = pl.DataFrame({"user_id": [f"u{i:05d}" for i in range(n)], "is_fan": False})
    return SimpleNamespace(
        users=users, exposures=exposures, follows=exposures.filter("followed").select("user_id")
    )


def test_who_was_pressed_harder_stands_for_fewer():
    """Half of the people are pressed four times as hard; the fans they are stand for most fans won."""
    hard = np.arange(6_000) % 2 == 0
    weights = even_weights(log_of(np.where(hard, 0.8, 0.2)))
    mine = weights["user_id"].str.slice(1).cast(pl.Int64).to_numpy() % 2 == 0
    w = weights["weight"].to_numpy()
    assert mine.mean() > 0.75
    assert (w * mine).sum() / w.sum() == pytest.approx(0.5, abs=0.12)
    assert w.sum() < len(w)


def test_whom_a_coin_showed_counts_once():
    assert even_weights(log_of(np.full(500, 0.5), randomized=True))["weight"].unique().to_list() == [1.0]


def test_rows_of_late_days_say_how_those_follow_who_are_left():
    """The keener half follows three times as easily and is pressed four times as hard."""
    keen = np.arange(8_000) % 2 == 0
    log = log_of(np.where(keen, 0.8, 0.2), chance=np.where(keen, 0.03, 0.01))
    rows = log.exposures.with_columns(even_rows(log.exposures, people=8_000))
    late = rows.filter(pl.col("exposed_at") >= datetime(2020, 10, 11))
    gone = set(log.follows["user_id"].to_list())
    waiting = np.array([f"u{i:05d}" not in gone for i in range(8_000)])
    left = np.where(keen, 0.03, 0.01)[waiting].mean()
    shown, won = late["impressions"].to_numpy(), late["followed"].to_numpy()
    even = late["even"].to_numpy()
    assert won.sum() / shown.sum() > 1.3 * left
    assert (even * won).sum() / (even * shown).sum() == pytest.approx(left, rel=0.15)


def test_rows_are_worth_what_they_are_and_those_of_a_coin_count_once():
    hard = np.arange(2_000) % 2 == 0
    rows = log_of(np.where(hard, 0.8, 0.2)).exposures
    even, shown = even_rows(rows, people=2_000).to_numpy(), rows["impressions"].to_numpy()
    assert (even * shown).sum() == pytest.approx((even**2 * shown).sum())
    assert set(even_rows(rows.with_columns(randomized=pl.lit(True)), people=2_000)) == {1.0}
