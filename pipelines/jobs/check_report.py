"""What a check found: each kind of fault with where it stands first, as lines for people and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from models.errors import DataError


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
    facts: Mapping[str, object] = field(default_factory=dict)

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

    def to_dict(self) -> dict[str, object]:
        """The report as plain JSON values."""
        return {
            "path": self.path,
            "ok": self.ok,
            "errors": list(self.errors),
            "warnings": list(self.warnings),
            "tables": [asdict(table) for table in self.tables],
            "facts": dict(self.facts),
        }


def _words(value: object) -> str:
    """A fact for people: `3 of 5`, lists with commas, mappings as name (key value, ...)."""
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {_words(held)}" for name, held in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value)
