"""A segment's rule in what a console's form takes: gender, ages, interests; and what only a list can say.

In: the rule of a segment (`targeting.segments.rules`), e.g. "gender = f and age_band = 25-34 or 35-44 and
interest_jewellery >= 0.6". A form has boxes to tick and no thresholds on how long somebody watches.
"""

from __future__ import annotations

from dataclasses import dataclass

from targeting.segments.age_bands import age_spans
from targeting.segments.rules import conditions_of

_GENDERS = {"f": "f", "female": "f", "女": "f", "m": "m", "male": "m", "男": "m"}


@dataclass(frozen=True)
class ConsoleTerms:
    """What to enter.

    Attributes:
        gender: `f`, `m` or empty.
        ages: first and last year; None where any age will do, and where several stretches would be widened to
            one: those are in `lists_only` then.
        age_spans: every stretch of years, for forms with a box an age band.
        interests: categories to tick.
        lists_only: conditions that no form takes: a pack of people does.
    """

    gender: str = ""
    ages: tuple[int, int] | None = None
    age_spans: tuple[tuple[int, int], ...] = ()
    interests: tuple[str, ...] = ()
    lists_only: tuple[str, ...] = ()


def console_terms(rule: str | None) -> ConsoleTerms:
    """The terms of a rule.

    >>> terms = console_terms("gender = f and age_band = 25-34 or 35-44 and live_min_30d >= 53")
    >>> terms.gender, terms.ages, terms.lists_only
    ('f', (25, 44), ('live_min_30d >= 53',))
    >>> console_terms("age_band = 18-24 or 41-50").lists_only
    ('age_band = 18-24 or 41-50',)
    """
    gender = ""
    spans: tuple[tuple[int, int], ...] = ()
    interests: list[str] = []
    lists: list[str] = []
    for condition in conditions_of(rule):
        column, sign, value = condition.column, condition.sign, condition.level
        if column == "gender" and sign == "=" and value.lower() in _GENDERS:
            gender = _GENDERS[value.lower()]
        elif column == "age_band" and sign == "=" and (spans := age_spans(value)):
            if len(spans) > 1:
                lists.append(condition.text)
        elif column.startswith("interest_") and (sign == ">=" or value == "yes"):
            interests.append(column.removeprefix("interest_"))
        else:
            lists.append(condition.text)
    ages = spans[0] if len(spans) == 1 else None
    return ConsoleTerms(gender, ages, spans, tuple(interests), tuple(lists))
