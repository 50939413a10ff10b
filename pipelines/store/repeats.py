"""Who stands twice in a table that is too large to hold: hashes of ids on the disk, compared range by range.

Memory is that of one part and of one range, whatever the number of people. Two ids may share a hash (of a
hundred million people with a chance of 3e-4): what is found here is looked at again by its id.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from pipelines.store import disk

_RANGE = 1 << 21
"""Hashes compared at a time: 16 MB."""


@dataclass
class Hashes:
    """Hashes of the ids of all parts so far.

    Attributes:
        folder: Work folder for them.
    """

    folder: Path
    _files: list[Path] = field(default_factory=list)
    _people: int = 0

    def add(self, ids: pl.Series) -> None:
        """The people of another part."""
        disk.make(self.folder)
        path = self.folder / f"{len(self._files):06d}.npy"
        disk.write(path, lambda file: np.save(file, np.sort(ids.hash().to_numpy())))
        self._files.append(path)
        self._people += len(ids)

    def repeated(self) -> pl.Series:
        """Hashes that came more than once, in order."""
        held = [np.load(path, mmap_mode="r") for path in self._files]
        bounds = np.linspace(0, 1, -(-self._people // _RANGE) + 1)[1:-1]
        cuts = [np.searchsorted(one, (bounds * 2.0**64).astype(np.uint64)) for one in held]
        ends = [np.concatenate([[0], cut, [len(one)]]) for cut, one in zip(cuts, held, strict=True)]
        twice = []
        for k in range(len(bounds) + 1):
            every = [one[end[k] : end[k + 1]] for one, end in zip(held, ends, strict=True)]
            found = np.sort(np.concatenate(every)) if every else np.zeros(0, dtype=np.uint64)
            twice.append(np.unique(found[1:][found[1:] == found[:-1]]))
        return pl.Series("hash", np.concatenate(twice), dtype=pl.UInt64)
