"""Prices of several limits: exact minimisation of U by box steps (Marsten, Hogan & Blankenship 1975).

Inside a box around some prices only the people near the line can change their choice. A linear program over
their switches therefore minimises U in that box *exactly*; if the minimum is not at the box's edge it is the
minimum over all prices, because U is convex. The first prices are those of a sample of people, solved whole;
each larger sample starts where the smaller one ended, with a box as wide as the smaller one can err. A
million people then cost a handful of passes and a few programs of some thousand switches.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.supply.curves import FloatArray
from targeting.assignment.classes import Classes
from targeting.assignment.problem import NONE, Choice, People, Reply, fitting, reply, support
from targeting.assignment.program import Move, move_prices
from targeting.assignment.switches import IntArray, Switches, all_switches, near_switches

SAMPLE = 2_000  # people solved whole
GROWTH = 10  # each sample is this many times the one before
MOST_SWITCHES = 20_000  # in one program, beyond which the box is made smaller
_STEPS = 60
# Width of a box in standard errors of a price: 1/sqrt(people), times the price itself.
_ERRORS = 4.0
_FAR = 1e3  # first box of the first sample, in average worths per average amount
_WIDENINGS = 3  # of that box
_SEEN = 1e-9  # of all worth: by how much U may differ from what the program says it is
_NARROWEST = 1e-4  # by which a box is made smaller at most at once: crowds may stand on nearly one line


@dataclass(frozen=True)
class Settled:
    """Prices at which U is least, and a choice to round from.

    Attributes:
        reply: U and the choices at the prices.
        choice: (n_users,) the linear program's choices, whole ones only.
        undecided: people it would split; they have `NONE` in `choice`.
        exact: whether the prices are known to be the best ones.
    """

    reply: Reply
    choice: Choice
    undecided: IntArray
    exact: bool


def settle(people: People) -> Settled:
    """The best prices for everybody, by way of samples of growing size.

    A sample is every so-manieth person in the order of ids; it only says where to start.
    """
    sizes = [len(people)]
    while sizes[0] > SAMPLE:
        sizes.insert(0, max(sizes[0] // GROWTH, 1))
    if len(sizes) > 1 and sizes[0] < SAMPLE // 2:
        sizes[0] = min(SAMPLE, sizes[1])
    prices = np.zeros(len(people.rows))
    reach = np.full(len(people.rows), np.inf)
    found: Settled | None = None
    for size in sizes:
        at = np.linspace(0, len(people), size, endpoint=False).astype(np.int64)
        group = people if size == len(people) else people.take(at, share=size / len(people))
        found = box_steps(group, prices, reach)
        prices, reach = found.reply.prices, _may_err(group, found.reply.prices, size)
    assert found is not None
    return found


def _may_err(people: People, prices: FloatArray, size: int) -> FloatArray:
    """(n_rows,) how far the prices of a sample may be from those of everybody."""
    usual = people.worth_scale / people.use_scale
    return _ERRORS / np.sqrt(size) * np.maximum(np.abs(prices), 0.05 * usual)


def box_steps(people: People, prices: FloatArray, reach: FloatArray) -> Settled:
    """Minimise U from `prices` on; an infinite `reach` opens every switch of everybody.

    Each step minimises U exactly in its box and the next box stands around that minimum, so U never rises.
    It ends early where U falls below anything that an assignment can be worth: then there is none.
    """
    whole = bool(np.isinf(reach).any())
    reach = np.where(np.isinf(reach), _FAR * people.worth_scale / people.use_scale, reach)
    now = reply(people, prices)
    for step in range(_STEPS):
        if whole:
            switches = all_switches(people, now.choice, np.arange(len(people)))
        else:
            switches, reach = _in_reach(people, now, reach)
        low, high = fitting(people, now.prices - reach), fitting(people, now.prices + reach)
        move = move_prices(people, switches, now.used, low, high)
        there = reply(people, move.prices)
        inside = not move.outside.any() and there.bound <= _expected(people, now, move)
        if inside or there.bound < people.least or step + 1 == (_WIDENINGS if whole else _STEPS):
            break
        now = there
        reach = np.where(move.outside != 0, reach * (100.0 if whole else 2.0), reach)
    return _settled(now, there, switches, move, exact=inside)


def _expected(people: People, now: Reply, move: Move) -> float:
    """U as the program sees it, with room for its tolerance; the true U is that where nobody was left out."""
    present = now.bound - float(support(people, now.prices).sum()) + float(now.prices @ now.used)
    return present + move.gain + _SEEN * people.reachable


def _in_reach(people: People, now: Reply, reach: FloatArray) -> tuple[Switches, FloatArray]:
    """The switches inside the box, and the box, made smaller where they were too many for one program."""
    switches = near_switches(people, now.prices, now.choice, reach)
    if len(switches) <= MOST_SWITCHES:
        return switches, reach
    if len(Classes.of(switches, len(people.placements)).kept) <= MOST_SWITCHES:
        return switches, reach
    share = max(float(np.partition(switches.ease, MOST_SWITCHES)[MOST_SWITCHES]), _NARROWEST)
    return switches.take(switches.ease <= share), reach * share


def _settled(now: Reply, there: Reply, switches: Switches, move: Move, *, exact: bool) -> Settled:
    """The program's choices: those at the middle of the box, with the switches that it makes whole."""
    choice = now.choice.copy()
    choice[switches.user[move.made]] = switches.to[move.made]
    choice[move.undecided] = NONE
    return Settled(there, choice, move.undecided, exact)
