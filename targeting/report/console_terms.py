"""A segment's rule in the words of an advertising console, and whether the console can take it.

A rule is what `segments.rules` writes: `gender = f and age_band = 24-30 or 31-40 and aov_cny >= 93`.
Consoles ask for gender, age, place, interest and the price of the phone; nothing else of it can be entered.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from targeting.segments.age_bands import OLDEST, age_spans
from targeting.segments.rules import WHOLE_AUDIENCE, conditions_of
from targeting.words import Words

_INTEREST = "interest_"
_CONSOLE = ("gender", "age", "age_band", "city_tier", "city", "province", "device_price_cny")


@dataclass(frozen=True)
class ConsoleRule:
    """A segment as conditions.

    Attributes:
        conditions: those that a console can take, in words.
        only_lists: those that it cannot.
    """

    conditions: tuple[str, ...]
    only_lists: tuple[str, ...]


def console_rule(rule: str | None, words: Words) -> ConsoleRule:
    """The rule in the console's words; without a rule nothing can be entered."""
    if rule == WHOLE_AUDIENCE:
        return ConsoleRule((words.all_people,), ())
    enter: list[str] = []
    lists: list[str] = []
    for part in conditions_of(rule):
        console = part.column in _CONSOLE or (part.column.startswith(_INTEREST) and part.sign != "<")
        said = _said(words, part.column, part.sign, part.level) if part.column else part.text
        (enter if console else lists).append(said)
    return ConsoleRule(tuple(enter), tuple(lists))


def level_words(words: Words, column: str, level: str) -> str:
    """One level of a column: `female`, `24–30`, `city tier 5`."""
    if level == "unknown":
        return words.equals.format(what=words.features.get(column, column), level=words.unknown_level)
    return _said(words, column, "=", level)


def _said(words: Words, column: str, sign: str, level: str) -> str:
    if column.startswith(_INTEREST):
        what = words.interests.get(column.removeprefix(_INTEREST), column.removeprefix(_INTEREST))
        return (words.interest_weak if sign == "<" else words.interest).format(what=what)
    what, levels = words.features.get(column, column), level.split(" or ")
    if sign != "=":
        number = words.yuan(float(level)) if column.endswith("_cny") and _is_number(level) else level
        told = words.at_least if sign == ">=" else words.below
        return told.format(what=what, least=number, most=number)
    if column == "gender":
        return words.or_.join(words.genders.get(one, one) for one in levels)
    if column in ("age", "age_band"):
        return _ages(words, levels)
    if column == "city_tier":
        return words.tiers.format(levels=words.comma.join(levels))
    return words.equals.format(what=what, level=words.or_.join(levels))


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-?\d+(\.\d+)?(e[+-]?\d+)?", text) is not None


def _ages(words: Words, levels: list[str]) -> str:
    """`24-30 or 31-40 or 41-50` is 24–50; `51+` is open."""
    if not all(re.fullmatch(r"\d+(-\d+|\+)", level) for level in levels):
        return words.or_.join(levels)
    said = [
        words.age_from.format(first=first) if last == OLDEST else words.ages.format(first=first, last=last)
        for first, last in age_spans(" or ".join(levels))
    ]
    return words.or_.join(said)
