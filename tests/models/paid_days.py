"""Known-truth generators for supply curves, delivery reports and logged outcomes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl

START = datetime(2020, 10, 1)
SHAPES = {
    "hill": lambda u: u / (1 + u),
    "expsat": lambda u: -np.expm1(-u),
    "log": np.log1p,
    "power": lambda u: u**0.6,
}


@dataclass(frozen=True)
class Shop:
    """Paid days of cells whose curves are known."""

    daily: pl.DataFrame
    users: dict[str, float]
    truth: dict[tuple[str, str], tuple[float, float, float]]
    family: str

    def delivered(self, cells: pl.DataFrame, spend):
        """True impressions at `spend` (n_cells,)."""
        rows = zip(cells["segment"].to_list(), cells["placement"].to_list(), spend, strict=True)
        return np.array([supply(self.family, s, *self.truth[i, j]) for i, j, s in rows])


def supply(family, spend, price, capacity, size):
    """size * capacity * shape(spend / (size capacity price))."""
    return size * capacity * SHAPES[family](spend / (size * capacity * price))


def shop(
    seed, *, family="hill", days=28, segments=8, noise=0.1, spread=0.5, day_sd=0.08, lean=0.0, randomized=0
) -> Shop:
    """Spend varies from day to day by `spread` (log sd); on a day with demand d it also rises by `lean` d.

    The demand of a day makes its price exp(-d); on the first `randomized` days spend does not look at it.
    """
    rng = np.random.default_rng(seed)
    users = {f"s{i}": float(n) for i, n in enumerate(rng.integers(800, 6000, segments))}
    demand = rng.normal(0, day_sd, (days, 2))
    rows, truth = [], {}
    for segment, n in users.items():
        dear = rng.normal(0, 0.3)
        for j, (placement, typical, reach) in enumerate((("live", 0.05, 0.6), ("video", 0.02, 1.5))):
            price = typical * np.exp(dear + rng.normal(0, 0.15))
            capacity = reach * np.exp(rng.normal(0, 0.2))
            truth[segment, placement] = (price, capacity, n)
            usual = n * capacity * price * rng.uniform(0.1, 0.8)
            for d in range(days):
                coin = d < randomized
                spend = usual * np.exp(spread * rng.normal() + (0.0 if coin else lean * demand[d, j]))
                got = supply(family, spend, price * np.exp(-demand[d, j]), capacity, n)
                got = rng.poisson(got * np.exp(rng.normal(0, noise)))
                rows.append((START.date() + timedelta(d), segment, placement, spend, float(got), float(coin)))
    names = ["date", "segment", "placement", "cost_cny", "impressions", "randomized_share"]
    return Shop(pl.DataFrame(rows, schema=names, orient="row"), users, truth, family)


def report(seed, *, days=20, segments=5, drop=(), once=False) -> pl.DataFrame:
    """A console's report with known follow rates (0.002 .. 0.01) and 40 CNY per fan."""
    made = shop(seed, days=days, segments=segments)
    rng = np.random.default_rng(seed + 1)
    fans_per = {name: 0.002 * (1 + i) for i, name in enumerate(sorted(made.users))}
    rate = made.daily["segment"].replace_strict(fans_per, return_dtype=pl.Float64).to_numpy()
    fans = rng.poisson(made.daily["impressions"].to_numpy() * rate)
    entered = np.where(made.daily["placement"] == "live", made.daily["impressions"].to_numpy() * 0.2, np.nan)
    frame = made.daily.select("date", "segment", "placement", "cost_cny", "impressions").with_columns(
        pl.Series("new_fans", fans.astype(float)),
        pl.Series("gmv_cny", [float(rng.exponential(40.0, f).sum()) for f in fans]),
        pl.Series("live_entries", entered).fill_nan(None),
    )
    if once:
        frame = frame.with_columns(date=pl.lit(date(2020, 10, 1)))
    return frame.drop(drop)


@dataclass(frozen=True)
class Logs:
    """User-level tables with known follow hazards and values, and the scores that a model might give."""

    users: pl.DataFrame
    exposures: pl.DataFrame
    orders: pl.DataFrame
    scores: pl.DataFrame
    assignment: pl.DataFrame
    as_of: datetime
    factors: dict[tuple[str, str], float]
    gmv_factors: dict[tuple[str, str], float]


def logs(
    seed,
    *,
    people=3000,
    segments=4,
    wrong_hazard=None,
    wrong_gmv=1.0,
    cell_sd=0.0,
    gmv_cell_sd=0.0,
    favour=0.0,
    days=40,
    as_of_day=75.0,
    horizon=30,
    organic=0.0,
    share_randomized=0.3,
) -> Logs:
    """Scores are the truth divided by `wrong_hazard` (per placement) and a cell factor exp(N(0, cell_sd)),
    values by `wrong_gmv` and a cell factor exp(N(0, gmv_cell_sd)).

    Ranked rows follow `exp(favour)` times as often as randomised ones. 30 % of the fans buy within `horizon`
    days of the follow, sooner rather than later, for lognormal amounts.
    """
    rng = np.random.default_rng(seed)
    factor = wrong_hazard or {"video": 1.0, "live": 1.0}
    segment = rng.integers(0, segments, people)
    names = np.array([f"s{i}" for i in range(segments)])
    uid = np.array([f"u{i:05d}" for i in range(people)])
    scores, exposures, orders = [], [], []
    followed_on: dict[int, tuple[float, str]] = {}
    hazard, factors, gmv_factors = {}, {}, {}
    of_value = np.random.default_rng([seed, 1])
    for placement, base in (("video", 0.01), ("live", 0.03)):
        h = base * (1 + segment) * rng.lognormal(0, 0.2, people)
        hazard[placement] = h
        by_cell = factor[placement] * np.exp(cell_sd * rng.normal(size=segments))
        factors |= {(name, placement): float(f) for name, f in zip(names, by_cell, strict=True)}
        wrong = by_cell[segment]
        worth = wrong_gmv * np.exp(gmv_cell_sd * of_value.normal(size=segments))
        gmv_factors |= {(name, placement): float(f) for name, f in zip(names, worth, strict=True)}
        g = 30.0 * (1 + segment)
        scores.append(
            pl.DataFrame(
                {
                    "user_id": uid,
                    "placement": [placement] * people,
                    "p_follow": h / wrong,
                    "gmv_per_fan_cny": g / worth[segment],
                    "p_precise": np.full(people, 0.3),
                    "eligible": np.full(people, True),
                }
            )
        )
    for d in range(days):
        for placement in ("video", "live", "none"):
            for u in rng.choice(people, people // 30, replace=False):
                if u in followed_on:
                    continue
                n = 0 if placement == "none" else 1 + rng.poisson(0.5)
                coin = placement == "none" or rng.random() < share_randomized
                lift = 1.0 if coin else np.exp(favour)
                rate = organic + (hazard[placement][u] * n * lift if n else 0.0)
                follows = rng.random() < -np.expm1(-rate)
                at = START + timedelta(days=d + rng.random() * 0.5)
                if follows:
                    followed_on[u] = (d + 0.6, placement)
                when = START + timedelta(days=d + 0.6) if follows else None
                exposures.append(
                    (f"e{len(exposures)}", uid[u], "c", placement, at, n, 0.02 * n, follows, when, coin)
                )
    for u, (day, _) in followed_on.items():
        if rng.random() < 0.3:
            delay = horizon * (1 - np.sqrt(rng.random()))  # density falls to 0 at the horizon
            if day + delay < as_of_day:
                gmv = 100.0 * (1 + segment[u]) * rng.lognormal(-0.32, 0.8)
                orders.append((f"o{u}", uid[u], START + timedelta(days=day + delay), gmv, 0.0, None))
    exposure_schema = {
        "exposure_id": pl.String,
        "user_id": pl.String,
        "campaign_id": pl.String,
        "placement": pl.String,
        "exposed_at": pl.Datetime("us"),
        "impressions": pl.Int64,
        "cost_cny": pl.Float64,
        "followed": pl.Boolean,
        "followed_at": pl.Datetime("us"),
        "randomized": pl.Boolean,
    }
    order_schema = {
        "order_id": pl.String,
        "user_id": pl.String,
        "ordered_at": pl.Datetime("us"),
        "gmv_cny": pl.Float64,
        "refund_cny": pl.Float64,
        "product_id": pl.String,
    }
    users = pl.DataFrame({"user_id": uid, "is_fan": np.full(people, False)}).with_columns(
        snapshot_at=pl.lit(START)
    )
    return Logs(
        users=users,
        exposures=pl.DataFrame(exposures, schema=exposure_schema, orient="row"),
        orders=pl.DataFrame(orders, schema=order_schema, orient="row"),
        scores=pl.concat(scores),
        assignment=pl.DataFrame({"user_id": uid, "segment": names[segment]}),
        as_of=START + timedelta(days=as_of_day),
        factors=factors,
        gmv_factors=gmv_factors,
    )
