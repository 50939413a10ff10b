"""What follows a follow: delayed orders, repeats, refunds, and the orders that come without any campaign.

Times are days (float) since an origin that the caller chooses; timestamps are made once, at the end. The
closed form in `truth`: orders of a follower within the horizon = P(buy) orders_per_buyer, net share of
each kept_share. It must not import anything of the project but its siblings.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from targeting.world.kinds import Kind
from targeting.world.people import People
from targeting.world.supply import FloatArray

PRODUCTS = ("ring", "necklace", "earrings", "bracelet", "gold-bar")
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Orders:
    """Orders as arrays of one length; `refund_cny` is final and becomes known at `refund_day`."""

    user: IntArray
    day: FloatArray
    gmv_cny: FloatArray
    refund_cny: FloatArray
    refund_day: FloatArray


def first_delay_days(rng: np.random.Generator, size: int, kind: Kind) -> FloatArray:
    """Days from follow to first order: minutes, hours, or an exponential tail cut at the horizon."""
    hour, half_day = kind.quick_shares
    part = rng.random(size)
    minutes = np.minimum(rng.exponential(15 / 1440, size), 0.999 / 24)
    return np.where(
        part < hour,
        minutes,
        np.where(
            part < hour + half_day,
            rng.uniform(1 / 24, 0.5, size),
            0.5 + _tail(rng, size, kind.tail_days, kind.horizon_days - 0.5),
        ),
    )


def _tail(rng: np.random.Generator, size: int, mean_days: float, longest_days: float) -> FloatArray:
    """Exponential delays cut (by inversion, not by clipping) at the longest."""
    reach = -np.expm1(-longest_days / mean_days)
    delays: FloatArray = -mean_days * np.log1p(-rng.random(size) * reach)
    return delays


def _complete(
    rng: np.random.Generator, people: People, kind: Kind, user: IntArray, day: FloatArray
) -> Orders:
    """Amounts with mean `people.amount_cny`, and refunds some days later."""
    size = len(user)
    if kind.pareto_alpha is None:
        shock = np.exp(kind.amount_sd * rng.normal(size=size) - 0.5 * kind.amount_sd**2)
    else:
        shock = (1 + rng.pareto(kind.pareto_alpha, size)) * (kind.pareto_alpha - 1) / kind.pareto_alpha
    gmv = np.maximum(np.round(people.amount_cny[user] * shock, 2), 0.01)
    coin = rng.random(size)
    half = kind.refund_full + kind.refund_half
    share = np.where(coin < kind.refund_full, 1.0, np.where(coin < half, 0.5, 0.0))
    return Orders(user, day, gmv, np.round(gmv * share, 2), day + rng.exponential(kind.refund_days, size))


def orders_of_followers(
    rng: np.random.Generator,
    people: People,
    kind: Kind,
    *,
    user: IntArray,
    placement: IntArray,
    day: FloatArray,
) -> Orders:
    """Every order within the horizon of users who followed at `day` via placement 0 (video) or 1 (live)."""
    buys = rng.random(len(user)) < people.buy[user, placement]
    buyer, since = user[buys], day[buys]
    first = since + first_delay_days(rng, len(buyer), kind)
    repeats = rng.poisson(kind.repeats, len(buyer))
    again = np.repeat(since, repeats) + _tail(
        rng, int(repeats.sum()), max(kind.tail_days, 8.0), kind.horizon_days
    )
    return _complete(
        rng, people, kind, np.concatenate([buyer, np.repeat(buyer, repeats)]), np.concatenate([first, again])
    )


def orders_without_follow(
    rng: np.random.Generator, people: People, kind: Kind, *, fans: NDArray[np.bool_], start: float, end: float
) -> Orders:
    """Organic orders of everybody, and the ordinary business with old fans, between two days."""
    rate = people.organic_orders + np.where(fans, kind.fan_vigour * people.buy[:, 1] / kind.horizon_days, 0.0)
    count = rng.poisson(rate * (end - start))
    user = np.repeat(np.arange(len(count)), count)
    return _complete(rng, people, kind, user, rng.uniform(start, end, len(user)))


def joined(*parts: Orders) -> Orders:
    """All orders in one."""
    return Orders(
        *(np.concatenate([getattr(p, name) for p in parts]) for name in Orders.__dataclass_fields__)
    )


def stamps(origin: datetime, day: FloatArray) -> pl.Series:
    """Whole-second timestamps of days since `origin`."""
    base = np.datetime64(origin, "us")
    return pl.Series(base + np.floor(day * 86400).astype(np.int64) * np.timedelta64(1_000_000, "us"))


@dataclass(frozen=True)
class Seen:
    """How a table names people and days: each user's id, the moment of day 0, the first day not seen."""

    user_id: pl.Series
    origin: datetime
    until: float


def orders_frame(rng: np.random.Generator, orders: Orders, seen: Seen, *, prefix: str) -> pl.DataFrame:
    """The `orders` table of DESIGN 3.1 as it was seen, without later orders and refunds."""
    keep = np.flatnonzero(orders.day < seen.until)
    keep = keep[np.argsort(orders.day[keep], kind="stable")]
    product = pl.Series(
        "product_id", np.array(PRODUCTS)[rng.integers(0, len(PRODUCTS), len(keep))], dtype=pl.String
    )
    numbers = pl.Series(np.arange(len(keep))).cast(pl.String).str.zfill(6)
    return pl.DataFrame(
        {
            "order_id": prefix + numbers,
            "user_id": seen.user_id.gather(orders.user[keep]),
            "ordered_at": stamps(seen.origin, orders.day[keep]),
            "gmv_cny": orders.gmv_cny[keep],
            "refund_cny": np.where(orders.refund_day[keep] < seen.until, orders.refund_cny[keep], 0.0),
            "product_id": product.set(pl.Series(rng.random(len(keep)) < 0.05, dtype=pl.Boolean), None),
        }
    )
