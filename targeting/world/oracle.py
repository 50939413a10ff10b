"""The best plan anybody could have made: perfect knowledge of what features mean and of the true curves.

An independent check of the certified allocator, so it shares nothing with it: the true value of every
segment is tabulated on a grid of spends (sums over single users, no segment means), a Lagrangian price is
bisected until the budget is spent, and the grid is refined around the choice. Each segment's maximum is
global on its grid, so non-concave values of competing placements do no harm. It must not import
`targeting.allocation`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from targeting.world.kinds import PLACEMENTS
from targeting.world.supply import FloatArray, cost, impressions
from targeting.world.truth import Truth

Objective = Literal["new_fan_gmv", "new_fans", "profit"]
COARSE, FINE, ROUNDS, HIGHEST_PRESSURE = 25, 9, 4, 0.995


@dataclass(frozen=True)
class OraclePlan:
    """Segments, spend (segment, placement, spend_cny) and the true expected totals (`Truth.value`)."""

    assignment: pl.DataFrame
    spend: pl.DataFrame
    value: dict[str, float]


def worth_segments(truth: Truth, *, n_segments: int = 64) -> pl.DataFrame:
    """Non-fans by true worth per yuan given the features: strips by the richer placement, then the other.

    Whoever followed during the history is in too, so that its logs can be summed; it is shown nothing.

    Args:
        n_segments: cells; the nearest square number of equal-sized cells not above it is formed.
    """
    side = max(1, int(np.sqrt(n_segments)))
    members = np.flatnonzero(~truth.fans)
    scores = truth.scores()
    worth = (scores["p_follow"] * scores["gmv_per_fan_cny"]).to_numpy().reshape(
        -1, 2
    ) / truth.people.price_cny
    rich = int(np.argmax(np.quantile(worth[members], 0.9, axis=0))) if len(members) else 0
    order = members[np.argsort(-worth[members, rich], kind="stable")]
    code = np.zeros(len(truth.user_id), np.int64)
    for i, strip in enumerate(np.array_split(order, side)):
        by_video = strip[np.argsort(-worth[strip, 1 - rich], kind="stable")]
        for j, cell in enumerate(np.array_split(by_video, side)):
            code[cell] = i * side + j
    name = pl.Series("segment", code[members]).cast(pl.String).str.zfill(4)
    return pl.DataFrame({"user_id": truth.user_id.gather(members), "segment": "cell-" + name})


def oracle(
    truth: Truth,
    *,
    budget_cny: float,
    n_segments: int = 64,
    objective: Objective = "new_fan_gmv",
    days: float = 1.0,
) -> OraclePlan:
    """The best plan over segments formed from the true worth of the features, not of the hidden intent.

    64 cells of 40,000 users hold about 500 people each, the fewest that a platform lets one target; 256
    cells would be worth 2-3 % more and could not be bought.
    """
    segments = worth_segments(truth, n_segments=n_segments)
    return oracle_on(truth, segments, budget_cny=budget_cny, objective=objective, days=days)


def oracle_on(
    truth: Truth,
    assignment: pl.DataFrame,
    *,
    budget_cny: float,
    objective: Objective = "new_fan_gmv",
    days: float = 1.0,
) -> OraclePlan:
    """The best spend for given segments under the true curves."""
    names, code = truth.segment_codes(assignment)
    table = _Table(truth, code, len(names), objective, days)
    spend = _best_spend(table, budget_cny)
    frame = pl.DataFrame(
        {
            "segment": pl.Series(np.repeat(np.array(names, dtype=object), 2), dtype=pl.String),
            "placement": list(PLACEMENTS) * len(names),
            "spend_cny": spend.ravel(),
        }
    )
    return OraclePlan(assignment, frame, truth.value(assignment, frame, days=days))


class _Table:
    """The true objective of every segment on any grid of spends, one grid per segment."""

    def __init__(self, truth: Truth, code: NDArray[np.int64], size: int, objective: Objective, days: float):
        self.capacity, self.price = truth.supply(code, size)
        self.theta, self.days, self.size = truth.kind.theta, days, size
        self.members = np.flatnonzero(code >= 0)
        self.code = code[self.members]
        self.users = np.maximum(np.bincount(self.code, minlength=size), 1)
        self.hazard = truth.hazard[self.members]
        gmv = truth.gmv_per_fan_cny[self.members]
        weights = {"new_fan_gmv": gmv, "new_fans": np.ones_like(gmv), "profit": truth.margin * gmv}
        self.weight = weights[objective]
        self.money_counts = objective == "profit"

    def on(self, spend: FloatArray) -> FloatArray:
        """Objective (segments, m, m) of all pairs of the spends (segments, 2, m): video by live."""
        daily = impressions(
            spend / self.days,
            capacity=self.capacity[:, :, None],
            price_cny=self.price[:, :, None],
            theta=self.theta,
        )
        each = self.days * daily / self.users[:, None, None]
        m = spend.shape[2]
        value = np.zeros((self.size, m, m))
        z = [self.hazard[:, [j]] * each[self.code, j] for j in range(2)]
        for a in range(m):
            for b in range(m):
                zv, zl = z[0][:, a], z[1][:, b]
                total = zv + zl
                share = np.where(total > 1e-12, -np.expm1(-total) / np.maximum(total, 1e-12), 1.0)
                won = (self.weight[:, 0] * zv + self.weight[:, 1] * zl) * share
                value[:, a, b] = np.bincount(self.code, won, self.size)
        if self.money_counts:
            value -= spend[:, 0, :, None] + spend[:, 1, None, :]
        return value

    def spend_at(self, pressure: FloatArray) -> FloatArray:
        """Yuan for the whole campaign at `pressure` (m,), as (segments, 2, m)."""
        unit = {
            "capacity": self.capacity[:, :, None],
            "price_cny": self.price[:, :, None],
            "theta": self.theta,
        }
        return self.days * cost(pressure, **unit)  # type: ignore[arg-type]


def _choose(value: FloatArray, total: FloatArray, price: float) -> NDArray[np.int64]:
    """Per segment, the flat grid index that maximises value - price x spend; the cheapest among equals."""
    net = (value - price * total).reshape(len(value), -1)
    return np.asarray(net.argmax(axis=1), dtype=np.int64)


def _best_spend(table: _Table, budget_cny: float) -> FloatArray:
    """Spend (segments, 2) of the best plan found; the budget is spent unless the next yuan destroys value."""
    grid = np.minimum(table.spend_at(np.linspace(0.0, HIGHEST_PRESSURE, COARSE) ** 1.5), budget_cny)
    for level in range(ROUNDS + 1):
        value = table.on(grid)
        total = grid[:, 0, :, None] + grid[:, 1, None, :]
        low, high = _bracket(value, total, budget_cny)
        chosen = [_at(grid, _choose(value, total, price)) for price in (high, low)]
        if level < ROUNDS:
            grid = _window(grid, chosen, table.size, budget_cny)
    under, over = (c.sum() for c in chosen)
    if over <= budget_cny or over <= under:
        return chosen[1] if over <= budget_cny else chosen[0]
    return np.asarray(chosen[0] + (chosen[1] - chosen[0]) * (budget_cny - under) / (over - under))


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
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if spent(middle) > budget_cny else (low, middle)
    return low, high


def _at(grid: FloatArray, index: NDArray[np.int64]) -> FloatArray:
    m = grid.shape[2]
    rows = np.arange(len(grid))
    return np.column_stack([grid[rows, 0, index // m], grid[rows, 1, index % m]])


def _window(grid: FloatArray, chosen: list[FloatArray], size: int, budget_cny: float) -> FloatArray:
    """A finer grid from one old step below the lower choice to one above the upper choice."""
    fine = np.zeros((size, 2, FINE))
    for j in range(2):
        below, above = (
            np.minimum(chosen[0][:, j], chosen[1][:, j]),
            np.maximum(chosen[0][:, j], chosen[1][:, j]),
        )
        smaller = np.where(grid[:, j] < below[:, None], grid[:, j], 0.0).max(axis=1)
        larger = np.where(grid[:, j] > above[:, None], grid[:, j], np.inf).min(axis=1)
        larger = np.minimum(np.where(np.isfinite(larger), larger, above), budget_cny)
        fine[:, j] = smaller[:, None] + (larger - smaller)[:, None] * np.linspace(0.0, 1.0, FINE)
    return fine
