"""A model as text files. In: the model, JSON-ready. Out: `audience.json`, and each LightGBM text apart.

Trees are megabytes of LightGBM's own format: a file of their own each, so that `audience.json` stays readable
and a serving host may check them by themselves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from models.errors import DataError
from models.stored import parsed

MODEL_FILE = "audience.json"
FORMAT = 4
"""Number of the layout below; a file of another number is refused."""


class OutdatedError(DataError):
    """A model of another version of this program, whole but of no use to this one."""


def write_files(model: dict[str, Any]) -> dict[str, str]:
    """Text files by name; `model` is emptied of its long texts.

    Args:
        model: JSON-ready; every non-empty value of a key `text` goes into a file of its own.
    """
    body = {"format": FORMAT, **model, "encoder": model["encoder"]["columns"]}
    files: dict[str, str] = {}
    _move_texts(body, "trees", files)
    files[MODEL_FILE] = json.dumps(body, indent=1, ensure_ascii=False)
    return files


def read_files(files: Mapping[str, str]) -> str:
    """The model as one JSON text, long texts back in their places.

    Raises:
        DataError: `audience.json` is missing or of another format, or a text file is missing.
    """
    if MODEL_FILE not in files:
        found = ", ".join(sorted(files)) or "nothing"
        raise DataError(f"model: file {MODEL_FILE} is missing (found {found}); train again")
    body = parsed(files[MODEL_FILE], source=MODEL_FILE, what="model")
    written = body.pop("format", None) if isinstance(body, dict) else None
    if written is not None and written != FORMAT:
        raise OutdatedError(f"model: {MODEL_FILE} has format {written}, expected {FORMAT}; train again")
    if written is None or "encoder" not in body:
        raise DataError(f"model: {MODEL_FILE} holds no model; train again")
    _bring_texts(body, files)
    return json.dumps({**body, "encoder": {"columns": body["encoder"]}})


def _move_texts(value: object, path: str, files: dict[str, str]) -> None:
    """Move every non-empty `text` into a file of its own and leave the file's name behind."""
    if not isinstance(value, dict):
        return
    for position, (key, inner) in enumerate(value.items()):
        if key == "text" and inner:
            files[f"{path}.txt"] = inner
            value[key] = f"{path}.txt"
        else:
            _move_texts(inner, f"{path}-{_file_part(key, position)}", files)


def _bring_texts(value: object, files: Mapping[str, str]) -> None:
    if not isinstance(value, dict):
        return
    for key, inner in value.items():
        if key == "text" and inner:
            if not isinstance(inner, str) or inner not in files:
                raise DataError(f"model: file {str(inner)[:80]} is missing; train again")
            value[key] = files[inner]
        else:
            _bring_texts(inner, files)


def _file_part(key: str, position: int) -> str:
    """A key as part of a file name: placements may be called anything, in any script."""
    return key if key.isascii() and key.replace("_", "").isalnum() and len(key) <= 40 else str(position)
