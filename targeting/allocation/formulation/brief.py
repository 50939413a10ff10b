"""What a constraint is compiled from and to, and which cells it speaks of.

It must not evaluate a curve.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from models.supply.curves import FloatArray
from targeting.allocation.formulation.selection import BoolArray, IndexArray, groups, select
from targeting.allocation.problem import CellLimit, Market, Metric, Row
from targeting.campaign.constraints import BaseConstraint


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


def parts_of(brief: Brief, constraint: BaseConstraint, each: str | None) -> list[tuple[str, IndexArray]]:
    """(where, cell numbers) of each part of the selection that the constraint holds for apart."""
    return groups(brief.market.cells, chosen(brief, constraint), each)
