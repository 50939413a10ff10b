"""A plan's directory, read: its files as `targeting plan` wrote them, or a line that says which is not.

Reading only; the pipelines write, because a directory is replaced as a whole.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import polars as pl

from models.errors import DataError
from models.escaping.tables import from_cells
from targeting.plan.seal import SEAL, Content, listed_in

Reader = Callable[[Path], bytes]
_READ = (".json", ".csv", ".parquet")


def read_folder(folder: Path, read: Reader) -> dict[str, pl.DataFrame | str]:
    """The files of a plan by name, each read once and compared with the seal.

    Args:
        folder: that `targeting plan` or `targeting run` wrote.
        read: the bytes of a file.

    Raises:
        DataError: no such directory, or a file in it cannot be read or is not the one that was written.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such directory; expected one written by `targeting plan`")
    return {name: _parsed(folder / name, data) for name, data in _held(folder, read).items()}


def _held(folder: Path, read: Reader) -> dict[str, bytes]:
    """The plan's files; those of older versions have no seal to be compared with."""
    seal = folder / SEAL
    listed = listed_in(_bytes(seal, read)) if seal.exists() else {}
    if listed is None:
        raise DataError(f"{seal}: cannot be read; expected a file of `targeting plan`: plan again")
    names = listed or {path.name for path in folder.iterdir()} - {SEAL}
    ours = sorted(name for name in names if Path(name).suffix in _READ and "/" not in name)
    held = {name: _bytes(folder / name, read) for name in ours}
    edited = [name for name, data in held.items() if listed and Content.of(data) != listed[name]]
    if edited:
        raise DataError(
            f"{folder}: edited after the plan was written: {', '.join(edited)}; what the plan promises is of"
            " the files as they were: restore them, or plan again"
        )
    return held


def _bytes(path: Path, read: Reader) -> bytes:
    try:
        return read(path)
    except FileNotFoundError:
        raise DataError(f"{path}: is missing; restore it, or plan again") from None
    except OSError as error:
        raise _unreadable(path, error) from error


def _parsed(path: Path, data: bytes) -> pl.DataFrame | str:
    try:
        if path.suffix == ".csv":
            return from_cells(pl.read_csv(data, infer_schema_length=None))
        return pl.read_parquet(io.BytesIO(data)) if path.suffix == ".parquet" else data.decode()
    except (UnicodeError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: BaseException) -> DataError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return DataError(f"{path}: cannot be read ({reason}); expected a file of `targeting plan`")
