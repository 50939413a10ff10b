"""Who stands twice is found however many ranges the hashes are compared in."""

import numpy as np
import polars as pl
import pytest

from pipelines.store import repeats
from pipelines.store.repeats import Hashes


@pytest.mark.parametrize("size", [7, 100, 1 << 21])
def test_hashes_that_came_twice(tmp_path, monkeypatch, size):
    monkeypatch.setattr(repeats, "_RANGE", size)
    hashes = Hashes(tmp_path / "hashes")
    rng = np.random.default_rng(0)
    ids = pl.Series([f"u{n}" for n in [*rng.permutation(1000), 5, 17, 17]])
    for start in range(0, len(ids), 90):
        hashes.add(ids[start : start + 90].hash().to_numpy())
    expected = pl.Series(["u5", "u17"]).hash().sort()
    assert hashes.repeated().to_list() == expected.to_list()


def test_nobody_stands_twice_where_nobody_is(tmp_path):
    assert Hashes(tmp_path / "hashes").repeated().is_empty()


def test_what_is_laid_down_is_read_once(tmp_path, monkeypatch):
    monkeypatch.setattr(repeats, "_RANGE", 500)
    hashes, read = Hashes(tmp_path / "hashes"), []
    for start in range(0, 5000, 500):
        hashes.add(pl.Series([f"u{n}" for n in range(start, start + 500)]).hash().to_numpy())
    right = repeats.Part.read
    monkeypatch.setattr(repeats.Part, "read", lambda part: read.append(part.path) or right(part))
    assert hashes.repeated().is_empty()
    assert len(read) == len(set(read)) == len([*(tmp_path / "hashes").glob("*.parquet")])
