"""Age bands as stretches of years: `25-34 or 35-44` is one stretch, `18-24 or 41-50` are two."""

from __future__ import annotations

import re

OLDEST = 100
"""Last year of a band that is open upwards."""
_BAND = re.compile(r"(\d+)\s*(?:-|至|~)\s*(\d+)|(\d+)\s*(\+|以上)?")


def age_spans(bands: str) -> tuple[tuple[int, int], ...]:
    """First and last year of every stretch; neighbouring bands are one, a text without years has none.

    >>> age_spans("41-50 or 24-30 or 31-40"), age_spans("18-24 or 50+"), age_spans("old")
    (((24, 50),), ((18, 24), (50, 100)), ())
    """
    held = [
        (int(low or alone), int(high) if high else OLDEST if more else int(alone))
        for low, high, alone, more in _BAND.findall(bands)
    ]
    spans: list[tuple[int, int]] = []
    for low, high in sorted(held):
        if spans and low <= spans[-1][1] + 1:
            spans[-1] = (spans[-1][0], max(spans[-1][1], high))
        else:
            spans.append((low, high))
    return tuple(spans)
