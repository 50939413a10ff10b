"""Who stands twice in a table that is too large to hold: hashes of ids on the disk, compared range by range.

Memory is that of one part and of one range, whatever the number of people. Two ids may share a hash (of a
hundred million people with a chance of 3e-4): what is found here is looked at again by its id.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import polars as pl

from pipelines.store.parts import Part, finished_part, part_key

_RANGE = 1 << 22
"""Hashes compared at a time: 32 MB."""


@dataclass
class Hashes:
    """Hashes of the ids of all parts so far.

    Attributes:
        folder: Work folder for them.
    """

    folder: Path
    _parts: list[Part] = field(default_factory=list)

    def add(self, ids: pl.Series) -> None:
        """The people of another part."""
        hashes = ids.hash().sort().alias("hash")
        key = part_key("hashes", hashes.to_numpy().tobytes())
        self._parts.append(finished_part(self.folder, key, lambda: hashes.to_frame().to_arrow()))

    def repeated(self) -> pl.Series:
        """Hashes that came more than once, in order."""
        ranges = -(-sum(part.rows for part in self._parts) // _RANGE)
        bounds = [2**64 * k // ranges for k in range(ranges + 1)] if ranges else []
        twice = [pl.Series("hash", [], dtype=pl.UInt64)]
        for low, high in pairwise(bounds):
            inside = pl.col("hash").is_between(low, high - 1)
            found = pl.concat([part.read().filter(inside) for part in self._parts])["hash"]
            twice.append(found.filter(found.is_duplicated()).unique().sort())
        return pl.concat(twice)
