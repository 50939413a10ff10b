"""What each constraint kind means in cell limits and coupling rows (DESIGN 4.3), one function per kind.

Ratios of two sums are written as one linear row: value - min spend >= 0, spend(of) - max spend(to) <= 0,
impressions - cap reached <= 0. A limit on a group of one cell becomes a cell limit, which pricing holds
exactly. It must not evaluate a curve.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.errors import CampaignError
from models.supply.curves import FloatArray
from targeting.allocation.formulation.selection import BoolArray, IndexArray, groups, select
from targeting.allocation.problem import CellLimit, Market, Metric, Row, in_cny, in_li
from targeting.campaign.constraints import (
    BaseConstraint,
    Bounds,
    ChangeLimit,
    FairnessFloor,
    FrequencyCap,
    LiveCapacity,
    MarginalFloor,
    MaxActive,
    MinIfUsed,
    Ratio,
    RoiFloor,
    Target,
    Trial,
)
from targeting.campaign.steps import steps_of


@dataclass(frozen=True)
class Brief:
    """What the kinds need to know besides their own keys; `worth` is `Problem.worth`."""

    market: Market
    budget_cny: float
    worth: Mapping[Metric, FloatArray]
    last_spend_cny: FloatArray | None


@dataclass(frozen=True)
class Compiled:
    """One constraint's cell limits and coupling rows."""

    limits: tuple[CellLimit, ...] = ()
    rows: tuple[Row, ...] = ()


def chosen(brief: Brief, constraint: BaseConstraint) -> BoolArray:
    """(n_cells,) cells of the constraint's selection."""
    return select(brief.market.cells, constraint.given(), name=constraint.name)


def _groups(brief: Brief, constraint: BaseConstraint, each: str | None) -> list[tuple[str, IndexArray]]:
    return groups(brief.market.cells, chosen(brief, constraint), each)


def _on(brief: Brief, cells: IndexArray, weight: float = 1.0) -> FloatArray:
    """(n_cells,) weight on the cells, 0 elsewhere."""
    coefficients = np.zeros(len(brief.market))
    coefficients[cells] = weight
    return coefficients


def _returns(brief: Brief, constraint: RoiFloor | Target, least: float, where: str, cells: IndexArray) -> Row:
    """worth(cells) - least spend(cells) >= 0."""
    here, [step] = _on(brief, cells), steps_of(constraint).values()
    row: dict[Metric, FloatArray] = {metric: c * here for metric, c in brief.worth.items()}
    return Row(
        constraint.name,
        {**row, "spend": -least * here},
        lower=0.0,
        unit="value",
        where=where,
        aim=isinstance(constraint, Target),
        per_step={"spend": step.size * here},
    )


@dataclass(frozen=True)
class _SpendLimit:
    """spend(cells) >= cny, or <= cny; `per_step` and `per_budget` as of `Row`."""

    where: str
    cells: IndexArray
    at_least: bool
    cny: float
    per_step: float = 1.0
    per_budget: float = 0.0

    def row(self, brief: Brief, name: str) -> Row:
        """As a coupling row."""
        lower, upper = (self.cny, np.inf) if self.at_least else (-np.inf, self.cny)
        spend: dict[Metric, FloatArray] = {"spend": _on(brief, self.cells)}
        return Row(name, spend, lower, upper, "CNY", self.where, False, self.per_step, self.per_budget)


def _spend_limits(brief: Brief, name: str, parts: list[_SpendLimit]) -> Compiled:
    """A row for each limit on several cells; those on one cell each become cell limits."""
    rows = tuple(part.row(brief, name) for part in parts if len(part.cells) > 1)
    limits = []
    for side, at_least in (("lower_cny", True), ("upper_cny", False)):
        alone = [part for part in parts if len(part.cells) == 1 and part.at_least == at_least]
        if not alone:
            continue
        value, step, budget = (np.full(len(brief.market), np.nan) for _ in range(3))
        for part in alone:
            value[part.cells], step[part.cells] = part.cny, part.per_step
            budget[part.cells] = part.per_budget
        limits.append(CellLimit(name, side, value, step, budget))  # type: ignore[arg-type]
    return Compiled(tuple(limits), rows)


def bounds(brief: Brief, constraint: Bounds) -> Compiled:
    """min <= spend(selection) <= max; shares are of the budget, the least in whole 厘 (three thirds fit)."""
    budget, point = brief.budget_cny, 0.01 * brief.budget_cny
    share = float(in_cny(np.floor(in_li((constraint.min_share or 0.0) * budget) + 1e-6)))
    least = [(constraint.min_cny or 0.0, 1.0, 0.0), (share, point, -(constraint.min_share or 0.0))]
    most = [] if constraint.max_cny is None else [(constraint.max_cny, 1.0, 0.0)]
    if constraint.max_share is not None:
        most.append((constraint.max_share * budget, point, constraint.max_share))
    parts = []
    for where, cells in _groups(brief, constraint, constraint.each):
        if max(least)[0] > 0:
            parts.append(_SpendLimit(where, cells, True, *max(least)))
        if most:
            parts.append(_SpendLimit(where, cells, False, *min(most)))
    return _spend_limits(brief, constraint.name, parts)


def ratio(brief: Brief, constraint: Ratio) -> Compiled:
    """spend(of) - max spend(to) <= 0 and spend(of) - min spend(to) >= 0."""
    cells = brief.market.cells
    of = select(cells, constraint.of.given(), name=constraint.name)
    to = select(cells, constraint.to.given(), name=constraint.name)
    found: list[Row] = []
    for where, group in _groups(brief, constraint, constraint.each):
        here = _on(brief, group)
        for key, step in steps_of(constraint).items():
            lower, upper = (0.0, np.inf) if key == "min" else (-np.inf, 0.0)
            apart: dict[Metric, FloatArray] = {"spend": of * here - getattr(constraint, key) * (to * here)}
            room: dict[Metric, FloatArray] = {"spend": step.size * (to * here)}
            found.append(Row(constraint.name, apart, lower, upper, where=where, per_step=room))
    return Compiled(rows=tuple(found))


def min_if_used(brief: Brief, constraint: MinIfUsed) -> Compiled:
    """Each cell's spend is 0 or at least min_cny."""
    if constraint.min_cny > brief.budget_cny:
        raise CampaignError(
            f"constraint '{constraint.name}': min_cny {constraint.min_cny:g} is above the budget "
            f"{brief.budget_cny:g}, so no cell could ever be used; lower it"
        )
    value = np.where(chosen(brief, constraint), constraint.min_cny, np.nan)
    return Compiled(limits=(CellLimit(constraint.name, "min_if_used_cny", value),))


def max_active(brief: Brief, constraint: MaxActive) -> Compiled:
    """Number of cells with spend <= n."""
    found = [
        Row(constraint.name, {"active": _on(brief, cells)}, upper=constraint.n, unit="cells", where=where)
        for where, cells in _groups(brief, constraint, constraint.each)
        if len(cells) > constraint.n
    ]
    return Compiled(rows=tuple(found))


def roi_floor(brief: Brief, constraint: RoiFloor) -> Compiled:
    """worth - min spend >= 0."""
    found = [
        _returns(brief, constraint, constraint.min, where, cells)
        for where, cells in _groups(brief, constraint, constraint.each)
    ]
    return Compiled(rows=tuple(found))


def marginal_floor(brief: Brief, constraint: MarginalFloor) -> Compiled:
    """See `Limits.marginal_floor`."""
    value = np.where(chosen(brief, constraint), constraint.min, np.nan)
    size = steps_of(constraint)["min"].size
    return Compiled(limits=(CellLimit(constraint.name, "marginal_floor", value, size),))


def live_capacity(brief: Brief, constraint: LiveCapacity) -> Compiled:
    """entries <= viewers, in each slot unless `each` says otherwise."""
    live = chosen(brief, constraint) & (brief.market.entry > 0)
    if not live.any():
        raise CampaignError(
            f"constraint '{constraint.name}': none of the selected cells has live entries; "
            f"select a placement with a live step or take the constraint away"
        )
    found = [
        Row(
            constraint.name,
            {"entries": _on(brief, cells)},
            upper=constraint.viewers,
            unit="viewers",
            where=where,
        )
        for where, cells in groups(brief.market.cells, live, constraint.each or _slot(brief))
    ]
    return Compiled(rows=tuple(found))


def _slot(brief: Brief) -> str | None:
    return "slot" if brief.market.cells["slot"].n_unique() > 1 else None


def change_limit(brief: Brief, constraint: ChangeLimit) -> Compiled:
    """|spend - last| <= max_cny and <= max_share last, per cell unless `each` says otherwise."""
    last = brief.last_spend_cny
    if last is None:
        raise CampaignError(
            f"constraint '{constraint.name}': change_limit compares with last_plan, which is missing; give it"
        )
    parts = []
    for where, cells in _groups(brief, constraint, constraint.each or "cell"):
        before = float(last[cells].sum())
        room = [] if constraint.max_cny is None else [(constraint.max_cny, 1.0)]
        room += [] if constraint.max_share is None else [(constraint.max_share * before, 0.01 * before)]
        most, per_step = min(room)
        if before > most:
            parts.append(_SpendLimit(where, cells, True, before - most, per_step))
        parts.append(_SpendLimit(where, cells, False, before + most, per_step))
    return _spend_limits(brief, constraint.name, parts)


def fairness_floor(brief: Brief, constraint: FairnessFloor) -> Compiled:
    """metric(group) - min_share metric(selection) >= 0 for each merchant (or what `each` says)."""
    everyone = chosen(brief, constraint)
    parts = list(groups(brief.market.cells, everyone, constraint.each or "merchant"))
    if constraint.min_share * len(parts) > 1.0 + 1e-12:
        raise CampaignError(
            f"constraint '{constraint.name}': min_share {constraint.min_share:g} for each of {len(parts)} "
            f"adds up to more than everything; expected at most {1.0 / len(parts):g}"
        )
    metric: Mapping[Metric, FloatArray] = brief.worth
    if constraint.of == "grants":
        metric = {"impressions": np.ones(len(brief.market))}
    found, point = [], steps_of(constraint)["min_share"].size
    room: dict[Metric, FloatArray] = {m: point * c * everyone for m, c in metric.items()}
    for where, cells in parts:
        share = _on(brief, cells) - constraint.min_share * everyone
        row: dict[Metric, FloatArray] = {m: c * share for m, c in metric.items()}
        found.append(Row(constraint.name, row, lower=0.0, unit="value", where=where, per_step=room))
    return Compiled(rows=tuple(found))


def frequency_cap(brief: Brief, constraint: FrequencyCap) -> Compiled:
    """impressions - cap reached <= 0."""
    if np.isinf(brief.market.users[chosen(brief, constraint)]).any():
        raise CampaignError(
            f"constraint '{constraint.name}': how many people the curves reach is not known, so impressions "
            f"per person are not; take it away or plan from logs"
        )
    found, size = [], steps_of(constraint)["impressions"].size
    for where, cells in _groups(brief, constraint, constraint.each):
        row: dict[Metric, FloatArray] = {
            "impressions": _on(brief, cells),
            "reached": _on(brief, cells, -constraint.impressions),
        }
        room: dict[Metric, FloatArray] = {"reached": _on(brief, cells, size)}
        found.append(Row(constraint.name, row, upper=0.0, unit="impressions", where=where, per_step=room))
    return Compiled(rows=tuple(found))


def target(brief: Brief, constraint: Target) -> Compiled:
    """metric >= value, or worth - value spend >= 0 for roi; marginal_roi changes the objective instead."""
    if constraint.metric == "marginal_roi":
        return Compiled()
    _refuse_unknown_metric(brief, constraint)
    found = []
    for where, cells in _groups(brief, constraint, constraint.each):
        if constraint.metric == "roi":
            found.append(_returns(brief, constraint, constraint.value, where, cells))
            continue
        metric, unit = ("fans", "fans") if constraint.metric == "new_fans" else ("gmv", "CNY")
        row: dict[Metric, FloatArray] = {metric: _on(brief, cells)}  # type: ignore[dict-item]
        found.append(Row(constraint.name, row, lower=constraint.value, unit=unit, where=where, aim=True))
    return Compiled(rows=tuple(found))


def _refuse_unknown_metric(brief: Brief, constraint: Target) -> None:
    """Curves from outside give one value, which the objective names; fans and GMV are then not both known."""
    asked = {"new_fans": "fans", "new_fan_gmv": "gmv"}.get(constraint.metric)
    market = brief.market
    one_value = (market.users == np.inf) & (market.hazard == 1.0) & (market.gmv_per_fan_cny == 1.0)
    if asked is not None and asked not in brief.worth and one_value.all():
        raise CampaignError(
            f"constraint '{constraint.name}': the curves give one value, which the objective calls "
            f"{next(iter(brief.worth))}, so {constraint.metric} is not known; change metric or objective"
        )


def trial(brief: Brief, constraint: Trial) -> Compiled:
    """spend(cells that were never tried) <= max_cny; nothing where every cell was."""
    cells = np.flatnonzero(chosen(brief, constraint) & brief.market.untried)
    if constraint.max_cny <= 0:
        closed = [_SpendLimit("", cells[[i]], False, 0.0) for i in range(len(cells))]
        return _spend_limits(brief, constraint.name, closed)
    if not len(cells):
        return Compiled()
    return _spend_limits(brief, constraint.name, [_SpendLimit("", cells, False, constraint.max_cny)])


COMPILERS: Mapping[str, Callable[[Brief, Any], Compiled]] = {
    "bounds": bounds,
    "ratio": ratio,
    "min_if_used": min_if_used,
    "max_active": max_active,
    "roi_floor": roi_floor,
    "marginal_floor": marginal_floor,
    "live_capacity": live_capacity,
    "change_limit": change_limit,
    "fairness_floor": fairness_floor,
    "frequency_cap": frequency_cap,
    "target": target,
    "trial": trial,
}
