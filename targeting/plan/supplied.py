"""The optimiser alone, on curves from outside: `targeting.allocate`.

It must not learn anything: what the curves say is taken as given, and the claims say so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from models.errors import DataError
from targeting.allocation.problem import Market
from targeting.campaign import Campaign, parse_campaign
from targeting.plan.decision import decide
from targeting.plan.provenance import Provenance, versions
from targeting.plan.result import Plan

SUPPLIED = {
    "kind": "observational",
    "why": "the curves were supplied from outside, and whether they are causal is not known here",
}


def allocate(
    curves: Any,
    *,
    budget_cny: float,
    constraints: Sequence[Mapping[str, Any]] = (),
    objective: str = "new_fan_gmv",
    economics: Mapping[str, float] | None = None,
    last_plan: Any = None,
    campaign: Campaign | None = None,
    gap_tol: float = 1e-6,
    time_limit_s: float = 60.0,
) -> Plan:
    """The optimiser alone, on any curves.

    Args:
        curves: a `Market`, or a table of points (segment, placement, spend_cny, value) or Hill parameters
            (segment, placement, top, half_spend_cny, slope); polars, pandas or anything with the Arrow
            PyCapsule interface.
        budget_cny: yuan, > 0.
        constraints: mappings as in a brief (`{"kind": "bounds", "placement": "live", "min_share": 0.3}`).
        objective: new_fan_gmv, new_fans, live_entries or profit.
        economics: {gross_margin, fee_rate}, needed for profit.
        last_plan: a table (segment, placement, spend_cny), needed for change_limit.
        campaign: a whole brief instead; its budget, constraints, objective and economics are used.
        gap_tol: wanted certificate, upper_bound / value - 1.
        time_limit_s: seconds after which the best plan so far is returned with its bound.

    Raises:
        DataError: a curve that decreases, has NaN or a single point.
        CampaignError, InfeasibleError: the constraints are wrong or contradict each other.
    """
    from models.contracts import as_frame, fingerprint

    unknown: tuple[str, ...]
    brief = campaign or parse_campaign(
        {
            "campaign_id": "allocate",
            "budget_cny": budget_cny,
            "objective": objective,
            "constraints": list(constraints),
            **({"economics": dict(economics)} if economics is not None else {}),
            **({"last_plan": "last_plan"} if last_plan is not None else {}),
        },
        "allocate",
    )
    if isinstance(curves, Market):
        market, prints, unknown = curves, {}, ()
    else:
        table = as_frame(curves)
        market, prints = supplied_market(table), {"curves": fingerprint(table)}
        unknown = ("impressions", "new_fan_gmv_cny" if brief.objective == "new_fans" else "new_fans")
    return decide(
        campaign=brief,
        market=market,
        provenance=Provenance(claims=SUPPLIED, fingerprints=prints, versions=versions(), unknown=unknown),
        last_plan=None if last_plan is None else as_frame(last_plan),
        gap_tol=gap_tol,
        time_limit_s=time_limit_s,
    )


def supplied_market(table: pl.DataFrame) -> Market:
    """The market of a curves table; its first bad row is an error, because a curve with a hole is another
    curve.
    """
    from models.contracts import conform
    from targeting.allocation.tabled import market_from_curves

    conformed = conform(table, "curves", source="curves")
    if conformed.rejected.height:
        first = conformed.rejected.row(0, named=True)
        raise DataError(
            f"curves: row {first['row']}: {first['reason']} ({conformed.rejected.height} bad rows)"
        )
    return market_from_curves(conformed.good)
