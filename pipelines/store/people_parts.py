"""People on disk for the assignment: parts that each hold whole people, and their arrays, mapped to memory.

A table of scores or offers has several rows a person, anywhere in it. `deal` gives them to parts by a hash of
the person, so that a person's choice can be made within one part; `write_people` keeps a part's arrays as
they are in memory, so that a pass over them reads at the speed of memory and the disk's cache.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import polars as pl

from pipelines.store import disk
from pipelines.store.manifest import content_of
from pipelines.store.tables import is_parquet, part_files, read_table
from targeting.assignment.crowd import People, Row

_SALT = 20201111  # of the hash that deals people to parts: any number, always the same
_WORTH, _USE, _USERS, _ABOUT = "worth.npy", "use.npy", "users.parquet", "about.json"
_WHOLE = "whole.json"
_SAID = tuple(field.name for field in fields(Row) if field.name != "use")


def scan(files: Sequence[Path]) -> pl.LazyFrame:
    """The files of a table, streamed where they are Parquet."""
    if is_parquet(files[0]):
        return pl.scan_parquet(list(files), glob=False, hive_partitioning=False)
    return pl.concat([read_table(file).lazy() for file in files], how="diagonal_relaxed")


def deal(table: pl.LazyFrame, folder: Path, *, parts: int) -> list[Path]:
    """Folders of Parquet files, each with all rows of its people, by a stream over the table."""
    number = (pl.col("user_id").hash(_SALT) % parts).alias("part")
    table.sink_parquet(
        pl.PartitionBy(folder, key=number, include_key=False),
        compression="lz4",
        engine="streaming",
        mkdir=True,
    )
    return sorted(folder.glob("part=*"))


def read_dealt(part: Path) -> pl.DataFrame:
    """The rows of one part."""
    return pl.read_parquet(part_files(part), glob=False, hive_partitioning=False)


def write_people(people: People, folder: Path) -> None:
    """The arrays of a part; an array that several limits count is written once."""
    disk.make(folder)
    arrays = {id(use): use for row in people.rows for use in row.use if use is not None}
    place = {key: number for number, key in enumerate(arrays)}
    np.save(folder / _WORTH, people.worth)
    np.save(folder / _USE, np.array(list(arrays.values())).reshape(len(arrays), len(people)))
    people.users.to_frame("user_id").write_parquet(folder / _USERS, compression="lz4")
    rows = [
        {name: getattr(row, name) for name in _SAID}
        | {"use": [None if use is None else place[id(use)] for use in row.use]}
        for row in people.rows
    ]
    about = {"placements": people.placements, "packages": people.packages, "rows": rows}
    disk.put(folder / _ABOUT, json.dumps(about).encode())


def read_people(folder: Path) -> People:
    """The part that `write_people` wrote, its arrays mapped to memory."""
    about = json.loads(disk.read(folder / _ABOUT))
    use = np.asarray(np.load(folder / _USE, mmap_mode="r"))
    rows = [
        replace(Row(**row), use=tuple(None if place is None else use[place] for place in row["use"]))
        for row in about["rows"]
    ]
    return People(
        users=pl.read_parquet(folder / _USERS, glob=False)["user_id"],
        placements=tuple(about["placements"]),
        worth=np.asarray(np.load(folder / _WORTH, mmap_mode="r")),
        rows=tuple(rows),
        packages=tuple(about["packages"]),
    )


def seal_folders(folders: Sequence[Path]) -> None:
    """Say of parts that they are all there: beside them, the digest of every file."""
    held = {
        folder.name: {path.name: content_of(path).sha256 for path in sorted(folder.iterdir())}
        for folder in folders
    }
    disk.put(folders[0].parent / _WHOLE, json.dumps(held).encode())


def dealt_folders(work: Path) -> tuple[Path, ...]:
    """The parts that an earlier job sealed there; none where one is not what it was."""
    try:
        held = json.loads(disk.read(work / _WHOLE))
        for folder, files in held.items():
            if any(content_of(work / folder / name).sha256 != sha256 for name, sha256 in files.items()):
                return ()
    except (OSError, ValueError):
        return ()
    return tuple(work / folder for folder in sorted(held))
