"""What a directory must hold: the size and sha256 of every file that was published in it.

The list says two things. A file that is not in it, byte for byte, is somebody's: the directory is not
replaced. A file that a reader takes from it is the one that was written, or is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from pipelines.store import disk
from targeting.plan.seal import SEAL, Content, listed_in, seal_of

MANIFEST = SEAL
"""A plan is read by the same list."""
HARMLESS = frozenset({".DS_Store", "Thumbs.db"})
"""What desktops leave in folders that they show."""
# No job writes a file of another kind, whatever a manifest says.
_WRITTEN = frozenset({".csv", ".html", ".json", ".parquet", ".svg", ".tsv", ".txt", ".xlsx", ".yaml"})
_PIECE = 1 << 20


def content_of(path: Path) -> Content:
    """Size and digest of a file, read in pieces."""
    digest, size = hashlib.sha256(), 0
    with disk.open_file(path) as file:
        for piece in iter(partial(file.read, _PIECE), b""):
            digest.update(piece)
            size += len(piece)
    return Content(size=size, sha256=digest.hexdigest())


def files_below(folder: Path) -> Iterator[str]:
    """Names of all files below a folder, and of links, which are nobody's business to follow."""
    for path in folder.rglob("*"):
        if path.is_symlink() or not path.is_dir():
            yield path.relative_to(folder).as_posix()


def seal(folder: Path) -> None:
    """Write the manifest of a folder, and bring the folder to the disk with all that is below it."""
    odd = [name for name in files_below(folder) if Path(name).suffix not in _WRITTEN]
    assert not odd, f"{odd[0]}: the next job would take it for somebody's file"
    held = {name: content_of(folder / name) for name in files_below(folder)}
    for name in sorted(held):
        disk.sync(folder / name)
    disk.put(folder / MANIFEST, seal_of(held))
    for inner in (*(path for path in folder.rglob("*") if path.is_dir()), folder):
        disk.sync(inner)


def strangers(folder: Path) -> Iterator[str]:
    """Files of a folder that this program did not write, or that somebody changed."""
    try:
        listed = listed_in(disk.read(folder / MANIFEST)) or {}
    except OSError:
        listed = {}
    for name in sorted(files_below(folder)):
        if name != MANIFEST and Path(name).name not in HARMLESS:
            path, held = folder / name, listed.get(name)
            is_of_ours = path.suffix in _WRITTEN and path.is_file() and not path.is_symlink()
            if held is None or not is_of_ours or content_of(path) != held:
                yield name
