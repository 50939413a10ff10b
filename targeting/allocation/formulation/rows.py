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


def _return_row(brief: Brief, cells: IndexArray, least: float) -> dict[Metric, FloatArray]:
    """Coefficients of worth(cells) - least spend(cells)."""
    here = _on(brief, cells)
    return {**{metric: c * here for metric, c in brief.worth.items()}, "spend": -least * here}


def _spend_limits(brief: Brief, name: str, parts: list[tuple[str, IndexArray, float, float]]) -> Compiled:
    """lower <= spend(cells) <= upper for each (where, cells, lower, upper)."""
    low, high = np.full(len(brief.market), np.nan), np.full(len(brief.market), np.nan)
    rows: list[Row] = []
    for where, cells, lower, upper in parts:
        if len(cells) > 1:
            rows.append(Row(name, {"spend": _on(brief, cells)}, lower=lower, upper=upper, where=where))
            continue
        if lower > 0:
            low[cells] = lower
        if np.isfinite(upper):
            high[cells] = upper
    limits = [CellLimit(name, "lower_cny", low)] if not np.isnan(low).all() else []
    limits += [CellLimit(name, "upper_cny", high)] if not np.isnan(high).all() else []
    return Compiled(tuple(limits), tuple(rows))


def bounds(brief: Brief, constraint: Bounds) -> Compiled:
    """min <= spend(selection) <= max; shares are of the budget, the least in whole 厘 (three thirds fit)."""
    share = in_cny(np.floor(in_li((constraint.min_share or 0.0) * brief.budget_cny) + 1e-6))
    lower = max(constraint.min_cny or 0.0, float(share))
    upper = np.inf if constraint.max_cny is None else constraint.max_cny
    if constraint.max_share is not None:
        upper = min(upper, constraint.max_share * brief.budget_cny)
    parts = [(where, cells, lower, upper) for where, cells in _groups(brief, constraint, constraint.each)]
    return _spend_limits(brief, constraint.name, parts)


def ratio(brief: Brief, constraint: Ratio) -> Compiled:
    """spend(of) - max spend(to) <= 0 and spend(of) - min spend(to) >= 0."""
    cells = brief.market.cells
    of = select(cells, constraint.of.given(), name=constraint.name)
    to = select(cells, constraint.to.given(), name=constraint.name)
    found: list[Row] = []
    for where, group in _groups(brief, constraint, constraint.each):
        here = _on(brief, group)
        if constraint.max is not None:
            most: dict[Metric, FloatArray] = {"spend": of * here - constraint.max * (to * here)}
            found.append(Row(constraint.name, most, upper=0.0, where=where))
        if constraint.min is not None:
            least: dict[Metric, FloatArray] = {"spend": of * here - constraint.min * (to * here)}
            found.append(Row(constraint.name, least, lower=0.0, where=where))
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
        Row(constraint.name, _return_row(brief, cells, constraint.min), lower=0.0, unit="value", where=where)
        for where, cells in _groups(brief, constraint, constraint.each)
    ]
    return Compiled(rows=tuple(found))


def marginal_floor(brief: Brief, constraint: MarginalFloor) -> Compiled:
    """See `Limits.marginal_floor`."""
    value = np.where(chosen(brief, constraint), constraint.min, np.nan)
    return Compiled(limits=(CellLimit(constraint.name, "marginal_floor", value),))


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
        steps = [constraint.max_cny, None if constraint.max_share is None else constraint.max_share * before]
        step = min(s for s in steps if s is not None)
        parts.append((where, cells, max(before - step, 0.0), before + step))
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
    found = []
    for where, cells in parts:
        share = _on(brief, cells) - constraint.min_share * everyone
        row: dict[Metric, FloatArray] = {m: c * share for m, c in metric.items()}
        found.append(Row(constraint.name, row, lower=0.0, unit="value", where=where))
    return Compiled(rows=tuple(found))


def frequency_cap(brief: Brief, constraint: FrequencyCap) -> Compiled:
    """impressions - cap reached <= 0."""
    if np.isinf(brief.market.users[chosen(brief, constraint)]).any():
        raise CampaignError(
            f"constraint '{constraint.name}': how many people the curves reach is not known, so impressions "
            f"per person are not; take it away or plan from logs"
        )
    found = []
    for where, cells in _groups(brief, constraint, constraint.each):
        row: dict[Metric, FloatArray] = {
            "impressions": _on(brief, cells),
            "reached": _on(brief, cells, -constraint.impressions),
        }
        found.append(Row(constraint.name, row, upper=0.0, unit="impressions", where=where))
    return Compiled(rows=tuple(found))


def target(brief: Brief, constraint: Target) -> Compiled:
    """metric >= value, or worth - value spend >= 0 for roi; marginal_roi changes the objective instead."""
    if constraint.metric == "marginal_roi":
        return Compiled()
    _refuse_unknown_metric(brief, constraint)
    found = []
    for where, cells in _groups(brief, constraint, constraint.each):
        if constraint.metric == "roi":
            row, lower, unit = _return_row(brief, cells, constraint.value), 0.0, "value"
        elif constraint.metric == "new_fans":
            row, lower, unit = {"fans": _on(brief, cells)}, constraint.value, "fans"
        else:
            row, lower, unit = {"gmv": _on(brief, cells)}, constraint.value, "CNY"
        found.append(Row(constraint.name, row, lower=lower, unit=unit, where=where, aim=True))
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
        return _spend_limits(brief, constraint.name, [("", cells[[i]], 0.0, 0.0) for i in range(len(cells))])
    if not len(cells):
        return Compiled()
    return _spend_limits(brief, constraint.name, [("", cells, 0.0, constraint.max_cny)])


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
