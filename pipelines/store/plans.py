"""The output directory of DESIGN 3.3 on disk: written from a plan, and read back as one.

It must not decide anything: what the files hold is `Plan.files`.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from models.errors import CampaignError, DataError
from models.escaping.tables import from_cells
from pipelines.store import disk
from pipelines.store.manifest import MANIFEST, Content, sealed
from pipelines.store.reading import hold
from pipelines.store.rejects import write_rejected
from pipelines.store.tables import write_table
from targeting.decision.verbs import Plan, plan_from_files
from targeting.plan.budgets import Budgets

REPORT = "report.html"
SEAL = MANIFEST
"""What every file of a plan hashed to when it was written: a promise is judged as it was made."""
_READ = (".json", ".csv", ".parquet")


def write_plan(
    plan: Plan,
    folder: Path,
    *,
    rejected: pl.DataFrame,
    language: str = "en",
    budgets: Budgets | None = None,
) -> None:
    """Write every file of the plan into `folder`, and the quarantined rows into `folder/rejected`."""
    write_files(plan.files(language=language, budgets=budgets), folder)
    write_rejected(rejected, folder)


def write_files(files: Mapping[str, pl.DataFrame | str], folder: Path) -> None:
    """Frames by their extension (CSV or Parquet), text as UTF-8."""
    for name, content in files.items():
        if isinstance(content, str):
            disk.put(folder / name, content.encode())
        else:
            write_table(content, folder / name)


def read_plan(folder: Path) -> Plan:
    """The plan in a directory that `targeting plan` or `targeting run` wrote.

    Raises:
        DataError: not such a directory, or a file in it is damaged.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such directory; expected one written by `targeting plan`")
    files = {name: _parsed(folder / name, data) for name, data in _held(folder).items()}
    try:
        return plan_from_files(files)
    except (DataError, CampaignError) as error:  # it names the file; where that is, only we know
        raise DataError(f"{folder}/{error}") from error


def _held(folder: Path) -> dict[str, bytes]:
    """The plan's files, each read once; those of older versions have no seal to be compared with.

    Raises:
        DataError: One cannot be read, or is not the one that was written.
    """
    listed = sealed(folder)
    if listed is None and (folder / SEAL).exists():
        raise DataError(f"{folder / SEAL}: cannot be read; expected a file of `targeting plan`: plan again")
    names = [path.name for path in folder.iterdir()] if listed is None else [*listed]
    held: dict[str, bytes] = {}
    for name in sorted(names):
        if Path(name).suffix in _READ and "/" not in name and name != SEAL:
            try:
                held[name] = hold(folder / name).data
            except FileNotFoundError:
                raise DataError(f"{folder}/{name}: is missing; restore it, or plan again") from None
            except OSError as error:
                raise _unreadable(folder / name, error) from error
    edited = [name for name, data in held.items() if listed and Content.of(data) != listed[name]]
    if edited:
        raise DataError(
            f"{folder}: edited after the plan was written: {', '.join(edited)}; what the plan promises is of"
            " the files as they were: restore them, or plan again"
        )
    return held


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
