"""Seeded damage: to bytes, to lines of a table, to values of a tree. The same seed is the same damage."""

from __future__ import annotations

import csv
import io
import random
from typing import Any

from hostile_names import HOSTILE

NUMBERS = (
    "0", "-1", "1e308", "1e-308", "-1e400", "nan", "inf", "0x_", "1_000", "9" * 5000, "٣", "²", "1,000.5", "25%", "0.5万",
    "¥3", "--", "1e", "00012", "9007199254740993", "-0.0", "1/3", "",
)  # fmt: skip
TIMES = (
    "2020-13-45", "2020-02-30 10:00:00", "0000-00-00", "9999-12-31T23:59:59+14:00", "1e18", "1969-12-31", "25:61",
    "2020-11-11T00:00:00+99:99", "十一月十一日", "20201111", "44146.5",
)  # fmt: skip
SNIPPETS = (
    b"\x00", b"\xff\xfe", b"\xef\xbf\xbe", b"\xef\xbb\xbf", b"\r", b"\n\n", b'"', b"'", b"{", b"[", b"&a ", b"*a", b"<<: ", b"!!int ",
    b"!!python/name:os.system", b"%YAML 9", b"---\n", b"...\n", b"? ", b"|", b"\\", b",", b";", b"\t", b"\x1b[2J", b"[/live]",
    "\u202e".encode(), b"\xed\xa0\x80", b"=cmd|", b"<img src=x onerror=alert(1)>", b"9" * 400, b"[" * 400, b": " * 50,
)  # fmt: skip
TREES: tuple[Any, ...] = (
    None, True, [], {}, [[]], [None], {"": None}, -1, 0, 10**30, 1e308, -0.0, float("inf"), float("nan"), "x" * 20_000, [1] * 2000,
    {"kind": "bounds"}, [{"kind": "ratio"}],
)  # fmt: skip


def bytes_(rng: random.Random, data: bytes) -> bytes:
    """One to four places flipped, cut, doubled or filled with something hostile."""
    held = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at, size = rng.randrange(len(held) + 1), rng.choice((1, 2, 7, 60, len(held)))
        match rng.randrange(6):
            case 0:
                held[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                del held[at : at + size]
            case 2:
                held[at:at] = held[at : at + min(size, 4000)]
            case 3:
                del held[at:]
            case _:
                held[at:at] = rng.choice(SNIPPETS)
    return bytes(held)


def _cell(rng: random.Random) -> str:
    return rng.choice(
        (rng.choice(HOSTILE), rng.choice(NUMBERS), rng.choice(TIMES), "x" * rng.choice((1, 70_000)))
    )


def table(rng: random.Random, text: str) -> bytes:
    """Cells, headers, columns and rows of a CSV text changed; now and then its bytes too."""
    rows = list(csv.reader(io.StringIO(text)))
    for _ in range(rng.randint(1, 5)):
        row, column = rng.randrange(len(rows)), rng.randrange(len(rows[0]))
        match rng.randrange(9):
            case 0:
                rows[0][column] = rng.choice((*HOSTILE, *rows[0]))
            case 1:
                value = _cell(rng)
                for line in rows[1:]:
                    line[column : column + 1] = [value]
            case 2:
                rows[row].append(_cell(rng))
            case 3 if len(rows) > 2:
                del rows[row]
            case 4:
                rows.insert(row, list(rows[row]))
            case 5:
                for line in rows:
                    del line[column : column + 1]
                if not rows[0]:
                    return b""
            case _:
                rows[row][column : column + 1] = [_cell(rng)]
    out = io.StringIO()
    csv.writer(out, delimiter=rng.choice(",,,,\t;|")).writerows(rows)
    encoding = rng.choice(("utf-8", "utf-8", "utf-8-sig", "utf-16", "gb18030"))
    data = out.getvalue().encode(encoding, "replace")
    return bytes_(rng, data) if rng.random() < 0.2 else data


def tree(rng: random.Random, value: Any) -> Any:
    """One or two values of nested lists and mappings replaced, removed or renamed."""
    for _ in range(rng.choice((1, 1, 2))):
        value = _branch(rng, value)
    return value


def _branch(rng: random.Random, value: Any) -> Any:
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = rng.choice(list(value))
        rest = {other: held for other, held in value.items() if other != key}
        match rng.randrange(8):
            case 0:
                return rest
            case 1:
                return {**rest, rng.choice((*HOSTILE, *value)): value[key]}
        return {**value, key: _branch(rng, value[key])}
    if isinstance(value, list) and value and rng.random() < 0.85:
        at = rng.randrange(len(value))
        if rng.random() < 0.1:
            return value[:at] + value[at + 1 :]
        return [*value[:at], _branch(rng, value[at]), *value[at + 1 :]]
    if isinstance(value, int | float) and not isinstance(value, bool) and rng.random() < 0.6:
        return value * rng.choice((-1, 0, 2, 1e-9, 1e9, 1e300))
    return rng.choice((rng.choice(TREES), rng.choice(HOSTILE), rng.choice(NUMBERS), rng.choice(TIMES)))
