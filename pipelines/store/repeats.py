"""Who stands twice in a table that is too large to hold: hashes of ids, compared range by range.

Memory is that of one part and of one range, whatever the number of people. Two ids may share a hash (of a
hundred million people with a chance of 3e-4): what is found here is looked at again by its id.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl

from pipelines.store.parts import Part, finished_part, part_key

_RANGE = 1 << 21
"""Hashes in memory at a time: 16 MB, and as much again while they are sorted."""


@dataclass
class Hashes:
    """Hashes of the ids of all parts so far.

    Attributes:
        folder: Work folder for those that are too many to hold.
    """

    folder: Path
    _held: list[pl.Series] = field(default_factory=list)
    _laid_down: list[Part] = field(default_factory=list)

    def add(self, ids: pl.Series) -> None:
        """The people of another part."""
        self._held.append(ids.hash())
        if sum(map(len, self._held)) >= _RANGE:
            hashes = pl.concat(self._held)
            key = part_key("hashes", hashes.to_numpy().tobytes())
            frame = hashes.to_frame("hash")
            self._laid_down.append(finished_part(self.folder, key, frame.to_arrow))
            self._held = []

    def repeated(self) -> pl.Series:
        """Hashes that came more than once, in order."""
        held = pl.concat([pl.Series([], dtype=pl.UInt64), *self._held])
        ranges = len(self._laid_down) + 1
        twice = [held.clear()]
        for low, high in pairwise(2**64 * k // ranges for k in range(ranges + 1)):
            parts = (held, *(part.read()["hash"] for part in self._laid_down))
            # sorted in numpy: a table of hashes takes ten times the memory of what is in it
            found = np.sort(np.concatenate([part.filter(part.is_between(low, high - 1)) for part in parts]))
            twice.append(pl.Series(np.unique(found[1:][found[1:] == found[:-1]])))
        return pl.concat(twice).alias("hash")
