"""Constraints on spend alone: a limit of one cell is held exactly, one of several is a row.

It must not evaluate a curve.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.errors import CampaignError
from targeting.allocation.formulation.brief import Brief, Compiled, chosen, parts_of
from targeting.allocation.formulation.selection import IndexArray
from targeting.allocation.problem import CellLimit, Row, in_cny, in_li
from targeting.campaign.constraints import Bounds, ChangeLimit, Trial


@dataclass(frozen=True)
class _SpendLimit:
    """spend(cells) >= cny, or <= cny; `per_step` and `per_budget` as of `Row`."""

    where: str
    cells: IndexArray
    at_least: bool
    cny: float
    per_step: float = 1.0
    per_budget: float = 0.0

    def row(self, name: str) -> Row:
        """As a coupling row."""
        lower, upper = (self.cny, np.inf) if self.at_least else (-np.inf, self.cny)
        return Row(
            name, {"spend": np.ones(len(self.cells))}, lower, upper, where=self.where,
            per_step=self.per_step, per_budget=self.per_budget, cells=self.cells,
        )  # fmt: skip


def _spend_limits(brief: Brief, name: str, parts: list[_SpendLimit]) -> Compiled:
    """A row for each limit on several cells; those on one cell each become cell limits."""
    rows = tuple(part.row(name) for part in parts if len(part.cells) > 1)
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
    for where, cells in parts_of(brief, constraint, constraint.each):
        if max(least)[0] > 0:
            parts.append(_SpendLimit(where, cells, True, *max(least)))
        if most:
            parts.append(_SpendLimit(where, cells, False, *min(most)))
    return _spend_limits(brief, constraint.name, parts)


def change_limit(brief: Brief, constraint: ChangeLimit) -> Compiled:
    """|spend - last| <= max_cny and <= max_share last, per cell unless `each` says otherwise."""
    last = brief.last_spend_cny
    if last is None:
        raise CampaignError(
            f"constraint '{constraint.name}': change_limit compares with last_plan, which is missing; give it"
        )
    parts = []
    for where, cells in parts_of(brief, constraint, constraint.each or "cell"):
        before = float(last[cells].sum())
        room = [] if constraint.max_cny is None else [(constraint.max_cny, 1.0)]
        room += [] if constraint.max_share is None else [(constraint.max_share * before, 0.01 * before)]
        most, per_step = min(room)
        if before > most:
            parts.append(_SpendLimit(where, cells, True, before - most, per_step))
        parts.append(_SpendLimit(where, cells, False, before + most, per_step))
    return _spend_limits(brief, constraint.name, parts)


def trial(brief: Brief, constraint: Trial) -> Compiled:
    """spend(cells that were never tried) <= max_cny; nothing where every cell was."""
    cells = np.flatnonzero(chosen(brief, constraint) & brief.market.untried)
    if constraint.max_cny <= 0:
        closed = [_SpendLimit("", cells[[i]], False, 0.0) for i in range(len(cells))]
        return _spend_limits(brief, constraint.name, closed)
    if not len(cells):
        return Compiled()
    return _spend_limits(brief, constraint.name, [_SpendLimit("", cells, False, constraint.max_cny)])
