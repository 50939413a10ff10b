"""Who is out there: observed features, and what each person would really do.

Everything a person does is a smooth function, with interactions, of the *observed* features (a null counts
as the typical value) times an unobserved intent with mean 1. So the best any model can know is
`*_given_features`. It must not import anything of the project but its siblings.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from targeting.world.kinds import Kind
from targeting.world.supply import FloatArray

AGE_BANDS = ("18-23", "24-30", "31-40", "41-50", "51+")
PRECISE_LINE = 0.05


@dataclass(frozen=True)
class People:
    """One row per user; pairs of columns are (video, live).

    Attributes:
        features: the observed columns, without user_id, snapshot_at and is_fan.
        follow_given_features: (n, 2) incremental follows per impression; `follow` has the intent in it.
        enter: (n,) live entries per impression.
        buy_given_features: (n, 2) P(order within the horizon | followed there); `buy` has the intent in it.
        amount_cny: (n,) mean of one order before refunds.
        capacity: (n, 2) impressions available a day. price_cny: (n, 2) base price of one.
        organic_follow, organic_orders: (n,) per day, without any campaign.
        intent: (n,) standard normal, unobserved.
    """

    features: pl.DataFrame
    follow_given_features: FloatArray
    follow: FloatArray
    enter: FloatArray
    buy_given_features: FloatArray
    buy: FloatArray
    amount_cny: FloatArray
    capacity: FloatArray
    price_cny: FloatArray
    organic_follow: FloatArray
    organic_orders: FloatArray
    intent: FloatArray

    @property
    def content(self) -> np.ndarray:
        """(n,) True where even a live follower is unlikely to buy: a content fan."""
        return self.buy_given_features[:, 1] < PRECISE_LINE


def follow_lift(kind: Kind, intent: FloatArray, loading: float = 1.0) -> FloatArray:
    """What intent multiplies following (loading 1) or something else by; mean 1 over everybody."""
    sd = loading * kind.intent_sd
    return np.asarray(np.exp(sd * intent - 0.5 * sd**2))


def _scaled(x: FloatArray) -> FloatArray:
    scaled: FloatArray = (x - x.mean()) / max(float(x.std()), 1e-9)
    return scaled


def draw_features(rng: np.random.Generator, n: int, *, null_scale: float = 1.0) -> pl.DataFrame:
    """Observed features of n users; nulls at about 3-9 % in four columns (times `null_scale`)."""
    male = rng.random(n) < 0.52
    age = rng.choice(5, n, p=[0.2, 0.27, 0.26, 0.16, 0.11])
    tier = rng.choice(5, n, p=[0.18, 0.22, 0.25, 0.2, 0.15]) + 1
    wealth = rng.normal(size=n) - 0.25 * (tier - 3) + 0.15 * (age - 1.5)
    taste = rng.normal(size=n)
    device = np.round(np.exp(7.6 + 0.35 * wealth + 0.25 * rng.normal(size=n)), -1)
    jewellery = 1 / (1 + np.exp(-(-0.9 + 0.9 * taste + 0.9 * ~male + 0.2 * (age >= 2))))
    fashion = 1 / (1 + np.exp(-(-0.4 + 0.5 * taste + 1.0 * ~male + 0.7 * rng.normal(size=n))))
    comedy = 1 / (1 + np.exp(-(0.1 + 0.5 * male - 0.3 * (age - 1.5) + 0.9 * rng.normal(size=n))))
    games = 1 / (1 + np.exp(-(-0.6 + 1.2 * male - 0.4 * (age - 1.5) + 0.9 * rng.normal(size=n))))
    watch = np.round(np.exp(6.6 + 0.4 * comedy + 0.6 * rng.normal(size=n)))
    live = np.round(np.exp(4.0 + 0.25 * taste + 0.9 * rng.normal(size=n)))
    orders = rng.poisson(np.exp(0.6 + 0.3 * wealth + 0.25 * ~male + 0.5 * rng.normal(size=n)))
    aov = np.round(np.exp(4.6 + 0.4 * wealth + 0.35 * rng.normal(size=n)), 2)

    def known(values: np.ndarray, share: float, also: np.ndarray | None = None) -> pl.Series:
        hidden = rng.random(n) < min(share * null_scale, 0.5)
        return pl.Series(values).set(pl.Series(hidden if also is None else hidden | also), None)

    return pl.DataFrame(
        {
            "gender": known(np.where(male, "m", "f"), 0.08),
            "age_band": known(np.array(AGE_BANDS)[age], 0.03),
            "city_tier": tier.astype(np.int64),
            "device_price_cny": known(device, 0.05),
            "interest_jewellery": np.round(jewellery, 3),
            "interest_fashion": np.round(fashion, 3),
            "interest_comedy": np.round(comedy, 3),
            "interest_games": np.round(games, 3),
            "watch_min_30d": watch,
            "live_min_30d": live,
            "orders_90d": orders.astype(np.int64),
            "aov_cny": known(aov, 0.02, orders == 0),
        }
    )


def _leanings(f: pl.DataFrame) -> dict[str, FloatArray]:
    """Smooth scores of the observed features, mean 0 and sd 1 where they are used as exponents."""
    male = f["gender"].replace_strict({"m": 1.0, "f": 0.0}, return_dtype=pl.Float64).fill_null(0.5).to_numpy()
    ages = {band: float(i) for i, band in enumerate(AGE_BANDS)}
    age = f["age_band"].replace_strict(ages, return_dtype=pl.Float64).fill_null(1.7).to_numpy()
    device = np.log(f["device_price_cny"].fill_null(2000.0).to_numpy() / 2000.0)
    aov = np.log(f["aov_cny"].fill_null(90.0).to_numpy() / 100.0)
    jewel, comedy = f["interest_jewellery"].to_numpy(), f["interest_comedy"].to_numpy()
    games, orders = f["interest_games"].to_numpy(), f["orders_90d"].to_numpy().astype(float)
    live = np.log(f["live_min_30d"].to_numpy() / 55.0 + 0.05)
    watch = np.log(f["watch_min_30d"].to_numpy() / 900.0 + 0.05)
    prime = np.exp(-(((age - 2.4) / 1.3) ** 2))  # 30 to 50 buys jewellery
    female = 1.0 - male
    precise = (
        4.2 * jewel * (0.45 + 0.75 * female) + 1.1 * prime * (0.4 + female) + 0.7 * np.tanh(orders / 3 - 1)
    )
    precise = precise + 0.35 * live * jewel - 0.5 * comedy + 0.3 * np.tanh(aov + device)
    content = 1.0 * male + 1.5 * comedy + 0.7 * games - 0.25 * age + 0.35 * watch + 0.5 * male * comedy
    return {
        "precise": _scaled(precise),
        "content": _scaled(content),
        "live": _scaled(live),
        "watch": _scaled(watch),
        "wealth": _scaled(device + aov),
        "shopper": _scaled(np.tanh(0.4 * orders) + 0.3 * aov),
    }


def draw_people(rng: np.random.Generator, n: int, kind: Kind) -> People:
    """n users and the truth about them; deterministic given the generator's state."""
    features = draw_features(rng, n, null_scale=3.0 if kind.damaged else 1.0)
    lean = {name: kind.differs * score for name, score in _leanings(features).items()}
    t, content, live, watch = lean["precise"], lean["content"], lean["live"], lean["watch"]
    crowd = 0.0095 * np.exp(0.45 * content - 0.30 * t + 0.1 * watch)
    select = 0.0085 * np.exp(0.45 * t + 0.30 * live - 0.15 * content)
    follow = kind.hazard_scale * np.minimum(np.column_stack([crowd, select]), 0.06)
    warmth = np.array([0.65, 1.15])  # a fan won in the live room has seen the goods
    buy = np.minimum(0.006 + 0.30 / (1 + np.exp(-3.6 * (t - 1.4))), 0.30)[:, None] * warmth
    buy = kind.buy_scale * buy
    if kind.reversed_roles:
        follow, buy = follow[:, ::-1], buy[:, ::-1]
    price = np.column_stack(
        [0.06 * np.exp(0.12 * lean["wealth"] + 0.05 * t), 0.26 * np.exp(0.12 * lean["wealth"] + 0.1 * t)]
    )
    capacity = np.column_stack([1.9 * np.exp(0.12 * watch), 0.75 * np.exp(0.15 * live)])
    if kind.differs == 0.0:  # the same follows and worth per yuan in both placements: nothing to choose
        buy = np.repeat(buy.mean(axis=1, keepdims=True) * 4.0, 2, axis=1)
        follow[:, 1] = follow[:, 0] * price[:, 1] / price[:, 0]
        capacity[:, 1] = capacity[:, 0] * price[:, 0] / price[:, 1]
    intent = rng.normal(size=n)
    lift = follow_lift(kind, intent)[:, None]
    enter = np.maximum(np.minimum(0.11 * np.exp(0.4 * live + 0.1 * t), 0.6), 2.0 * follow[:, 1])
    organic = kind.organic_scale * lift[:, 0]
    return People(
        features=features,
        follow_given_features=follow,
        follow=follow * lift,
        enter=np.minimum(enter * lift[:, 0], 0.95) if kind.intent_sd else enter,
        buy_given_features=buy,
        buy=np.minimum(buy * lift, 0.9),
        amount_cny=kind.amount_scale * 420.0 * np.exp(0.28 * lean["wealth"] + 0.08 * t),
        capacity=kind.capacity_scale * capacity,
        price_cny=kind.price_scale * price,
        organic_follow=organic * 0.0018 * np.exp(0.2 * t + 0.3 * content),
        # who buys anyway is a shopper first, a jewellery lover second: response models fall for it
        organic_orders=organic * 0.00011 * np.exp(0.4 * t + 0.8 * lean["shopper"]),
        intent=intent,
    )


def choose_fans(rng: np.random.Generator, people: People, *, share: float = 0.14) -> np.ndarray:
    """(n,) bool: the merchant's fans before the window; 80 % are male content fans where people differ."""
    n = people.features.height
    count = max(1, round(share * n))
    male = (people.features["gender"] == "m").fill_null(False).to_numpy()
    crowd = male & people.content
    fans = np.zeros(n, bool)
    if not crowd.any():
        fans[rng.choice(n, count, replace=False)] = True
        return fans
    for group, size in ((crowd, round(0.8 * count)), (~crowd, count - round(0.8 * count))):
        weight = people.follow[:, 0] * group
        size = min(size, int(group.sum()))
        fans[rng.choice(n, size, replace=False, p=weight / weight.sum())] = True
    return fans


def users_frame(people: People, fans: np.ndarray, snapshot_at: datetime) -> pl.DataFrame:
    """The `users` table of DESIGN 3.1."""
    n = people.features.height
    ids = pl.Series("user_id", np.arange(n)).cast(pl.String).str.zfill(7)
    return pl.DataFrame(
        {
            "user_id": "u" + ids,
            "snapshot_at": pl.Series([snapshot_at], dtype=pl.Datetime("us")).new_from_index(0, n),
            "is_fan": fans,
        }
    ).hstack(people.features)
