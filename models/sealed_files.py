"""A registered model's text files with their digests, checked before anything reads what they say.

A file that was edited, torn, lost or added is refused, and so is one that is no plain file or is larger than
any model: nothing of it is parsed. The only reader of a model's folder, here and where MLflow serves it.
"""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Mapping
from pathlib import Path

from models.errors import DataError

SEAL = "digests.json"
"""File beside the others: the sha256 of each by its name."""
MOST_FILES = 1000
MOST_BYTES = 1 << 30
"""Of all files of a model together: a hundred times that of the largest seen, 5 placements of 300 trees."""


def with_seal(files: Mapping[str, str]) -> dict[str, str]:
    """The files with `digests.json` among them."""
    digests = {name: digest_of(text) for name, text in sorted(files.items())}
    return {**files, SEAL: json.dumps(digests, indent=1, ensure_ascii=False) + "\n"}


def digest_of(text: str) -> str:
    """sha256 of a text as it is on disk."""
    return hashlib.sha256(text.encode()).hexdigest()


def digest_of_folder(folder: Path) -> str:
    """sha256 of every file below a folder with its name, but for byte code, which Python itself may add."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            with path.open("rb") as file:
                of_file = hashlib.file_digest(file, "sha256").hexdigest()
            digest.update(f"{path.relative_to(folder).as_posix()}\0{of_file}\0".encode())
    return digest.hexdigest()


def read_sealed(
    folder: Path, *, source: str, seal: str | None = None, may_lack_seal: bool = False
) -> dict[str, str]:
    """Text files of a model by name, without the seal.

    Args:
        folder: That holds them.
        source: The model, for messages.
        seal: Digest that `digests.json` must have, where the registry knows it.
        may_lack_seal: The folder was not made by `registry.save`: it may be one without a seal.

    Raises:
        DataError: They are not what was saved.
        OSError: They cannot be read.
    """
    texts = _read_texts(folder, source=source)
    sealed = texts.pop(SEAL, None)
    if sealed is None:
        if may_lack_seal and seal is None:
            return texts
        raise DataError(f"model {source}: holds no {SEAL}, so nobody can tell what it was; train again")
    if seal is not None and digest_of(sealed) != seal:
        raise DataError(
            f"model {source}: {SEAL} is not what was registered; restore the files, or train again"
        )
    try:
        digests = json.loads(sealed)
    except ValueError:
        digests = None
    if digests != {name: digest_of(text) for name, text in texts.items()}:
        known = digests if isinstance(digests, dict) else {}
        changed = sorted(n for n in {*known, *texts} if n not in texts or known.get(n) != digest_of(texts[n]))
        raise DataError(
            f"model {source}: edited or damaged since it was saved: {', '.join(changed[:3]) or SEAL}; "
            "restore the files, or train again"
        )
    return texts


def _read_texts(folder: Path, *, source: str) -> dict[str, str]:
    texts: dict[str, str] = {}
    left = MOST_BYTES
    for path in sorted(folder.iterdir()):
        found = path.lstat()
        if stat.S_ISDIR(found.st_mode):
            continue
        left -= found.st_size
        if not stat.S_ISREG(found.st_mode) or left < 0 or len(texts) >= MOST_FILES:
            raise DataError(
                f"model {source}: {path.name} is no file of a model, or too large for one; train again"
            )
        try:
            texts[path.name] = path.read_bytes().decode()
        except UnicodeDecodeError:
            raise DataError(f"model {source}: {path.name} is not text; restore it, or train again") from None
    return texts
