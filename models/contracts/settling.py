"""What is settled when all rows of a table are together: each id once, refunds within their orders, and of
how many rows, in words. Must not import anything that reads a file, a clock or the environment.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from models.contracts.columns import SET_ASIDE, Fault
from models.contracts.features import Odd
from models.contracts.schemas import ROW, Contract, Table

Counted = tuple[int, str]
"""How many rows, and what became of them in words that follow the number."""


def told(source: str, counted: Sequence[Counted], odd: Sequence[Odd]) -> list[str]:
    """One line each."""
    return [*(f"{source}: {rows} {what}" for rows, what in counted), *(f"{source}: {o.line()}" for o in odd)]


def add_counts(counted: Sequence[Counted]) -> tuple[Counted, ...]:
    """The same of many parts: rows are added."""
    rows: dict[str, int] = {}
    for count, what in counted:
        rows[what] = rows.get(what, 0) + count
    return tuple((count, what) for what, count in rows.items())


def set_aside(faults: Sequence[Fault]) -> tuple[Counted, ...]:
    """What was taken out without anything being wrong with it."""
    found = ((len(rows), why) for rows, why in faults if SET_ASIDE in why and len(rows))
    return tuple(
        (count, "rows repeat an earlier row in every cell and are set aside")
        if "repeats" in why
        else (count, f"rows are {SET_ASIDE}: {why}")
        for count, why in found
    )


def first_of_each(good: pl.DataFrame, contract: Contract) -> tuple[pl.DataFrame, list[Fault]]:
    """The first good row of each id; and the faults of the repeats."""
    key = contract.unique
    if key is None or good.is_empty():
        return good, []
    first = good[key].is_first_distinct()
    if first.all():
        return good, []
    kept, repeats = good.filter(first), good.filter(~first)
    if contract.features:
        return kept, [(repeats[ROW], f"{key}: expected unique, repeats an earlier row (the first is kept)")]
    others = [name for name in contract.columns if name != key]
    beside = repeats.join(kept, on=key, how="left", suffix="_first", maintain_order="left")
    same = beside.select(
        pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"{name}_first")) for name in others)
    ).to_series()
    return kept, [
        (
            beside[ROW].filter(same),
            f"{key}: expected unique, repeats an earlier row exactly (the first is kept)",
        ),
        (beside[ROW].filter(~same), f"{key}: expected unique, restates an earlier row (the first is kept)"),
    ]


def settle(good: pl.DataFrame, table: Table) -> tuple[pl.DataFrame, tuple[Counted, ...]]:
    """Small settlements that keep a row, and of how many."""
    counted: Counted = 0, ""
    if table == "orders":
        over = int((good["refund_cny"] > good["gmv_cny"]).sum())
        if over:
            good = good.with_columns(pl.min_horizontal("refund_cny", "gmv_cny").alias("refund_cny"))
        counted = over, "refunds above gmv_cny (shipping, compensation) counted as gmv_cny"
    if table == "exposures":
        untold = (pl.col("placement") == "live") & pl.col("entered_live").is_null()
        unknown = int(good.select(untold.sum()).item() or 0)
        counted = unknown, "live rows without entered_live; entries cannot be learned from them"
    if table == "delivery":
        keys = ["date", "hour", "campaign_id", "segment", "placement"]
        repeats = good.height - good.select(keys).unique().height
        counted = repeats, f"rows repeat another row's {', '.join(keys)}; they are added up"
    return good, (counted,) if counted[0] else ()
