"""The output directory of DESIGN 3.3 on disk: written from a plan, and read back as one.

It must not decide anything: what the files hold is `Plan.files`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from models.errors import CampaignError, DataError
from models.escaping.tables import from_cells
from pipelines.store import read_table, write_table
from pipelines.store.fingerprints import content_of
from targeting.decision.verbs import Plan, plan_from_files
from targeting.plan.budgets import Budgets

REPORT = "report.html"
SCORES_MANIFEST = "manifest.json"
SEAL = "fingerprints.json"
"""What every file of a plan hashed to when it was written: a promise is judged as it was made."""
_TEXT = (".json", ".html")


def write_plan(
    plan: Plan,
    folder: Path,
    *,
    rejected: pl.DataFrame,
    language: str = "en",
    budgets: Budgets | None = None,
) -> None:
    """Write every file of the plan into `folder`, and the quarantined rows into `folder/rejected`.

    Args:
        plan: decided.
        folder: exists.
        rejected: quarantined rows.
        language: of the report.
        budgets: the plan's other budgets, where they are known already.
    """
    files = plan.files(language=language, budgets=budgets)
    write_files(files, folder)
    write_rejected(rejected, folder)
    prints = {name: content_of(folder / name) for name in sorted(files) if name != REPORT}
    (folder / SEAL).write_text(json.dumps(prints, indent=1) + "\n", encoding="utf-8")


def write_files(files: Mapping[str, pl.DataFrame | str], folder: Path) -> None:
    """Frames by their extension (CSV or Parquet), text as UTF-8."""
    for name, content in files.items():
        if isinstance(content, str):
            (folder / name).write_text(content, encoding="utf-8")
        else:
            write_table(content, folder / name)


def write_rejected(rejected: pl.DataFrame, folder: Path) -> None:
    """Write `rejected/summary.csv` (table, source, reason, rows) and `rejected/<table>.csv` with the rows.

    Args:
        rejected: quarantined rows, schema `models.contracts.REJECTED`.
        folder: the output directory.
    """
    target = folder / "rejected"
    target.mkdir()
    keys = ["table", "source", "reason"]
    write_table(rejected.group_by(keys, maintain_order=True).agg(rows=pl.len()), target / "summary.csv")
    for (table,), rows in rejected.group_by("table", maintain_order=True):
        write_table(rows, target / f"{table}.csv")


def rejected_counts(rejected: pl.DataFrame) -> dict[str, int]:
    """Quarantined rows per table."""
    counts = rejected.group_by("table", maintain_order=True).len()
    return dict(zip(counts["table"].to_list(), counts["len"].to_list(), strict=True))


def read_plan(folder: Path) -> Plan:
    """The plan in a directory that `targeting plan` or `targeting run` wrote.

    Raises:
        DataError: not such a directory, or a file in it is damaged.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such directory; expected one written by `targeting plan`")
    _refuse_edited(folder)
    files: dict[str, pl.DataFrame | str] = {}
    for path in sorted(folder.iterdir()):
        if path.name == SEAL:
            continue
        try:
            if path.suffix in _TEXT and path.name != REPORT:
                files[path.name] = path.read_text(encoding="utf-8")
            elif path.suffix == ".csv":
                files[path.name] = from_cells(pl.read_csv(path, infer_schema_length=None))
            elif path.suffix == ".parquet":
                files[path.name] = read_table(path)
        except (OSError, UnicodeError, pl.exceptions.PolarsError) as error:
            raise DataError(
                f"{path}: cannot be read ({str(error).strip().splitlines()[0]}); expected a file of"
                " `targeting plan`"
            ) from error
    try:
        return plan_from_files(files)
    except (DataError, CampaignError) as error:  # it names the file; where that is, only we know
        raise DataError(f"{folder}/{error}") from error


def _refuse_edited(folder: Path) -> None:
    """Refuse files that are not those that were written; plans of older versions have no seal."""
    seal = folder / SEAL
    if not seal.exists():
        return
    try:
        prints = json.loads(seal.read_text(encoding="utf-8"))
        edited = [name for name, print_ in prints.items() if (folder / name).exists()]
        edited = [name for name in edited if content_of(folder / name) != prints[name]]
    except (OSError, ValueError, AttributeError) as error:
        raise DataError(f"{seal}: cannot be read ({error}); expected a file of `targeting plan`") from error
    if edited:
        raise DataError(
            f"{folder}: edited after the plan was written: {', '.join(edited)}; what the plan promises is of"
            " the files as they were: restore them, or plan again"
        )
