"""Incremental buying: what would have been bought anyway is no merit of the follow; coins set the level."""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from known_truth import make_logs

from models.audience.buy import fit_anyway
from models.audience.delay import fit_curve
from models.audience.followers import Followers
from models.audience.model import AudienceModel
from models.audience.spend import fit_spend
from models.events.event_log import EventLog
from models.rates.shape import Fitting


def followers_of(net_cny):
    n = net_cny.size
    return Followers(
        user=np.arange(n), placement=np.zeros(n), randomized=np.zeros(n, bool), age_days=np.full(n, 30.0),
        first_kept_days=np.ones(n), net_cny=net_cny, orders=np.ones(n, dtype=np.int64),
        event_age_days=np.ones(n), event_net_cny=net_cny, order_age_days=np.ones(n), n_placements=1,
        horizon_days=30.0,
    )  # fmt: skip


def orders_of(n, mean_cny, seed):
    return np.random.default_rng(seed).lognormal(np.log(mean_cny) - 0.32, 0.8, n)


def per_buyer(own_cny, others_cny):
    """Learned yuan per buyer where the first people are new fans and the others are not."""
    followers, n = followers_of(own_cny), own_cny.size + others_cny.size
    kept = pl.DataFrame({"user": np.arange(n), "net_cny": np.append(own_cny, others_cny)})
    first = fit_curve(
        event_age_days=np.ones(own_cny.size), amount=np.ones(own_cny.size),
        leave_age_days=np.ones(own_cny.size), horizon_days=30.0,
    )  # fmt: skip
    size, level, _ = fit_spend(
        Fitting(np.zeros((n, 1)), (), 0, 1), kept, followers, replace(first, total=9.0)
    )
    return level * np.exp(size.log_rate(np.zeros((1, 1))))[0]


def test_one_huge_order_is_not_promised_again():
    usual = orders_of(400, 300.0, 1)
    lucky = np.append(orders_of(15, 300.0, 2), 20_000.0)
    assert per_buyer(lucky, usual) < 0.4 * lucky.mean()
    many = orders_of(2000, 450.0, 3)
    assert per_buyer(many, usual) > 0.9 * 450.0, "where new fans do spend more, many orders are believed"


def anyway_of(keener, seed=0):
    """20,000 people, 2,000 of whom follow after ten days; the latter buy `keener` times as often before."""
    rng, n, day = np.random.default_rng(seed), 20_000, datetime(2024, 1, 1)
    follows = np.arange(n) < 2000
    bought = np.flatnonzero(rng.random(n) < 0.04 * np.where(follows, keener, 1.0))
    users = pl.DataFrame({"user_id": np.arange(n).astype(str), "is_fan": False, "snapshot_at": day})
    followed_at = pl.Series(np.where(follows, 10.0, np.nan)).fill_nan(None)
    exposures = pl.DataFrame({"user": np.arange(n), "exposed_at": day}).with_columns(
        followed_at=pl.lit(day) + pl.duration(days=followed_at)
    )
    kept = pl.DataFrame({"user": bought, "net_cny": 100.0, "ordered_at": day + timedelta(days=5)})
    log = EventLog(users, exposures, exposures, kept, day + timedelta(days=20))
    followers = followers_of(np.ones(2000))
    return fit_anyway(Fitting(np.zeros((n, 1)), (), 0, 1), log, kept, followers, horizon_days=30.0)


def test_followers_who_were_keener_before_they_followed_would_have_bought_more_anyway():
    assert anyway_of(4.0).followers > 4.0, "they were seen for half as long"
    assert anyway_of(1.0).followers == pytest.approx(2.0, rel=0.3)
    found = anyway_of(4.0)
    assert found.hazard[0] == pytest.approx(found.followers * np.exp(found.shape.out_of_fold[0]))


def test_values_are_positive_and_precise_counts_organic_orders():
    logs = make_logs(users=4000, seed=2)
    model = AudienceModel.fit(
        logs, placements=("video", "live"), as_of=logs.as_of, horizon_days=30, seed=0, threads=1
    )
    scores = model.score(logs.users)
    assert (scores["gmv_per_fan_cny"] > 0).all()
    value, matrix = model.value, model.encoder.encode(logs.users)
    alone = -np.expm1(-value.stays_kept * value.buy_hazard(matrix, 0))
    assert (value.p_precise(matrix, 0) >= alone).all()
    assert value.organic is None or (value.p_precise(matrix, 0) > alone).any()


def old_orders(logs, who, *, gmv_cny, hours):
    """One order of each of these users, so many hours after (before, if negative) the snapshot."""
    when = logs.users["snapshot_at"][0] + timedelta(hours=hours)
    return pl.DataFrame(
        {
            "order_id": [f"old{i}" for i in range(who.size)],
            "user_id": logs.users["user_id"].gather(who),
            "ordered_at": pl.Series([when] * who.size, dtype=pl.Datetime("us")),
            "gmv_cny": gmv_cny,
            "refund_cny": np.zeros(who.size),
            "product_id": pl.Series([None] * who.size, dtype=pl.String),
        }
    ).select(logs.orders.columns)


def size_of_orders(logs, orders):
    """Learned log size of an order of every user."""
    model = AudienceModel.fit(
        replace(logs, orders=pl.concat([logs.orders, orders])),
        placements=("video", "live"),
        as_of=logs.as_of,
        horizon_days=30,
        seed=0,
        threads=1,
    )
    return model.value.size.log_rate(model.encoder.encode(logs.users))


@pytest.mark.parametrize(("hours", "heard"), [(1, True), (-1, False)])
def test_who_spends_more_is_asked_of_all_orders_that_the_features_cannot_know(hours, heard):
    logs = make_logs(users=3000, seed=3, amount_sigma=0.5)
    rng = np.random.default_rng(0)
    rich, poor = np.flatnonzero(logs.amount_cny > 240.0), np.flatnonzero(logs.amount_cny < 210.0)
    who = np.concatenate([rng.choice(group, 200, replace=False) for group in (rich, poor)])
    others = old_orders(logs, who, gmv_cny=np.where(np.arange(400) < 200, 1000.0, 10.0), hours=hours)
    without, with_others = (size_of_orders(logs, some) for some in (others.clear(), others))
    wider = np.subtract(*(with_others[g].mean() - without[g].mean() for g in (rich, poor)))
    assert wider > 1.0 if heard else wider == 0.0
