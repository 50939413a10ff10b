"""A segment's rule in what a console's form takes: gender, ages, interests; and what only a list can say.

In: the rule of a segment (`targeting.segments.rules`), e.g. "gender = f and age_band = 25-34 or 35-44 and
interest_jewellery >= 0.6". A form has boxes to tick and no thresholds on how long somebody watches.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from targeting.segments.rules import conditions_of

YOUNGEST, OLDEST = 18, 100
_AGES = re.compile(r"(\d+)\s*(?:-|至|~)\s*(\d+)|(\d+)")
_GENDERS = {"f": "f", "female": "f", "女": "f", "m": "m", "male": "m", "男": "m"}


@dataclass(frozen=True)
class ConsoleTerms:
    """What to enter.

    Attributes:
        gender: `f`, `m` or empty.
        ages: first and last year, or None.
        interests: categories to tick.
        lists_only: conditions that no form takes: a pack of people does.
    """

    gender: str = ""
    ages: tuple[int, int] | None = None
    interests: tuple[str, ...] = ()
    lists_only: tuple[str, ...] = ()


def console_terms(rule: str | None) -> ConsoleTerms:
    """The terms of a rule.

    >>> console_terms("gender = f and age_band = 25-34 or 35-44 and live_min_30d >= 53")
    ConsoleTerms(gender='f', ages=(25, 44), interests=(), lists_only=('live_min_30d >= 53',))
    """
    gender, ages = "", None
    interests: list[str] = []
    lists: list[str] = []
    for condition in conditions_of(rule):
        column, sign, value = condition.column, condition.sign, condition.level
        if column == "gender" and sign == "=" and value.lower() in _GENDERS:
            gender = _GENDERS[value.lower()]
        elif column == "age_band" and sign == "=" and (years := _years(value)):
            ages = years
        elif column.startswith("interest_") and (sign == ">=" or value == "yes"):
            interests.append(column.removeprefix("interest_"))
        else:
            lists.append(condition.text)
    return ConsoleTerms(gender, ages, tuple(interests), tuple(lists))


def _years(bands: str) -> tuple[int, int] | None:
    """First and last year of bands such as `25-34 or 35-44` or `50+`."""
    held = [
        (int(low or alone), int(high) if high else OLDEST if "+" in bands or "以上" in bands else int(alone))
        for low, high, alone in _AGES.findall(bands)
    ]
    return (min(low for low, _ in held), max(high for _, high in held)) if held else None
