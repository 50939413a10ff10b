"""`targeting.assign`: from a table of offers to an assignment with its certificate."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from models.contracts.frames import as_frame
from models.errors import CampaignError, SolverError
from models.supply.curves import FloatArray
from targeting.assignment.assigned import Assignment
from targeting.assignment.contradiction import contradiction
from targeting.assignment.core import whole_choice
from targeting.assignment.crowd import Choice, IntArray, People, certified
from targeting.assignment.effort import EFFORT
from targeting.assignment.limits import parse_limits, rows_of
from targeting.assignment.offers import Offers
from targeting.assignment.prices import best_prices

log = logging.getLogger(__name__)


def assign(
    offers: object, *, budget_cny: float, limits: Sequence[object] = (), gap_tol: float = 1e-6
) -> Assignment:
    """At most one placement for every person, so that total worth is greatest within the budget and limits.

    For merchants who upload a list of people per placement (audience package, 人群包) instead of buying
    whole segments: max sum w_uj x_uj with sum_j x_uj <= 1 for each person u, by prices of the limits
    (`targeting.assignment`). People are whole, limits hold exactly, and the gap says what that can cost.

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
        The same for any order of rows; people with equal offers are taken in the order of user_id.

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
    rows = rows_of(table, budget_cny=budget, limits=parsed)
    people = People(table.users, table.placements, table.worth, rows=rows, packages=table.packages)
    found = choose(people, budget_cny=budget, gap_tol=gap_tol)
    log.info("assign: %d people, %s, gap %.2g", len(people), found.status, found.gap)
    return found


def choose(people: People, *, budget_cny: float, gap_tol: float) -> Assignment:
    """`assign`, of arrays; every number of the answer is made again from the offers chosen."""
    fair = _possible(people)
    priced = best_prices(fair)
    if priced.reply.bound < 0 and priced.reply.bound < fair.least:
        raise contradiction(fair, priced.reply.prices)
    choice, bound = whole_choice(fair, priced, gap_tol=gap_tol)
    value, used = people.value(choice), people.used(choice)
    if people.broken(used).any():
        raise SolverError("assign: the choice breaks a limit; nothing was returned; please report this table")
    bound = max(bound, value)
    # Sums over everybody err by 1e-12 of what is there: a difference below that is none.
    return Assignment(
        chosen=_chosen(people, choice),
        value=value,
        upper_bound=value if certified(bound, value, people, gap_tol=0.0) else bound,
        status="optimal" if certified(bound, value, people, gap_tol=gap_tol) else "within_gap",
        limits=_kept(people, used, priced.reply.prices),
        budget_cny=budget_cny,
        people=people,
    )


def _budget(budget_cny: float) -> float:
    if isinstance(budget_cny, bool) or not isinstance(budget_cny, (int, float, np.number)):
        raise CampaignError(f"assign: budget_cny is {budget_cny!r}, expected a number of yuan >= 0")
    if not (np.isfinite(budget_cny) and budget_cny >= 0):
        raise CampaignError(f"assign: budget_cny is {budget_cny}, expected a finite number >= 0")
    return float(budget_cny)


def _possible(people: People) -> People:
    """Without the offers that alone exceed a cap: whole people cannot take them, so the bound need not."""
    worth = people.worth
    for row in people.rows:
        most = row.upper * (1 + EFFORT.slack)
        for j, use in enumerate(row.use):
            if use is not None and use.max(initial=0.0) > most:
                worth = worth.copy() if worth is people.worth else worth
                worth[j][use > most] = -np.inf
    return people if worth is people.worth else replace(people, worth=worth)


def _chosen(people: People, choice: Choice) -> pl.DataFrame:
    """The offers made, by user_id."""
    shown = np.flatnonzero(choice >= 0)
    made = choice[shown].astype(np.int64)
    cost = np.zeros(len(shown))
    for j, use in enumerate(people.rows[0].use):
        if use is not None:
            cost[made == j] = use[shown[made == j]]
    columns = {"user_id": people.users.gather(shown), "placement": _named(people.placements, made)}
    if people.packages:
        columns["package"] = _named(people.packages, made)
    return pl.DataFrame({**columns, "worth": people.worth[made, shown], "cost_cny": cost})


def _named(names: tuple[str, ...], made: IntArray) -> pl.Series:
    return pl.Series(list(names), dtype=pl.String).gather(made)


def _kept(people: People, used: FloatArray, prices: FloatArray) -> pl.DataFrame:
    """One row per limit."""
    return pl.DataFrame(
        {
            "name": [row.name for row in people.rows],
            "where": [row.where for row in people.rows],
            "lower": people.lower,
            "used": used,
            "upper": people.upper,
            "price": prices,
            "unit": [row.unit for row in people.rows],
        }
    )
