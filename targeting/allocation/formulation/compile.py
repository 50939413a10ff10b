"""From the brief's words to the canonical problem: objective, limits of cells, coupling rows, risk.

Exists so that the solver knows nothing of briefs. Every row is linear in the metrics of `problem.py`; a limit
that concerns single cells goes to `Limits`, where the pricing of columns enforces it exactly. It must not
import the solver or evaluate a curve, and `audit` must not import it: the two are independent answers to
the same question.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import polars as pl

from models.errors import CampaignError
from models.supply.curves import FloatArray
from targeting.allocation.formulation import rows
from targeting.allocation.formulation.brief import Brief, chosen
from targeting.allocation.lastplan import last_spend
from targeting.allocation.problem import CellLimit, Limits, Market, Metric, Problem, Risk
from targeting.campaign.constraints import parse_constraints

_WORTH: Mapping[str, Metric] = {
    "new_fan_gmv": "gmv",
    "profit": "gmv",
    "new_fans": "fans",
    "live_entries": "entries",
}
_TARGET_METRIC: Mapping[str, Metric] = {"new_fans": "fans", "new_fan_gmv": "gmv"}


class KeepsShare(Protocol):
    """What the profit objective needs of the brief's economics."""

    @property
    def kept_share(self) -> float:
        """Yuan kept per yuan of GMV: margin - fee."""


def compile_problem(
    market: Market,
    *,
    objective: str = "new_fan_gmv",
    economics: KeepsShare | Mapping[str, KeepsShare] | None = None,
    budget_cny: float,
    constraints: Sequence[Any] = (),
    last_plan: pl.DataFrame | FloatArray | None = None,
) -> Problem:
    """The problem that the brief describes on this market.

    Args:
        market: what money buys; `cells` is what selections select from.
        objective: new_fan_gmv, new_fans, live_entries or profit ((margin - fee) gmv - spend).
        economics: needed for profit; a mapping by campaign_id where campaigns differ.
        budget_cny: spend of the whole plan is at most this; `Problem.budget_cny` says it, no row repeats it.
        constraints: models of `targeting.campaign.constraints`, or mappings as in the brief.
        last_plan: spend to limit change from: (n_cells,), or a frame with segment, placement, spend_cny and
            optionally campaign_id and slot (an `allocation.csv`).

    Raises:
        CampaignError: a selection that matches nothing, risk without draws, a minimum above the budget,
            change_limit without a last plan, profit without economics.
    """
    _refuse_bad_budget(budget_cny)
    parsed = parse_constraints(constraints)
    n = len(market)
    if objective not in _WORTH:
        raise CampaignError(f"objective: expected one of {', '.join(_WORTH)}, got {objective!r}")
    worth: dict[Metric, FloatArray] = {_WORTH[objective]: np.ones(n)}
    brief = Brief(
        market=market,
        budget_cny=float(budget_cny),
        worth=worth,
        last_spend_cny=None if last_plan is None else last_spend(market, last_plan),
    )
    compiled = [rows.COMPILERS[c.kind](brief, c) for c in parsed if c.kind != "risk"]
    return Problem(
        market=market,
        objective=_objective(objective, economics, market, brief, parsed),
        budget_cny=float(budget_cny),
        limits=combine([limit for part in compiled for limit in part.limits], n),
        rows=tuple(row for part in compiled for row in part.rows),
        risk=_risk(market, parsed),
        worth=worth,
    )


def combine(sources: Sequence[CellLimit], n_cells: int) -> Limits:
    """The tightest of several limits, cell by cell; contradictions (lower > upper) are left to the solver."""
    sides = {
        "lower_cny": np.zeros(n_cells),
        "upper_cny": np.full(n_cells, np.inf),
        "min_if_used_cny": np.zeros(n_cells),
        "marginal_floor": np.zeros(n_cells),
    }
    names: dict[str, Any] = {}
    for source in sources:
        tighten = np.fmin if source.side == "upper_cny" else np.fmax  # fmin, fmax ignore nan
        sides[source.side] = tighten(sides[source.side], source.value)
        names[source.name] = names.get(source.name, np.zeros(n_cells, dtype=bool)) | ~np.isnan(source.value)
    return Limits(**sides, names=names, sources=tuple(sources))


def _refuse_bad_budget(budget_cny: float) -> None:
    if not (np.isfinite(budget_cny) and budget_cny > 0):
        raise CampaignError(f"budget_cny: expected a finite number > 0, got {budget_cny!r}")


def _objective(
    objective: str, economics: Any, market: Market, brief: Brief, constraints: Sequence[Any]
) -> Mapping[Metric, FloatArray]:
    """The plain objective, changed by `target` as `Problem.objective` says."""
    n = len(market)
    targets = [c for c in constraints if c.kind == "target"]
    cheapest = [c for c in targets if c.metric in _TARGET_METRIC]
    priced = [c for c in targets if c.metric == "marginal_roi"]
    if cheapest and len(targets) > len(cheapest):
        other = next(t for t in targets if t.metric not in _TARGET_METRIC)
        raise CampaignError(
            f"constraints '{cheapest[0].name}' and '{other.name}': one target asks for the cheapest plan, "
            f"the other for as much as pays back; keep one, or write roi as a roi_floor"
        )
    if cheapest:
        return {"spend": -np.ones(n)}
    kept = _kept(economics, market) if objective == "profit" else np.ones(n)
    charge = np.full(n, 1.0 if objective == "profit" else 0.0)
    for target in priced:  # returns are counted in what the brief counts as value, not in profit
        charge = np.where(chosen(brief, target), np.maximum(charge, target.value * kept), charge)
    plain: dict[Metric, FloatArray] = {metric: c * kept for metric, c in brief.worth.items()}
    return {**plain, "spend": -charge} if charge.any() else plain


def _kept(economics: Any, market: Market) -> FloatArray:
    """(n_cells,) yuan kept per yuan of GMV."""
    if economics is None:
        raise CampaignError(
            "economics: objective profit needs {gross_margin: ..., fee_rate: ...}; add them to the brief"
        )
    if not isinstance(economics, Mapping):
        return np.full(len(market), float(economics.kept_share))
    missing = sorted(set(market.cells["campaign_id"].to_list()) - set(economics))
    if missing:
        raise CampaignError(
            f"economics: objective profit needs the margin of campaign {missing[0]!r}; add it"
        )
    return np.array([economics[c].kept_share for c in market.cells["campaign_id"].to_list()], dtype=float)


def _risk(market: Market, constraints: Sequence[Any]) -> Risk | None:
    found = [c for c in constraints if c.kind == "risk"]
    if not found:
        return None
    if len(found) > 1:
        raise CampaignError(
            f"constraints '{found[0].name}' and '{found[1].name}': a plan can have one risk floor; keep one"
        )
    if market.draws is None or len(market.draws.hazard) == 0:
        raise CampaignError(
            f"constraint '{found[0].name}': risk needs draws of the curves and there are none "
            f"(curves supplied without uncertainty); take it away or plan from logs"
        )
    risk = found[0]
    if risk.measure == "quantile":
        return Risk(name=risk.name, measure="chance", level=1.0 - risk.level, floor=risk.floor)
    return Risk(name=risk.name, measure=risk.measure, level=risk.level, floor=risk.floor)
