"""Incremental buying: what would have been bought anyway is no merit of the follow; coins set the level."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from known_truth import make_logs

from models.audience.followers import Followers
from models.audience.model import AudienceModel
from models.audience.spend import gmv_factors, temper_amounts
from models.rates.likelihood import HazardRows
from models.rates.rate_maps import LogRateMap, average_maps
from models.rates.settings import MapPrior


class Fans:
    """Just what `gmv_factors` reads."""

    def __init__(self, net_cny, placement):
        self.net_cny, self.placement = np.asarray(net_cny, float), np.asarray(placement, float)


def test_organic_orders_are_not_scaled_into_the_incremental_factor():
    fans = Fans([100.0] * 50 + [0.0] * 50, [0] * 100)
    assert gmv_factors(fans, np.full(100, 50.0), np.zeros(100), 1) == pytest.approx((1.0,))
    assert gmv_factors(fans, np.full(100, 50.0), np.full(100, 25.0), 1)[0] == pytest.approx(0.5)
    nearly_all = gmv_factors(fans, np.full(100, 50.0), np.full(100, 60.0), 1)[0]
    assert 0.05 < nearly_all < 0.15  # never zero or negative


def orders_of(n, mean_cny, seed):
    return np.random.default_rng(seed).lognormal(np.log(mean_cny) - 0.32, 0.8, n)


def tempered(own_cny, others_cny):
    n = own_cny.size
    fans = Followers(
        user=np.arange(n), placement=np.zeros(n), randomized=np.zeros(n, bool), age_days=np.full(n, 30.0),
        first_kept_days=np.ones(n), net_cny=own_cny, event_age_days=np.ones(n), event_net_cny=own_cny,
        order_age_days=np.ones(n), n_placements=1, horizon_days=30.0,
    )  # fmt: skip
    return temper_amounts(fans, others_cny).net_cny.mean() / own_cny.mean()


def test_one_huge_order_is_not_promised_again():
    usual = orders_of(400, 300.0, 1)
    lucky = np.append(orders_of(15, 300.0, 2), 20_000.0)
    assert tempered(lucky, usual) < 0.5
    many = orders_of(2000, 450.0, 3)
    assert tempered(many, usual) > 0.9, "where new fans do spend more, many orders are believed"


def test_few_orders_of_others_or_none_of_ones_own_say_nothing():
    assert tempered(orders_of(30, 300.0, 1), orders_of(5, 100.0, 2)) == 1.0


def test_a_view_with_a_mean_pulls_a_few_coins_towards_it():
    rng = np.random.default_rng(0)
    x = rng.normal(-2.0, 0.5, 150)
    y = (rng.random(150) < -np.expm1(-np.exp(x - 0.4))).astype(float)
    rows = HazardRows(np.arange(150), y, np.ones(150), np.zeros(150), np.ones(150))
    view = (MapPrior(0.02, 1e-3, shift=-0.4),)
    found = average_maps(rows, x, view)
    assert found.shift == pytest.approx(-0.4, abs=0.03)
    assert average_maps(rows.take(np.zeros(150, bool)), x[:0], view) == LogRateMap()


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
    return model.value.amounts.booster.log_rate(model.encoder.encode(logs.users))


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
