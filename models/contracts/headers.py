"""Which column of a source is which column of the contract: English and Chinese names, units, nearest names.

A header is compared after NFKC folding (full-width brackets and letters), without BOM, surrounding spaces
and case, and with inner spaces or hyphens as underscores. A money column may carry its unit as a suffix or
in brackets: `cost_li`, `花费(厘)`, `花费（元）`. Must not import anything that reads a file.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from models.contracts.aliases import ALIASES, FEATURE_ALIASES
from models.contracts.schemas import Contract, Table
from models.errors import DataError
from models.escaping.media import printable

# Factor from the unit in a money header to yuan. 厘 is 1/1000 yuan, 分 1/100.
UNITS: dict[str, float] = {
    **dict.fromkeys(("li", "厘"), 1e-3),
    **dict.fromkeys(("fen", "分"), 1e-2),
    **dict.fromkeys(("cny", "yuan", "rmb", "元", "¥", "人民币"), 1.0),
    **dict.fromkeys(("千", "千元", "k"), 1e3),
    **dict.fromkeys(("万", "万元", "w"), 1e4),
    **dict.fromkeys(("百万", "百万元"), 1e6),
    **dict.fromkeys(("亿", "亿元"), 1e8),
}
# The same in the header of a count, `曝光数(万次)`; any other bracket there is a remark, `曝光数(次)`.
COUNT_UNITS: dict[str, float] = {
    **dict.fromkeys(("千", "k", "thousand", "thousands", "000", "000s", "'000"), 1e3),
    **dict.fromkeys(("万", "w"), 1e4),
    **dict.fromkeys(("百万", "million", "millions", "mm"), 1e6),
    **dict.fromkeys(("千万",), 1e7),
    **dict.fromkeys(("亿",), 1e8),
    "%": 1e-2,
}
MINUTES: dict[str, float] = {
    **dict.fromkeys(("小时", "时", "h", "hour", "hours"), 60.0),
    **dict.fromkeys(("秒", "s", "sec", "second", "seconds"), 1.0 / 60.0),
}
# Units that may follow a name without a bracket; `orders_w` may be those of women.
_SUFFIXES = (UNITS.keys() | COUNT_UNITS.keys()) - {"w", "%", "mm"}
# Lines that consoles put above the header: name of the report, period, time of export.
PREAMBLE_LINES = 30
_BRACKETED = re.compile(r"^(?P<name>.+?)_?[(\[【〔](?P<unit>[^)\]】〕]*)[)\]】〕]$")

# A row index that pandas wrote, or an empty header: never a feature.
_ID = re.compile(r"(?:id|编号|标识)$")
_UNNAMED = re.compile(r"^(unnamed[:_]*\d*)?$")


@dataclass(frozen=True)
class Binding:
    """A source column taken as a column of the contract.

    Attributes:
        raw: Name in the source.
        factor: What to multiply numbers by to get the contract's unit.
    """

    raw: str
    factor: float = 1.0


@dataclass(frozen=True)
class Headers:
    """How a source's columns are read.

    Attributes:
        bound: Contract column -> source column.
        features: Feature name -> source column (users only).
        ignored: Source columns nobody asked for.
    """

    bound: Mapping[str, Binding]
    features: Mapping[str, Binding]
    ignored: tuple[str, ...]


def fold(header: str) -> str:
    """A header without the differences that carry no meaning."""
    text = (
        unicodedata.normalize("NFKC", header).replace("\ufeff", "").replace("\u200b", "").strip().strip("\"'")
    )
    return re.sub(r"[\s\-]+", "_", text.strip()).casefold()


def _split_unit(folded: str) -> tuple[str, str]:
    """`花费(厘)` -> (`花费`, `厘`); `cost_li` -> (`cost`, `li`); no unit -> (name, "")."""
    if match := _BRACKETED.match(folded):
        return match["name"], match["unit"].strip("_ ")
    stem, _, unit = folded.rpartition("_")
    return (stem, unit) if stem and unit in _SUFFIXES else (folded, "")


def _factor(name: str, unit: str) -> float | None:
    """What a unit in a header makes of the numbers of a contract column; None where the column is another."""
    unit = re.sub(r"^(?:单位|unit)[_:]*", "", unit)
    if name.endswith("_cny"):
        # Money in a unit we do not know (`cost (usd)`) is not this column.
        return UNITS.get(unit) if unit else 1.0
    if "_min_" in name:
        return MINUTES.get(unit, 1.0)
    return COUNT_UNITS.get(re.sub(r"[次人个单件条位名]+$", "", unit), 1.0)


def _lookup(names: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Folded name or alias -> contract name."""
    return {fold(alias): name for name, aliases in names.items() for alias in (name, *aliases)}


def _find(header: str, lookup: Mapping[str, str]) -> tuple[str, float] | None:
    """The contract column a header means and its unit factor, or None."""
    folded = fold(header)
    if folded in lookup:
        return lookup[folded], 1.0
    stem, unit = _split_unit(folded)
    for candidate in (stem, f"{stem}_cny"):
        name = lookup.get(candidate)
        if name is None:
            continue
        factor = _factor(name, unit)
        return None if factor is None else (name, factor)
    return None


def means(header: str, table: Table, name: str) -> bool:
    """Whether a header is one of the names of the contract column `name`."""
    return _find(header, _lookup({name: ALIASES[table].get(name, ())})) is not None


def meanings(columns: Sequence[str], table: Table, contract: Contract) -> dict[str, tuple[str, float]]:
    """What each known header means: contract column or known feature, and its unit factor."""
    lookup = _lookup({name: ALIASES[table].get(name, ()) for name in contract.columns})
    features = _lookup(FEATURE_ALIASES) if contract.features else {}
    found = {column: _find(column, lookup) or _find(column, features) for column in columns}
    known = {column: hit for column, hit in found.items() if hit}
    return {column: hit for column, hit in known.items() if not _is_name_beside_id(column, known)}


def _is_name_beside_id(column: str, known: Mapping[str, tuple[str, float]]) -> bool:
    """Whether a header is the name of what another header gives the id of.

    Consoles export 计划ID and 计划名称 side by side; the id tells them apart.
    """
    wanted, _ = known[column]
    if not wanted.endswith("_id") or _ID.search(fold(column)):
        return False
    return any(name == wanted and _ID.search(fold(other)) for other, (name, _) in known.items())


def is_header(cells: Sequence[str]) -> bool:
    """Whether a line is a header: at least two of its cells are names that we know.

    >>> is_header(["报表名称: 日报"]), is_header(["日期", "人群", "投放位置", "花费(元)", "点击"])
    (False, True)
    """
    known = {word for table in ALIASES.values() for word in _lookup(table)}
    return len(known & {form for cell in cells for form in (fold(cell), _split_unit(fold(cell))[0])}) >= 2


def absent(columns: Sequence[str], table: Table, contract: Contract) -> list[str]:
    """Required columns of the contract that no header means."""
    found = {name for name, _ in meanings(columns, table, contract).values()}
    return [name for name in contract.required if name not in found]


def is_unnamed(header: str) -> bool:
    """Whether a header is empty or the row index that pandas wrote."""
    return _UNNAMED.match(fold(header)) is not None


def bind(columns: Sequence[str], table: Table, contract: Contract, *, source: str) -> Headers:
    """Read a source's header.

    Raises:
        DataError: A required column is missing (names the columns found and the nearest one), or two columns
            of the source mean the same column of the contract.
    """
    known = meanings(columns, table, contract)
    bound: dict[str, Binding] = {}
    features: dict[str, Binding] = {}
    ignored: list[str] = []
    for column in columns:
        if column not in known and (not contract.features or is_unnamed(column)):
            ignored.append(column)
            continue
        name, factor = known.get(column, (printable(column.replace("\ufeff", "").strip()), 1.0))
        into = bound if column in known and name in contract.columns else features
        if name in into:
            raise DataError(
                f"{source}: columns {into[name].raw!r} and {column!r} both mean {name!r}; expected one: "
                "remove or rename the other"
            )
        into[name] = Binding(column, factor)
    if missing := absent(columns, table, contract):
        raise DataError(missing_message(missing, columns, source=source, table=table))
    return Headers(bound, features, tuple(ignored))


def missing_message(missing: Sequence[str], columns: Iterable[str], *, source: str, table: str) -> str:
    """One line: the columns that are missing, the nearest name of each, and the columns found."""
    found = [str(column) for column in columns]
    words = []
    for name in missing:
        nearest = difflib.get_close_matches(name, [fold(column) for column in found], n=1, cutoff=0.5)
        words.append(f"{name!r}" + (f" (nearest: {nearest[0]!r})" if nearest else ""))
    listed = ", ".join(found[:40]) + (f", ... ({len(found)} in all)" if len(found) > 40 else "")
    return (
        f"{source}: required column{'s' if len(words) > 1 else ''} {', '.join(words)} of table {table} "
        f"missing; found: {listed or 'no columns'}; add or rename {'them' if len(words) > 1 else 'it'}"
    )
