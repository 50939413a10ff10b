"""Does a score depend on the batch? The same people in random splits, orders and types of column.

python -m benchmarks.batches [splits]
"""

from __future__ import annotations

import sys

import numpy as np
import polars as pl

import targeting as tg
from models.contracts import as_frame, conform

USERS, SEED = 1500, 7
SCORES = ("p_follow", "gmv_per_fan_cny", "p_precise", "p_enter")


def people() -> tuple[pl.DataFrame, tg.Planner]:
    """Simulated users with features of every kind, and a planner learned from them."""
    world = tg.simulate("jewellery", users=USERS, seed=SEED)
    rng = np.random.default_rng(SEED)
    users = world.users.with_columns(
        owns=pl.Series(rng.choice(["是", "否", "未知"], USERS)),
        tier=pl.Series(rng.choice(["1", "2", "3+"], USERS)),
        flag=pl.Series(rng.random(USERS) < 0.5),
        joined=(pl.col("snapshot_at") - pl.duration(days=pl.int_range(USERS) % 50)).dt.date(),
    )
    planner = tg.Planner.fit(
        {"users": users, "exposures": world.exposures, "orders": world.orders}, n_draws=20
    )
    return users, planner


def spelt(column: pl.Series, rng: np.random.Generator) -> pl.Series:
    """The cells in one of the types that files, engines and frames give them."""
    forms = [column]
    if column.name == "user_id":
        return column
    if column.dtype == pl.String:
        forms += [column.cast(pl.Categorical), " " + column + " "]
        forms += [column.cast(pl.Int64)] if column.str.contains(r"^\d+$").all() else []
        forms += [column == "是"] if column.is_in(["是", "否"]).all() else []
    elif column.dtype == pl.Boolean:
        words = column.replace_strict({True: "是", False: "否"}, return_dtype=pl.String)
        forms += [column.cast(pl.Int8), column.cast(pl.Float64), column.cast(pl.String), words]
    elif column.dtype.is_numeric():
        forms += [column.cast(pl.String), column.cast(pl.Float64)]
        forms += [column.cast(pl.Decimal(20, 0))] if column.dtype.is_integer() else []
    else:
        forms += [column.cast(pl.String)]
    return forms[int(rng.integers(len(forms)))].alias(column.name)


def main(splits: int = 200) -> int:
    """Print in how many splits any score differed, and by how much at most; 1 if one did."""
    users, planner = people()
    model = planner.model
    read = conform(users, "users", source="users", features=model.features)
    whole = model.score(read.good).sort("user_id", "placement")
    differing, most = 0, 0.0
    for number in range(splits):
        rng = np.random.default_rng(number)
        order = rng.permutation(USERS)
        cuts = np.sort(rng.choice(np.arange(1, USERS), size=rng.integers(1, 40), replace=False))
        parts = []
        for at in np.split(order, cuts):
            part = pl.DataFrame([spelt(column, rng) for column in users[at]])
            frame = as_frame(part.to_pandas()) if rng.random() < 0.2 else part
            known = conform(frame, "users", source="part", is_part=True, features=model.features)
            parts.append(model.score(known.good))
        found = pl.concat(parts).sort("user_id", "placement")
        differing += not found.equals(whole)
        gaps = [(found[name] - whole[name]).abs().max() or 0.0 for name in SCORES]
        most = max(most, *map(float, gaps))
    print(f"{splits} random splits of {USERS} people: {differing} differ, by at most {most}")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
