"""Names of the units that a campaign is launched with, and what a report says of them when it comes back.

A console knows campaigns and units by the names they were given and by no segment of ours; so a unit's name
says campaign, segment and placement, and the door reads these out of whatever column it comes back in:

    jewellery-1111|precise · top|live        jewellery-1111|precise · top|live|t18-21

Consoles take names of at most 100 places (a Chinese letter counts two at Ocean Engine), so long parts are cut
and carry a few digits of their hash, by which `spelled_out` finds the whole name again.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable

import polars as pl

_PART_PLACES = 36  # two such parts, a placement and slots stay within 100
_HASH = 8
_NAME = r"^(?P<campaign_id>[^|]+)\|(?P<segment>[^|]+)\|(?P<placement>[^|]+?)(?:\|t\d+(?:-\d+)?)?$"
CELL_OF_UNIT = ("campaign_id", "segment", "placement")
"""Columns of a report that the name of a unit says."""


def unit_name(campaign_id: str, segment: str, placement: str, *, slots: tuple[int, int] | None = None) -> str:
    """The name of a unit; `slots` are its first and last where there are several.

    >>> unit_name("c1", "precise · top", "live", slots=(18, 21))
    'c1|precise · top|live|t18-21'
    """
    parts = [_short(part) for part in (campaign_id, segment, placement)]
    if slots is not None:
        first, last = slots
        parts.append(f"t{first}" if first == last else f"t{first}-{last}")
    return "|".join(parts)


def places(name: str) -> int:
    """Places that a name takes, a wide letter being two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in name)


def column_of_units(table: pl.DataFrame) -> str | None:
    """The column in which most rows are names of units; None where no column has any."""
    found = {
        name: int(table[name].str.strip_chars().str.contains(_NAME).sum())
        for name in table.columns
        if table.schema[name] == pl.String
    }
    best = max(found, key=lambda name: found[name], default=None)
    return best if best is not None and found[best] else None


def cells_of_units(names: pl.Series) -> pl.DataFrame:
    """campaign_id, segment and placement of each name; null where it is no name of ours."""
    groups = names.str.strip_chars().str.extract_groups(_NAME).struct.unnest()
    return groups.select(
        pl.col(name).str.replace_all("%7C", "|").str.replace_all("%25", "%") for name in CELL_OF_UNIT
    )


def spelled_out(names: pl.Series, known: Iterable[str]) -> pl.Series:
    """Names with those that were cut for a unit as the known ones they are."""
    cut = {_short(name).replace("%7C", "|").replace("%25", "%"): name for name in known}
    return names.replace({short: name for short, name in cut.items() if short != name})


def _short(part: str) -> str:
    plain = part.replace("%", "%25").replace("|", "%7C")
    if places(plain) <= _PART_PLACES:
        return plain
    digest = hashlib.sha256(part.encode()).hexdigest()[:_HASH]
    kept = part.replace("%", "").replace("|", "")
    while places(kept) > _PART_PLACES - _HASH - 1:
        kept = kept[:-1]
    return f"{kept}~{digest}"
