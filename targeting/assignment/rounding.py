"""Whole people: from the prices and an almost whole choice to an assignment that keeps every limit.

The linear program splits at most one person per limit. Dropping those is cheap but not free: at 1e5 people a
few unused yuan are already more than one part in a million. So people near the line are decided again, a
group at a time, by looking at the combinations of their choices that can still be better. What "can still"
means is exact: an assignment's distance to the bound is

    U(lambda) - worth = sum_u (best_u - chosen_u, at the prices) + sum_c |lambda_c| (unused of limit c),

all terms >= 0, so a choice that alone loses more than the distance of the best assignment known is never part
of a better one (the core of a knapsack; Pisinger 1995).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from models.errors import InfeasibleError
from models.supply.curves import FloatArray
from targeting.assignment.boxstep import Settled
from targeting.assignment.combinations import Options, combine, pairs
from targeting.assignment.problem import (
    NONE,
    Choice,
    People,
    as_picks,
    priced_end,
    support,
    totals,
    with_none,
)
from targeting.assignment.program import whole_picks
from targeting.assignment.switches import IntArray

# Sums over everybody are exact to about this share of a limit, or of what all offers are worth.
SLACK = 1e-12
NEAR = 2_000  # people who may be decided again
GROUP = 64  # of them at once, at most
LOSERS = 6  # of a group are those who lose most by their present choice
ROUNDS = 36
PATIENCE = 9  # rounds without a better assignment


@dataclass(frozen=True)
class Circle:
    """The people near the line, and the assignment with their present picks.

    Attributes:
        people: everybody, for the limits.
        prices: (n_rows,).
        members: (n,) their places among everybody, nearest to the line first.
        worth: (n_placements + 1, n) of every pick; the last pick is none.
        use: (n_rows, n_placements + 1, n).
        loss: (n_placements + 1, n) against the best pick at the prices; inf where there is no such offer.
        now: (n,) present picks.
        total: worth of the assignment. used: (n_rows,) what it takes.
    """

    people: People
    prices: FloatArray
    members: IntArray
    worth: FloatArray
    use: FloatArray
    loss: FloatArray
    now: IntArray
    total: float
    used: FloatArray

    @classmethod
    def around(cls, people: People, settled: Settled) -> Circle:
        """The circle of the choice that the prices came with."""
        prices, members = settled.reply.prices, _by_lead(people, settled)
        worth = with_none(people.worth[:, members])
        use = people.uses(members)
        left = worth - np.einsum("c,cju->ju", prices, use)
        total, used = totals(people, settled.choice)
        now = as_picks(settled.choice[members], len(worth))
        loss = np.where(np.isfinite(left), left.max(axis=0) - left, np.inf)
        return cls(people, prices, members, worth, use, loss, now, total, used)

    @property
    def broken(self) -> float:
        """By how much limits are broken, in average offers; 0 where all are kept."""
        return float(broken(self.people, self.used[:, None])[0])

    @property
    def losing(self) -> FloatArray:
        """(n,) what people lose by their present picks."""
        return np.asarray(self.loss[self.now, np.arange(len(self.now))])

    @property
    def room(self) -> FloatArray:
        """(n_rows,) to the limit that the price belongs to; 0 where there is no price."""
        return np.where(self.prices != 0, priced_end(self.people, self.prices) - self.used, 0.0)

    @property
    def used_by_others(self) -> FloatArray:
        """(n_rows,) what people outside the circle take."""
        return np.asarray(self.used - self.use[:, self.now, np.arange(len(self.now))].sum(axis=1))

    def better_than(self, other: Circle) -> bool:
        """Fewer broken limits first, then more worth."""
        mine, theirs = self.broken, other.broken
        return mine < theirs if mine != theirs else self.total > other.total

    def with_picks(self, group: IntArray, picks: IntArray) -> Circle:
        """The first of the group with other picks."""
        at, now = group[: len(picks)], self.now.copy()
        gain = self.worth[picks, at] - self.worth[now[at], at]
        change = self.use[:, picks, at] - self.use[:, now[at], at]
        now[at] = picks
        return replace(
            self, now=now, total=self.total + float(gain.sum()), used=self.used + change.sum(axis=1)
        )


def in_whole(people: People, settled: Settled, *, gap_tol: float) -> Choice:
    """The best assignment found, within every limit.

    Args:
        people: offers and limits.
        settled: prices and the choice to start from.
        gap_tol: the search ends once U / worth - 1 is at most this.

    Raises:
        InfeasibleError: no choice of whole people was found within the limits (floors and caps that are
            less than an offer apart).
    """
    best, bound = Circle.around(people, settled), settled.reply.bound
    split = np.flatnonzero(np.isin(best.members, settled.undecided))
    # While limits are broken there is no distance to go by: part of what the split people take, then more.
    allowed = float(np.abs(best.prices) @ best.use[:, :, split].max(axis=1).sum(axis=1))
    best = _searched(best, bound, allowed=allowed or people.worth_scale, gap_tol=gap_tol)
    if best.broken > 0:
        picks = whole_picks(people, best.use, np.isfinite(best.loss), best.used_by_others)
        if picks is None:
            raise _no_whole(best)
        best = best.with_picks(np.arange(len(picks)), picks)
        best = _searched(best, bound, allowed=allowed, gap_tol=gap_tol)
    choice = settled.choice.copy()
    choice[best.members] = np.where(best.now == len(best.worth) - 1, NONE, best.now)
    return choice


def _searched(best: Circle, bound: float, *, allowed: float, gap_tol: float) -> Circle:
    """The best found by deciding group after group again; it may still break a limit."""
    last = 0
    for turn in range(ROUNDS):
        kept = best.broken == 0
        if turn - last > PATIENCE or (kept and certified(bound, best.total, best.people, gap_tol=gap_tol)):
            break
        group = _group(best, turn)
        # Small losses first: many people with one good alternative make more of a group than few with all.
        part = 0.25 ** (2 - turn % 3) if kept else 4.0 ** (turn - 4)
        found, looked_at = _decided(best, group, spare=part * (_spare(best, group) if kept else allowed))
        if found.better_than(best):
            best, last = found, turn
        if kept and part == 1.0 and looked_at == len(best.people):
            break  # every assignment that could be better was seen
    return best


def certified(bound: float, worth: float, people: People, *, gap_tol: float) -> bool:
    """Whether bound is within `gap_tol` of worth, up to the error of their sums."""
    return bound - worth <= gap_tol * abs(worth) + SLACK * people.reachable


def broken(people: People, used: FloatArray) -> FloatArray:
    """(n,) sum over limits of what (n_rows, n) amounts are over or under them, in average offers."""
    lower, upper = people.lower[:, None], people.upper[:, None]
    over = used - upper - SLACK * np.where(np.isfinite(upper), upper, 0.0)
    under = lower - used - SLACK * np.where(np.isfinite(lower), lower, 0.0)
    return np.asarray((np.maximum(np.maximum(over, under), 0.0) / people.use_scale[:, None]).sum(axis=0))


def _by_lead(people: People, settled: Settled) -> IntArray:
    """The undecided, then the people whose choice is nearest to another one at the prices; ties by id.

    Another choice that takes the same of every limit with a price fills nothing and is not looked at.
    """
    prices, lead = settled.reply.prices, np.empty(len(people))
    for chunk in people.chunks():
        left = with_none(people.left_over(prices, chunk))
        here = np.arange(left.shape[1])
        now = as_picks(settled.choice[chunk], len(left))
        use = people.uses(chunk)
        change = np.einsum("c,cju->ju", np.abs(prices), np.abs(use - use[:, now, here][:, None, :]))
        lead[chunk] = np.where(change > 0, np.abs(left[now, here] - left), np.inf).min(axis=0)
    lead[settled.undecided] = -1.0
    if len(lead) > NEAR:
        line = np.partition(lead, NEAR - 1)[NEAR - 1]
        near = np.concatenate([np.flatnonzero(lead < line), np.flatnonzero(lead == line)])[:NEAR]
    else:
        near = np.arange(len(lead))
    return near[np.argsort(lead[near], kind="stable")]


def _group(circle: Circle, turn: int) -> IntArray:
    """Members to look at together: who loses most, then the nearest; in later turns also further ones."""
    losing = circle.losing
    first = np.argsort(-losing, kind="stable")[:LOSERS]
    first = first[losing[first] > 0]
    rest = np.setdiff1d(np.arange(len(losing)), first)
    if turn and len(rest) > GROUP:
        rest = rest[turn // 2 :: 1 + (turn * 7) % 41]
    return np.concatenate([first, rest])[:GROUP]


def _spare(circle: Circle, group: IntArray) -> float:
    """What the group may lose in a better assignment: all that is lost now but for what others lose."""
    unused = float(support(circle.people, circle.prices).sum() - circle.prices @ circle.used)
    return max(unused, 0.0) + float(circle.losing[group].sum()) + SLACK * circle.people.reachable


def _decided(circle: Circle, group: IntArray, *, spare: float) -> tuple[Circle, int]:
    """The group decided again, from its first member on as far as the combinations go.

    Returns:
        The best combination, and with how many people nothing was left out.
    """
    now = circle.now[group]
    options = Options(
        circle.worth[:, group] - circle.worth[now, group],
        circle.use[:, :, group] - circle.use[:, now, group][:, None, :],
        circle.loss[:, group],
    )
    first = combine(options, spare=spare)
    second = combine(options.after(len(first.steps)), spare=spare)
    a, b = pairs(first, second, prices=circle.prices, room=circle.room)
    off = broken(circle.people, circle.used[:, None] + first.change[:, a] + second.change[:, b])
    top = int(np.lexsort((-(first.gain[a] + second.gain[b]), off))[0])
    picks = np.concatenate([first.picks(int(a[top])), second.picks(int(b[top]))])
    return circle.with_picks(group, picks), len(first.steps)


def _no_whole(circle: Circle) -> InfeasibleError:
    """The limit that whole people miss by most."""
    people = circle.people
    each = [float(broken(people.only(c), circle.used[c : c + 1, None])[0]) for c in range(len(people.rows))]
    row = people.rows[int(np.argmax(each))]
    return InfeasibleError(
        f"assign: no choice of whole people was found that keeps '{row.label}'; widen it by about one offer",
        conflict=(row.name,),
    )
