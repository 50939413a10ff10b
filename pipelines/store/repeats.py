"""Who stands twice in a table that is too large to hold: hashes of ids, compared range by range.

Memory is that of one part and of one range, whatever the number of people. Two ids may share a hash (of a
hundred million people with a chance of 3e-4): what is found here is looked at again by its id.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from pipelines.store.parts import Part, finished_part, part_key

_RANGE = 1 << 21
"""Hashes held before they are laid down: 16 MB, and as much again while they are sorted."""
_RANGES = 64
"""Of hashes, by their first six bits: what is laid down of each is read once."""


@dataclass
class Hashes:
    """Hashes of the ids of all parts so far.

    Attributes:
        folder: Work folder for those that are too many to hold.
    """

    folder: Path
    _held: list[np.ndarray] = field(default_factory=list)
    _laid_down: dict[int, list[Part]] = field(default_factory=dict)

    def add(self, hashes: np.ndarray) -> None:
        """Of the people of another part, (n,)."""
        self._held.append(hashes)
        if sum(map(len, self._held)) >= _RANGE:
            for number, of_range in enumerate(_by_range(self._held)):
                if len(of_range):
                    key = part_key("hashes", of_range.tobytes())
                    table = pl.DataFrame({"hash": of_range}).to_arrow
                    self._laid_down.setdefault(number, []).append(finished_part(self.folder, key, table))
            self._held = []

    def repeated(self) -> pl.Series:
        """Hashes that came more than once, in order."""
        twice = [np.zeros(0, dtype=np.uint64)]
        for number, held in enumerate(_by_range(self._held)):
            laid_down = (part.read()["hash"].to_numpy() for part in self._laid_down.get(number, ()))
            # sorted in numpy: a table of hashes takes ten times the memory of what is in it
            found = np.sort(np.concatenate([held, *laid_down]))
            twice.append(np.unique(found[1:][found[1:] == found[:-1]]))
        return pl.Series("hash", np.concatenate(twice))


def _by_range(hashes: list[np.ndarray]) -> list[np.ndarray]:
    """Those of each range, sorted."""
    whole = np.sort(np.concatenate([np.zeros(0, dtype=np.uint64), *hashes]))
    return np.split(whole, np.searchsorted(whole >> np.uint64(58), np.arange(1, _RANGES)))
