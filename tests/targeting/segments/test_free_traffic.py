"""Free traffic that comes with paid: found where it is, not claimed where it is not."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from models.contracts import gather
from models.events.event_log import read_events
from targeting.segments.free_traffic import free_follows, free_traffic_sentences

START = datetime(2020, 10, 1)
PEOPLE = 8000


def log(*, anyway, with_spend, days=14, idle=(), seed=0, coin=True, even=False):
    """Each day a quarter of the people are held out; spend alternates, on idle days there is none."""
    rng = np.random.default_rng(seed)
    spend = np.where(even, 100.0, np.where(np.arange(days) % 2, 150.0, 50.0))
    spend[list(idle)] = 0.0
    rows = []
    gone = set()
    for day in range(days):
        at = START + timedelta(days=day, hours=9)
        shown = 0 if spend[day] == 0 else 200
        for user in rng.choice(PEOPLE, shown, replace=False):
            rows.append((user, "video", at, 1, spend[day] / 200, False, False))
        rate = anyway + with_spend * spend[day] / spend.mean()
        for user in rng.choice(PEOPLE, PEOPLE // 4, replace=False):
            if user not in gone:
                followed = rng.random() < rate
                rows.append((user, "none", at, 0, 0.0, followed, coin))
                if followed:
                    gone.add(user)
    users = pl.DataFrame(
        {"user_id": [f"u{i}" for i in range(PEOPLE)], "is_fan": [False] * PEOPLE}
    ).with_columns(snapshot_at=pl.lit(START), age=pl.Series(rng.normal(size=PEOPLE)))
    exposures = pl.DataFrame(
        [
            (f"e{i}", f"u{u}", "c", p, at, n, cost, followed, at if followed else None, c, 0.25)
            for i, (u, p, at, n, cost, followed, c) in enumerate(rows)
        ],
        schema=[
            "exposure_id", "user_id", "campaign_id", "placement", "exposed_at", "impressions", "cost_cny",
            "followed", "followed_at", "randomized", "propensity",
        ],
        orient="row",
        infer_schema_length=None,
    )  # fmt: skip
    orders = pl.DataFrame(
        {"order_id": ["o"], "user_id": ["u1"], "ordered_at": [START], "gmv_cny": [10.0], "refund_cny": [0.0]}
    )
    dataset = gather(users=users, exposures=exposures, orders=orders)
    return read_events(dataset, as_of=START + timedelta(days=days + 1))


def test_follows_that_come_with_spend_are_told_from_those_that_come_anyway():
    events = log(anyway=0.004, with_spend=0.012, idle=(3, 6, 10))
    found = free_follows(events)
    assert found.anyway == pytest.approx(0.004, abs=0.002)
    assert found.with_spend == pytest.approx(0.012, abs=3 * found.error)
    assert found.error < 0.003
    [said] = free_traffic_sentences(events)
    assert "came without an impression along with the spend" in said
    fans = found.with_spend * found.person_days
    assert f"about {fans:,.0f} fans" in said


def test_what_comes_anyway_is_not_put_down_to_money():
    slopes = [free_follows(log(anyway=0.012, with_spend=0.0, seed=s, idle=(3, 6))) for s in range(12)]
    claimed = sum(f.with_spend > 1.96 * f.error for f in slopes)
    assert claimed <= 2
    [said] = free_traffic_sentences(log(anyway=0.012, with_spend=0.0, idle=(3, 6)))
    assert "no free traffic that comes with paid can be told" in said


@pytest.mark.parametrize("odd", [{"coin": False}, {"even": True}, {"days": 3}])
def test_without_a_coin_or_with_days_all_alike_nothing_is_said(odd):
    assert free_traffic_sentences(log(anyway=0.01, with_spend=0.01, **odd)) == ()
