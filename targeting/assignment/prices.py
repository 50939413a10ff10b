"""The prices of the limits: cutting planes on the bound, in a box that a sample of the people points at.

Each pass over the people yields a plane: a choice that is worth w and uses a supports U from below,
U(p) >= w - p . a + sum_c max(p_c b_c, p_c l_c) (Kelley 1960). The lowest point of all planes so far is a
linear program of as many prices as there are limits. It is trusted within a radius of the best prices only,
doubled when it keeps its promise and halved when it does not: far planes say little (Marsten, Hogan &
Blankenship 1975). U has finitely many pieces, so this ends at its exact minimum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.errors import SolverError
from models.supply.curves import FloatArray
from targeting.assignment.effort import EFFORT
from targeting.assignment.everybody import Everybody, Near, Reply, all_of, reply, within
from targeting.assignment.quiet import quiet


@dataclass(frozen=True)
class Priced:
    """The best prices, what everybody replies to them, and who is near a tie there."""

    reply: Reply
    near: Near


def best_prices(everybody: Everybody, *, start: FloatArray | None = None) -> Priced:
    """Prices at which U is least: of everybody, by way of a sample that says where to look.

    Args:
        everybody: offers and limits.
        start: prices known to be about right (a plan's, last night's): no sample is asked then.

    Where no assignment keeps the limits U has no minimum; then the prices prove it: U is less than
    `everybody.least` there.
    """
    n, n_rows = everybody.size, len(everybody.rows)
    usual = everybody.worth_scale / everybody.use_scale
    if n <= EFFORT.whole:
        edge = np.full(n_rows, np.inf)
        return Priced(descend(everybody, np.zeros(n_rows), -edge, edge, usual), all_of(everybody))
    if start is None:
        step = max(min(EFFORT.growth, -(-n // EFFORT.whole)), -(-n // EFFORT.sample))
        sample = everybody.sample(step)
        start, trust = best_prices(sample).reply.prices, EFFORT.errors / np.sqrt(sample.size)
    else:
        trust = EFFORT.errors / np.sqrt(min(n, EFFORT.warm))
    reach = trust * np.maximum(np.abs(start), 0.05 * usual)
    for _ in range(EFFORT.boxes):
        low = np.where(np.isfinite(everybody.lower), start - reach, np.maximum(start - reach, 0.0))
        high = np.where(np.isfinite(everybody.upper), start + reach, np.minimum(start + reach, 0.0))
        near = within(everybody, low, high)
        prices = descend(Everybody.of(near.people), start, low, high, reach).prices
        found = reply(everybody, prices)
        beyond = ((prices <= low) & ((low != 0) | np.isfinite(everybody.lower))) | (
            (prices >= high) & ((high != 0) | np.isfinite(everybody.upper))
        )
        if not beyond.any() or (found.bound < 0 and found.bound < everybody.least):
            break
        start, reach = prices, np.where(beyond, EFFORT.growth * reach, reach)
    return Priced(found, near)


def descend(
    people: Everybody, prices: FloatArray, low: FloatArray, high: FloatArray, radius: FloatArray
) -> Reply:
    """The reply at the prices between low and high at which U is least, from `prices` on.

    Of several such prices the smallest, what the next yuan is worth: limits are a nudge wider here.
    """
    unit, nudge = people.worth_scale / people.use_scale, EFFORT.nudge * people.use_scale
    planes = _Planes(people, unit, nudge)
    best = now = reply(people, prices)
    height = lowest_height = best.bound + float(nudge @ np.abs(best.prices))
    wide, idle, endless = float(np.max(radius / unit)), 0, bool(np.isinf(high - low).any())
    for _ in range(EFFORT.planes):
        if height <= lowest_height:
            best, lowest_height = now, height
        planes.add(now)
        lowest, floor = planes.lowest(
            np.maximum(low, best.prices - wide * unit), np.minimum(high, best.prices + wide * unit)
        )
        promised = lowest_height - floor
        if promised <= EFFORT.exact * (abs(best.bound) + people.worth_scale):
            if _inside(lowest, best.prices, wide * unit, low, high):
                break
            wide *= EFFORT.growth
            continue
        now = reply(people, lowest)
        height = now.bound + float(nudge @ np.abs(now.prices))
        if height < lowest_height - 0.1 * promised:
            wide, idle = 2.0 * wide, 0
        else:
            idle += 1
            wide = wide / 2.0 if idle % EFFORT.patience == 0 else wide
        if endless and now.bound < 0 and now.bound < people.least:
            return now  # it has no minimum; in a box it has one, at the edge
    return best


def _inside(
    lowest: FloatArray, best: FloatArray, radius: FloatArray, low: FloatArray, high: FloatArray
) -> bool:
    """Whether the radius kept the lowest point from being lower: the box itself may."""
    free: NDArray[np.bool_] = np.abs(lowest - best) < radius * (1 - 1e-9)
    return bool((free | (lowest <= low) | (lowest >= high)).all())


class _Planes:
    """min theta + b . up - l . down  s.t.  theta >= worth_k - used_k . (up - down) for every plane k.

    Prices are in average worth per average amount, so units change nothing.
    """

    def __init__(self, people: Everybody, unit: FloatArray, nudge: FloatArray) -> None:
        d, money = len(unit), people.worth_scale
        self._unit, self._money, self._people = unit, money, people
        self._solver = quiet(
            primal_feasibility_tolerance=EFFORT.feasible, dual_feasibility_tolerance=EFFORT.feasible
        )
        ends = np.concatenate([people.upper + nudge, nudge - people.lower]) * np.tile(unit, 2) / money
        self._there = np.isfinite(ends)
        for end in np.where(self._there, ends, 0.0).tolist():
            self._solver.addCol(end, 0.0, 0.0, 0, [], [])
        self._solver.addCol(1.0, -np.inf, np.inf, 0, [], [])
        self._columns = np.arange(2 * d + 1, dtype=np.int32)

    def add(self, found: Reply) -> None:
        """The plane of a reply."""
        scaled = found.used * self._unit / self._money
        worth = (found.surplus + float(found.prices @ found.used)) / self._money
        self._solver.addRow(
            worth, np.inf, len(self._columns), self._columns, np.concatenate([scaled, -scaled, [1.0]])
        )

    def lowest(self, low: FloatArray, high: FloatArray) -> tuple[FloatArray, float]:
        """The prices between low and high at which the planes are lowest, and how low that is."""
        d = len(self._unit)
        low, high = low / self._unit, high / self._unit
        bottom = np.where(self._there, np.maximum(np.concatenate([low, -high]), 0.0), 0.0)
        top = np.where(self._there, np.maximum(np.concatenate([high, -low]), 0.0), 0.0)
        self._solver.changeColsBounds(2 * d, self._columns[:-1], bottom, top)
        self._solver.run()
        solution = np.array(self._solver.getSolution().col_value)
        if len(solution) != 2 * d + 1:
            raise SolverError("assign: HiGHS found no prices; nothing was returned; please report this table")
        prices = (solution[:d] - solution[d : 2 * d]) * self._unit
        return prices, float(self._solver.getInfo().objective_function_value) * self._money
