"""Checking input before anything is learned from it: what is wrong where, and what the data can tell.

Problems of one table do not hide those of another: every table is read, and what cannot be used at all is
listed as an error beside the counts of the rest. Writes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from models.contracts import Conformed, Dataset, Table, assemble
from models.contracts.conform import recognise
from models.contracts.headers import means
from models.errors import DataError
from pipelines.store import conform_raw, find_table, read_conformed, read_raw

PLAN = "plan.json"
TABLES: tuple[Table, ...] = ("users", "exposures", "orders")


@dataclass(frozen=True)
class Finding:
    """One kind of fault in one table.

    Attributes:
        column: Column of the contract (`line` for lines with too many fields).
        expected: What was expected there.
        rows: How many rows have it.
        source: File of the first of them.
        row: 1-based data row of the first of them in that file.
        found: What the first of them holds in that column; None where it is empty.
    """

    column: str
    expected: str
    rows: int
    source: str
    row: int
    found: str | None

    def line(self) -> str:
        """Where, what was expected, what is there, how often."""
        found = "nothing" if self.found is None else repr(self.found)
        often = f"{self.rows} such rows, this is the first" if self.rows > 1 else "1 such row"
        return (
            f"{self.source}, row {self.row}, column {self.column}: "
            f"expected {self.expected}; found {found} ({often})"
        )


@dataclass(frozen=True)
class TableReport:
    """What became of one table.

    Attributes:
        table: Table of the contract.
        source: File or folder.
        good: Usable rows.
        rejected: Quarantined rows.
        findings: The kinds of faults, most frequent first.
    """

    table: str
    source: str
    good: int
    rejected: int
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class CheckReport:
    """What is wrong where, and what the data can tell.

    Attributes:
        path: What was checked.
        tables: One report per readable table.
        errors: One line per reason why the input cannot be used; empty when it can.
        warnings: One line each.
        facts: Numbers to look at: users, eligible users, placements, dates, claims, ...
    """

    path: str
    tables: tuple[TableReport, ...]
    errors: tuple[str, ...]
    warnings: tuple[str, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the input can be used (quarantined rows do not hinder)."""
        return not self.errors

    def raise_if_unusable(self) -> None:
        """Raise the first error, for callers that go on only with usable input.

        Raises:
            DataError: `errors` is not empty.
        """
        if self.errors:
            more = f" (and {len(self.errors) - 1} more errors)" if len(self.errors) > 1 else ""
            raise DataError(self.errors[0] + more)

    def lines(self) -> list[str]:
        """The report as text lines."""
        lines = []
        for table in self.tables:
            lines.append(f"{table.table}: {table.good} good, {table.rejected} bad rows ({table.source})")
            lines += [f"  {finding.line()}" for finding in table.findings]
        lines += [f"{name.replace('_', ' ')}: {_words(value)}" for name, value in self.facts.items()]
        lines += [f"warning: {line}" for line in self.warnings]
        lines += [f"error: {line}" for line in self.errors]
        return lines

    def to_dict(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        return {
            "path": self.path,
            "ok": self.ok,
            "errors": list(self.errors),
            "warnings": list(self.warnings),
            "tables": [
                {
                    "table": table.table,
                    "source": table.source,
                    "good": table.good,
                    "rejected": table.rejected,
                    "findings": [dict(vars(finding)) for finding in table.findings],
                }
                for table in self.tables
            ],
            "facts": dict(self.facts),
        }


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
    return not any(child.suffix.lower() in (".csv", ".parquet") for child in path.iterdir())


def _check_directory(path: Path) -> CheckReport:
    read: dict[Table, Conformed] = {}
    errors = []
    for table in TABLES:
        try:
            read[table] = read_conformed(find_table(path, table), table)
        except DataError as error:
            errors.append(str(error))
    if not errors:
        try:
            dataset = assemble(read["users"], read["exposures"], read["orders"])
            return _usable(path, read, dataset)
        except DataError as error:
            errors.append(str(error))
    warnings = tuple(line for part in read.values() for line in part.warnings)
    tables = tuple(_report(table, part, part.rejected) for table, part in read.items())
    return CheckReport(str(path), tables, tuple(dict.fromkeys(errors)), warnings)


def _usable(path: Path, read: Mapping[Table, Conformed], dataset: Dataset) -> CheckReport:
    tables = tuple(
        _report(table, part, dataset.rejected.filter(pl.col("table") == table))
        for table, part in read.items()
    )
    claims, notes = _claims(dataset)
    facts = {**dataset_facts(dataset), **claims}
    return CheckReport(str(path), tables, (), (*dataset.warnings, *notes), facts)


def dataset_facts(dataset: Dataset) -> dict[str, Any]:
    """What a dataset can tell: people, placements, days."""
    shown = dataset.exposures
    by_placement = (
        shown.group_by("placement")
        .agg(
            pl.len().alias("rows"),
            pl.col("randomized").sum().alias("randomized_rows"),
            pl.col("impressions").sum(),
            pl.col("cost_cny").sum().round(3),
            pl.col("followed").sum().alias("follows"),
        )
        .sort("placement")
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
    from models.audience.held_out import claim
    from models.events.event_log import read_events
    from models.events.training_rows import training_log
    from targeting.planning_state import last_moment, logged_placements

    try:
        placements = logged_placements(dataset)
        log = training_log(read_events(dataset, as_of=last_moment(dataset)), placements=placements)
    except DataError as error:
        return {}, (f"nothing can be learned from these logs yet: {error}",)
    told = claim(log, placements)
    return {"claims": {"kind": told.kind, "why": told.why}}, log.warnings


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
    return CheckReport(
        str(path), (_report(table, part, part.rejected),), errors, tuple(warnings), _facts(part)
    )


def _facts(part: Conformed) -> dict[str, Any]:
    good = part.good
    facts: dict[str, Any] = {"rows": good.height}
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


def _words(value: Any) -> str:
    """A fact for people: `3 of 5`, lists with commas, mappings as name (key value, ...)."""
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {_words(held)}" for name, held in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value)


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
    held = json.loads(kind["raw"])
    found = next((value for header, value in held.items() if means(header, table, column)), None)
    return Finding(column, expected, kind["rows"], kind["source"], kind["row"], found)
