"""Promised and realised totals: how far apart, and whether chance and the promise's interval cover that."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from models.judging.policy_value import Z80
from targeting.plan.decided import DecidedPlan
from targeting.plan.promise import Interval
from targeting.plan.realised import Range


def total_of(
    promised: Interval | float | None,
    realised: float | None,
    *,
    came: Range | None = None,
    projected: float | None = None,
    error: float | None = None,
    unsure: float = 0.0,
) -> dict[str, float | bool | None]:
    """One row of the totals.

    A plan says between what its campaign's own figure will lie, chance included (`came`): that is what the
    outcome is held against, each end moved out by 1.28 `unsure`. Plans that have no such range (of before, or
    on curves from outside) promise an expectation, of which what came is one draw that chance moves by
    `error`: each end is then as far from the promise as the root of the squares of its own distance and of
    1.28 errors.

    Args:
        promised: Interval, number or None.
        realised: What was seen.
        came: What was to come, chance included.
        projected: What it will be in the end, where that is not yet seen.
        error: Standard error of what came, by chance alone; None where it is not known.
        unsure: Standard error of how it was counted.
    """
    value, low, high = (
        (promised, None, None)
        if promised is None or isinstance(promised, float)
        else (promised.value, promised.low, promised.high)
    )
    outcome = realised if projected is None else projected
    doubt = error or 0.0
    if came is not None:
        low, high, doubt = came.low, came.high, unsure
    within = None
    if value is not None and low is not None and high is not None and outcome is not None:
        centre = min(max(value, low), high)
        reach = math.hypot(low - centre if outcome < centre else high - centre, Z80 * doubt)
        within = abs(outcome - centre) <= reach
    return {
        "promised": value, "low": low, "high": high,
        "realised": realised, "projected": projected, "chance": error, "within": within,
    }  # fmt: skip


def totals(
    plan: DecidedPlan,
    *,
    spend_cny: float,
    fans: float | None,
    gmv_cny: float | None,
    projected_gmv_cny: float | None = None,
    gmv_error_cny: float | None = None,
    incremental_fans: float | None = None,
    incremental_error: float = 0.0,
) -> dict[str, dict[str, Any]]:
    """Promised and realised totals, cost per fan and ROI; what neither side knows is left out.

    Args:
        plan: Whose promises.
        spend_cny: What was spent.
        fans: New fans; None where unknown. Their number is a count, so chance moves it by its root.
        gmv_cny: Their GMV so far; None where unknown.
        projected_gmv_cny: Their GMV in the end.
        gmv_error_cny: Standard error of the GMV in the end.
        incremental_fans: Fans that would not have followed anyway.
        incremental_error: Standard error of those who would.
    """
    promised_fans, promised_gmv = plan.expected.get("new_fans"), plan.expected.get("new_fan_gmv_cny")
    per_fan = None if promised_fans is None else _inverse(promised_fans, plan.spend_cny)
    per_yuan = promised_gmv if plan.spend_cny > 0 else None
    roi = None if per_yuan is None else per_yuan.through(lambda yuan: yuan / plan.spend_cny)
    counted = math.sqrt(fans) if fans else None
    added = None if counted is None else math.hypot(counted, incremental_error)
    came_fans, came_gmv = plan.realised.get("new_fans"), plan.realised.get("new_fan_gmv_cny")
    came_per_fan = None if came_fans is None else _inverse_range(came_fans, plan.spend_cny)
    found = {
        "spend_cny": total_of(float(plan.spend_cny), spend_cny),
        "new_fans": total_of(promised_fans, fans, came=came_fans, error=counted),
        "incremental_fans": total_of(
            promised_fans, incremental_fans, came=came_fans, error=added, unsure=incremental_error
        ),
        "new_fan_gmv_cny": total_of(
            promised_gmv, gmv_cny, came=came_gmv, projected=projected_gmv_cny, error=gmv_error_cny
        ),
        "cost_per_fan_cny": _per(per_fan, spend_cny, fans, counted, came=came_per_fan),
        "cost_per_incremental_fan_cny": _per(per_fan, spend_cny, incremental_fans, added, came=came_per_fan),
        "roi": total_of(
            roi,
            _ratio(gmv_cny, spend_cny),
            came=None
            if came_gmv is None or roi is None
            else came_gmv.through(lambda cny: cny / plan.spend_cny),
            projected=_ratio(projected_gmv_cny, spend_cny),
            error=_ratio(gmv_error_cny, spend_cny),
        ),
    }
    return {name: total for name, total in found.items() if total["realised"] is not None}


def _per(
    promised: Interval | None,
    spend_cny: float,
    fans: float | None,
    error: float | None,
    *,
    came: Range | None,
) -> dict[str, float | bool | None]:
    """Yuan per fan; its error is relative to it as that of the fans is to them (delta method)."""
    cost = _ratio(spend_cny, fans)
    relative = _ratio(error, fans)
    own = None if cost is None or relative is None else cost * relative
    return total_of(promised, cost, came=came, error=own)


def _inverse_range(fans: Range, spend_cny: float) -> Range | None:
    """Yuan per fan; None where it may have no end, because perhaps nobody comes."""
    return Range(spend_cny / fans.high, spend_cny / fans.low) if fans.low > 0 and spend_cny > 0 else None


def _inverse(fans: Interval, spend_cny: float) -> Interval | None:
    """Yuan per fan: many fans make it low."""
    if fans.value <= 0 or spend_cny <= 0:
        return None
    low, high = (None if not end or end <= 0 else spend_cny / end for end in (fans.high, fans.low))
    return replace(fans, value=spend_cny / fans.value, low=low, high=high)


def _ratio(above: float | None, below: float | None) -> float | None:
    return None if above is None or not below or below <= 0 else above / below
