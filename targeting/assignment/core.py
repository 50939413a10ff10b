"""Whole people: one small exact program over those next to a tie.

The prices leave few people between two choices (as many as limits, and crowds of equals), and everybody else
is decided. Any assignment's distance to the bound is

    U(p) - worth = sum_u (best_u - chosen_u, at the prices) + sum_c |p_c| (unused of limit c),

all terms >= 0. So people are decided again in the order of what a second choice of theirs would lose, their
lead, by branch and bound (HiGHS) in rounds of growing size. Who loses more than the whole distance of the
best assignment known is never part of a better one (the core of a knapsack; Pisinger 1995): when all others
were in the program, its answer is the best there is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from models.errors import InfeasibleError
from models.supply.curves import FloatArray
from targeting.assignment.crowd import NONE, Choice, IntArray, People
from targeting.assignment.effort import EFFORT
from targeting.assignment.everybody import Everybody, broken, certified
from targeting.assignment.exact import ExactProgram
from targeting.assignment.prices import Priced


@dataclass(frozen=True)
class Tie:
    """The people near a tie, and what each of their picks loses; the last pick is none.

    Attributes:
        people: with what all others leave them of the limits.
        use: (n_rows, n_picks, n). worth, loss: (n_picks, n); loss inf where there is no such offer.
        best: (n,) the pick at the prices. order: (n,) people by their lead, then by id.
        lead: (n,) least that another pick would lose.
        distance: U less what the others are worth: what these can be worth together.
    """

    people: People
    use: FloatArray
    worth: FloatArray
    loss: FloatArray
    best: IntArray
    lead: FloatArray
    order: IntArray
    distance: float

    @classmethod
    def of(cls, priced: Priced) -> Tie:
        """The tie at the prices."""
        people, prices = priced.near.people, priced.reply.prices
        n, k = len(people), len(people.placements)
        use = np.zeros((len(people.rows), k + 1, n))
        for c, row in enumerate(people.rows):
            for j, amounts in enumerate(row.use):
                if amounts is not None:
                    use[c, j] = amounts
        # An offer that is worth nothing and helps no limit is as good as none, and would only crowd the line.
        helps = use[np.isfinite(people.lower), :-1].any(axis=0) | (use[:, :-1] < 0).any(axis=0)
        worth = np.vstack([np.where((people.worth > 0) | helps, people.worth, -np.inf), np.zeros(n)])
        left = worth - np.tensordot(prices, use, axes=1)
        # Of equals none is first, then the first placement.
        best = np.where(left.max(axis=0) > 0, left[:-1].argmax(axis=0), k)
        loss = left.max(axis=0) - left
        lead = np.partition(loss, 1, axis=0)[1]
        order = np.argsort(lead, kind="stable")
        return cls(people, use, worth, loss, best, lead, order, priced.reply.bound - priced.near.worth)

    def kept(self, picks: IntArray) -> IntArray | None:
        """The picks, where they keep every limit."""
        used = self.use[:, picks, np.arange(len(picks))].sum(axis=1)
        return None if broken(self.people, used).any() else picks

    def nearest(self, size: int, spare: float) -> IntArray:
        """People of the least leads up to `spare`, and all that tie with the last of them, by id."""
        line = self.lead[self.order[size - 1]] if size < len(self.order) else np.inf
        line += EFFORT.level * self.people.worth_scale
        return np.flatnonzero(self.lead <= min(line, spare))


def whole_choice(everybody: Everybody, priced: Priced, *, gap_tol: float) -> tuple[Choice, float]:
    """What those near a tie choose in the best assignment found, and a bound on all assignments.

    Args:
        everybody: offers and limits.
        priced: the best prices, and who is near a tie.
        gap_tol: the search ends once bound / worth - 1 is at most this.

    Raises:
        InfeasibleError: no choice of whole people was found within the limits (floors and caps that are
            less than an offer apart).
    """
    tie, most, n = Tie.of(priced), priced.reply.bound, len(priced.near.people)
    picks, bound, members = tie.kept(tie.best), most, np.zeros(0, dtype=np.int64)
    spare = np.inf
    first = min(EFFORT.core * len(everybody.rows), EFFORT.rounds[1])
    for size in (s for s in EFFORT.rounds if s >= first):
        if picks is not None:
            value = priced.near.worth + float(tie.worth[picks, np.arange(n)].sum())
            spare = max(most - value, 0.0) + EFFORT.slack * everybody.reachable
            if certified(bound, value, everybody, gap_tol=gap_tol) or size == EFFORT.rounds[-1]:
                break
        if size > first and len(members) == len(tie.nearest(n, spare)):
            break  # nobody further away can be part of a better one
        members = tie.nearest(size, spare)
        found = _decided(tie, members, picks, spare=spare, target=gap_tol * most / (1 + gap_tol))
        if found is not None:
            picks = found.picks
            if n == everybody.size:
                outside = np.delete(tie.lead, members).min(initial=np.inf)
                bound = min(bound, most - min(found.least, outside))
    if picks is None:
        raise _no_whole(tie, members)
    return np.where(picks == len(tie.worth) - 1, NONE, picks).astype(np.int16), bound


@dataclass(frozen=True)
class _Found:
    """Picks of everybody near a tie, and the least distance to the bound that the program leaves possible."""

    picks: IntArray
    least: float


def _decided(
    tie: Tie, members: IntArray, now: IntArray | None, *, spare: float, target: float
) -> _Found | None:
    """The members decided again, everybody else by the prices; None where the limits leave no way.

    People with the very same offers are one variable with the size of the crowd as its bound: scores may be
    coarse, and equals are taken in the order of their ids.
    """
    if not len(members):
        return None if now is None else _Found(now, np.inf)
    first, crowd, size = _alike(tie, members)
    others = tie.best.copy()
    others[members] = len(tie.worth) - 1
    everyone = np.arange(len(others))
    program = ExactProgram(
        gain=tie.worth[:-1, first],
        use=tie.use[:, :-1, first],
        open=np.isfinite(tie.loss[:-1, first]) & (tie.loss[:-1, first] <= spare),
        size=size,
        lower=tie.people.lower - tie.use[:, others, everyone].sum(axis=1),
        upper=tie.people.upper - tie.use[:, others, everyone].sum(axis=1),
        money=tie.people.worth_scale,
        unit=tie.people.use_scale,
        most=tie.distance - float(tie.worth[others, everyone].sum()),
    )
    start = None if now is None else _counted(now[members], crowd, program.gain.shape)
    for shrink in (0.0, 2 * EFFORT.feasible):
        counts, least = program.solve(start, target=target, shrink=shrink)
        if counts is None:
            return None
        picks = others.copy()
        picks[members] = _spread(counts, crowd)
        if tie.kept(picks) is not None:
            return _Found(picks, least)
    return None


def _alike(tie: Tie, members: IntArray) -> tuple[IntArray, IntArray, FloatArray]:
    """First member of each crowd of equals, (n_members,) crowd of each, and the crowds' sizes."""
    columns = np.vstack([tie.worth[:-1, members], tie.use[:, :-1, members].reshape(-1, len(members))])
    table = pl.DataFrame({str(i): column for i, column in enumerate(columns)}).with_row_index("place")
    first = table.select(pl.col("place").min().over(table.columns[1:])).to_series().to_numpy()
    lead, crowd, size = np.unique(first, return_inverse=True, return_counts=True)
    return members[lead], crowd, size.astype(np.float64)


def _counted(picks: IntArray, crowd: IntArray, shape: tuple[int, ...]) -> FloatArray:
    """(n_placements, n_crowds) members by pick."""
    counts = np.zeros((shape[0] + 1, shape[1]))
    np.add.at(counts, (picks, crowd), 1.0)
    return counts[:-1]


def _spread(counts: FloatArray, crowd: IntArray) -> IntArray:
    """(n_members,) picks: of each crowd the first ids get the first placement, and so on, the last none."""
    order = np.argsort(crowd, kind="stable")
    start = np.searchsorted(crowd[order], np.arange(counts.shape[1]))
    place = np.empty(len(crowd), dtype=np.int64)
    place[order] = np.arange(len(crowd)) - start[crowd[order]]
    return np.asarray((place >= np.cumsum(counts, axis=0)[:, crowd]).sum(axis=0))


def _no_whole(tie: Tie, members: IntArray) -> InfeasibleError:
    """The limit without which there would be a way."""
    named = tie.people.rows[0]
    for c, row in enumerate(tie.people.rows):
        rows = tuple(r for r in tie.people.rows if r is not row)
        without = replace(tie, people=replace(tie.people, rows=rows), use=np.delete(tie.use, c, axis=0))
        if _decided(without, members, None, spare=np.inf, target=np.inf) is not None:
            named = row
            break
    return InfeasibleError(
        f"assign: no choice of whole people was found that keeps '{named.label}'; widen it by about one "
        f"offer",
        conflict=(named.name,),
    )
