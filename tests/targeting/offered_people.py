"""Tables of offers for the tests of the assignment, and the best choice found by trying all."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl

from models.supply.curves import FloatArray
from targeting.assignment import Assignment
from targeting.assignment.crowd import People
from targeting.assignment.limits import parse_limits, rows_of
from targeting.assignment.offers import Offers

PLACEMENTS = ("video", "live", "shelf")


def offers(n=2000, k=2, *, seed=0, coarse=False, missing=0.0, spread=1.0) -> pl.DataFrame:
    """n people x k placements; some offers are worthless, harmful or free; coarse: many equal numbers."""
    rng = np.random.default_rng(seed)
    size = n * k
    worth = rng.lognormal(0, spread, size) * rng.choice([1, 1, 1, 1, 0, -0.3], size)
    cost = rng.lognormal(0, 0.6, size) * rng.choice([1, 1, 1, 1, 1, 0], size)
    live = np.tile(np.arange(k) == 1, n)
    entries = np.where(live, rng.beta(2, 6, size), 0.0)
    if coarse:
        worth, cost, entries = np.round(worth), np.ceil(cost), np.ceil(4 * entries) / 4
    table = pl.DataFrame(
        {
            "user_id": np.repeat([f"u{i:05d}" for i in range(n)], k),
            "placement": list(PLACEMENTS[:k]) * n,
            "worth": worth,
            "cost_cny": cost,
            "live_entries": entries,
            "segment": np.repeat([f"s{i % 3}" for i in range(n)], k),
        }
    )
    return table.filter(pl.Series(rng.random(size) >= missing))


def usual_limits(table: pl.DataFrame) -> list[dict[str, object]]:
    """A floor, a cap and the room's capacity, which bind and can be met."""
    viewers = 0.25 * float(table["live_entries"].sum())
    return [
        {"kind": "bounds", "name": "live floor", "placement": "live", "min_share": 0.3},
        {"kind": "bounds", "name": "video cap", "placement": "video", "max_share": 0.4},
        {"kind": "live_capacity", "name": "room", "viewers": viewers},
    ]


def people_of(table: pl.DataFrame, *, budget_cny: float, limits: list[dict[str, object]]) -> People:
    """The arrays of a problem, also of one that nobody can solve."""
    read = Offers.of(table)
    rows = rows_of(read, budget_cny=budget_cny, limits=parse_limits(limits))
    return People(read.users, read.placements, read.worth, rows)


def best_by_hand(people: People) -> float | None:
    """Every choice of everybody; None where none keeps the limits."""
    best = None
    for choice in itertools.product(range(-1, len(people.placements)), repeat=len(people)):
        if any(j >= 0 and not np.isfinite(people.worth[j, u]) for u, j in enumerate(choice)):
            continue
        worth = sum(people.worth[j, u] for u, j in enumerate(choice) if j >= 0)
        if (best is None or worth > best) and _kept(people, choice):
            best = float(worth)
    return best


def _kept(people: People, choice: tuple[int, ...]) -> bool:
    for row in people.rows:
        used = sum(row.use[j][u] for u, j in enumerate(choice) if j >= 0 and row.use[j] is not None)
        if (
            not row.lower * (1 - 1e-12) <= used <= row.upper * (1 + 1e-12)
            and not row.lower <= used <= row.upper
        ):
            return False
    return True


def used_by(found: Assignment, table: pl.DataFrame, column: str = "cost_cny", **where: str) -> float:
    """Total of a column over the chosen offers, from the caller's table."""
    keys = ["user_id", "placement"]
    rows = table.join(found.chosen.select(keys), on=keys, how="semi")
    for key, value in where.items():
        rows = rows.filter(pl.col(key) == value)
    return float(rows[column].sum())


def most_spend(table: pl.DataFrame, placement: str) -> float:
    """What a placement costs if everybody is shown there."""
    return float(table.filter(pl.col("placement") == placement)["cost_cny"].sum())


def random_prices(people: People, rng: np.random.Generator) -> FloatArray:
    """Prices of the right sign."""
    size = rng.lognormal(0, 1, len(people.rows)) * rng.choice([0, 1], len(people.rows))
    return np.where(np.isfinite(people.upper), size, -size)
