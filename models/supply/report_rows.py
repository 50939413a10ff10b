"""A console's report as rows to learn from. In: its rows. Out: units, days, what curves deliver.

It must not import targeting.
"""

from __future__ import annotations

import polars as pl

from models.errors import DataError
from models.supply.pressure import pairs_of_reach

COUNTS = ("impressions", "live_entries", "new_fans", "orders", "gmv_cny")
# What curves may deliver: the earliest step of the way that every placement reports. Entries come last: most
# reports have them for the live room only.
BASES = ("impressions", "new_fans", "orders", "gmv_cny", "live_entries")


def normal_rows(delivery: pl.DataFrame) -> pl.DataFrame:
    """All columns present, numbers as floats."""
    for name in ("date", "segment", "placement", "cost_cny"):
        if name not in delivery.columns:
            raise DataError(
                f"delivery: column {name!r} is missing; expected date, segment, placement, cost_cny"
            )
    have = [pl.col(n).cast(pl.Float64) for n in ("cost_cny", *COUNTS) if n in delivery.columns]
    absent = [pl.lit(None, dtype=pl.Float64).alias(n) for n in COUNTS if n not in delivery.columns]
    coin = (
        pl.col("randomized").fill_null(False).cast(pl.Float64)
        if "randomized" in delivery.columns
        else pl.lit(0.0)
    )
    told = {"campaign_id": pl.String, "reach": pl.Float64}
    kept = [
        (pl.col(n) if n in delivery.columns else pl.lit(None)).cast(kind).alias(n) for n, kind in told.items()
    ]
    return delivery.select("date", "segment", "placement", *have, *absent, *kept, coin.alias("coin"))


def with_pressure(rows: pl.DataFrame) -> pl.DataFrame | None:
    """Units with their pairs, from the reach of each; None where a paid unit's is not known.

    People reached in several hours cannot be added up, so a unit of several rows has no reach. Campaigns on
    one segment address the same people: they press each other's.
    """
    keys = ["date", "campaign_id", "segment", "placement"]
    paid = rows.filter((pl.col("cost_cny") > 0) & (pl.col("impressions") > 0))
    if paid["reach"].null_count() or paid.select(keys).is_duplicated().any():
        return None
    shown = paid["impressions"].to_numpy()
    cell_day = pl.col("impressions").sum().over("date", "segment", "placement")
    return paid.with_columns(
        pl.col("reach").alias("reached"),
        pl.col("coin").alias("randomized_share"),
        pl.Series("pairs", pairs_of_reach(shown, paid["reach"].to_numpy())),
    ).with_columns(crowd=pl.col("pairs") * cell_day / pl.col("impressions"))


def numbered(rows: pl.DataFrame) -> pl.DataFrame:
    """Every row a campaign of its own."""
    number = pl.int_range(pl.len()).cast(pl.String)
    return rows.with_columns(number.alias("campaign_id"), randomized_share=pl.col("coin"))


def daily_sums(rows: pl.DataFrame) -> pl.DataFrame:
    """Sums per date and cell; a count stays null where none of the rows reports it."""
    cost = pl.col("cost_cny")
    sums = [pl.when(pl.col(n).is_not_null().any()).then(pl.col(n).sum()).alias(n) for n in COUNTS]
    coin = pl.when(cost.sum() > 0).then((pl.col("coin") * cost).sum() / cost.sum()).otherwise(0.0)
    return (
        rows.group_by("date", "segment", "placement")
        .agg(cost.sum(), *sums, coin.alias("randomized_share"))
        .sort("date", "segment", "placement")
    )


def is_known(daily: pl.DataFrame, name: str) -> bool:
    """Whether the report counts any of it."""
    return bool(daily[name].is_not_null().any() and float(daily[name].sum()) > 0)


def basis_of(daily: pl.DataFrame) -> str:
    """What the curves deliver: the first outcome that every placement reports."""
    paid = daily.filter(pl.col("cost_cny") > 0)
    if paid.is_empty():
        raise DataError(
            "delivery: no row has cost_cny above 0, so nothing tells what money buys; give a report of days"
            " that were paid for"
        )
    placements = paid["placement"].n_unique()
    for name in BASES:
        if paid.filter(pl.col(name) > 0)["placement"].n_unique() == placements:
            return name
    raise DataError(
        f"delivery: no outcome ({', '.join(BASES)}) is above 0 in every placement; "
        "expected one that money bought everywhere; add it or leave the placements without it out"
    )
