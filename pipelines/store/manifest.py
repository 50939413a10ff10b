"""What a directory must hold: the size and sha256 of every file that was published in it.

The list says two things. A file that is not in it, byte for byte, is somebody's: the directory is not
replaced. A file that a reader takes from it is the one that was written, or is refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.store import disk

MANIFEST = ".targeting-manifest.json"
HARMLESS = frozenset({".DS_Store", "Thumbs.db"})
"""What desktops leave in folders that they show."""
# No job writes a file of another kind, whatever a manifest says.
_WRITTEN = frozenset({".csv", ".html", ".json", ".parquet", ".svg", ".tsv", ".txt", ".xlsx", ".yaml"})
_PIECE = 1 << 20


class Content(BaseModel):
    """One file: how long it is, and its sha256."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    size: int = Field(ge=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")

    @classmethod
    def of(cls, data: bytes) -> Content:
        """What a file holds that was read whole."""
        return cls(size=len(data), sha256=hashlib.sha256(data).hexdigest())


class _Manifest(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    files: dict[str, Content]


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
    held = {name: content_of(folder / name).model_dump() for name in sorted(files_below(folder))}
    text = json.dumps({"files": held}, indent=1, ensure_ascii=False) + "\n"
    for name in held:
        disk.sync(folder / name)
    disk.put(folder / MANIFEST, text.encode())
    for inner in (*(path for path in folder.rglob("*") if path.is_dir()), folder):
        disk.sync(inner)


def sealed(folder: Path) -> Mapping[str, Content] | None:
    """The manifest of a folder; None where it has none that can be read."""
    try:
        return _Manifest.model_validate_json(disk.read(folder / MANIFEST)).files
    except (OSError, ValidationError):
        return None


def strangers(folder: Path) -> Iterator[str]:
    """Files of a folder that this program did not write, or that somebody changed."""
    listed = sealed(folder) or {}
    for name in sorted(files_below(folder)):
        if name != MANIFEST and Path(name).name not in HARMLESS:
            path, held = folder / name, listed.get(name)
            is_of_ours = path.suffix in _WRITTEN and path.is_file() and not path.is_symlink()
            if held is None or not is_of_ours or content_of(path) != held:
                yield name
