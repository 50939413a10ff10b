"""How much any plan could earn where a live room fills. In: a way to solve held problems. Out: an upper
bound.

Every plan that brings E arrivals is worth at most, for any price mu on an arrival (weak duality),

    U(E; mu) = mu E + max_s [V(s, phi(E / R)) - mu E(s)].

For one plan s this is convex in E but for a hair: V is linear in phi where fans do not compete, phi is
convex, and it rises with phi (`_rises`). Competition bends V by at most q (d phi / phi)^2 / 8 of it over an
interval, q being the most that live alone makes of a person's z. So the larger of both ends, plus that hair,
bounds an interval of E, to second order where mu is right for its middle; intervals that double away from the
plan's E close at `room_gap`. Beyond the last one mu = 0 falls with E, so one end is enough. Rows on fans or
GMV and risk floors are
left out, limits on entries are taken at the end that allows most: valid, and as wide as they cost.
It must not import cvxpy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from models.saturation import saturation
from models.supply.curves import FloatArray
from targeting.allocation.problem import Metric, Problem, Row, Solution
from targeting.allocation.rooms import arrivals
from targeting.allocation.settings import SETTINGS
from targeting.allocation.solver.deadline import Deadline


@dataclass(frozen=True)
class Tried:
    """A held problem solved: came, price (n_rooms,), its bound, where its plan arrives (n_rooms,)."""

    came: FloatArray
    price: FloatArray
    bound: float
    arrived: FloatArray

    @property
    def most(self) -> float:
        """U(E; mu) of a single room."""
        return self.bound + float(self.price @ self.came)


Ask = Callable[[Problem, float, float], Tried]


def room_bound(
    problem: Problem,
    ask: Ask,
    *,
    best: Solution,
    price: FloatArray,
    open_bound: float,
    gap: float,
    deadline: Deadline,
) -> float:
    """An upper bound on the value of any plan.

    Args:
        problem: with rooms.
        ask: solves a problem held at so many arrivals and a price on each.
        best: the plan that was found; price: (n_rooms,) of an arrival there.
        open_bound: bound of the problem in an empty room, which holds where nothing better is known.
        gap: relative gap that is enough.
        deadline: intervals not looked at by then are bounded by `open_bound`.
    """
    market = problem.market
    assert market.rooms is not None
    centre = float(arrivals(market, best.spend_cny)[0])
    if len(market.rooms.places) != 1:
        return open_bound
    only = arrival_alone(problem)
    if only is not None:
        let_in = -only * np.expm1(-open_bound / (only * market.rooms.places[0])) * market.rooms.places[0]
        return float(let_in) if np.isfinite(let_in) else open_bound
    bend = _bend(problem)
    if bend is None:
        return open_bound
    if not centre > 0 or not price[0] > 0:
        return open_bound
    spent = np.abs(np.asarray(problem.objective.get("spend", 0.0))).max() * problem.budget_cny
    cover = _Cover(
        problem=_without_moving_rows(problem),
        ask=ask,
        places=float(market.rooms.places[0]),
        centre=centre,
        price=float(price[0]),
        bend=bend * (open_bound + float(spent)),
        target=best.value + gap * abs(best.value),
        open_bound=open_bound,
        deadline=deadline,
    )
    return min(open_bound, cover.bound())


@dataclass
class _Cover:
    """Intervals of arrivals around the plan's own (`centre`), where an arrival costs `price`."""

    problem: Problem
    ask: Ask
    places: float
    centre: float
    price: float
    bend: float
    target: float
    open_bound: float
    deadline: Deadline
    asked: int = 0
    slope: float = 0.0  # d price / d arrivals

    def bound(self) -> float:
        """The largest bound of intervals that cover every E."""
        reach, worst = self._core()
        left = self._side(-1.0, reach)
        right = self._side(1.0, reach)
        return max(worst, left, right)

    def _u(self, came: float, price: float, low: float, high: float) -> Tried:
        self.asked += 1
        end = float(saturation(np.array(came / self.places)))
        ends = (float(x) / end for x in saturation(np.array([low, high]) / self.places))
        return self.ask(_rows_within(self.problem, *ends), came, price)

    def _interval(self, low: float, high: float, price: float) -> tuple[float, Tried, Tried]:
        """Bound over [low, high] at a price, and both ends."""
        a, b = self._u(low, price, low, high), self._u(high, price, low, high)
        phi = saturation(np.array([low, high]) / self.places)
        hair = self.bend * float(phi[0] / phi[1] - 1.0) ** 2 / 8.0
        return max(a.most, b.most) + hair, a, b

    def _core(self) -> tuple[float, float]:
        """Half the interval around the plan that its own price closes, and its bound; learns how the price
        changes with arrivals.
        """
        reach = SETTINGS.room_first * self.centre
        allowed = self.target
        for _ in range(4):
            worst, a, b = self._interval(self.centre - reach, self.centre + reach, self.price)
            if worst <= allowed:
                break
            reach *= 0.5
        dearer = self._u(self.centre, 1.05 * self.price, self.centre, self.centre)
        same = float(b.arrived[0] - a.arrived[0]) / (2.0 * reach)
        mean = 0.5 * float(a.arrived[0] + b.arrived[0])
        per_price = (float(dearer.arrived[0]) - mean) / (0.05 * self.price)
        guess = (1.0 - same) / per_price if per_price < 0 else 0.0
        self.slope = max(guess, -SETTINGS.room_steepest * self.price / self.centre)
        return reach, worst

    def _side(self, way: float, reach: float) -> float:
        """The largest bound of the intervals on one side, each as wide as it is away from the plan."""
        near, worst = reach, -np.inf
        while near < self.centre or way > 0:
            here = self.centre + way * near
            if way > 0 and (near > SETTINGS.room_tail * self.centre or self._late):
                tail = self._u(here, 0.0, here, np.inf).most
                if tail <= self.target or near > SETTINGS.room_far * self.centre or self._late:
                    return max(worst, tail)
            far = 2.0 * near if way > 0 else self.centre if self._late else min(2.0 * near, self.centre)
            guess = self.price + self.slope * way * 0.5 * (near + far)
            worst = max(worst, self._closed(here, self.centre + way * far, guess, depth=0))
            near = far
        return worst

    @property
    def _late(self) -> bool:
        return self.asked >= SETTINGS.room_asked or self.deadline.over

    def _closed(self, one: float, other: float, price: float, *, depth: int) -> float:
        """The least bound found of an interval over prices, of which it is a convex function: cutting planes
        from both sides (Kelley 1960); then in two halves.
        """
        low, high = min(one, other), max(one, other)
        least, best, left, right = np.inf, price, None, None
        for _ in range(SETTINGS.room_cuts):
            bound, a, b = self._interval(low, high, price)
            if bound < least:
                least, best = bound, price
            if least <= self.target:
                return least
            top = a if a.most >= b.most else b
            cut = (price, bound, float(top.came[0] - top.arrived[0]))
            left, right = (left, cut) if cut[2] > 0 else (cut, right)
            if left is not None and right is not None:
                crossed = left[1] - right[1] + right[2] * right[0] - left[2] * left[0]
                price = crossed / (right[2] - left[2])
                if left[1] + left[2] * (price - left[0]) > self.target:
                    break
            else:
                tilt = high - low - float(b.arrived[0] - a.arrived[0])
                step = (b.most - a.most) / tilt if tilt > 0 else 0.0
                price -= np.sign(cut[2]) * max(abs(step), SETTINGS.room_first * self.price)
        if depth >= SETTINGS.room_halvings or self._late:
            return least
        middle = 0.5 * (low + high)
        halves = [self._closed(*ends, best, depth=depth + 1) for ends in ((low, middle), (middle, high))]
        return min(least, max(halves))


def arrival_alone(problem: Problem) -> float | None:
    """What an entry counts where nothing else does: those let in, R (1 - exp(-E / R)), only rise with E."""
    assert problem.market.rooms is not None
    inside = problem.market.rooms.of >= 0
    counted = {metric for metric, c in problem.objective.items() if np.any(c)}
    entries = np.zeros(len(inside)) + problem.objective.get("entries", 0.0)
    alike = np.ptp(entries[inside]) == 0 and not (entries * problem.market.entry)[~inside].any()
    return float(entries[inside][0]) if counted == {"entries"} and alike and entries[inside][0] > 0 else None


def _bend(problem: Problem) -> float | None:
    """q of the module's text; None where more people let in could be worth less, or worth cannot be read off
    the objective.
    """
    market, worth = problem.market, problem.objective
    assert market.rooms is not None
    if any(np.any(worth.get(m, 0.0)) for m in ("impressions", "reached", "active")):
        return None
    n = len(market)
    each = np.zeros(n) + worth.get("fans", 0.0) + np.asarray(worth.get("gmv", 0.0)) * market.gmv_per_fan_cny
    if (each < 0).any() or (np.zeros(n) + worth.get("entries", 0.0) < 0).any():
        return None
    most = np.minimum(problem.limits.upper_cny, problem.budget_cny)
    z = market.hazard * market.supply.value(np.asarray(most, float)) / market.users
    live = (market.rooms.of >= 0) & (market.hazard > 0)
    size = int(market.block.max()) + 1
    all_z, live_z = (np.bincount(market.block, x, size).astype(float) for x in (z, z * live))
    dearest, cheapest = np.zeros(size), np.full(size, np.inf)
    np.maximum.at(dearest, market.block, np.where(z > 0, each, 0.0))
    np.minimum.at(cheapest, market.block, np.where(live, each, np.inf))
    phi = saturation(all_z)
    if not _rises(phi, all_z, dearest, cheapest).all():
        return None
    return float((live_z / phi).max())


def _rises(phi: FloatArray, z: FloatArray, dearest: FloatArray, cheapest: FloatArray) -> FloatArray:
    """Blocks worth more with more let in: phi >= -z phi' times the dearest fan over the cheapest live one."""
    falls = np.maximum(phi - np.exp(-z), 0.0)
    return np.asarray((falls <= 0) | (dearest * falls <= np.where(np.isfinite(cheapest), cheapest, 0.0) * phi)
                      | ~np.isfinite(cheapest))  # fmt: skip


def _without_moving_rows(problem: Problem) -> Problem:
    """The problem without limits that move with fans, and without floors on draws or on last yuan."""
    kept = tuple(row for row in problem.rows if not _moves(row))
    limits = replace(problem.limits, marginal_floor=np.zeros(len(problem.market)))
    return replace(problem, rows=kept, limits=limits, risk=None)


def _moves(row: Row) -> bool:
    """Whether the row is no plain ceiling on entries, and counts what a room's load changes."""
    counted = {metric for metric, c in row.coefficients.items() if np.any(c)}
    if counted == {"entries"} and np.isinf(row.lower) and (row.coefficients["entries"] >= 0).all():
        return False
    return bool(counted & {"entries", "fans", "gmv"})


def _rows_within(problem: Problem, open_low: float, open_high: float) -> Problem:
    """Limits on entries as the most open end (`open_high` of this load's share) leaves them."""
    rows: list[Row] = []
    for row in problem.rows:
        entries = row.coefficients.get("entries")
        if entries is not None and np.any(entries):
            scaled: Mapping[Metric, FloatArray] = {**row.coefficients, "entries": entries * open_high}
            rows.append(replace(row, coefficients=scaled))
        else:
            rows.append(row)
    return replace(problem, rows=tuple(rows))
