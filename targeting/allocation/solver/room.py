"""The best plan where a live room fills: the number of arrivals E couples every live cell.

Held at a load the problem is an ordinary one: rates times phi(E / R), and a price mu on arrivals. The plan is
where its own arrivals are E and mu is what one more arrival takes from the others: found by bracketing E,
room by room (`_Meeting`). `room_bound` certifies it. Rows on fans, GMV or entries hold at the plan's own
load. It must not import cvxpy.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from models.errors import InfeasibleError, SolverError, UndecidedError
from models.saturation import saturation
from models.supply.curves import FloatArray
from targeting.allocation.outcomes import outcomes, total
from targeting.allocation.problem import Problem, Row, Solution
from targeting.allocation.rooms import arrivals, charged, crowding, held
from targeting.allocation.settings import SETTINGS
from targeting.allocation.solver.deadline import Deadline
from targeting.allocation.solver.roombound import Tried, arrival_alone, room_bound
from targeting.allocation.solver.solve import Warm

Solve = Callable[[Problem, float, Warm], Solution]
ROOM = "(live room)"


def solve_in_rooms(
    problem: Problem, solve: Solve, *, gap_tol: float, time_limit_s: float, warm: Warm | None
) -> Solution:
    """The best plan of a market whose rooms fill, and a bound on any plan's value.

    Args:
        problem: with a limited room.
        solve: of problems without rooms, within so many seconds.
        gap_tol, time_limit_s: as of `solve`; the certificate is sought to `room_gap` at best.
        warm: of an earlier solve on the same market and rows; updated in place.

    Raises:
        InfeasibleError: no plan satisfies rows and limits.
        SolverError: none was found that does at its own load.
    """
    deadline = Deadline.of(time_limit_s)
    room = _Meeting(problem, solve, deadline, warm if warm is not None else Warm())
    room.meet()
    if room.best is None:
        raise SolverError("allocation: no plan was found that keeps its limits where the live room fills")
    prices = room.capped.prices
    own = Warm(spend=room.capped.spend, prices=None if prices is None else prices[: -len(room.places)])

    def ask(asked: Problem, came: float, price: float) -> Tried:
        return room.ask(asked, np.array([came]), np.array([price]), own)

    top = room.open_bound
    with contextlib.suppress(UndecidedError):
        top = room_bound(
            problem, ask, best=room.best, price=room.price, open_bound=room.open_bound,
            gap=max(gap_tol, SETTINGS.room_gap), deadline=deadline,
        )  # fmt: skip
    best = room.best
    gap = (top - best.value) / max(abs(best.value), 1e-300)
    return replace(
        best,
        status="optimal" if gap <= gap_tol else "time_limit" if deadline.over else "within_gap",
        upper_bound=max(top, best.value),
        seconds=deadline.elapsed,
        rounds=room.asked,
    )


@dataclass
class _Meeting:
    """The problem, what was tried, and the best plan of those that keep every limit at their own load."""

    problem: Problem
    solve: Solve
    deadline: Deadline
    warm: Warm
    best: Solution | None = None
    open_bound: float = np.inf
    asked: int = 0
    capped: Warm = field(default_factory=Warm)
    price: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        self.price = np.zeros(len(self.places))

    @property
    def places(self) -> FloatArray:
        """(n_rooms,)."""
        assert self.problem.market.rooms is not None
        return self.problem.market.rooms.places

    def held(self, asked: Problem, came: FloatArray, price: FloatArray) -> Problem:
        """The problem `asked` of this market, held where `came` arrive, an arrival costing `price`
        (n_rooms,).
        """
        market, opened = self.problem.market, self._opened(came)
        assert market.rooms is not None
        cost = np.append(price, 0.0)[market.rooms.of] / opened
        spend = None if self.best is None or asked.risk is None else self.best.spend_cny
        worth = asked.worth if asked.worth is not None else asked.objective
        floors = bool((asked.limits.marginal_floor > 0).any())
        own = np.append(self.price, 0.0)[market.rooms.of] / opened
        return replace(
            asked,
            market=held(market, opened, spend),
            objective=charged(asked.objective, cost),
            worth=charged(worth, own) if floors else worth,
        )

    def _opened(self, came: FloatArray) -> FloatArray:
        """(n_cells,)."""
        assert self.problem.market.rooms is not None
        return np.append(saturation(came / self.places), 1.0)[self.problem.market.rooms.of]

    def ask(self, asked: Problem, came: FloatArray, price: FloatArray, warm: Warm) -> Tried:
        """Solve a problem held at a load; its plan may be better than the one that was bracketed."""
        found = self.solve(self.held(asked, came, price), self._left, warm)
        self.asked += 1
        if self.problem.risk is None and not (self.problem.limits.marginal_floor > 0).any():
            self._offer(found)
        return Tried(came, price, found.upper_bound, arrivals(self.problem.market, found.spend_cny))

    @property
    def _left(self) -> float:
        return self.deadline.left(self.deadline.seconds)

    def meet(self) -> None:
        """Bracket the arrivals: more of them as long as the best plan would pay more for the last than it
        takes from the others.
        """
        none = np.zeros(len(self.places))
        free = self.held(self.problem, none, none)
        found = self.solve(free, self._left, self.warm)
        self.open_bound = found.upper_bound
        self._offer(found)
        if arrival_alone(self.problem) is not None and self.best is not None:
            return
        low, high = none, arrivals(self.problem.market, found.spend_cny)
        above, below = np.full(len(none), np.nan), -self._taken(found.spend_cny)
        came = 0.5 * high if self.warm.came is None else np.minimum(self.warm.came, 0.9 * high)
        capped = self.capped = Warm(spend=self.warm.spend, prices=_joined(self.warm.prices, -below))
        for _ in range(SETTINGS.room_steps):
            if not (high - low > SETTINGS.room_close * high).any() or self.deadline.over:
                break
            try:
                found = self.solve(self._capped(came), self._left, capped)
            except UndecidedError:
                break
            except InfeasibleError:
                low, came = came, 0.5 * (came + high)
                continue
            self._offer(found)
            worth = np.zeros(len(none)) if capped.prices is None else capped.prices[-len(none) :]
            self.price = self._taken(found.spend_cny)
            more = worth - self.price
            used = self.price > 0  # else nobody wants in at these rates: too many, and no price to go by
            if np.all(used & (np.abs(more) <= SETTINGS.room_close * self.price)):
                break
            up = used & (more > 0)
            low, above = np.where(up, came, low), np.where(up, more, above)
            high, below = np.where(up, high, came), np.where(up, below, np.where(used, more, np.nan))
            came = _between(low, high, above, below)
        self.warm.came = came

    def _capped(self, came: FloatArray) -> Problem:
        """The problem where at most `came` arrive, at the rates of so many."""
        free = self.held(self.problem, came, np.zeros(len(came)))
        opened = self._opened(came)
        assert self.problem.market.rooms is not None
        of = self.problem.market.rooms.of
        rows = (
            Row(ROOM, {"entries": (of == room) / opened}, upper=float(most), unit="viewers")
            for room, most in enumerate(came)
        )
        return replace(free, rows=(*free.rows, *rows))

    def _taken(self, spend: FloatArray) -> FloatArray:
        """(n_rooms,) what one more arrival takes from the others, limits at their prices included."""
        market, worth = self.problem.market, dict(self.problem.objective)
        prices = self.warm.prices
        if prices is not None and len(prices) == 1 + len(self.problem.rows):
            for row, price in zip(self.problem.rows, prices[1:], strict=True):
                for metric, c in row.spread(len(market)).items() if price else ():
                    worth[metric] = worth.get(metric, 0.0) - price * c
        return crowding(market, worth, spend)

    def _offer(self, found: Solution) -> None:
        """Keep the plan if it keeps every row, and is worth more, at its own load."""
        metrics = outcomes(self.problem.market, found.spend_cny)
        for row in self.problem.rows:
            lhs, size = float(row.lhs(metrics)), row.size(metrics)
            if not row.lower - SETTINGS.room_kept * size <= lhs <= row.upper + SETTINGS.room_kept * size:
                return
        value = float(total(self.problem.objective, metrics))
        if self.best is None or value > self.best.value:
            prices = {name: price for name, price in found.shadow_prices.items() if name != ROOM}
            binding = tuple(name for name in found.binding if name != ROOM)
            self.best = replace(found, value=value, shadow_prices=prices, binding=binding)


def _joined(prices: FloatArray | None, more: FloatArray) -> FloatArray | None:
    return None if prices is None else np.append(prices, more)


def _between(low: FloatArray, high: FloatArray, above: FloatArray, below: FloatArray) -> FloatArray:
    """The next arrivals: where a line through both ends crosses 0, halfway in logs else."""
    with np.errstate(invalid="ignore", divide="ignore"):
        share = above / (above - below)
    middle = np.sqrt(np.maximum(low, SETTINGS.room_close * high) * high)
    return np.where(np.isfinite(share), low + np.clip(share, 0.02, 0.98) * (high - low), middle)
