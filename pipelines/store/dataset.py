"""Whole inputs from disk: a data directory, a delivery report, supplied curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from models.contracts import Conformed, Dataset, Table, assemble, conform
from models.contracts.features import Feature
from models.contracts.quarantine import REJECT_CEILING, refuse_many
from models.errors import DataError
from models.events.event_log import in_order
from pipelines.store.reading import print_of
from pipelines.store.tables import RawTable, find_table, has_table, read_raw


def read_conformed(path: str | Path, table: Table, *, features: Sequence[Feature] = ()) -> Conformed:
    """A table from disk after its contract; `features` as for `conform`."""
    return conform_raw(read_raw(path, table), table, features=features)


def conform_raw(raw: RawTable, table: Table, *, features: Sequence[Feature] = ()) -> Conformed:
    """A table that was read, after its contract; what some of its parts lack is among the warnings."""
    found = conform(
        raw.frame, table, source=raw.source, parts=raw.parts, features=features, decimal=raw.decimal
    )
    return replace(found, warnings=(*raw.warnings, *found.warnings), digest=print_of(raw.digests))


def read_dataset(folder: str | Path, *, max_rejected_share: float = REJECT_CEILING) -> Dataset:
    """The data directory of DESIGN 3.1: users, exposures and orders, conformed and checked against each
    other; exposures in the order of an event log.

    Raises:
        DataError: A table is missing, unreadable, has no usable row or too many bad ones; see `conform` and
            `assemble`.
    """
    paths = {table: find_table(folder, table) for table in ("users", "exposures", "orders")}
    found = assemble(
        read_conformed(paths["users"], "users"),
        read_conformed(paths["exposures"], "exposures"),
        read_conformed(paths["orders"], "orders"),
        ceiling=max_rejected_share,
    )
    return replace(found, exposures=in_order(found.exposures))


def read_report(path: str | Path, *, max_rejected_share: float = REJECT_CEILING) -> Conformed:
    """A console's report.

    Raises:
        DataError: Too many of its rows are bad, or see `conform`.
    """
    report = read_conformed(path, "delivery")
    refuse_many(str(path), report.good.height, report.rejected, ceiling=max_rejected_share)
    return report


def read_users(path: str | Path, *, features: Sequence[Feature] = ()) -> Conformed:
    """Users to score: a users file or folder, or a data directory that has one; `features` of the model."""
    path = Path(path)
    found = find_table(path, "users") if has_table(path, "users") else path
    return read_conformed(found, "users", features=features)


def read_curves(path: str | Path) -> Conformed:
    """Supplied response curves, with nothing rejected.

    Raises:
        DataError: Any row is bad. A curve with a point left out is another curve, so nothing is quarantined
            here.
    """
    curves = read_conformed(path, "curves")
    if not curves.rejected.is_empty():
        first = curves.rejected.row(0, named=True)
        raise DataError(
            f"{first['source']}: row {first['row']}: {first['reason']} ({curves.rejected.height} bad rows "
            "in all); curves are used whole or not at all: mend the file"
        )
    return curves
