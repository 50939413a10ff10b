"""Score tables with two clear kinds of people, for the tests of segments, rules and diagnosis."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl

AS_OF = datetime(2020, 11, 11)


def people(n=4000, *, seed=0, fans=0.2, spread=0.4):
    """(users, scores): women buy (p 0.25), men watch (p 0.02); fans are mostly men and not eligible."""
    rng = np.random.default_rng(seed)
    male = rng.random(n) < 0.6
    precise = rng.random(n) < np.where(male, 0.05, 0.6)
    is_fan = rng.random(n) < np.where(male, fans * 1.4, fans * 0.3)
    uid = [f"u{i:06d}" for i in range(n)]
    users = pl.DataFrame(
        {
            "user_id": uid,
            "snapshot_at": [AS_OF] * n,
            "is_fan": is_fan,
            "gender": np.where(male, "m", "f"),
            "age_band": rng.choice(["18-24", "25-34", "35-44", "45+"], n),
            "orders_90d": rng.poisson(np.where(precise, 4.0, 0.3)).astype(float),
            "city_tier": rng.integers(1, 4, n).astype(float),
        }
    )
    likely = rng.lognormal(0, spread, n)
    parts = []
    for placement, level in (("video", 0.004), ("live", 0.01)):
        parts.append(
            pl.DataFrame(
                {
                    "user_id": uid,
                    "placement": [placement] * n,
                    "p_follow": level * likely * rng.lognormal(0, spread / 2, n),
                    "gmv_per_fan_cny": np.where(precise, 60.0, 4.0) * rng.lognormal(0, spread / 2, n),
                    "p_precise": np.clip(np.where(precise, 0.25, 0.02) * rng.lognormal(0, 0.2, n), 0, 1),
                    "eligible": ~is_fan,
                    "p_enter": pl.Series([0.2 if placement == "live" else None] * n, dtype=pl.Float64),
                }
            )
        )
    return users, pl.concat(parts)


def orders_of(users, *, seed=0, n=300):
    """Orders of women, nearly all."""
    rng = np.random.default_rng(seed)
    women = users.filter(pl.col("gender") == "f")["user_id"].to_list()
    men = users.filter(pl.col("gender") == "m")["user_id"].to_list()
    who = [rng.choice(men if rng.random() < 0.1 else women) for _ in range(n)]
    return pl.DataFrame(
        {
            "order_id": [f"o{i}" for i in range(n)],
            "user_id": who,
            "ordered_at": [AS_OF - timedelta(days=float(d)) for d in rng.uniform(0, 25, n)],
            "gmv_cny": rng.lognormal(4, 0.5, n),
            "refund_cny": np.zeros(n),
        }
    )
