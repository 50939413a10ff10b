"""What each constraint kind means for the checker: actual against limit, in plain loops.

Exists as the second, independent reading of DESIGN 4.3 (the first is `formulation.rows`). It must not import
`formulation`, `outcomes` or the solver.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from models.errors import CampaignError
from targeting.allocation.audit.recount import (
    Outcome,
    counted,
    independent_parts,
    marginal_of_last_yuan,
    part_of,
    true_outcome,
)
from targeting.allocation.problem import Market
from targeting.campaign.constraints import (
    Bounds,
    ChangeLimit,
    FairnessFloor,
    FrequencyCap,
    LiveCapacity,
    MarginalFloor,
    MaxActive,
    MinIfUsed,
    Ratio,
    RiskFloor,
    RoiFloor,
    Target,
    Trial,
)
from targeting.campaign.fields import Selection

# A difference over the last fen is no derivative: 1e-3 of the floor is forgiven at tolerance 1e-6.
_DIFFERENCE = 1e3


@dataclass(frozen=True)
class Facts:
    """What every kind is judged on."""

    market: Market
    cells: list[dict[str, Any]]
    budget_cny: float
    spend: list[float]
    outcome: Outcome
    worth: list[float]
    objective: str
    last: list[float] | None

    @cached_property
    def holders(self) -> dict[tuple[str, Any], list[int]]:
        """The cells by what they hold: read once, as a brief may have a thousand limits."""
        found: dict[tuple[str, Any], list[int]] = {}
        for i, cell in enumerate(self.cells):
            for held in cell.items():
                found.setdefault(held, []).append(i)
        return found


@dataclass(frozen=True)
class Finding:
    """actual against a limit from one side; `scale` is what the tolerance is a share of."""

    where: str
    actual: float
    limit: float
    at_most: bool
    unit: str
    scale: float


def _selected(facts: Facts, selection: Selection) -> list[int]:
    chosen = set(range(len(facts.cells)))
    for key, values in selection.given().items():
        chosen &= {i for value in values for i in facts.holders.get((key, value), ())}
    return sorted(chosen)


def _apart(facts: Facts, members: list[int], each: str | None) -> dict[str, list[int]]:
    if each is None:
        return {"": members}
    column = {"merchant": "merchant_id", "campaign": "campaign_id"}.get(each, each)
    parts: dict[str, list[int]] = {}
    for i in members:
        cell = facts.cells[i]
        if each == "cell":
            key = " × ".join(str(cell[k]) for k in ("campaign_id", "segment", "placement", "slot"))
        else:
            key = str(cell[column])
        parts.setdefault(key, []).append(i)
    return parts


def _sum(values: Sequence[float], members: Sequence[int]) -> float:
    return float(sum(values[i] for i in members))


def total(facts: Facts) -> list[Finding]:
    """The budget, and that no spend is negative."""
    found = [Finding("", sum(facts.spend), facts.budget_cny, True, "CNY", facts.budget_cny)]
    lowest = min(facts.spend, default=0.0)
    found.append(Finding("negative spend", lowest, 0.0, False, "CNY", facts.budget_cny))
    return found


def _whole_li(cny: float) -> float:
    """A share of the budget is kept to the 厘 (0.001 CNY) below."""
    return math.floor(1000.0 * cny + 1e-6) / 1000.0


def _bounds(facts: Facts, c: Bounds) -> list[Finding]:
    found = []
    for where, members in _apart(facts, _selected(facts, c), c.each).items():
        actual = _sum(facts.spend, members)
        for limit, at_most in (
            (c.min_cny, False),
            (c.max_cny, True),
            (None if c.min_share is None else _whole_li(c.min_share * facts.budget_cny), False),
            (None if c.max_share is None else c.max_share * facts.budget_cny, True),
        ):
            if limit is not None:
                found.append(Finding(where, actual, limit, at_most, "CNY", facts.budget_cny))
    return found


def _ratio(facts: Facts, c: Ratio) -> list[Finding]:
    of, to = set(_selected(facts, c.of)), set(_selected(facts, c.to))
    found = []
    for where, members in _apart(facts, _selected(facts, c), c.each).items():
        upper = _sum(facts.spend, [i for i in members if i in of])
        lower = _sum(facts.spend, [i for i in members if i in to])
        if c.max is not None:
            found.append(Finding(where, upper, c.max * lower, True, "CNY", facts.budget_cny))
        if c.min is not None:
            found.append(Finding(where, upper, c.min * lower, False, "CNY", facts.budget_cny))
    return found


def _min_if_used(facts: Facts, c: MinIfUsed) -> list[Finding]:
    used = [i for i in _selected(facts, c) if facts.spend[i] > 0]
    return [
        Finding(where, facts.spend[members[0]], c.min_cny, False, "CNY", c.min_cny)
        for where, members in _apart(facts, used, "cell").items()
    ]


def _max_active(facts: Facts, c: MaxActive) -> list[Finding]:
    return [
        Finding(where, sum(facts.spend[i] > 0 for i in members), c.n, True, "cells", 1.0)
        for where, members in _apart(facts, _selected(facts, c), c.each).items()
    ]


def _roi_floor(facts: Facts, c: RoiFloor) -> list[Finding]:
    return _returns(facts, c, least=c.min)


def _returns(facts: Facts, c: RoiFloor | Target, *, least: float) -> list[Finding]:
    found = []
    for where, members in _apart(facts, _selected(facts, c), c.each).items():
        paid = least * _sum(facts.spend, members)
        found.append(Finding(where, _sum(facts.worth, members), paid, False, "value", sum(facts.worth)))
    return found


def _marginal_floor(facts: Facts, c: MarginalFloor) -> list[Finding]:
    used = [i for i in _selected(facts, c) if facts.spend[i] > 0]
    names = {members[0]: where for where, members in _apart(facts, used, "cell").items()}
    found = []
    for members in independent_parts(facts.market):
        part, spend = part_of(facts.market, members), [facts.spend[i] for i in members]
        for k, i in enumerate(members):
            if i in names:
                slope = marginal_of_last_yuan(part, spend, k, objective=facts.objective)
                found.append(Finding(names[i], slope, c.min, False, "value per CNY", _DIFFERENCE * c.min))
    return found


def _live_capacity(facts: Facts, c: LiveCapacity) -> list[Finding]:
    slots = {cell["slot"] for cell in facts.cells}
    each = c.each or ("slot" if len(slots) > 1 else None)
    return [
        Finding(where, _sum(facts.outcome.entries, members), c.viewers, True, "viewers", c.viewers)
        for where, members in _apart(facts, _selected(facts, c), each).items()
    ]


def _change_limit(facts: Facts, c: ChangeLimit) -> list[Finding]:
    if facts.last is None:
        raise CampaignError(
            f"constraint '{c.name}': change_limit compares with last_plan, which is missing; give it"
        )
    found = []
    for where, members in _apart(facts, _selected(facts, c), c.each or "cell").items():
        before = _sum(facts.last, members)
        change = abs(_sum(facts.spend, members) - before)
        if c.max_cny is not None:
            found.append(Finding(where, change, c.max_cny, True, "CNY", facts.budget_cny))
        if c.max_share is not None:
            found.append(Finding(where, change, c.max_share * before, True, "CNY", facts.budget_cny))
    return found


def _fairness_floor(facts: Facts, c: FairnessFloor) -> list[Finding]:
    given = facts.outcome.impressions if c.of == "grants" else facts.worth
    everyone = _selected(facts, c)
    whole = _sum(given, everyone)
    return [
        Finding(where, _sum(given, members), c.min_share * whole, False, "value", whole)
        for where, members in _apart(facts, everyone, c.each or "merchant").items()
    ]


def _frequency_cap(facts: Facts, c: FrequencyCap) -> list[Finding]:
    found = []
    for where, members in _apart(facts, _selected(facts, c), c.each).items():
        shown, reached = _sum(facts.outcome.impressions, members), _sum(facts.outcome.reached, members)
        found.append(Finding(where, shown, c.impressions * reached, True, "impressions", shown))
    return found


def _risk(facts: Facts, c: RiskFloor) -> list[Finding]:
    draws = facts.market.draws
    if draws is None:
        raise CampaignError(f"constraint '{c.name}': risk needs draws of the curves and there are none")
    totals = []
    for d in range(len(draws.hazard)):
        outcome = true_outcome(facts.market, facts.spend, draw=d)
        totals.append(sum(counted(outcome, facts.objective)))
    tail = lower_tail(totals, measure=c.measure, level=c.level)
    return [Finding(f"{c.measure} {c.level:g}", tail, c.floor, False, "value", abs(tail))]


def lower_tail(totals: Sequence[float], *, measure: str, level: float) -> float:
    """The number that a risk floor is about, over equally likely draws.

    cvar: mean of the worst `level` share (the draw at the edge counts in part). quantile: the largest v that
    at least 1 - level of the draws reach. chance: the largest v that at least `level` of the draws reach.

    >>> lower_tail([1.0, 2.0, 3.0, 4.0], measure="cvar", level=0.5)
    1.5
    >>> lower_tail([1.0, 2.0, 3.0, 4.0], measure="quantile", level=0.25)
    2.0
    """
    ordered = sorted(totals)
    n = len(ordered)
    if measure == "cvar":
        left, total = level * n, 0.0
        for value in ordered:
            total += min(left, 1.0) * value
            left -= min(left, 1.0)
        return total / (level * n)
    must_reach = (1.0 - level if measure == "quantile" else level) * n
    return ordered[n - max(int(np.ceil(must_reach - 1e-9)), 1)]


def _target(facts: Facts, c: Target) -> list[Finding]:
    if c.metric == "marginal_roi":
        return []
    if c.metric == "roi":
        return _returns(facts, c, least=c.value)
    reached = facts.outcome.fans if c.metric == "new_fans" else facts.outcome.gmv
    unit = "fans" if c.metric == "new_fans" else "CNY of GMV"
    return [
        Finding(where, _sum(reached, members), c.value, False, unit, c.value)
        for where, members in _apart(facts, _selected(facts, c), c.each).items()
    ]


def _trial(facts: Facts, c: Trial) -> list[Finding]:
    never = [i for i in _selected(facts, c) if not facts.market.observed_max_cny[i] > 0]
    return [Finding("", _sum(facts.spend, never), c.max_cny, True, "CNY", facts.budget_cny)]


CHECKS: Mapping[str, Callable[[Facts, Any], list[Finding]]] = {
    "bounds": _bounds,
    "ratio": _ratio,
    "min_if_used": _min_if_used,
    "max_active": _max_active,
    "roi_floor": _roi_floor,
    "marginal_floor": _marginal_floor,
    "live_capacity": _live_capacity,
    "change_limit": _change_limit,
    "fairness_floor": _fairness_floor,
    "frequency_cap": _frequency_cap,
    "risk": _risk,
    "target": _target,
    "trial": _trial,
}
