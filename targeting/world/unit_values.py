"""What units - segments or single people - are worth at any pressures, and the pressures that are worth most.

It must not import `targeting.allocation`.
"""

from __future__ import annotations

from copy import copy
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from targeting.world.beliefs import Beliefs
from targeting.world.delivery import daily_cost, follow_rate, mean_impressions, room_left, segment_sums
from targeting.world.supply import FloatArray
from targeting.world.truth import Truth

Objective = Literal["new_fan_gmv", "new_fans", "profit"]
COARSE, FINE, ROUNDS, BEND = 25, 9, 4, 2.0
MANY, COARSE_OF_MANY = 5_000, 17  # units from which a coarser first grid saves memory
CHUNK = 1_500  # people at a time
ROOM_ROUNDS, SAMPLE = 6, 2_000


class Units:
    """The believed objective of every unit on any grid of pressures, one grid per unit."""

    def __init__(
        self,
        truth: Truth,
        code: NDArray[np.int64],
        size: int,
        beliefs: Beliefs,
        *,
        objective: Objective,
        days: float,
    ):
        inside = np.flatnonzero(code >= 0)
        self.members = inside[np.argsort(code[inside], kind="stable")]
        self.code, self.size = code[self.members], size
        self.kind, self.places, self.days = truth.kind, truth.places, days
        people = truth.people
        self.capacity, self.price = people.capacity[self.members], people.price_cny[self.members]
        self.enter = people.enter[self.members]
        if self.kind.even_spread:
            users = np.maximum(np.bincount(self.code, minlength=size), 1)[:, None]
            k, c = truth.supply(code, size)
            self.capacity, self.price = (k / users)[self.code], c[self.code]
        self.belief_weight = beliefs.weight[:, self.members]
        self.follow = beliefs.follow[:, self.members]
        gmv = beliefs.gmv_cny[:, self.members]
        weights = {"new_fan_gmv": gmv, "new_fans": np.ones_like(gmv), "profit": truth.margin * gmv}
        self.worth = weights[objective]
        self.money_counts = objective == "profit"
        self.let_in, self.entry_price = 1.0, 0.0

    def sample(self, share: float) -> Units:
        """Every so manieth unit, with its share of the live room."""
        if share >= 1.0:
            return self
        chosen = np.unique(np.linspace(0, self.size - 1, round(share * self.size)).astype(int))
        position = np.full(self.size, -1)
        position[chosen] = np.arange(len(chosen))
        keep = position[self.code] >= 0
        few = copy(self)
        few.code, few.size = position[self.code[keep]], len(chosen)
        few.capacity, few.price, few.enter = self.capacity[keep], self.price[keep], self.enter[keep]
        few.belief_weight, few.follow = self.belief_weight[:, keep], self.follow[:, keep]
        few.worth = self.worth[:, keep]
        few.places = None if self.places is None else share * self.places
        return few

    def money(self, pressure: FloatArray) -> FloatArray:
        """Yuan for the whole campaign at pressures (units, 2, m), in the same shape."""
        found = np.zeros(pressure.shape)
        for j in range(2):
            each = daily_cost(
                self.kind,
                pressure[self.code, j],
                capacity=self.capacity[:, [j]],
                price_cny=self.price[:, [j]],
            )
            found[:, j] = segment_sums(self.code, each, self.size)
        return self.days * found

    def value(self, pressure: FloatArray) -> FloatArray:
        """Objective (units, m, m) of all pairs of the pressures (units, 2, m): video by live."""
        m = pressure.shape[2]
        value = np.zeros((self.size, m, m))
        for start in range(0, len(self.code), CHUNK):
            part = slice(start, start + CHUNK)
            code = self.code[part]
            firsts = np.flatnonzero(np.diff(code, prepend=-1))
            value[code[firsts]] += np.add.reduceat(self._of_people(part, pressure[code]), firsts, axis=0)
        if self.money_counts:
            spend = self.money(pressure)
            value -= spend[:, 0, :, None] + spend[:, 1, None, :]
        return value

    def _of_people(self, part: slice, pressure: FloatArray) -> FloatArray:
        """The same (people, m, m) of some people at pressures (people, 2, m)."""
        cap = self.kind.cap
        mean = mean_impressions(self.capacity[part, :, None], pressure, cap=cap)
        let_in = np.array([1.0, self.let_in])[None, :, None]
        won = np.zeros((len(pressure), pressure.shape[2], pressure.shape[2]))
        for q, weight in enumerate(self.belief_weight):
            z = self.days * follow_rate(mean, self.follow[q, part, :, None] * let_in, cap=cap)
            worth = self.worth[q, part]
            total = z[:, 0, :, None] + z[:, 1, None, :]
            earned = worth[:, 0, None, None] * z[:, 0, :, None] + worth[:, 1, None, None] * z[:, 1, None, :]
            share = -np.expm1(-total) / np.maximum(total, 1e-300)
            won += weight[part, None, None] * np.where(total > 1e-12, share, 1.0) * earned
        if self.entry_price:
            entries = self.days * mean[:, 1, None, :] * self.enter[part, None, None]
            won -= self.entry_price * entries
        return won

    def fill_room(self, pressure: FloatArray) -> None:
        """Lets in whom the room holds at pressures (units, 2), and prices an entry by what it crowds out."""
        assert self.places is not None
        live = mean_impressions(self.capacity[:, 1], pressure[self.code, 1], cap=self.kind.cap)
        load = max(float(live @ self.enter) / self.places, 1e-9)
        self.let_in = room_left(load, 1.0)
        z = self.days * live * self.follow[:, :, 1] * self.let_in
        earned = float((self.belief_weight * self.worth[:, :, 1] * -np.expm1(-z)).sum())
        steeper = (self.let_in - np.exp(-load)) / (load * self.let_in)  # -f'(E) places / f(E)
        self.entry_price = earned * steeper / (self.places * self.days)


def best_pressure(units: Units, budget_cny: float) -> FloatArray:
    """Pressures (units, 2) of the best plan found; the budget is spent unless the next yuan destroys value.

    A room's load and price are found on a sample of the units, under the sample's share of budget and room.
    """
    if units.places is not None:
        share = min(1.0, SAMPLE / units.size)
        few = units.sample(share)
        found = _search(few, share * budget_cny)
        for _ in range(ROOM_ROUNDS):
            few.fill_room(found)
            found = 0.5 * (found + _search(few, share * budget_cny))
        few.fill_room(found)
        units.let_in, units.entry_price = few.let_in, few.entry_price
    return _search(units, budget_cny)


def _search(units: Units, budget_cny: float) -> FloatArray:
    step = np.linspace(0.0, 1.0, COARSE if units.size <= MANY else COARSE_OF_MANY) ** BEND
    grid = _highest(units, budget_cny)[:, :, None] * step
    for level in range(ROUNDS + 1):
        value, spend = units.value(grid), units.money(grid)
        total = spend[:, 0, :, None] + spend[:, 1, None, :]
        low, high = _bracket(value, total, budget_cny)
        chosen = [_at(grid, _choose(value, total, price)) for price in (high, low)]
        if level < ROUNDS:
            grid = _window(grid, chosen)
    return _within(units, chosen[0], chosen[1], budget_cny)


def _highest(units: Units, budget_cny: float) -> FloatArray:
    """Pressure (units, 2) at which a unit alone would cost the whole budget in one placement, or the top."""
    k, kc = (segment_sums(units.code, x, units.size) for x in (units.capacity, units.capacity * units.price))
    share = units.kind.shape.inverse(budget_cny / (units.days * np.where(kc > 0, kc, 1.0)))
    highest = np.minimum(share, 0.9999 * units.kind.shape.top)
    if units.kind.cap is not None:  # capped people cost less than their capacity says
        highest = np.minimum(3.0 * share, 0.9999 * units.kind.shape.top)
    return np.where(k > 0, highest, 0.0)


def _choose(value: FloatArray, total: FloatArray, price: float) -> NDArray[np.int64]:
    """Per unit, the flat grid index that maximises value - price x spend; the cheapest among equals."""
    net = (value - price * total).reshape(len(value), -1)
    return np.asarray(net.argmax(axis=1), dtype=np.int64)


def _within(units: Units, less: FloatArray, more: FloatArray, budget_cny: float) -> FloatArray:
    """The pressures between two plans that cost the budget; `more` where even that does not."""

    def cost_of(pressure: FloatArray) -> float:
        return float(units.money(pressure[:, :, None]).sum())

    if cost_of(more) <= budget_cny:
        return more
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if cost_of(less + middle * (more - less)) <= budget_cny else (low, middle)
    return less + low * (more - less)


def _bracket(value: FloatArray, total: FloatArray, budget_cny: float) -> tuple[float, float]:
    """Prices (low, high): at `high` the plan fits the budget, at `low` it just does not (or low is 0)."""
    flat = total.reshape(len(total), -1)

    def spent(price: float) -> float:
        return float(np.take_along_axis(flat, _choose(value, total, price)[:, None], axis=1).sum())

    if spent(0.0) <= budget_cny:
        return 0.0, 0.0
    low, high = 0.0, 1.0
    while spent(high) > budget_cny:
        low, high = high, 4.0 * high
    while high - low > 1e-7 * high:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if spent(middle) > budget_cny else (low, middle)
    return low, high


def _at(grid: FloatArray, index: NDArray[np.int64]) -> FloatArray:
    m = grid.shape[2]
    rows = np.arange(len(grid))
    return np.column_stack([grid[rows, 0, index // m], grid[rows, 1, index % m]])


def _window(grid: FloatArray, chosen: list[FloatArray]) -> FloatArray:
    """A finer grid from one old step below the lower choice to one above the upper choice."""
    fine = np.zeros((len(grid), 2, FINE))
    for j in range(2):
        below, above = (
            np.minimum(chosen[0][:, j], chosen[1][:, j]),
            np.maximum(chosen[0][:, j], chosen[1][:, j]),
        )
        smaller = np.where(grid[:, j] < below[:, None], grid[:, j], 0.0).max(axis=1)
        larger = np.where(grid[:, j] > above[:, None], grid[:, j], np.inf).min(axis=1)
        larger = np.where(np.isfinite(larger), larger, above)
        fine[:, j] = smaller[:, None] + (larger - smaller)[:, None] * np.linspace(0.0, 1.0, FINE)
    return fine
