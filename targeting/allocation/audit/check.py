"""The second answer: does a spend keep the brief's constraints, computed without the program that chose it.

Exists so that no mistake of the compiler or the solver can pass unseen. Plain loops over the constraints as
the planner wrote them; the outcomes are computed here from the formulae of DESIGN 4.2. It must not import
`formulation`, `outcomes` or the solver; all it shares with them is `CurveSet.value`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from models.errors import CampaignError
from models.supply.curves import FloatArray
from targeting.allocation.audit.judgement import CHECKS, Facts, Finding, total
from targeting.allocation.audit.recount import counted, true_outcome
from targeting.allocation.lastplan import last_spend
from targeting.allocation.problem import Market
from targeting.campaign.constraints import parse_constraints


@dataclass(frozen=True)
class Violation:
    """One limit that a spend breaks.

    Attributes:
        name, where: the constraint's name in the brief and which group of it ("" for the whole selection).
        limit, actual: what was allowed and what is, in `unit`. Ratios are compared in the unit of their
            numerator: a roi_floor as value against min x spend, a ratio as spend(of) against max x spend(to).
        excess: by how much the limit is broken, > 0.
        unit: CNY, value, viewers, cells, fans, impressions, CNY of GMV ...
    """

    name: str
    where: str
    limit: float
    actual: float
    excess: float
    unit: str

    def __str__(self) -> str:
        place = f" ({self.where})" if self.where else ""
        compared = f"{self.actual:.6g} against {self.limit:.6g} {self.unit}"
        return f"'{self.name}'{place}: {compared}, off by {self.excess:.3g}"


def violations(
    market: Market,
    *,
    budget_cny: float,
    constraints: Sequence[Any] = (),
    spend_cny: FloatArray,
    objective: str = "new_fan_gmv",
    last_plan: pl.DataFrame | FloatArray | None = None,
    tolerance: float = 1e-6,
) -> tuple[Violation, ...]:
    """Every limit that `spend_cny` (n_cells,) breaks by more than `tolerance` of its own scale; empty when it
    keeps all.

    The scale is the budget for money, the total for values and counts, the limit itself where that is larger.

    Args:
        market: as the plan was made on.
        budget_cny, constraints, objective, last_plan: as for `compile_problem`.
        spend_cny: (n_cells,) yuan.
        tolerance: share of the scale that is forgiven.
    """
    found: list[Violation] = []
    judged = findings(
        market,
        budget_cny=budget_cny,
        constraints=constraints,
        spend_cny=spend_cny,
        objective=objective,
        last_plan=last_plan,
    )
    for name, compared in judged.items():
        found += _broken(name, compared, tolerance)
    return tuple(found)


def findings(
    market: Market,
    *,
    budget_cny: float,
    constraints: Sequence[Any] = (),
    spend_cny: FloatArray,
    objective: str = "new_fan_gmv",
    last_plan: pl.DataFrame | FloatArray | None = None,
) -> Mapping[str, Sequence[Finding]]:
    """Every limit with what is actually the case: `total` first, then the constraints by name, as given."""
    spend = [float(s) for s in np.asarray(spend_cny, dtype=float)]
    if len(spend) != len(market):
        raise CampaignError(f"spend_cny: expected {len(market)} spends, one per cell, got {len(spend)}")
    outcome = true_outcome(market, spend)
    facts = Facts(
        market=market,
        cells=market.cells.to_dicts(),
        budget_cny=budget_cny,
        spend=spend,
        outcome=outcome,
        worth=counted(outcome, objective),
        objective=objective,
        last=None if last_plan is None else [float(s) for s in last_spend(market, last_plan)],
    )
    judged = {c.name: CHECKS[c.kind](facts, c) for c in parse_constraints(constraints)}
    return {"total": total(facts), **judged}


def _broken(name: str, findings: Sequence[Finding], tolerance: float) -> list[Violation]:
    broken = []
    for f in findings:
        excess = f.actual - f.limit if f.at_most else f.limit - f.actual
        if not excess <= tolerance * max(f.scale, abs(f.limit)):  # nan is broken too
            broken.append(Violation(name, f.where, f.limit, f.actual, excess, f.unit))
    return broken
