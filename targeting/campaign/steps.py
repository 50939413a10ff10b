"""The natural step of every number in a constraint: what a planner would change it by; which way is looser.

Exists so that a price means the same in plan.json, in words and on the page: the objective gained when the
number that the planner wrote moves outwards by one step. It must not import anything of
`targeting.allocation`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import floor, log10
from typing import Any, Literal

Unit = Literal["CNY", "share", "return", "ratio", "cells", "viewers", "impressions", "fans", "value"]


@dataclass(frozen=True)
class Step:
    """One step of a number.

    Attributes:
        unit: what the number counts.
        size: the step, in the number's own unit (0.01 of a share is a percentage point).
        outwards: +1 where a higher number leaves the plan more room, -1 where a lower one does.
    """

    unit: Unit
    size: float
    outwards: int


_LEAST, _MOST = -1, 1
_SIZES: Mapping[Unit, float] = {"share": 0.01, "return": 0.1, "ratio": 0.1, "impressions": 0.1}
_NUMBERS: Mapping[str, Mapping[str, tuple[Unit, int]]] = {
    "bounds": {
        "min_cny": ("CNY", _LEAST),
        "max_cny": ("CNY", _MOST),
        "min_share": ("share", _LEAST),
        "max_share": ("share", _MOST),
    },
    "ratio": {"max": ("ratio", _MOST), "min": ("ratio", _LEAST)},
    "min_if_used": {"min_cny": ("CNY", _LEAST)},
    "max_active": {"n": ("cells", _MOST)},
    "roi_floor": {"min": ("return", _LEAST)},
    "marginal_floor": {"min": ("return", _LEAST)},
    "live_capacity": {"viewers": ("viewers", _MOST)},
    "change_limit": {"max_share": ("share", _MOST), "max_cny": ("CNY", _MOST)},
    "fairness_floor": {"min_share": ("share", _LEAST)},
    "frequency_cap": {"impressions": ("impressions", _MOST)},
    "risk": {"floor": ("value", _LEAST)},
    "target": {"value": ("value", _LEAST)},
    "trial": {"max_cny": ("CNY", _MOST)},
}
_TARGETS: Mapping[str, Unit] = {
    "new_fans": "fans",
    "new_fan_gmv": "CNY",
    "roi": "return",
    "marginal_roi": "return",
}


def steps_of(constraint: Any) -> dict[str, Step]:
    """Key -> step of every number that this constraint gives.

    One yuan, viewer, fan or cell; a percentage point of a share; 0.1 of a ratio, a return or a frequency, and
    below 0.5 the power of ten that is at most a fifth of the number (fans per yuan are small numbers).

    >>> from targeting.campaign.constraints import parse_constraints
    >>> [floor] = parse_constraints([{"kind": "roi_floor", "min": 3.0}])
    >>> steps_of(floor)["min"].size
    0.1
    """
    found = {}
    for key, (unit, outwards) in _NUMBERS[constraint.kind].items():
        number = getattr(constraint, key)
        if number is None:
            continue
        if constraint.kind == "target":
            unit = _TARGETS[constraint.metric]
        size = _SIZES.get(unit, 1.0)
        if unit in ("return", "ratio") and 0 < number < 0.5:
            size = 10.0 ** floor(log10(number / 5.0) + 1e-9)
        found[key] = Step(unit, size, outwards)
    return found


def loosened(constraint: Any, *, steps: float = 1.0, cny: float = 1.0) -> Any:
    """The constraint with every number moved outwards by so many steps (negative: inwards).

    Args:
        constraint: as `parse_constraints` gives it.
        steps: how many; numbers that count whole cells move by whole steps.
        cny: what a step of yuan is here, in yuan (a planner thinks in thousands, a derivative in one).
    """
    moved: dict[str, Any] = {}
    for key, step in steps_of(constraint).items():
        number = getattr(constraint, key)
        size = cny if step.unit == "CNY" else step.size
        wider = number + step.outwards * steps * size
        if step.unit == "cells":
            wider = round(wider)
        elif constraint.kind != "risk":
            wider = max(wider, 0.0)
        moved[key] = min(wider, 1.0) if key == "min_share" else wider
    return constraint.model_copy(update=moved)
