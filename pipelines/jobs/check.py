"""Checking input before anything is learned from it: what is wrong where, and what the data can tell.

Problems of one table do not hide those of another: every table is read, and what cannot be used at all is
listed as an error beside the counts of the rest. Writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from models.audience.held_out import claim
from models.contracts import Conformed, Dataset, Table, assemble
from models.contracts.conform import recognise
from models.contracts.quarantine import REJECT_CEILING, cell_at_fault, refuse_many
from models.errors import DataError
from models.events.event_log import read_events
from models.events.training_rows import USABLE_BY, usable_rows
from pipelines.jobs.check_report import CheckReport, Finding, TableReport
from pipelines.store import TABLE_SUFFIXES, conform_raw, find_table, read_raw
from pipelines.store.pieces import read_checked
from targeting.planning_state import last_moment, logged_placements

PLAN = "plan.json"
EVENT_ROWS = 200_000
"""Exposures whose events are settled at a time: a million take 0.5 GB."""
SETTLED_BY = (
    *("exposure_id", "user_id", "placement", "exposed_at", "impressions"),
    *("followed", "followed_at", "randomized"),
)
SETTLED_OF = ("user_id", "snapshot_at", "is_fan")
TABLES: tuple[Table, ...] = ("users", "exposures", "orders")


def check(path: str | Path) -> CheckReport:
    """Check a data directory, or a single delivery report or curves file.

    Returns:
        A report; problems of the data are in it, not raised.
    """
    path = Path(path)
    if (path / PLAN).exists():
        error = f"{path}: is the directory of a plan; expected data: users, exposures and orders, or a report"
        return CheckReport(str(path), (), (error,), ())
    if path.is_dir() and _is_data_directory(path):
        return _check_directory(path)
    return _check_single(path)


def _is_data_directory(path: Path) -> bool:
    """A folder of tables, as opposed to a folder of parts of one table."""
    if any(child.stem in TABLES for child in path.iterdir()):
        return True
    return not any(child.suffix.lower() in TABLE_SUFFIXES for child in path.iterdir())


def _check_directory(path: Path) -> CheckReport:
    read: dict[Table, Conformed] = {}
    errors = []
    for table in TABLES:
        try:
            read[table] = read_checked(find_table(path, table), table)
        except DataError as error:
            errors.append(str(error))
    if not errors:
        try:
            return _usable(path, read)
        except DataError as error:
            errors.append(str(error))
    warnings = tuple(line for part in read.values() for line in part.warnings)
    tables = tuple(_report(table, part, part.rejected) for table, part in read.items())
    return CheckReport(str(path), tables, tuple(dict.fromkeys(errors)), warnings)


def _usable(path: Path, read: dict[Table, Conformed]) -> CheckReport:
    dataset = assemble(read["users"], read["exposures"], read["orders"])
    tables = tuple(
        _report(table, part, dataset.rejected.filter(pl.col("table") == table))
        for table, part in read.items()
    )
    facts, warnings = dataset_facts(dataset), dataset.warnings
    read.clear()  # what claims do not need is 40 % of the memory
    dataset = Dataset(
        dataset.users.select(SETTLED_OF),
        dataset.exposures.select(SETTLED_BY),
        dataset.orders.filter(pl.col("ordered_at") == pl.col("ordered_at").max()).head(1),
    )
    claims, notes = _claims(dataset)
    return CheckReport(str(path), tables, (), (*warnings, *notes), {**facts, **claims})


def dataset_facts(dataset: Dataset) -> dict[str, object]:
    """What a dataset can tell: people, placements, days."""
    shown = dataset.exposures
    by_placement = (
        shown.lazy()
        .group_by("placement")
        .agg(
            pl.len().alias("rows"),
            pl.col("randomized").sum().alias("randomized_rows"),
            pl.col("impressions").sum(),
            pl.col("cost_cny").sum().round(3),
            pl.col("followed").sum().alias("follows"),
        )
        .sort("placement")
        .collect(engine="streaming")
    )
    return {
        "users": dataset.users.height,
        "eligible_users": int((~dataset.users["is_fan"]).sum()),
        "features": dataset.features,
        "snapshot_at": str(dataset.users["snapshot_at"].max()),
        "exposed": _span(shown["exposed_at"]),
        "ordered": _span(dataset.orders["ordered_at"]),
        "orders": dataset.orders.height,
        "gmv_cny": round(float(dataset.orders["gmv_cny"].sum()), 3),
        "placements": {row.pop("placement"): row for row in by_placement.to_dicts()},
    }


def _claims(dataset: Dataset) -> tuple[dict[str, dict[str, str]], tuple[str, ...]]:
    """What a model of every logged placement may claim, and what training would assume or refuse.

    Read the way training reads it: rows of people who follow already, or whose follow window is still open,
    teach nothing and must not be counted here either.
    """
    try:
        placements, as_of = logged_placements(dataset), last_moment(dataset)
        events = pl.concat([_events_of(dataset, part, as_of) for part in range(_parts_of(dataset))])
        rows, assumed = usable_rows(events, as_of=as_of, placements=placements)
    except DataError as error:
        return {}, (f"nothing can be learned from these logs yet: {error}",)
    told = claim(rows, placements)
    return {"claims": {"kind": told.kind, "why": told.why}}, tuple(assumed)


def _parts_of(dataset: Dataset) -> int:
    return 1 + dataset.exposures.height // EVENT_ROWS


def _events_of(dataset: Dataset, part: int, as_of: datetime) -> pl.DataFrame:
    """What claims need of the events of a part of the people; which row won a follow is settled by person."""
    mine = pl.col("user_id").hash(0) % _parts_of(dataset) == part
    people, shown = dataset.users.filter(mine), dataset.exposures.filter(mine)
    log = read_events(Dataset(people, shown, dataset.orders), as_of=as_of)
    return log.exposures.select(*USABLE_BY, "randomized")


def _check_single(path: Path) -> CheckReport:
    try:
        which = partial(recognise, source=str(path))
        raw = read_raw(path, which)
        table = which(raw.frame.columns)
        part = conform_raw(raw, table)
    except DataError as error:
        return CheckReport(str(path), (), (str(error),), ())
    warnings = list(part.warnings)
    errors: tuple[str, ...] = ()
    if table == "curves" and not part.rejected.is_empty():
        errors = (
            f"{path}: {part.rejected.height} bad rows; curves are used whole or not at all: mend the file",
        )
    try:
        refuse_many(str(path), part.good.height, part.rejected, ceiling=REJECT_CEILING)
    except DataError as error:
        errors = (*errors, str(error))
    return CheckReport(
        str(path), (_report(table, part, part.rejected),), errors, tuple(warnings), _facts(part)
    )


def _facts(part: Conformed) -> dict[str, object]:
    good = part.good
    facts: dict[str, object] = {"rows": good.height}
    if "segment" in good.columns:
        facts["segments"] = good["segment"].n_unique()
        facts["placements"] = good["placement"].unique().sort().to_list()
    if "date" in good.columns:
        facts["dates"] = _span(good["date"])
        facts["cost_cny"] = round(float(good["cost_cny"].sum()), 3)
        facts["randomized_rows"] = int(good["randomized"].fill_null(False).sum())
    return facts


def _span(times: pl.Series) -> list[str]:
    """First and last, as text; empty where there is none."""
    return [] if times.is_empty() else [str(times.min()), str(times.max())]


def _report(table: Table, part: Conformed, rejected: pl.DataFrame) -> TableReport:
    # Rows that the cross-table checks took out were good on their own.
    good = part.good.height - (rejected.height - part.rejected.height)
    return TableReport(table, part.origin.source, good, rejected.height, _findings(table, rejected))


def _findings(table: Table, rejected: pl.DataFrame) -> tuple[Finding, ...]:
    """Each kind of fault with its count and its first row."""
    kinds = (
        rejected.with_columns(pl.col("reason").str.split("; "))
        .explode("reason")
        .group_by("reason", maintain_order=True)
        .agg(pl.len().alias("rows"), pl.col("source", "row", "raw").first())
        .sort("rows", descending=True, maintain_order=True)
    )
    return tuple(_finding(table, kind) for kind in kinds.iter_rows(named=True))


def _finding(table: Table, kind: Mapping[str, Any]) -> Finding:
    column, _, expected = kind["reason"].partition(": expected ")
    found = cell_at_fault(table, kind["reason"], kind["raw"])
    return Finding(column, expected, kind["rows"], kind["source"], kind["row"], found)
