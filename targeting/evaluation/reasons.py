"""Why what came is not what was promised: the difference split over the links of a chain, without a rest.

The outcome of a cell is a product along its chain, e.g. GMV = spend x (impressions / spend) x (fans /
impressions) x (GMV / fan), and so is its promise. The difference is split with the logarithmic mean (LMDI:
Ang, Energy Policy 32, 2004), which is exact and does not depend on an order. Where a side is 0 the limits
hold (Ang & Liu, Energy Policy 35, 2007): the first link that is 0 takes the whole difference of the cell, so
a cell that got no money failed by its spend, not by its hazard. Arrays and frames in, frames out.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import polars as pl

REASONS = {
    "spend": "more or less money went there than planned",
    "price": "a yuan bought more or fewer impressions",
    "hazard": "an impression won more or fewer fans",
    "yield": "what was bought brought more or less",
    "value": "a fan bought more or less",
}
_LINK = {"impressions": "price", "fans": "hazard", "gmv_cny": "value"}
_BEFORE = {"impressions": "spend_cny", "fans": "impressions", "gmv_cny": "fans"}


def links(chain: Sequence[str]) -> tuple[str, ...]:
    """Name of each link; one that skips what a report does not have is a `yield`.

    >>> links(("spend_cny", "impressions", "fans", "gmv_cny"))
    ('spend', 'price', 'hazard', 'value')
    >>> links(("spend_cny", "fans", "gmv_cny"))
    ('spend', 'yield', 'value')
    """
    named = ["spend"]
    for before, after in pairwise(chain):
        named.append(_LINK[after] if _BEFORE[after] == before else "yield")
    return tuple(named)


def with_reasons(cells: pl.DataFrame, *, chain: Sequence[str], final: str) -> pl.DataFrame:
    """Adds `because_<link>` columns, which add up to the final figure less its promise.

    Args:
        cells: promised_<x> and realised_<x> for every x of the chain.
        chain: From `spend_cny` on, what is known of both sides.
        final: Column of what came in the end, in place of realised_<last of the chain>; its unit is theirs.
    """
    promised = np.column_stack([cells[f"promised_{x}"].to_numpy() for x in chain])
    realised = np.column_stack([*[cells[f"realised_{x}"].to_numpy() for x in chain[:-1]], cells[final]])
    unit = "_cny" if chain[-1].endswith("_cny") else f"_{chain[-1]}"
    parts = decomposed(promised, realised)
    return cells.with_columns(
        pl.Series(f"because_{name}{unit}", parts[:, k]) for k, name in enumerate(links(chain))
    )


def summary(cells: pl.DataFrame) -> pl.DataFrame:
    """reason, change, unit, meaning: the columns of `with_reasons` added up over the cells."""
    rows = []
    for column in cells.columns:
        if column.startswith("because_"):
            name, unit = column.removeprefix("because_").split("_", 1)
            change = float(cells[column].sum())
            rows.append({"reason": name, "change": change, "unit": unit, "meaning": REASONS[name]})
    schema = {"reason": pl.String, "change": pl.Float64, "unit": pl.String, "meaning": pl.String}
    return pl.DataFrame(rows, schema=schema)


def decomposed(promised: np.ndarray, realised: np.ndarray) -> np.ndarray:
    """Contribution of each link to realised - promised of the last column, (n_cells, n_links).

    Args:
        promised: Totals along the chain, (n_cells, n_links), >= 0.
        realised: The same of what came; only the last may be negative (refunds), which its own link answers
            for.
    """
    came = np.maximum(realised, 0.0)
    before, after = _factors(_without_gaps(promised, came)), _factors(_without_gaps(came, promised))
    before, after = _filled(before, after), _filled(after, before)
    difference = came[:, -1] - promised[:, -1]
    parts = np.zeros_like(before)
    both = (promised[:, -1] > 0) & (came[:, -1] > 0)
    growth = np.log(after[both] / before[both])
    total = growth.sum(axis=1)
    flat = np.abs(total) < 1e-12
    mean = np.where(flat, came[both, -1], difference[both] / np.where(flat, 1.0, total))
    parts[both] = mean[:, None] * growth
    for row in np.flatnonzero(~both & (difference != 0)):
        side = before[row] if promised[row, -1] <= 0 else after[row]
        parts[row, int(np.argmax(side <= 0))] = difference[row]
    parts[:, -1] += np.minimum(realised[:, -1], 0.0)
    return parts


def _without_gaps(mine: np.ndarray, other: np.ndarray) -> np.ndarray:
    """A link that is 0 although later ones are not (granted traffic costs nothing) at the other side's rate.

    So what came of it without that link is put down to the next one: a yuan bought more.
    """
    filled = mine.copy()
    for k in range(mine.shape[1] - 1):
        gap = (mine[:, k] <= 0) & (mine[:, k + 1 :] > 0).any(axis=1)
        if k == 0:
            rate, base = other[:, 0], np.ones(len(mine))
        else:
            rate = np.divide(other[:, k], other[:, k - 1], out=np.zeros(len(mine)), where=other[:, k - 1] > 0)
            base = filled[:, k - 1]
        filled[gap, k] = (np.where(rate > 0, rate, 1.0) * base)[gap]
    return filled


def _factors(totals: np.ndarray) -> np.ndarray:
    """Ratios along the chain, (n, k); NaN where the link before is 0."""
    rates = np.full(totals.shape, np.nan)
    rates[:, 0] = totals[:, 0]
    np.divide(totals[:, 1:], totals[:, :-1], out=rates[:, 1:], where=totals[:, :-1] > 0)
    return rates


def _filled(mine: np.ndarray, other: np.ndarray) -> np.ndarray:
    """An unknown ratio is taken as unchanged, or 1 where neither side knows it."""
    return np.where(np.isnan(mine), np.where(np.isnan(other), 1.0, other), mine)
