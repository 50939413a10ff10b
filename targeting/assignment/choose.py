"""`targeting.assign`: from a table of offers to an assignment with its certificate."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from models.contracts.frames import as_frame
from models.errors import CampaignError, SolverError
from models.supply.curves import FloatArray
from targeting.assignment.boxstep import settle
from targeting.assignment.conflict import conflict
from targeting.assignment.hull import settle_budget
from targeting.assignment.limits import parse_limits, rows_of
from targeting.assignment.offers import Offers
from targeting.assignment.problem import Choice, People, reply, totals
from targeting.assignment.result import Assignment
from targeting.assignment.rounding import SLACK, broken, certified, in_whole

log = logging.getLogger(__name__)


def assign(
    offers: Any, *, budget_cny: float, limits: Sequence[Mapping[str, Any] | Any] = (), gap_tol: float = 1e-6
) -> Assignment:
    """At most one placement for every person, so that total worth is greatest within the budget and limits.

    For merchants who upload a list of people per placement (audience package, 人群包) instead of buying
    whole segments: max sum w_uj x_uj with sum_j x_uj <= 1 for each person u, by prices of the limits
    (`targeting.assignment.problem`). With the budget alone the prices are exact after one sort (as in `maq`);
    with more limits they are the exact optimum of the dual, found by box steps. People are whole: at most one
    per limit is rounded, and the gap says what that can cost.

    Args:
        offers: polars, pandas or Arrow, one row per person and placement: user_id, placement, worth (any
            number and unit: expected GMV, fans, profit), cost_cny (yuan, >= 0); further columns that limits
            count (>= 0) or select by. A person without a row for a placement is not offered it. With a column
            `package` a placement may have several rows per person (more impressions, another creative).
        budget_cny: yuan, >= 0; its limit is called `total`.
        limits: mappings as in a brief, each with an optional name, selection (`placement`, `segment`, ...:
            any column of the table) and `each`:
            {"kind": "bounds", "placement": "live", "min_cny": ..., "max_cny": ..., "min_share": ...,
            "max_share": ...} on spend, shares being of the budget;
            {"kind": "live_capacity", "viewers": ...} on the column live_entries;
            {"kind": "amount", "column": "impressions", "min": ..., "max": ...} on any other column.
        gap_tol: upper_bound / value - 1 at which the search for the last people ends.

    Returns:
        The same for any order of rows; ties go to nobody first, then by placement and user_id.

    Raises:
        DataError: a column is missing, a number is NaN, a cost is negative, a person has a placement twice.
        CampaignError: the budget or a limit is wrong.
        InfeasibleError: the limits cannot hold together; it names them.

    >>> who = {"user_id": ["a", "a", "b"], "placement": ["video", "live", "video"],
    ...        "worth": [3.0, 4.0, 2.0], "cost_cny": [1.0, 2.0, 1.0]}
    >>> found = assign(who, budget_cny=2)
    >>> found.chosen["placement"].to_list(), found.value, found.status
    (['video', 'video'], 5.0, 'optimal')
    """
    budget = _budget(budget_cny)
    parsed = parse_limits(limits)
    table = Offers.of(as_frame(offers))
    people = People(
        users=table.users,
        placements=table.placements,
        worth=table.worth,
        rows=rows_of(table, budget_cny=budget, limits=parsed),
        packages=table.packages,
    )
    fair = _possible(people)
    alone = len(people.rows) == 1
    settled = settle_budget(fair) if alone else settle(fair)
    if settled.reply.bound < fair.least:
        raise conflict(fair, settled.reply.prices)
    choice = in_whole(fair, settled, gap_tol=gap_tol)
    found = _judged(people, fair, choice, settled.reply.prices, budget=budget, gap_tol=gap_tol)
    log.info("assign: %d people, %s, gap %.2g", len(people), found.status, found.gap)
    return found


def _budget(budget_cny: float) -> float:
    if isinstance(budget_cny, bool) or not isinstance(budget_cny, (int, float, np.number)):
        raise CampaignError(f"assign: budget_cny is {budget_cny!r}, expected a number of yuan >= 0")
    if not (np.isfinite(budget_cny) and budget_cny >= 0):
        raise CampaignError(f"assign: budget_cny is {budget_cny}, expected a finite number >= 0")
    return float(budget_cny)


def _possible(people: People) -> People:
    """Without the offers that no best assignment makes.

    Those that alone exceed a cap: whole people cannot take them, so the bound need not. And those that are
    worth nothing and help no floor: they are as good as none, and would only crowd the line.
    """
    worth = people.worth.copy()
    for j, mine in enumerate(worth):
        useless = mine <= 0
        for row in people.rows:
            use = row.use[j]
            if np.isfinite(row.lower) and use is not None:
                useless &= use == 0
        mine[useless] = -np.inf
    for row in people.rows:
        if np.isfinite(row.upper):
            for j, use in enumerate(row.use):
                if use is not None:
                    worth[j][use > row.upper * (1 + SLACK)] = -np.inf
    return replace(people, worth=worth)


def _judged(
    people: People, fair: People, choice: Choice, prices: FloatArray, *, budget: float, gap_tol: float
) -> Assignment:
    """Every number recomputed from the offers chosen and, for the bound, from the prices alone."""
    value, used = totals(people, choice)
    if float(broken(people, used[:, None])[0]) > 0:
        raise SolverError("assign: the choice breaks a limit; nothing was returned; please report this table")
    bound = max(reply(fair, prices).bound, value)
    shown = np.flatnonzero(choice >= 0)
    rows = people.rows
    cost = np.zeros(len(shown))
    for j, use in enumerate(rows[0].use):
        here = choice[shown] == j
        if use is not None:
            cost[here] = use[shown[here]]
    done = certified(bound, value, people, gap_tol=gap_tol)
    return Assignment(
        chosen=pl.DataFrame(
            {
                "user_id": people.users.gather(shown),
                "placement": _names(people.placements, choice[shown]),
                **({"package": _names(people.packages, choice[shown])} if people.packages else {}),
                "worth": people.worth[choice[shown], shown],
                "cost_cny": cost,
            }
        ),
        value=value,
        # Sums over everybody err by 1e-12 of what is there: a difference below that is none.
        upper_bound=value if certified(bound, value, people, gap_tol=0.0) else bound,
        status="optimal" if done else "within_gap",
        limits=pl.DataFrame(
            {
                "name": [row.name for row in rows],
                "where": [row.where for row in rows],
                "lower": people.lower,
                "used": used,
                "upper": people.upper,
                "price": prices,
                "unit": [row.unit for row in rows],
            }
        ),
        budget_cny=budget,
        people=people,
    )


def _names(names: tuple[str, ...], choice: Choice) -> pl.Series:
    """The name of each choice."""
    return pl.Series(list(names), dtype=pl.String).gather(choice.astype(np.int64))
