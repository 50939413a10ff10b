"""Fingerprints of files by their bytes: cheap, streamed, and the same for any table size.

`models.contracts.fingerprint` hashes what a table says; this tells whether an input is still the same file.
"""

from __future__ import annotations

import hashlib
from pathlib import Path


def content_of(path: Path) -> str:
    """Hash of the bytes of a file, or of all files of a folder in name order, read in pieces."""
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            digest.update(file.relative_to(path).as_posix().encode())
            with file.open("rb") as stream:
                while piece := stream.read(1 << 20):
                    digest.update(piece)
    return digest.hexdigest()[:32]
