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
FORMAT = 5
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
    """Move every non-empty `text` into a file and leave the file's name behind; equal texts share one."""
    for position, (key, inner) in enumerate(_items(value)):
        if key == "text" and inner:
            name = next((known for known, text in files.items() if text == inner), f"{path}.txt")
            files[name] = inner
            value[key] = name  # type: ignore[index]
        else:
            _move_texts(inner, f"{path}-{_file_part(key, position)}", files)


def _bring_texts(value: object, files: Mapping[str, str]) -> None:
    for key, inner in _items(value):
        if key == "text" and inner:
            if not isinstance(inner, str) or inner not in files:
                raise DataError(f"model: file {str(inner)[:80]} is missing; train again")
            value[key] = files[inner]  # type: ignore[index]
        else:
            _bring_texts(inner, files)


def _items(value: object) -> list[tuple[Any, Any]]:
    """Keys and values of an object, positions and values of a list, nothing of anything else."""
    if isinstance(value, dict):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, list) else []


def _file_part(key: object, position: int) -> str:
    """A key as part of a file name: placements may be called anything, in any script."""
    name = str(key)
    return name if name.isascii() and name.replace("_", "").isalnum() and len(name) <= 40 else str(position)
