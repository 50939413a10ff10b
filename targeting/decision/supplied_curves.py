"""The optimiser alone, on curves from outside: `targeting.allocate`.

It must not learn anything: what the curves say is taken as given, and the claims say so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from models.contracts import as_frame, conform, fingerprint
from models.contracts.words import respelt
from models.errors import CampaignError, DataError
from targeting.allocation.problem import Market
from targeting.allocation.tabled import market_from_curves
from targeting.campaign import Campaign, parse_campaign
from targeting.decision.decide import decide
from targeting.decision.verbs import Plan
from targeting.grants import with_grants
from targeting.plan.provenance import Provenance, versions

SUPPLIED = {
    "kind": "observational",
    "why": "the curves were supplied from outside, and whether they are causal is not known here",
}
NO_CHANCE = (
    "curves: supplied curves do not tell how chance moves a campaign, so what will really come has no range"
)


def allocate(
    curves: object,
    *,
    budget_cny: float,
    constraints: Sequence[Mapping[str, object]] = (),
    objective: str = "new_fan_gmv",
    economics: Mapping[str, float] | None = None,
    last_plan: object = None,
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
    brief = campaign or parse_campaign(
        {
            "campaign_id": "allocate",
            "budget_cny": budget_cny,
            "objective": objective,
            "constraints": list(constraints),
            "economics": None if economics is None else dict(economics),
            "last_plan": None if last_plan is None else "last_plan",
        },
        "allocate",
    )
    market, provenance = _given(curves, brief)
    return decide(
        campaign=brief, market=market, provenance=provenance, last_plan=last_plan, gap_tol=gap_tol,
        time_limit_s=time_limit_s,
    )  # fmt: skip


def _given(curves: object, brief: Campaign) -> tuple[Market, Provenance]:
    """The market, and that nothing more is known of it; points speak of the objective's outcome only."""
    if isinstance(curves, Market):
        told = () if curves.chance is not None else (NO_CHANCE,)
        return curves, Provenance(claims=SUPPLIED, versions=versions(), warnings=told)
    table = as_frame(curves)
    good = _good(table)
    bought, left_out = _of_placements(good, brief) if "placements" in brief.model_fields_set else (good, ())
    return with_grants(market_from_curves(bought), brief.grants), Provenance(
        claims=SUPPLIED,
        fingerprints={"curves": fingerprint(table)},
        versions=versions(),
        unknown=("impressions", "new_fan_gmv_cny" if brief.objective == "new_fans" else "new_fans"),
        warnings=(NO_CHANCE, *left_out),
    )


def _of_placements(good: pl.DataFrame, brief: Campaign) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """The curves of the placements that the brief names, and a word on the others."""
    placed = good.with_columns(respelt(good["placement"], brief.placements))
    known = placed["placement"].unique(maintain_order=True).to_list()
    missing = [name for name in brief.placements if name not in known]
    if missing:
        raise CampaignError(
            f"placements: {missing[0]!r} has no curve, expected one of {', '.join(known)}; "
            "take it out of the brief or give its curve"
        )
    others = [name for name in known if name not in brief.placements]
    said = f"curves: those of {', '.join(others)} are left out: the brief does not buy them"
    return placed.filter(pl.col("placement").is_in(list(brief.placements))), (said,) if others else ()


def _good(table: pl.DataFrame) -> pl.DataFrame:
    conformed = conform(table, "curves", source="curves")
    if conformed.rejected.height:
        first = conformed.rejected.row(0, named=True)
        raise DataError(
            f"curves: row {first['row']}: {first['reason']} ({conformed.rejected.height} bad rows)"
        )
    return conformed.good
