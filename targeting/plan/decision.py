"""From a market and a brief to a `Plan`: compile, solve, round, check, evaluate.

The only module of this package (besides `allocation`) that runs the optimiser; the planner and `allocate`
both end here, so that every plan, from logs, a console's report or supplied curves, is made and checked in
one way.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from models.curves import FloatArray
from models.errors import DataError, InfeasibleError, SolverError
from targeting.allocation.audit.check import Violation, violations
from targeting.allocation.explain.contradiction import solve_or_explain
from targeting.allocation.explain.words import reasons
from targeting.allocation.formulation.compile import compile_problem
from targeting.allocation.lastplan import last_spend
from targeting.allocation.moves import marginals
from targeting.allocation.problem import LI_PER_CNY, Market, Problem, Solution
from targeting.allocation.solver.wholeli import rounded
from targeting.audience import Audience
from targeting.campaign import Campaign, parse_campaign
from targeting.plan.baselines import past_spend, usual_plans
from targeting.plan.curve_table import curve_table
from targeting.plan.promise import promise
from targeting.plan.provenance import Provenance
from targeting.plan.result import ALLOCATION_COLUMNS, Plan

log = logging.getLogger(__name__)


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
        DataError: the brief counts live entries and no cell is known to bring any.
        CampaignError, InfeasibleError: the brief cannot be met as written.
        SolverError: the optimiser's answer does not pass the independent check.
    """
    _refuse_uncounted(market, campaign=campaign)
    limited = any(c.kind == "change_limit" for c in campaign.constraints)
    last = last_spend(market, last_plan) if limited and last_plan is not None else None
    problem = compiled(market, campaign=campaign, last=last)
    exact = solve_or_explain(problem, gap_tol=0.5 * gap_tol, time_limit_s=time_limit_s)
    solution = in_whole_li(problem, exact, gap_tol=gap_tol)
    _refuse_broken(market, campaign=campaign, solution=solution, exact=exact, last=last)
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


def _refuse_uncounted(market: Market, *, campaign: Campaign) -> None:
    """An objective that is 0 whatever is spent would end in a plan of nothing that calls itself optimal."""
    if campaign.objective == "live_entries" and not (market.entry > 0).any():
        where = ", ".join(market.cells["placement"].unique(maintain_order=True))
        raise DataError(
            f"objective live_entries: no live entry is known in {where}; give entered_live (logs) or "
            "live_entries (report), or change the objective"
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
        min_ticket_cny=campaign.min_ticket_cny,
    )


def scenarios(plan: Plan, changes: Mapping[str, Mapping[str, Any]]) -> pl.DataFrame:
    """`Plan.scenarios`: each change of the brief, compiled on the plan's market and solved."""
    from targeting.allocation.whatif.frontier import scenarios as solve_each

    brief = plan.campaign.model_dump(mode="json")
    briefs = {name: parse_campaign({**brief, **change}, name) for name, change in changes.items()}
    return solve_each(
        {
            name: compiled(plan.market, campaign=campaign, last=plan.last_spend_cny)
            for name, campaign in {"this plan": plan.campaign, **briefs}.items()
        }
    )


def in_whole_li(problem: Problem, exact: Solution, *, gap_tol: float) -> Solution:
    """The solution with spend in whole 厘, its value recomputed there.

    `exact` was solved to half of the gap: the rest is kept for what rounding costs; where that is not enough
    (few yuan) the status says so.
    """
    whole = rounded(problem, exact)
    if whole.gap <= gap_tol:
        return replace(whole, status="optimal")
    return replace(whole, status="within_gap") if whole.status == "optimal" else whole


def _refuse_broken(
    market: Market, *, campaign: Campaign, solution: Solution, exact: Solution, last: FloatArray | None
) -> None:
    """A plan that the independent check refuses is never handed on."""

    def broken(spend_cny: FloatArray) -> tuple[Violation, ...]:
        return violations(
            market, budget_cny=campaign.budget_cny, constraints=campaign.constraints, spend_cny=spend_cny,
            objective=campaign.objective, last_plan=last,
            min_ticket_cny=campaign.min_ticket_cny,
        )  # fmt: skip

    found = broken(solution.spend_cny)
    near = np.abs(solution.spend_cny - exact.spend_cny).max() <= 2.5 / LI_PER_CNY
    if found and near and not broken(exact.spend_cny):
        raise InfeasibleError(
            f"no plan near the best one keeps '{found[0].name}' in whole 厘 (0.001 CNY): {found[0]}; "
            f"widen its limits or raise the budget",
            conflict=(found[0].name,),
        )
    if found:
        raise SolverError(
            f"plan: the optimiser's answer breaks {found[0]}; nothing was written; please report this brief"
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
            min_ticket_cny=campaign.min_ticket_cny,
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
