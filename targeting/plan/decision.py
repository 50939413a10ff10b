"""From a market and a brief to a `Plan`: compile, solve, round, check, evaluate.

The only module of this package (besides `allocation`) that runs the optimiser; the planner and `allocate`
both end here, so that every plan, from logs, a console's report or supplied curves, is made and checked in
one way.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import polars as pl

from models.curves import FloatArray
from models.errors import DataError, SolverError
from targeting.allocation.audit.check import violations
from targeting.allocation.explain.conflict import solve_or_explain
from targeting.allocation.explain.trial import marginals
from targeting.allocation.explain.words import reasons
from targeting.allocation.formulation.compile import compile_problem
from targeting.allocation.lastplan import last_spend
from targeting.allocation.problem import LI_PER_CNY, Market, Problem, Solution
from targeting.allocation.solver.rounding import rounded
from targeting.audience import Audience
from targeting.campaign import Campaign, parse_campaign
from targeting.plan.baselines import past_spend, usual_plans
from targeting.plan.curve_table import curve_table
from targeting.plan.promise import promise
from targeting.plan.result import ALLOCATION_COLUMNS, Plan, Provenance

log = logging.getLogger(__name__)
PACKAGES = ("fan-targeting", "cvxpy", "highspy", "lightgbm", "numpy", "polars")


SUPPLIED = {
    "kind": "observational",
    "why": "the curves were supplied from outside, and whether they are causal is not known here",
}


def decide(
    *,
    campaign: Campaign,
    market: Market,
    provenance: Provenance,
    audience: Audience | None = None,
    last_plan: pl.DataFrame | FloatArray | None = None,
    history: pl.DataFrame | None = None,
    gap_tol: float = 1e-6,
    time_limit_s: float = 60.0,
) -> Plan:
    """The best plan for the brief on this market, in whole 厘, with its certificate.

    Args:
        campaign: the brief.
        market: what money buys.
        provenance: where market and data come from.
        audience: the people, for the files and the report.
        last_plan: the plan before (segment, placement, spend_cny), to compare with and, for change_limit, to
            limit change from.
        history: logged spend per segment x placement; stands in for segments that `last_plan` does not name.
        gap_tol: stop when upper_bound / value - 1 is at most this.
        time_limit_s: stop then, whatever the gap.

    Raises:
        CampaignError, InfeasibleError: the brief cannot be met as written.
        SolverError: the optimiser's answer does not pass the independent check.
    """
    limited = any(c.kind == "change_limit" for c in campaign.constraints)
    last = last_spend(market, last_plan) if limited and last_plan is not None else None
    problem = compiled(market, campaign=campaign, last=last)
    solution = solved(problem, gap_tol=gap_tol, time_limit_s=time_limit_s)
    _refuse_broken(market, campaign=campaign, spend_cny=solution.spend_cny, last=last)
    log.info(
        "plan: %s, gap %.2g, %.2f s, %d rounds",
        solution.status,
        solution.gap,
        solution.seconds,
        solution.rounds,
    )
    return assembled(
        campaign=campaign,
        problem=problem,
        solution=solution,
        provenance=provenance,
        audience=audience,
        last=last,
        past=past_spend(market, last_plan=last_plan, history=history),
    )


def compiled(
    market: Market, *, campaign: Campaign, last: FloatArray | None, budget_cny: float | None = None
) -> Problem:
    """The brief's problem on a market, at its own or another budget."""
    return compile_problem(
        market,
        objective=campaign.objective,
        economics=campaign.economics,
        budget_cny=campaign.budget_cny if budget_cny is None else budget_cny,
        constraints=campaign.constraints,
        last_plan=last,
    )


def solved(problem: Problem, *, gap_tol: float, time_limit_s: float) -> Solution:
    """The certified solution with spend in whole 厘, its value recomputed there.

    Half of the gap is kept for what rounding costs; where that is not enough (few yuan) the status says so.
    """
    whole = rounded(problem, solve_or_explain(problem, gap_tol=0.5 * gap_tol, time_limit_s=time_limit_s))
    if whole.status == "optimal" and whole.gap > gap_tol:
        return replace(whole, status="within_gap")
    return whole


def _refuse_broken(
    market: Market, *, campaign: Campaign, spend_cny: FloatArray, last: FloatArray | None
) -> None:
    """A plan that the independent check refuses is never handed on."""
    broken = violations(
        market,
        budget_cny=campaign.budget_cny,
        constraints=campaign.constraints,
        spend_cny=spend_cny,
        objective=campaign.objective,
        last_plan=last,
    )
    if broken:
        raise SolverError(
            f"plan: the optimiser's answer breaks {broken[0]}; nothing was written; please report this brief"
        )


def assembled(
    *,
    campaign: Campaign,
    problem: Problem,
    solution: Solution,
    provenance: Provenance,
    audience: Audience | None,
    last: FloatArray | None,
    past: FloatArray | None,
) -> Plan:
    """A plan with every number recomputed from the true curves at the solution's spend."""
    market, spend = problem.market, solution.spend_cny
    kept = campaign.economics.kept_share if campaign.economics is not None else None
    promised = promise(market=market, spend_cny=spend, kept_share=kept, unknown=provenance.unknown)

    def allowed(rival: FloatArray) -> bool:
        return not violations(
            market, budget_cny=campaign.budget_cny, constraints=campaign.constraints, spend_cny=rival,
            objective=campaign.objective, last_plan=last,
        )  # fmt: skip

    cheapest = any(c.kind == "target" for c in campaign.constraints)
    return Plan(
        campaign=campaign,
        problem=problem,
        solution=solution,
        allocation=_allocation(problem, solution, promised.cells, unknown=provenance.unknown),
        expected={
            "new_fans": promised.new_fans,
            "new_fan_gmv_cny": promised.new_fan_gmv_cny,
            "profit_cny": promised.profit_cny,
        },
        baselines=usual_plans(
            problem,
            campaign=campaign,
            money_cny=float(spend.sum()) if cheapest else campaign.budget_cny,
            last_spend_cny=past,
            feasible=allowed,
            unknown=provenance.unknown,
        ),
        curves=curve_table(
            market=market,
            spend_cny=spend,
            budget_cny=campaign.budget_cny,
            metric="fans" if "new_fan_gmv_cny" in provenance.unknown else "gmv",
        ),
        provenance=provenance,
        audience=audience,
        last_spend_cny=last,
    )


def _allocation(
    problem: Problem, solution: Solution, promised: pl.DataFrame, *, unknown: Collection[str]
) -> pl.DataFrame:
    """allocation.csv: `ALLOCATION_COLUMNS`, and campaign and merchant at the end where there are several."""
    market, spend = problem.market, solution.spend_cny
    marginal = np.full(len(market), np.nan)
    if "new_fan_gmv_cny" not in unknown:
        step = max(1e-6 * problem.budget_cny, 1e-3)
        marginal = marginals(
            market, spend_cny=spend, coefficients={"gmv": np.ones(len(market))}, step_cny=step
        )
    frame = pl.concat([market.cells, promised], how="horizontal").with_columns(
        pl.col("slot").cast(pl.Int64),
        spend_cny=pl.Series(spend),
        spend_li=pl.Series(np.rint(spend * LI_PER_CNY).astype(np.int64)),
        marginal_gmv_per_cny=pl.Series(marginal).fill_nan(None),
        reason=pl.Series(reasons(problem, solution), dtype=pl.String),
    )
    several = market.cells["campaign_id"].n_unique() > 1
    return frame.select(*ALLOCATION_COLUMNS, *(("campaign_id", "merchant_id") if several else ()))


def versions() -> dict[str, str]:
    """package -> installed version, for plan.json."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


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
