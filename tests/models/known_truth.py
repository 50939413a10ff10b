"""A small generator of logs with known rates for these tests; it shares nothing with targeting.world."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl

START = datetime(2020, 10, 1)


@dataclass(frozen=True)
class Logs:
    """Normalised tables and the truth behind them."""

    users: pl.DataFrame
    exposures: pl.DataFrame
    orders: pl.DataFrame
    hazard: dict[str, np.ndarray]
    organic: np.ndarray
    buy: np.ndarray
    amount_cny: np.ndarray
    as_of: datetime


def make_logs(
    *,
    users: int = 6000,
    days: int = 20,
    seed: int = 0,
    base: float = 0.004,
    organic: float = 0.0008,
    intent: float = 0.0,
    randomized_share: float = 0.2,
    per_user: int = 8,
    buy_rate: float = 0.4,
    delay_days: float = 4.0,
    wait_days: float = 0.0,
    amount_sigma: float = 0.8,
) -> Logs:
    """Users with three features; unobserved `intent` raises follows and attracts coinless delivery."""
    rng = np.random.default_rng(seed)
    woman = rng.random(users) < 0.5
    tier = rng.integers(1, 5, users)
    minutes = rng.gamma(2.0, 30.0, users)
    hidden = rng.normal(size=users) * intent
    signal = np.log1p(minutes) - 3.8
    hazard = {
        "video": base * np.exp(0.8 * signal - 0.5 * woman),
        "live": base * 1.5 * np.exp(0.5 * signal + 0.6 * woman),
    }
    organic_rate = organic * np.exp(0.5 * signal)
    buy = buy_rate * np.exp(0.9 * woman - 0.2 * (tier - 2.5))
    amount = 200.0 * np.exp(0.3 * (4 - tier))
    frame = pl.DataFrame(
        {
            "user_id": [f"u{i:06d}" for i in range(users)],
            "snapshot_at": pl.Series([START] * users, dtype=pl.Datetime("us")),
            "is_fan": [False] * users,
            "gender": np.where(woman, "f", "m").tolist(),
            "city_tier": tier.astype(float),
            "watch_min_30d": minutes,
            "shop": ["one"] * users,
        }
    ).with_columns(gender=pl.when(pl.int_range(users) % 17 == 0).then(None).otherwise("gender"))
    exposures = _expose(rng, hazard, organic_rate, hidden, days, per_user, randomized_share)
    as_of = START + timedelta(days=days + 1 + wait_days)
    orders = _order(rng, exposures, buy, amount, delay_days, amount_sigma, as_of)
    return Logs(frame, exposures, orders, hazard, organic_rate, buy, amount, as_of)


def _expose(rng, hazard, organic, hidden, days, per_user, share) -> pl.DataFrame:
    n = organic.size
    user = np.repeat(np.arange(n), per_user)
    day = np.concatenate([rng.choice(days, per_user, replace=False) for _ in range(n)])
    coin = rng.random(user.size) < share
    pick = rng.random(user.size)
    placement = np.where(pick < 0.45, "video", np.where(pick < 0.9, "live", "none"))
    # without a coin the platform shows to the eager and holds nobody out
    eager = hidden[user] + rng.normal(size=user.size) > 0
    keep = coin | ((placement != "none") & (eager | (hidden[user] == 0)))
    user, day, coin, placement = user[keep], day[keep], coin[keep], placement[keep]
    n_impressions = np.where(placement == "none", 0, 1 + rng.poisson(1.0, user.size))
    h = np.where(placement == "video", hazard["video"][user], hazard["live"][user]) * np.exp(hidden[user])
    lam = organic[user] * np.exp(hidden[user]) + n_impressions * h
    followed = rng.random(user.size) < -np.expm1(-lam)
    order = np.argsort(day, kind="stable")
    user, day, coin, placement, followed, n_impressions = (
        column[order] for column in (user, day, coin, placement, followed, n_impressions)
    )
    seen: set[int] = set()
    alive = np.zeros(user.size, dtype=bool)
    for i, (u, f) in enumerate(zip(user.tolist(), followed.tolist(), strict=True)):
        alive[i] = u not in seen
        if f and alive[i]:
            seen.add(u)
    at = [START + timedelta(days=int(d), hours=10) for d in day]
    return pl.DataFrame(
        {
            "exposure_id": [f"e{i}" for i in range(user.size)],
            "user_id": [f"u{u:06d}" for u in user],
            "campaign_id": ["c"] * user.size,
            "placement": placement.tolist(),
            "exposed_at": pl.Series(at, dtype=pl.Datetime("us")),
            "impressions": n_impressions.astype(np.int64),
            "cost_cny": n_impressions * 0.05,
            "entered_live": pl.Series([None] * user.size, dtype=pl.Boolean),
            "followed": followed,
            "followed_at": pl.Series(
                [t + timedelta(minutes=5) if f else None for t, f in zip(at, followed, strict=True)],
                dtype=pl.Datetime("us"),
            ),
            "randomized": coin,
            "propensity": pl.Series(np.where(coin, 0.45, np.nan)).fill_nan(None),
        }
    ).filter(pl.Series(alive))


def _order(rng, exposures, buy, amount, delay_days, sigma, as_of) -> pl.DataFrame:
    follows = exposures.filter("followed")
    user = follows["user_id"].str.slice(1).cast(pl.Int64).to_numpy()
    times = rng.poisson(buy[user])
    who = np.repeat(np.arange(user.size), times)
    # the purchase times of a Poisson process with an exponential delay, cut at thirty days
    delay = -delay_days * np.log1p(-rng.random(who.size) * -np.expm1(-30.0 / delay_days))
    at = [follows["followed_at"][int(i)] + timedelta(days=float(d)) for i, d in zip(who, delay, strict=True)]
    gmv = amount[user[who]] * np.exp(rng.normal(size=who.size) * sigma - sigma**2 / 2)
    return pl.DataFrame(
        {
            "order_id": [f"o{i}" for i in range(who.size)],
            "user_id": [follows["user_id"][int(i)] for i in who],
            "ordered_at": pl.Series(at, dtype=pl.Datetime("us")),
            "gmv_cny": gmv,
            "refund_cny": np.where(rng.random(who.size) < 0.1, gmv, 0.0),
            "product_id": pl.Series([None] * who.size, dtype=pl.String),
        },
        schema_overrides={
            "gmv_cny": pl.Float64,
            "refund_cny": pl.Float64,
            "user_id": pl.String,
            "order_id": pl.String,
        },
    ).filter(pl.col("ordered_at") < as_of)
