"""Plans without user-level logs: from an advertising console's report, or from curves supplied from outside.

Both end in `decide` like every plan; what these sources cannot speak of (impressions, fans, GMV) is null in
the plan instead of guessed. Segments are whatever the table calls so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from models.errors import DataError
from targeting.allocation.problem import Market
from targeting.campaign import Campaign, parse_campaign
from targeting.decision import decide, versions
from targeting.plan import Plan, Provenance

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
    from targeting.allocation.supplied import market_from_curves

    conformed = conform(table, "curves", source="curves")
    if conformed.rejected.height:
        first = conformed.rejected.row(0, named=True)
        raise DataError(
            f"curves: row {first['row']}: {first['reason']} ({conformed.rejected.height} bad rows)"
        )
    return market_from_curves(conformed.good)


def plan_from_curves(
    campaign: Campaign | Mapping[str, Any],
    curves: Any,
    *,
    last_plan: Any = None,
    gap_tol: float = 1e-6,
    time_limit_s: float = 60.0,
) -> Plan:
    """The plan of a brief on supplied curves; see `allocate` for the tables that are understood."""
    brief = campaign if isinstance(campaign, Campaign) else parse_campaign(campaign)
    return allocate(
        curves,
        budget_cny=brief.budget_cny,
        campaign=brief,
        last_plan=last_plan,
        gap_tol=gap_tol,
        time_limit_s=time_limit_s,
    )


def plan_from_delivery(
    campaign: Campaign | Mapping[str, Any],
    delivery: Any,
    *,
    rng: np.random.Generator,
    n_draws: int = 200,
    last_plan: Any = None,
    rejected_rows: int = 0,
    gap_tol: float = 1e-6,
    time_limit_s: float = 60.0,
) -> Plan:
    """The plan of a brief learned from a console's report.

    Args:
        campaign: the brief.
        delivery: contract table `delivery`, raw or conformed (polars, pandas, Arrow).
        rng: for the draws behind the 80 % intervals.
        n_draws: how many.
        last_plan: table segment, placement, spend_cny of the plan before.
        rejected_rows: rows that were quarantined before this call; those found here are added.
        gap_tol, time_limit_s: when the optimiser may stop.

    Raises:
        DataError: the report has no outcome that the brief's objective counts.
        CampaignError, InfeasibleError: the brief is wrong or cannot be met.
    """
    from models.contracts import as_frame, conform, fingerprint
    from models.delivery import fit_delivery
    from targeting.market import delivery_market

    brief = campaign if isinstance(campaign, Campaign) else parse_campaign(campaign)
    conformed = conform(as_frame(delivery), "delivery", source="delivery")
    rows = conformed.good.filter(pl.col("placement").is_in(list(brief.placements)))
    if rows.is_empty():
        found = ", ".join(conformed.good["placement"].unique().sort().to_list()) or "none"
        raise DataError(
            f"delivery: no row of the brief's placements {', '.join(brief.placements)}; found {found}"
        )
    model = fit_delivery(rows, rng=rng, n_draws=n_draws)
    unknown = _unknown(model.basis, fans=model.fan_measure is not None, gmv=model.has_gmv)
    _refuse_uncounted(brief, unknown)
    why = (
        model.why
        if model.fan_measure in ("new_fans", None)
        else f"{model.why}; {model.fan_measure} stand for new fans"
    )
    spent = rows.group_by("segment", "placement").agg(pl.col("cost_cny").sum().alias("spend_cny"))
    return decide(
        campaign=brief,
        market=delivery_market(model, campaign=brief),
        provenance=Provenance(
            claims={"kind": model.claims, "why": why},
            fingerprints={"delivery": fingerprint(conformed.good)},
            versions=versions(),
            rejected_rows=rejected_rows + conformed.rejected.height,
            unknown=unknown,
        ),
        last_plan=None if last_plan is None else as_frame(last_plan),
        history=spent.sort("segment", "placement"),
        gap_tol=gap_tol,
        time_limit_s=time_limit_s,
    )


def _unknown(basis: str, *, fans: bool, gmv: bool) -> tuple[str, ...]:
    """What a report's curves cannot speak of."""
    known = {"impressions": basis == "impressions", "new_fans": fans, "new_fan_gmv_cny": gmv}
    return tuple(name for name, is_known in known.items() if not is_known)


def _refuse_uncounted(campaign: Campaign, unknown: Sequence[str]) -> None:
    needed = {"new_fans": "new_fans", "new_fan_gmv": "new_fan_gmv_cny", "profit": "new_fan_gmv_cny"}
    column = needed.get(campaign.objective)
    if column in unknown:
        want = {"new_fans": "new_fans or orders", "new_fan_gmv_cny": "gmv_cny"}[column]
        raise DataError(
            f"delivery: objective {campaign.objective} needs column {want}, which the report does not have; "
            f"add it or change the objective"
        )
