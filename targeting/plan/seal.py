"""What a plan's directory says that it holds: the size and sha256 of every file, as it was published.

A promise is judged as it was made, so a file that is not the one that was written is refused. It must not
touch the disk: whoever writes or reads the directory hands over bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field, ValidationError

SEAL = ".targeting-manifest.json"


class Content(BaseModel):
    """One file: how long it is, and its sha256."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    size: int = Field(ge=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")

    @classmethod
    def of(cls, data: bytes) -> Content:
        """What a file holds that was read whole."""
        return cls(size=len(data), sha256=hashlib.sha256(data).hexdigest())


class _Seal(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    files: dict[str, Content]


def seal_of(held: Mapping[str, Content]) -> bytes:
    """The seal of files by their names below the directory.

    >>> listed_in(seal_of({"plan.json": Content.of(b"{}")}))["plan.json"].size
    2
    """
    files = {name: held[name].model_dump() for name in sorted(held)}
    return (json.dumps({"files": files}, indent=1, ensure_ascii=False) + "\n").encode()


def listed_in(seal: bytes) -> dict[str, Content] | None:
    """What a seal lists; None where it cannot be read.

    >>> listed_in(b"{torn") is None
    True
    """
    try:
        return _Seal.model_validate_json(seal).files
    except ValidationError:
        return None
