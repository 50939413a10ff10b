"""`targeting.assign`: from a table of offers to an assignment with its certificate."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from models.contracts.frames import as_frame
from models.errors import CampaignError, SolverError
from models.supply.curves import FloatArray
from targeting.assignment.assigned import Assignment, Judged
from targeting.assignment.contradiction import contradiction
from targeting.assignment.core import whole_choice
from targeting.assignment.crowd import Choice, IntArray, People
from targeting.assignment.everybody import Everybody, broken, certified, reply
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
    fair = people.possible()
    everybody = Everybody.of(fair)
    decision = decide(everybody, gap_tol=gap_tol)
    choice = decision.choice(fair, 0)
    tally = Tally(people.value(choice), people.used(choice))
    found = judge(everybody, decision, tally, gap_tol=gap_tol)
    log.info("assign: %d people, %s, gap %.2g", len(people), found.status, found.gap)
    return Assignment(**vars(found), chosen=people.chosen(choice), budget_cny=budget, people=people)


@dataclass(frozen=True)
class Decision:
    """Who is offered what: everybody chooses at the prices, but for those next to a tie.

    Attributes:
        prices: (n_rows,) worth per unit of each limit.
        bound: U(prices), or what the exact program proved below it.
        part, at, picks: (n,) the part of each person next to a tie, the place there, and the choice.
        fixed: the prices were given; there is nobody whose choice is another.
    """

    prices: FloatArray
    bound: float
    part: IntArray
    at: IntArray
    picks: Choice
    fixed: bool = False

    def choice(self, people: People, number: int) -> Choice:
        """(n_users,) what the people of a part are offered."""
        choice = people.answer(self.prices).choice
        mine = self.part == number
        choice[self.at[mine]] = self.picks[mine]
        return choice


@dataclass(frozen=True)
class Tally:
    """What choices are worth, and (n_rows,) what they use of every limit; of one part or of all."""

    value: float
    used: FloatArray


def decide(everybody: Everybody, *, gap_tol: float, start: FloatArray | None = None) -> Decision:
    """The best choices within the limits.

    Args:
        everybody: without offers that are impossible (`People.possible`).
        gap_tol: bound / value - 1 at which the search for the last people ends.
        start: prices known to be about right.

    Raises:
        InfeasibleError: the limits cannot hold together.
    """
    priced = best_prices(everybody, start=start)
    if priced.reply.bound < 0 and priced.reply.bound < everybody.least:
        raise contradiction(everybody, priced.reply.prices)
    picks, bound = whole_choice(everybody, priced, gap_tol=gap_tol)
    return Decision(priced.reply.prices, bound, priced.near.part, priced.near.at, picks)


def at_fixed_prices(everybody: Everybody, prices: FloatArray) -> Decision:
    """Everybody's choice at given prices, for people who come after the prices were made."""
    found, nobody = reply(everybody, prices), np.zeros(0, dtype=np.int64)
    return Decision(found.prices, found.bound, nobody, nobody, nobody.astype(np.int16), fixed=True)


def judge(everybody: Everybody, decision: Decision, tally: Tally, *, gap_tol: float) -> Judged:
    """The certificate of what was chosen; `tally` is made from the offers made, of everybody.

    Raises:
        SolverError: a limit is broken although nobody fixed the prices.
    """
    if broken(everybody, tally.used).any() and not decision.fixed:
        raise SolverError("assign: the choice breaks a limit; nothing was returned; please report this table")
    value, bound = tally.value, max(decision.bound, tally.value)
    near = certified(bound, value, everybody, gap_tol=gap_tol)
    limits = pl.DataFrame(
        {
            "name": [row.name for row in everybody.rows],
            "where": [row.where for row in everybody.rows],
            "lower": everybody.lower,
            "used": tally.used,
            "upper": everybody.upper,
            "price": decision.prices,
            "unit": [row.unit for row in everybody.rows],
        }
    )
    # Sums over everybody err by 1e-12 of what is there: a difference below that is none.
    if certified(bound, value, everybody, gap_tol=0.0):
        bound = value
    status = "fixed_prices" if decision.fixed else "optimal" if near else "within_gap"
    return Judged(value=value, upper_bound=bound, limits=limits, status=status)


def _budget(budget_cny: float) -> float:
    if isinstance(budget_cny, bool) or not isinstance(budget_cny, (int, float, np.number)):
        raise CampaignError(f"assign: budget_cny is {budget_cny!r}, expected a number of yuan >= 0")
    if not (np.isfinite(budget_cny) and budget_cny >= 0):
        raise CampaignError(f"assign: budget_cny is {budget_cny}, expected a finite number >= 0")
    return float(budget_cny)
