"""Which cells a constraint speaks of: selections and groups over `Market.cells`.

Exists because `compile` and `words` must agree on names of places, while the audit keeps its own plain loop
on purpose. It must not import the brief's models: a selection arrives as a mapping of key to values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.errors import CampaignError
from targeting.campaign.messages import listed

BoolArray = NDArray[np.bool_]
IndexArray = NDArray[np.int64]
EACH_KEYS = {
    "segment": "segment",
    "placement": "placement",
    "slot": "slot",
    "merchant": "merchant_id",
    "campaign": "campaign_id",
}


def select(cells: pl.DataFrame, given: Mapping[str, Sequence[Any]], *, name: str) -> BoolArray:
    """(n_cells,) True where every given key has one of its values.

    Raises:
        CampaignError: a value that no cell has, or keys that no cell has together; names what exists.
    """
    chosen = np.ones(len(cells), dtype=bool)
    for key, values in given.items():
        column = cells[key]
        here = column.is_in(list(values)).fill_null(False)
        met = set(column.filter(here).unique())
        for value in values:
            if value not in met:
                raise CampaignError(
                    f"constraint '{name}': {key} {value!r} matches no cell; "
                    f"expected one of {listed(sorted(column.drop_nulls().unique()))}"
                )
        chosen &= here.to_numpy()
    if not chosen.any():
        words = ", ".join(f"{key}={'|'.join(map(str, values))}" for key, values in given.items())
        raise CampaignError(f"constraint '{name}': no cell has {words} together; widen the selection")
    return chosen


def groups(cells: pl.DataFrame, chosen: BoolArray, each: str | None) -> list[tuple[str, IndexArray]]:
    """(where, indices of its cells) of each group that the limit holds for; one called "" without `each`."""
    index = np.flatnonzero(chosen)
    if each is None:
        return [("", index)]
    if each == "cell":
        names = cell_names(cells)
        return [(names[i], index[k : k + 1]) for k, i in enumerate(index)]
    column = cells[EACH_KEYS[each]].cast(pl.String).fill_null("?").to_list()
    found: dict[str, list[int]] = {}
    for i in index.tolist():
        found.setdefault(column[i], []).append(i)
    prefix = "slot " if each == "slot" else ""
    return [(prefix + value, np.asarray(members, dtype=np.int64)) for value, members in found.items()]


def cell_names(cells: pl.DataFrame) -> list[str]:
    """`segment × placement` for every cell, with the campaign and the slot where there are several."""
    shown = [key for key in ("campaign_id",) if cells[key].n_unique() > 1] + ["segment", "placement"]
    parts = [cells[key].cast(pl.String).fill_null("?").to_list() for key in shown]
    names = [" × ".join(words) for words in zip(*parts, strict=True)]
    if cells["slot"].n_unique() > 1:
        names = [f"{name} × slot {slot}" for name, slot in zip(names, cells["slot"].to_list(), strict=True)]
    return names
