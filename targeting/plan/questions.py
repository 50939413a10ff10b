"""What a decided plan can be asked on its own curves: is it allowed, why so, what if the brief were another.

Every answer comes from `targeting.allocation`; here is only what the brief makes of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from models.contracts import as_frame
from models.errors import CampaignError, DataError
from models.supply.curves import FloatArray
from targeting.allocation.audit import check
from targeting.allocation.explain import words
from targeting.allocation.formulation.compile import compile_problem
from targeting.allocation.lastplan import last_spend
from targeting.allocation.outcomes import outcomes, total
from targeting.allocation.problem import Market, Problem
from targeting.allocation.solver.deadline import Deadline
from targeting.allocation.whatif import frontier as whatif
from targeting.allocation.whatif.sensitivity import value_of_information
from targeting.campaign import Campaign, parse_campaign
from targeting.campaign.constraints import Parsed
from targeting.plan.decided import DecidedPlan
from targeting.plan.promise import Promise, promise


def compiled(
    market: Market,
    *,
    campaign: Campaign,
    last: FloatArray | None,
    budget_cny: float | None = None,
    limits: Parsed | None = None,
) -> Problem:
    """The brief's problem on a market, with its own or another budget and limits."""
    return compile_problem(
        market,
        objective=campaign.objective,
        economics=campaign.economics,
        budget_cny=campaign.budget_cny if budget_cny is None else budget_cny,
        constraints=campaign.limits if limits is None else limits,
        last_plan=last,
    )


def broken_by(
    spend_cny: FloatArray,
    *,
    market: Market,
    campaign: Campaign,
    last: FloatArray | None,
    tolerance: float = 1e-6,
) -> tuple[check.Violation, ...]:
    """Constraints of the brief that (n_cells,) spend breaks, by the independent checker."""
    return check.violations(
        market,
        budget_cny=campaign.budget_cny,
        constraints=campaign.limits,
        spend_cny=spend_cny,
        objective=campaign.objective,
        last_plan=last,
        tolerance=tolerance,
    )


def violations(plan: DecidedPlan, *, tolerance: float = 1e-6) -> tuple[check.Violation, ...]:
    """Constraints that the plan breaks, found by code independent of the optimiser; empty when it breaks
    none.
    """
    return broken_by(
        plan.solution.spend_cny,
        market=plan.market,
        campaign=plan.campaign,
        last=plan.last_spend_cny,
        tolerance=tolerance,
    )


def why(plan: DecidedPlan, segment: str, placement: str, slot: int | None = None) -> str:
    """Why this cell got its money, or nothing, in words.

    Raises:
        DataError: the plan has no such cell.
    """
    here = (pl.col("segment") == segment) & (pl.col("placement") == placement)
    if slot is not None:
        here = here & (pl.col("slot") == slot)
    cells = plan.market.cells.with_row_index("cell").filter(here)["cell"].to_list()
    if not cells:
        known = plan.market.cells.select("segment", "placement").unique(maintain_order=True).rows()
        listed = ", ".join(f"{s} x {p}" for s, p in known[:8])
        raise DataError(f"plan: has no cell {segment!r}, {placement!r}; its cells are {listed}")
    return " ".join(words.why(plan.market, plan.problem, plan.solution, cell) for cell in cells)


@dataclass(frozen=True)
class Priced:
    """What a plan made by hand is worth on a decided plan's curves.

    Attributes:
        spend_cny: (n_cells,) as given, in the order of the market's cells.
        value: of the brief's objective; share_of_best: of the decided plan's value.
        promise: per cell and in total, with intervals.
        violations: limits of the brief that it breaks.
    """

    spend_cny: FloatArray
    value: float
    share_of_best: float
    promise: Promise
    violations: tuple[check.Violation, ...]


def price(plan: DecidedPlan, allocation: object) -> Priced:
    """A plan that somebody made by hand, judged by the same curves and the same brief.

    Args:
        plan: the decided plan; allocation: a frame with segment, placement, spend_cny and optionally slot and
            campaign_id; a cell that is not in it gets nothing.

    Raises:
        CampaignError: a column is missing, a spend is no number >= 0, or a row names no cell of the plan.
    """
    frame = as_frame(allocation)
    spend = last_spend(plan.market, frame, source="allocation")
    given = float(frame["spend_cny"].cast(pl.Float64).sum())
    if abs(given - float(spend.sum())) > 1e-9 * max(given, 1.0):
        keys = ["segment", "placement"]
        odd = frame.join(plan.market.cells, on=keys, how="anti").head(1)
        row = f" ({odd['segment'][0]!r}, {odd['placement'][0]!r})" if odd.height else ""
        raise CampaignError(f"allocation: a row{row} names no cell of the plan; take it away or correct it")
    value = float(total(plan.problem.objective, outcomes(plan.market, spend)))
    return Priced(
        spend_cny=spend,
        value=value,
        share_of_best=value / plan.value if plan.value else float("nan"),
        promise=promise_of(plan, spend),
        violations=broken_by(
            spend, market=plan.market, campaign=plan.campaign, last=plan.last_spend_cny
        ),
    )  # fmt: skip


def frontier(
    plan: DecidedPlan, budgets: Iterable[float], *, gap_tol: float = 1e-6, time_limit_s: float = 60.0
) -> pl.DataFrame:
    """The best plan for each budget: budget_cny, status, spend_cny, value, upper_bound, gap and more."""

    def problem_at(budget_cny: float) -> Problem:
        return compiled(plan.market, campaign=plan.campaign, last=plan.last_spend_cny, budget_cny=budget_cny)

    return whatif.frontier(problem_at, budgets=budgets, gap_tol=gap_tol, time_limit_s=time_limit_s)


def promise_of(plan: DecidedPlan, spend_cny: FloatArray) -> Promise:
    """What (n_cells,) other spend promises on the plan's curves."""
    economics = plan.campaign.economics
    return promise(
        market=plan.market,
        spend_cny=spend_cny,
        unknown=plan.provenance.unknown,
        kept_share=None if economics is None else economics.kept_share,
    )


def scenarios(
    plan: DecidedPlan,
    changes: Mapping[str, Mapping[str, object]],
    *,
    time_limit_s: float = 60.0,
    deadline: Deadline | None = None,
) -> pl.DataFrame:
    """The best plan of other briefs on the same curves, beside this one.

    Args:
        plan: this one.
        changes: scenario name -> keys of the brief that differ, e.g.
            `{"more money": {"budget_cny": 3e5}, "no limits": {"constraints": []}}`.
        time_limit_s: for each of them.
        deadline: of all together; those not begun by then are left out.

    Returns:
        The columns of `frontier` after `scenario`; the first row is this plan's own brief.
    """
    brief = plan.campaign.model_dump(mode="json")
    briefs = {name: parse_campaign({**brief, **change}, name) for name, change in changes.items()}
    return whatif.scenarios(
        {
            name: compiled(plan.market, campaign=campaign, last=plan.last_spend_cny)
            for name, campaign in {"this plan": plan.campaign, **briefs}.items()
        },
        time_limit_s=time_limit_s,
        deadline=deadline,
    )


def experiments(plan: DecidedPlan) -> pl.DataFrame:
    """Which cell's uncertainty is worth an experiment: expected value of knowing it, and a probe's cost.

    Raises:
        CampaignError: the market has no draws.
    """
    return value_of_information(plan.problem, plan.solution)
