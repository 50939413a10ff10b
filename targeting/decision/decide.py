"""From a market and a brief to a `Plan`: compile, solve, round, check, evaluate.

The only module of this package (besides `allocation`) that runs the optimiser; the planner and `allocate`
both end here, so that every plan, from logs, a console's report or supplied curves, is made and checked in
one way.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import replace
from functools import partial

import numpy as np
import polars as pl

from models.contracts import as_frame
from models.errors import DataError, InfeasibleError, SolverError
from models.supply.curves import FloatArray
from targeting.allocation.explain.contradiction import solve_or_explain
from targeting.allocation.explain.words import reasons
from targeting.allocation.lastplan import last_spend
from targeting.allocation.moves import marginals
from targeting.allocation.problem import LI_PER_CNY, Market, Problem, Solution
from targeting.allocation.solver.deadline import Deadline
from targeting.allocation.solver.wholeli import rounded
from targeting.audience import Audience
from targeting.campaign import Campaign
from targeting.decision.verbs import Plan
from targeting.plan.curve_table import curve_table
from targeting.plan.decided import ALLOCATION_COLUMNS
from targeting.plan.plan_settings import SETTINGS
from targeting.plan.promise import EXPECTED, promise
from targeting.plan.provenance import Provenance
from targeting.plan.questions import broken_by, compiled
from targeting.plan.usual_plans import past_spend, usual_plans

log = logging.getLogger(__name__)


def decide(
    *,
    campaign: Campaign,
    market: Market,
    provenance: Provenance,
    audience: Audience | None = None,
    last_plan: object = None,
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
        last_plan: the plan before (a table segment, placement, spend_cny, or (n_cells,) yuan), to compare
            with and, for change_limit, to limit change from.
        history: logged spend per segment x placement; stands in for segments that `last_plan` does not name.
        gap_tol: stop when upper_bound / value - 1 is at most this.
        time_limit_s: stop then, whatever the gap.

    Raises:
        DataError: the brief counts live entries and no cell is known to bring any.
        CampaignError, InfeasibleError: the brief cannot be met as written.
        SolverError: the optimiser's answer does not pass the independent check.
    """
    deadline = Deadline.of(time_limit_s)
    _refuse_uncounted(market, campaign=campaign)
    before = last_plan if last_plan is None or isinstance(last_plan, np.ndarray) else as_frame(last_plan)
    limited = any(c.kind == "change_limit" for c in campaign.constraints)
    last = last_spend(market, before) if limited and before is not None else None
    problem = compiled(market, campaign=campaign, last=last)
    exact = solve_or_explain(
        problem, gap_tol=SETTINGS.solved_share * gap_tol, time_limit_s=deadline.left(time_limit_s)
    )
    solution = in_whole_li(problem, exact, gap_tol=gap_tol)
    _refuse_broken(market, campaign=campaign, solution=solution, exact=exact, last=last)
    told = solution.status, solution.gap, solution.seconds, solution.rounds
    log.info("plan: %s, gap %.2g, %.2f s, %d rounds", *told)
    return assembled(
        campaign=campaign,
        problem=problem,
        solution=solution,
        provenance=provenance,
        audience=audience,
        last=last,
        past=past_spend(market, last_plan=before, history=history),
    )


def _refuse_uncounted(market: Market, *, campaign: Campaign) -> None:
    """An objective that is 0 whatever is spent would end in a plan of nothing that calls itself optimal."""
    if campaign.objective == "live_entries" and not (market.entry > 0).any():
        where = ", ".join(market.cells["placement"].unique(maintain_order=True))
        raise DataError(
            f"objective live_entries: no live entry is known in {where}; give entered_live (logs) or "
            "live_entries (report), or change the objective"
        )


def in_whole_li(problem: Problem, exact: Solution, *, gap_tol: float) -> Solution:
    """The solution with spend in whole 厘, its value recomputed there.

    `exact` was solved to a part of the gap: the rest is kept for what rounding costs; where that is not
    enough (few yuan) the status says so.
    """
    whole = rounded(problem, exact)
    if whole.gap <= gap_tol:
        return replace(whole, status="optimal")
    return replace(whole, status="within_gap") if whole.status == "optimal" else whole


def _refuse_broken(
    market: Market, *, campaign: Campaign, solution: Solution, exact: Solution, last: FloatArray | None
) -> None:
    """A plan that the independent check refuses is never handed on."""
    broken = partial(broken_by, market=market, campaign=campaign, last=last)
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
    broken = partial(broken_by, market=market, campaign=campaign, last=last)
    cheapest = any(c.kind == "target" for c in campaign.constraints)
    return Plan(
        campaign=campaign,
        problem=problem,
        solution=solution,
        allocation=_allocation(problem, solution, promised.cells, unknown=provenance.unknown),
        expected={name: getattr(promised, name) for name in EXPECTED},
        realised=promised.realised,
        make_baselines=lambda: usual_plans(
            problem,
            campaign=campaign,
            money_cny=float(spend.sum()) if cheapest else campaign.budget_cny,
            last_spend_cny=past,
            feasible=lambda rival: not broken(rival),
            unknown=provenance.unknown,
        ),
        make_curves=lambda: curve_table(
            market=market,
            spend_cny=spend,
            budget_cny=campaign.budget_cny,
            metric="fans" if "new_fan_gmv_cny" in provenance.unknown else "gmv",
        ),
        provenance=provenance,
        audience=audience,
        last_spend_cny=last,
        past_spend_cny=past,
    )


def _allocation(
    problem: Problem, solution: Solution, promised: pl.DataFrame, *, unknown: Collection[str]
) -> pl.DataFrame:
    """allocation.csv: `ALLOCATION_COLUMNS`, and campaign and merchant at the end where there are several."""
    market, spend = problem.market, solution.spend_cny
    marginal = np.full(len(market), np.nan)
    if "new_fan_gmv_cny" not in unknown:
        step = max(SETTINGS.marginal_step * problem.budget_cny, SETTINGS.marginal_step_cny)
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
