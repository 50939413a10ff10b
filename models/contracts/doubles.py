"""What a report counts twice: totals among their parts, a report exported twice, a name spelt in two ways.

Each is told: rows are set aside with their reason, spellings are folded with a warning. Must not import
anything that reads a file, a clock or the environment.
"""

from __future__ import annotations

import polars as pl

from models.contracts.columns import SET_ASIDE, Fault
from models.contracts.headers import is_unnamed
from models.contracts.schemas import OUTCOMES, ROW
from models.contracts.words import is_everybody, one_spelling

AMOUNTS = ("cost_cny", *OUTCOMES)
NAMES = ("segment", "placement")
KEYS = ("date", "hour", "campaign_id", "segment", "placement")
# Share of the groups (say, dates) in which a row named like everybody must be the sum of the others, and the
# groups in which one with any other name must be it, each time.
SUMS_SHARE, SUMS_GROUPS = 0.8, 3
# Each part of a sum of money may be rounded by this much, in yuan; counts are whole.
HALF_FEN = 0.005


def fold_names(good: pl.DataFrame, *, source: str) -> tuple[pl.DataFrame, list[str]]:
    """Segments and placements in the most frequent spelling of each, and what was folded."""
    said = []
    for column in (name for name in NAMES if name in good.columns):
        folded, several = one_spelling(good[column])
        good = good.with_columns(folded)
        for first, others in several.items():
            said.append(
                f"{source}: {column} {first!r} is also written {', '.join(map(repr, others))}; taken as one"
            )
    return good, said


def exact_repeats(raw: pl.DataFrame, good: pl.DataFrame) -> list[Fault]:
    """Good rows equal to an earlier one in every cell of the source, columns that we ignore included."""
    plain = [c for c in raw if not (c.dtype.is_nested() or c.dtype == pl.Object or is_unnamed(c.name))]
    held = pl.DataFrame(plain)[good[ROW].cast(pl.Int64) - 1]
    repeated = ~held.select(pl.struct(pl.all()).is_first_distinct()).to_series()
    reason = f"row: expected once, repeats an earlier row in every cell, {SET_ASIDE} (exported twice?)"
    return [(good[ROW].filter(repeated), reason)] if repeated.any() else []


def sums_of_others(good: pl.DataFrame) -> list[Fault]:
    """Rows of a segment or placement whose amounts are those of all others together, date by date."""
    faults: list[Fault] = []
    if all(good[name].null_count() == len(good) for name in AMOUNTS):
        return faults
    for axis in ("segment", "placement"):
        for name in _adding_up(good, axis):
            rows = good.filter(pl.col(axis) == name)[ROW]
            faults.append((rows, f"{axis}: expected a part, {name!r} is the sum of all others, {SET_ASIDE}"))
            good = good.filter(pl.col(axis) != name)
    return faults


def _adding_up(good: pl.DataFrame, axis: str) -> list[str]:
    """Names on `axis` that are the sum of the others wherever both are."""
    keys = [key for key in KEYS if key != axis]
    amounts = [name for name in AMOUNTS if good[name].is_not_null().any()]
    cells = good.group_by([*keys, axis]).agg(pl.col(amounts).sum().cast(pl.Float64))
    others = [(pl.col(name).sum().over(keys) - pl.col(name)).alias(f"{name}_others") for name in amounts]
    cells = cells.with_columns(*others, (pl.len().over(keys) - 1).alias("beside"))
    known = pl.any_horizontal(pl.col(name) > 0 for name in amounts)
    equal = [_equal(pl.col(name), pl.col(f"{name}_others"), pl.col("beside")) for name in amounts]
    judged = (
        cells.filter((pl.col("beside") > 0) & known)
        .group_by(axis)
        .agg(
            equal[0].mean().alias("cost_adds_up"),
            pl.all_horizontal(equal).all().alias("all_add_up"),
            (pl.col("cost_cny") > 0).any().alias("paid"),
            pl.any_horizontal(pl.col(name) > 0 for name in amounts[1:]).any().alias("won"),
            (pl.col("beside") > 1).sum().alias("groups"),
        )
    )
    everybody = pl.Series(is_everybody(judged[axis]))
    by_name = (judged["cost_adds_up"] >= SUMS_SHARE) & judged["paid"] & everybody
    by_sums = judged["all_add_up"] & judged["paid"] & judged["won"] & (judged["groups"] >= SUMS_GROUPS)
    return judged.filter(by_name | by_sums)[axis].sort().to_list()


def _equal(own: pl.Expr, others: pl.Expr, parts: pl.Expr) -> pl.Expr:
    return (own - others).abs() <= HALF_FEN * (parts + 1) + 1e-9 * own.abs()
