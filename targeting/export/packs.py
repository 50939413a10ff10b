"""Audience packs (人群包): lists of people to include and to exclude, in files that a platform takes.

A platform matches ids of its own kind (device ids or telephone numbers, often hashed); what is written here
is the users table's user_id, plain or hashed with a salt that only merchant and platform know.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import polars as pl

from targeting.export.export_rules import PackRules

EXCLUDE = "exclude-fans"


@dataclass(frozen=True)
class Pack:
    """A list of people.

    Attributes:
        name: of its files.
        use: `include` or `exclude`.
        segment: whose people; empty for fans.
        people: how many.
        files: name -> one column user_id; empty where the pack is too small.
        why: it has no files.
    """

    name: str
    use: str
    segment: str
    people: int
    files: dict[str, pl.DataFrame]
    why: str = ""


def packs_of(
    segments: pl.DataFrame, fans: pl.Series, *, wanted: list[str], rules: PackRules, salt: bytes
) -> list[Pack]:
    """A pack for each wanted segment, and one of the fans to exclude.

    Args:
        segments: user_id, segment.
        fans: ids of those who follow already.
        wanted: segments in use, in the order of the packs.
        rules: how they are written.
        salt: before each id, where it is hashed.
    """
    found = []
    for number, segment in enumerate(wanted, start=1):
        people = segments.filter(pl.col("segment") == segment)["user_id"]
        found.append(_pack(f"include-{number:02d}", "include", segment, people, rules, salt))
    if len(fans):
        found.append(_pack(EXCLUDE, "exclude", "", fans, rules, salt))
    return found


def _pack(name: str, use: str, segment: str, people: pl.Series, rules: PackRules, salt: bytes) -> Pack:
    ids = people.unique().sort()
    if len(ids) < rules.least_people:
        why = f"{len(ids)} people, {rules.least_people} are needed: widen the segment, or target by its rule"
        return Pack(name, use, segment, len(ids), {}, why)
    coded = _coded(ids, rules.code, salt).to_frame("user_id")
    step = rules.chunk_people
    files = {f"{name}-{at // step + 1:04d}.csv": coded[at : at + step] for at in range(0, len(ids), step)}
    return Pack(name, use, segment, len(ids), files)


def _coded(ids: pl.Series, code: str, salt: bytes) -> pl.Series:
    """Ids as they are, or hashed; hashed ones sorted again, so that their order tells nothing of the ids."""
    if code == "plain":
        return ids
    digest = hashlib.sha256 if code == "sha256" else hashlib.md5
    return pl.Series(
        sorted(digest(salt + one.encode()).hexdigest() for one in ids.to_list()), dtype=pl.String
    )
