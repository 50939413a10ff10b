"""The three user-level tables together: cross-table checks, warnings and fingerprints.

Pure: no file, clock, environment or network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from models.contracts.conform import Conformed, conform
from models.contracts.features import feature_columns
from models.contracts.fingerprint import fingerprint
from models.contracts.frames import as_frame
from models.contracts.quarantine import (
    REJECT_CEILING,
    gather_faults,
    no_rejects,
    refuse_many,
    reject,
    worst,
)
from models.contracts.schemas import CONTROL
from models.errors import DataError

_SHARE = 500_000
"""Ids that are looked up at a time."""


@dataclass(frozen=True)
class Dataset:
    """What is known about people, what they were shown and what they bought.

    Attributes:
        users: One row per person: user_id, snapshot_at, is_fan, features.
        exposures: One row per user x campaign x placement x day; every user is in `users`.
        orders: One row per order; every user is in `users`. May be empty.
        rejected: Quarantined rows: table, source, row, reason, raw.
        warnings: One line each.
        fingerprints: Content hash per table.
    """

    users: pl.DataFrame
    exposures: pl.DataFrame
    orders: pl.DataFrame
    rejected: pl.DataFrame = field(default_factory=no_rejects)
    warnings: tuple[str, ...] = ()
    fingerprints: Mapping[str, str] = field(default_factory=dict)

    @property
    def features(self) -> list[str]:
        """Names of the feature columns of `users`."""
        return feature_columns(self.users)


def assemble(
    users: Conformed, exposures: Conformed, orders: Conformed, *, ceiling: float = REJECT_CEILING
) -> Dataset:
    """Check the tables against each other.

    Exposures and orders of people who are not in `users` are quarantined and counted.

    Args:
        users, exposures, orders: After their contracts.
        ceiling: Largest share of bad rows of each table; strangers are not bad.

    Raises:
        DataError: No exposure belongs to a known user, or a table has too many bad rows.
    """
    for table in (users, exposures, orders):
        refuse_many(table.origin.source, table.good.height, table.rejected, ceiling=ceiling)
    known = users.good.select("user_id")
    shown, strangers = _of_known_users(exposures, known)
    bought, buyers = _of_known_users(orders, known)
    if shown.is_empty():
        raise DataError(
            f"{exposures.origin.source}: no row's user_id is in {users.origin.source} "
            f"(first: {exposures.good['user_id'][0]!r}); expected the same ids in both"
        )
    parts = (users.rejected, exposures.rejected, strangers, orders.rejected, buyers)
    rejected = pl.concat(parts)
    warnings = [*users.warnings, *exposures.warnings, *orders.warnings]
    for table, source in ((exposures, strangers), (orders, buyers)):
        if len(source):
            warnings.append(
                f"{table.origin.source}: {len(source)} rows of users who are not in users, quarantined"
            )
    warnings += _oddities(users.good, shown, exposures.origin.source)
    for table in (users, exposures, orders):
        warnings += _quarantine_note(rejected, table)
    return Dataset(
        users=users.good,
        exposures=shown,
        orders=bought,
        rejected=rejected,
        warnings=tuple(warnings),
        fingerprints={
            "users": fingerprint(users.good),
            "exposures": fingerprint(shown),
            "orders": fingerprint(bought),
        },
    )


def gather(*, users: object, exposures: object, orders: object, ceiling: float = REJECT_CEILING) -> Dataset:
    """A dataset from frames in memory (polars, pandas, Arrow): each is conformed, then all are assembled."""
    return assemble(
        conform(as_frame(users, source="users"), "users", source="users"),
        conform(as_frame(exposures, source="exposures"), "exposures", source="exposures"),
        conform(as_frame(orders, source="orders"), "orders", source="orders"),
        ceiling=ceiling,
    )


def _of_known_users(table: Conformed, known: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows of known users, and the others as quarantined rows."""
    is_known = _are_among(table.good["user_id"], known["user_id"])
    if is_known.all():
        return table.good, no_rejects()
    faults = gather_faults([(table.rows.filter(~is_known), "user_id: expected a user of table users")])
    return table.good.filter(is_known), reject(table.good, faults, table.origin, rows=table.rows)


def _are_among(ids: pl.Series, known: pl.Series) -> pl.Series:
    """Which ids are known, a share of them at a time: a set of five million takes 0.4 GB."""
    parts = 1 + len(known) // _SHARE
    share, share_known = ids.hash(0) % parts, known.hash(0) % parts
    found = pl.repeat(False, len(ids), dtype=pl.Boolean, eager=True)
    for part in range(parts):
        at = (share == part).arg_true()
        some = known.filter(share_known == part)
        found = found.scatter(at, ids.gather(at).is_in(some.implode()))
    return found


def _oddities(users: pl.DataFrame, exposures: pl.DataFrame, source: str) -> list[str]:
    """What is allowed but limits what can be learned."""
    found = []
    shown = exposures["placement"].unique()
    shown = shown.filter(shown != CONTROL)
    if len(shown) == 1:
        found.append(f"{source}: all shown rows are in placement {shown[0]!r}; the others cannot be learned")
    if not exposures["randomized"].any():
        found.append(f"{source}: no randomized rows; effects are observational, not causal")
    if not feature_columns(users):
        found.append("users: no feature column; everybody will get the same scores, in one segment")
    if users["is_fan"].all():
        found.append("users: everybody is already a fan; nobody is eligible")
    return found


def _quarantine_note(rejected: pl.DataFrame, table: Conformed) -> list[str]:
    mine = rejected.filter(pl.col("table") == table.origin.table)
    if mine.is_empty():
        return []
    [(reason, count)] = worst(mine)
    total = table.good.height + table.rejected.height
    return [
        f"{table.origin.source}: {mine.height} of {total} rows quarantined; most frequent ({count}): {reason}"
    ]
