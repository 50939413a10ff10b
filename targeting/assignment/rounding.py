"""Whole people: from the prices and an almost whole choice to an assignment that keeps every limit.

The linear program splits at most one person per limit. Dropping those is cheap but not free: at 1e5 people a
few unused yuan are already more than one part in a million. So people near the line are decided again, a
group at a time, by looking at every combination of their choices that can still be better. What "can still"
means is exact: an assignment's distance to the bound is

    U(lambda) - worth = sum_u (best_u - chosen_u, at the prices) + sum_c |lambda_c| (unused of limit c),

all terms >= 0, so a choice that alone loses more than the distance of the best assignment known is never part
of a better one (the core of a knapsack; Pisinger 1995). Must not import a solver.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from models.curves import FloatArray
from models.errors import InfeasibleError
from targeting.assignment.boxstep import Settled
from targeting.assignment.problem import NONE, Choice, People, support, totals
from targeting.assignment.switches import IntArray

# Sums of yuan are exact to about this share of the limit.
SLACK = 1e-9
NEAR = 2_000  # people who may be decided again
COMBINATIONS = 20_000  # of half a group
PARTNERS = 16  # in the other half, for each combination of the one
ROUNDS = 60
PATIENCE = 12  # rounds without a better assignment
GROUP = 64  # people of one such look, at most


@dataclass(frozen=True)
class Standing:
    """An assignment and how it stands.

    Attributes:
        choice: (n_users,).
        worth: of it.
        used: (n_rows,) amounts.
        broken: by how much limits are broken, in average offers; 0 where all are kept.
    """

    choice: Choice
    worth: float
    used: FloatArray
    broken: float

    @classmethod
    def of(cls, people: People, choice: Choice) -> Standing:
        """Summed from the offers."""
        worth, used = totals(people, choice)
        return cls(choice, worth, used, float(broken(people, used[:, None])[0]))

    def better_than(self, other: Standing) -> bool:
        """Fewer broken limits first, then more worth."""
        if self.broken != other.broken:
            return self.broken < other.broken
        return self.worth > other.worth


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
    best = Standing.of(people, settled.choice)
    bound = settled.reply.bound
    near = _by_lead(people, settled)
    last = 0
    for turn in range(ROUNDS):
        if turn - last > PATIENCE:
            break
        if best.broken == 0 and certified(bound, best.worth, people, gap_tol=gap_tol):
            break
        # The first group is those nearest to the line; later ones mix nearer and further people.
        step = 1 if turn == 0 else 1 + (turn * 7) % 41
        group = near[(turn // 2) :: step] if turn else near
        found, proven = _decided(people, best, group[:GROUP], settled.reply.prices, bound=bound)
        if found.better_than(best):
            best, last = found, turn
        if proven:
            break
    if best.broken > 0:
        raise _no_whole(people, best)
    return best.choice


def certified(bound: float, worth: float, people: People, *, gap_tol: float) -> bool:
    """Whether bound is within `gap_tol` of worth; sums over everybody are exact to 1e-12 of what is there."""
    return bound - worth <= gap_tol * abs(worth) + 1e-12 * people.reachable


def broken(people: People, used: FloatArray) -> FloatArray:
    """(n,) sum over limits of what (n_rows, n) amounts are over or under them, in average offers."""
    lower, upper = people.lower[:, None], people.upper[:, None]
    over = used - upper - SLACK * np.where(np.isfinite(upper), upper, 0.0)
    under = lower - used - SLACK * np.where(np.isfinite(lower), lower, 0.0)
    return (np.maximum(np.maximum(over, under), 0.0) / people.use_scale[:, None]).sum(axis=0)


def _by_lead(people: People, settled: Settled) -> IntArray:
    """The undecided, then the people whose choice is nearest to another one at the prices; ties by id."""
    lead = np.empty(len(people))
    for chunk in people.chunks():
        left = np.vstack([people.left_over(settled.reply.prices, chunk), np.zeros(chunk.stop - chunk.start)])
        here = np.arange(left.shape[1])
        now = settled.choice[chunk].astype(np.int64) % len(left)
        mine = left[now, here]
        left[now, here] = -np.inf
        lead[chunk] = np.abs(mine - left.max(axis=0))
    lead[settled.undecided] = -1.0
    if len(lead) > NEAR:
        line = np.partition(lead, NEAR - 1)[NEAR - 1]
        near = np.concatenate([np.flatnonzero(lead < line), np.flatnonzero(lead == line)])[:NEAR]
    else:
        near = np.arange(len(lead))
    return near[np.argsort(lead[near], kind="stable")]


def _decided(
    people: People, best: Standing, group: IntArray, prices: FloatArray, *, bound: float
) -> tuple[Standing, bool]:
    """The group decided again, from its first person on as far as the combinations go.

    Returns:
        The best combination, and whether it is known that no assignment at all is better.
    """
    worth = np.vstack([people.worth[:, group], np.zeros(len(group))])
    use = people.uses(group)
    left = worth - np.einsum("c,cju->ju", prices, use)
    loss = left.max(axis=0) - left
    here = np.arange(len(group))
    now = best.choice[group].astype(np.int64) % len(worth)
    spare = np.inf
    if best.broken == 0:  # what the group may lose: the distance, less what the others lose anyway
        limits = float(support(people, prices).sum() - prices @ best.used)
        spare = limits + float(loss[now, here].sum()) + 1e-12 * people.reachable
    options = Options(
        worth - worth[now, here], use - use[:, now, here][:, None, :],
        np.where(np.isfinite(left), loss, np.inf),
    )  # fmt: skip
    first = combine(options, spare=spare)
    second = combine(options.after(len(first.steps)), spare=spare)
    a, b = _pairs(people, best.used, prices, first, second)
    off = broken(people, best.used[:, None] + first.change[:, a] + second.change[:, b])
    top = int(np.lexsort((-(first.gain[a] + second.gain[b]), off))[0])
    picks = np.concatenate([first.picks(int(a[top])), second.picks(int(b[top]))])
    choice = best.choice.copy()
    choice[group[: len(picks)]] = np.where(picks == len(worth) - 1, NONE, picks)
    return Standing.of(people, choice), len(first.steps) == len(people)


def _pairs(
    people: People, used: FloatArray, prices: FloatArray, first: Combinations, second: Combinations
) -> tuple[IntArray, IntArray]:
    """Which combinations of one half go with which of the other.

    All pairs would be too many. At the prices, the distance of a pair that keeps the limits is the sum of its
    losses and of what it leaves unused, which is an L1 distance between the two halves; the nearest partners
    of each come from a k-d tree.
    """
    n = len(first.gain)
    if not second.steps:
        return np.arange(n), np.zeros(n, dtype=np.int64)
    priced = np.flatnonzero(prices)
    weight = np.abs(prices[priced])[:, None]
    limit = np.where(prices > 0, people.upper, people.lower)[priced, None] - used[priced, None]
    wanted = np.vstack([weight * (limit - first.change[priced]), np.zeros((1, n))]).T
    there = np.vstack([weight * second.change[priced], second.lost[None, :]]).T
    partners = cKDTree(there).query(wanted, k=min(PARTNERS, len(there)), p=1)[1].reshape(n, -1)
    return np.repeat(np.arange(n), partners.shape[1]), partners.ravel()


@dataclass(frozen=True)
class Options:
    """What several people may choose, against what they choose now.

    Attributes:
        gain: (n_options, n_people) worth added.
        change: (n_rows, n_options, n_people) amounts added.
        loss: (n_options, n_people) what is lost against the best at the prices; inf: no such option.
    """

    gain: FloatArray
    change: FloatArray
    loss: FloatArray

    def after(self, first: int) -> Options:
        """Without the first people."""
        return Options(self.gain[:, first:], self.change[:, :, first:], self.loss[:, first:])


@dataclass(frozen=True)
class Combinations:
    """Choices of several people together.

    Attributes:
        gain, lost: (n,) worth added, and lost at the prices.
        change: (n_rows, n) amounts added.
        steps: per person (parent, pick): the combination before this person's pick, and the pick.
    """

    gain: FloatArray
    lost: FloatArray
    change: FloatArray
    steps: tuple[tuple[IntArray, IntArray], ...]

    def picks(self, at: int) -> IntArray:
        """(n_people,) the picks of one combination."""
        found = []
        for parent, pick in reversed(self.steps):
            found.append(pick[at])
            at = int(parent[at])
        return np.array(found[::-1], dtype=np.int64)


def combine(options: Options, *, spare: float) -> Combinations:
    """All combinations of the first people's options that together lose at most `spare`.

    It ends before the person with whom there would be more than `COMBINATIONS`.
    """
    total, moved, lost = np.zeros(1), np.zeros((len(options.change), 1)), np.zeros(1)
    steps: list[tuple[IntArray, IntArray]] = []
    for i in range(options.gain.shape[1]):
        there = np.flatnonzero(np.isfinite(options.loss[:, i]))
        fits = lost[:, None] + options.loss[there, i] <= spare
        if int(fits.sum()) > COMBINATIONS or not fits.any():
            break
        parent, which = np.nonzero(fits)
        pick = there[which]
        total = total[parent] + options.gain[pick, i]
        moved = moved[:, parent] + options.change[:, pick, i]
        lost = lost[parent] + options.loss[pick, i]
        steps.append((parent, pick))
    return Combinations(total, lost, moved, tuple(steps))


def _no_whole(people: People, standing: Standing) -> InfeasibleError:
    """The first limit that whole people miss."""
    each = [float(broken(people.only(c), standing.used[c : c + 1, None])[0]) for c in range(len(people.rows))]
    row = people.rows[int(np.argmax(each))]
    return InfeasibleError(
        f"assign: no choice of whole people was found that keeps '{row.label}'; widen it by about one offer",
        conflict=(row.name,),
    )
