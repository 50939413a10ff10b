"""What each constraint kind means in cell limits and coupling rows (DESIGN 4.3), one function per kind.

Ratios of two sums are written as one linear row: value - min spend >= 0, spend(of) - max spend(to) <= 0,
impressions - cap reached <= 0. A limit on a group of one cell becomes a cell limit, which pricing holds
exactly. It must not evaluate a curve.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from models.errors import CampaignError
from models.supply.curves import FloatArray
from targeting.allocation.formulation.brief import Brief, Compiled, chosen, parts_of
from targeting.allocation.formulation.selection import IndexArray, groups, select
from targeting.allocation.formulation.spend_limits import bounds, change_limit, trial
from targeting.allocation.problem import CellLimit, Metric, Row
from targeting.campaign.constraints import (
    FairnessFloor,
    FrequencyCap,
    LiveCapacity,
    MarginalFloor,
    MaxActive,
    MinIfUsed,
    Ratio,
    RoiFloor,
    Target,
)
from targeting.campaign.steps import steps_of


def _returns(brief: Brief, constraint: RoiFloor | Target, least: float, where: str, cells: IndexArray) -> Row:
    """worth(cells) - least spend(cells) >= 0."""
    one, [step] = np.ones(len(cells)), steps_of(constraint).values()
    row: dict[Metric, FloatArray] = {metric: c[cells] for metric, c in brief.worth.items()}
    return Row(
        constraint.name,
        {**row, "spend": -least * one},
        lower=0.0,
        unit="value",
        where=where,
        aim=isinstance(constraint, Target),
        per_step={"spend": step.size * one},
        cells=cells,
    )


def ratio(brief: Brief, constraint: Ratio) -> Compiled:
    """spend(of) - max spend(to) <= 0 and spend(of) - min spend(to) >= 0."""
    cells = brief.market.cells
    of, to = (
        select(cells, side.given(), name=constraint.name).astype(np.float64)
        for side in (constraint.of, constraint.to)
    )
    found: list[Row] = []
    for where, group in parts_of(brief, constraint, constraint.each):
        for key, step in steps_of(constraint).items():
            size = float(getattr(constraint, key))
            lower, upper = (0.0, np.inf) if key == "min" else (-np.inf, 0.0)
            apart: dict[Metric, FloatArray] = {"spend": of[group] - size * to[group]}
            room: dict[Metric, FloatArray] = {"spend": step.size * to[group]}
            found.append(Row(constraint.name, apart, lower, upper, where=where, per_step=room, cells=group))
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
        Row(
            constraint.name,
            {"active": np.ones(len(cells))},
            upper=constraint.n,
            unit="cells",
            where=where,
            cells=cells,
        )
        for where, cells in parts_of(brief, constraint, constraint.each)
        if len(cells) > constraint.n
    ]
    return Compiled(rows=tuple(found))


def roi_floor(brief: Brief, constraint: RoiFloor) -> Compiled:
    """worth - min spend >= 0."""
    found = [
        _returns(brief, constraint, constraint.min, where, cells)
        for where, cells in parts_of(brief, constraint, constraint.each)
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
            {"entries": np.ones(len(cells))},
            upper=constraint.viewers,
            unit="viewers",
            where=where,
            cells=cells,
        )
        for where, cells in groups(brief.market.cells, live, constraint.each or _slot(brief))
    ]
    return Compiled(rows=tuple(found))


def _slot(brief: Brief) -> str | None:
    return "slot" if brief.market.cells["slot"].n_unique() > 1 else None


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
        share = -constraint.min_share * everyone
        share[cells] += 1.0
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
    for where, cells in parts_of(brief, constraint, constraint.each):
        row: dict[Metric, FloatArray] = {
            "impressions": np.ones(len(cells)),
            "reached": np.full(len(cells), -constraint.impressions),
        }
        room: dict[Metric, FloatArray] = {"reached": np.full(len(cells), size)}
        found.append(
            Row(constraint.name, row, upper=0.0, unit="impressions", where=where, per_step=room, cells=cells)
        )
    return Compiled(rows=tuple(found))


def target(brief: Brief, constraint: Target) -> Compiled:
    """metric >= value, or worth - value spend >= 0 for roi; marginal_roi changes the objective instead."""
    if constraint.metric == "marginal_roi":
        return Compiled()
    _refuse_unknown_metric(brief, constraint)
    found = []
    for where, cells in parts_of(brief, constraint, constraint.each):
        if constraint.metric == "roi":
            found.append(_returns(brief, constraint, constraint.value, where, cells))
            continue
        metric, unit = ("fans", "fans") if constraint.metric == "new_fans" else ("gmv", "CNY")
        row: dict[Metric, FloatArray] = {metric: np.ones(len(cells))}  # type: ignore[dict-item]
        found.append(
            Row(constraint.name, row, constraint.value, unit=unit, where=where, aim=True, cells=cells)
        )
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
