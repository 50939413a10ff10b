"""The canonical budget problem that the brief is compiled to and that the solver solves.

`Market` says what money buys, `Problem` adds the objective, local limits and coupling rows. Everything that
couples blocks is linear in per-cell *metrics* of the true curves (DESIGN 4.2), so a Dantzig-Wolfe master sees
each column (one block's spend vector) only through its metrics:

    z_c = hazard_c a_c(s_c) / N_b,  z_b = sum of z_c over the block,  phi(z) = (1 - exp(-z)) / z
    impressions_c = a_c(s_c)         entries_c = entry_c a_c(s_c)
    fans_c = hazard_c a_c(s_c) phi(z_b)                   gmv_c = gmv_per_fan_c fans_c
    reached_c = N_b (1 - exp(-sum_b a_c / N_b)) shared in proportion to impressions

N_b = inf (curves that give value directly) makes phi = 1: cells are then additive with the same formulae.
Where a live room fills (`Rooms`), hazard_c and entry_c of its cells are multiplied by phi(E / R), E being the
sum of entry_c a_c(s_c) over them: the one thing that couples blocks and is not linear.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from models.chance import Chance
from models.supply.curves import CurveSet, FloatArray

Metric = Literal["spend", "impressions", "entries", "fans", "gmv", "reached", "active"]
LI_PER_CNY = 1000  # 厘, the smallest unit a platform charges
CELL_KEYS = ("campaign_id", "merchant_id", "segment", "placement", "slot", "fan_kind")


def in_li(cny: FloatArray | float) -> FloatArray:
    """Yuan as 厘, not rounded."""
    return np.asarray(cny, dtype=float) * LI_PER_CNY


def in_cny(li: NDArray[np.int64] | FloatArray | float) -> FloatArray:
    """厘 as yuan."""
    return np.asarray(li, dtype=float) / LI_PER_CNY


@dataclass(frozen=True)
class Draws:
    """Joint draws of what is uncertain; axis 0 is the draw, axis 1 the cell.

    Attributes:
        supply: parameters of shape (n_draws, n_cells).
        hazard: follows per impression, (n_draws, n_cells).
        gmv_per_fan_cny: (n_draws, n_cells).
    """

    supply: CurveSet
    hazard: FloatArray
    gmv_per_fan_cny: FloatArray


@dataclass(frozen=True)
class Rooms:
    """Live rooms that fill: of E arrivals, entry x impressions, the share phi(E / places) is let in.

    Attributes:
        of: (n_cells,) the room that a cell's arrivals fill; -1 for none.
        places: (n_rooms,) arrivals of the whole slot at which 1 - exp(-1) of the places are taken; inf where
            no limit was found.
        draws: (n_draws, n_rooms) joint with `Draws`; inf where the draw has no limit.
    """

    of: NDArray[np.int64]
    places: FloatArray
    draws: FloatArray | None = None


@dataclass(frozen=True, kw_only=True)
class Learned:
    """What is known of each cell; of one day of one audience, before a campaign makes a `Market` of it.

    Attributes:
        cells: one row per cell: segment, placement, fan_kind, of a market all of `CELL_KEYS`.
        supply: spend_cny -> impressions, or -> value where `users` is infinite.
        users: (n_cells,) users of the cell's block; inf for additive value curves.
        hazard: (n_cells,) incremental follows per impression (1 for additive value curves).
        entry: (n_cells,) live entries per impression, 0 where the placement has none.
        gmv_per_fan_cny: (n_cells,) (1 for additive value curves).
        observed_max_cny: (n_cells,) largest spend the curve was learned from; inf when supplied from outside.
        draws: uncertainty of the above, or None.
        chance: how what comes scatters around what is expected, or None where nothing tells.
        rooms: live rooms that may fill; None where nothing tells of any.
    """

    cells: pl.DataFrame
    supply: CurveSet
    users: FloatArray
    hazard: FloatArray
    entry: FloatArray
    gmv_per_fan_cny: FloatArray
    observed_max_cny: FloatArray
    draws: Draws | None = None
    chance: Chance | None = None
    rooms: Rooms | None = None

    def __len__(self) -> int:
        return len(self.users)


@dataclass(frozen=True, kw_only=True)
class Market(Learned):
    """What money can buy, cell by cell.

    Attributes:
        block: (n_cells,) cells with equal numbers compete for the same users (same campaign and segment, all
            slots together: one person becomes a fan once in the whole campaign).
    """

    block: NDArray[np.int64]

    @property
    def untried(self) -> NDArray[np.bool_]:
        """(n_cells,) cells in which no money was ever seen: their curves are guesses pooled from others."""
        return ~(self.observed_max_cny > 0)


@dataclass(frozen=True)
class Row:
    """One coupling limit: lower <= sum over metrics and cells of coefficient * metric <= upper.

    `name` is the constraint's name in the brief (several rows may share it; `where` tells them apart, e.g.
    "live"). `aim` marks a target: a plan that spends nothing does not reach it.

    Attributes:
        coefficients: of the metrics, each (n_cells,), or (len(cells),) where `cells` is given.
        per_step: room that one natural step of the brief's number gives (`campaign.steps`): so much, or as
            much as these metrics are at the plan (0.1 of a return is 0.1 yuan a yuan spent).
        per_budget: room that one yuan more of budget gives, where the limit is a share of it.
        cells: numbers of the cells that the row speaks of; None for all. Thousands of rows speak of few each.
    """

    name: str
    coefficients: Mapping[Metric, FloatArray]
    lower: float = -np.inf
    upper: float = np.inf
    unit: str = "CNY"
    where: str = ""
    aim: bool = False
    per_step: float | Mapping[Metric, FloatArray] = 1.0
    per_budget: float = 0.0
    cells: NDArray[np.int64] | None = None

    def lhs(self, metrics: Mapping[Metric, FloatArray]) -> FloatArray:
        """(...) sum of coefficient * metric, of metrics (..., n_cells)."""
        return self._sum(self.coefficients, metrics)

    def room(self, metrics: Mapping[Metric, FloatArray]) -> float:
        """What a natural step gives at these metrics (n_cells,)."""
        step = self.per_step
        return float(self._sum(step, metrics) if isinstance(step, Mapping) else step)

    def _sum(self, weights: Mapping[Metric, FloatArray], metrics: Mapping[Metric, FloatArray]) -> FloatArray:
        here = slice(None) if self.cells is None else self.cells
        each = (np.asarray(metrics[m][..., here] * c).sum(axis=-1) for m, c in weights.items())
        return sum(each, np.asarray(0.0))

    def size(self, metrics: Mapping[Metric, FloatArray]) -> float:
        """What a violation at metrics (n_cells,) is measured against: the absolute terms, or a limit."""
        terms = float(self._sum({m: np.abs(c) for m, c in self.coefficients.items()}, metrics))
        return max(terms, *(abs(x) if np.isfinite(x) else 0.0 for x in (self.lower, self.upper)))

    def spread(self, n_cells: int) -> dict[Metric, FloatArray]:
        """The coefficients of all cells, each (n_cells,)."""
        found: dict[Metric, FloatArray] = {}
        for metric, c in self.coefficients.items():
            found[metric] = np.zeros(n_cells)
            found[metric][slice(None) if self.cells is None else self.cells] = c
        return found


def sparse_rows(rows: Sequence[Row], metric: Metric, n_cells: int) -> sparse.csr_matrix:
    """(len(rows), n_cells) coefficients of one metric: thousands of rows speak of few cells each."""
    every = np.arange(n_cells)
    cells = [every if row.cells is None else row.cells for row in rows]
    at = [k if metric in row.coefficients else every[:0] for row, k in zip(rows, cells, strict=True)]
    values = [np.zeros(len(k)) + row.coefficients.get(metric, 0.0) for row, k in zip(rows, at, strict=True)]
    ends = np.cumsum([0, *(len(k) for k in at)])
    parts = np.concatenate([*values, np.zeros(0)]), np.concatenate([*at, every[:0]]), ends
    found = sparse.csr_matrix(parts, shape=(len(rows), n_cells))
    found.eliminate_zeros()
    return found


@dataclass(frozen=True)
class CellLimit:
    """What one constraint of the brief says about single cells: the source of one side of `Limits`.

    Attributes:
        name: the constraint's name in the brief.
        side: the array of `Limits` it tightens.
        value: (n_cells,), nan where the constraint says nothing.
        per_step, per_budget: (n_cells,) as of `Row`.
    """

    name: str
    side: Literal["lower_cny", "upper_cny", "min_if_used_cny", "marginal_floor"]
    value: FloatArray
    per_step: FloatArray | float = 1.0
    per_budget: FloatArray | float = 0.0


@dataclass(frozen=True)
class Limits:
    """Limits of single cells, all (n_cells,); `names` says which constraint set each (for messages).

    Attributes:
        lower_cny, upper_cny: 0 and inf where nothing is said (the budget row still holds).
        min_if_used_cny: spend is 0 or at least this; 0 where nothing is said.
        marginal_floor: in a cell with spend the last yuan returned at least this much of `Problem.worth`: the
            left derivative d worth(block) / d spend_c at the plan, the other cells' spends as planned (so an
            S-curve may jump over its flat start, and a kink may be reached). 0 where nothing is said.
            `solver.stops` turns it into limits; `solve` alone does not look at it.
        names: constraint name -> cells it limits.
        sources: every limit of every constraint before they were combined (tightest wins).
    """

    lower_cny: FloatArray
    upper_cny: FloatArray
    min_if_used_cny: FloatArray
    marginal_floor: FloatArray
    names: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    sources: tuple[CellLimit, ...] = ()


@dataclass(frozen=True)
class Risk:
    """A floor on the lower tail of the objective over `Market.draws` (DESIGN 4.3 `risk`).

    cvar: the mean of the worst `level` share of the draws reaches it. chance: at least `level` of the draws
    do (a brief's quantile q is the chance 1 - q).
    """

    name: str
    measure: Literal["cvar", "chance"]
    level: float
    floor: float


@dataclass(frozen=True)
class Problem:
    """maximise sum of objective coefficient * metric, subject to limits, rows, risk and the budget.

    Attributes:
        budget_cny: total spend is at most this. It is no entry of `rows`: the solver adds it under the name
        `total`. objective: what is maximised. Usually `worth` (profit: (margin - fee) gmv - spend); with a
        `target` of
            new_fans or new_fan_gmv it is minus spend (cheapest plan, so its value is <= 0); with a `target`
            of marginal_roi v it is worth - v spend (spend until the next yuan of the total returns v).
        worth: what the brief counts as value in roi_floor, marginal_floor, fairness_floor and risk: gmv for
            new_fan_gmv and profit, fans for new_fans, entries for live_entries. None means the objective.
    """

    market: Market
    objective: Mapping[Metric, FloatArray]
    budget_cny: float
    limits: Limits
    rows: tuple[Row, ...]
    risk: Risk | None = None
    worth: Mapping[Metric, FloatArray] | None = None


@dataclass(frozen=True)
class Solution:
    """What the solver found; every number is recomputed from the true curves at `spend_cny`.

    Attributes:
        status: `optimal` (gap <= gap_tol), `within_gap` (could not close it, bound is valid) or `time_limit`.
        spend_cny: (n_cells,).
        value, upper_bound: objective at `spend_cny` and the best any plan could reach.
        shadow_prices: objective gained per natural step by which a constraint's numbers move outwards
            (`campaign.steps`), by name; `total`: per yuan of budget, limits that are shares of it along.
        yuan_price: objective per yuan of budget, every other limit as it is: what a yuan must return; None
            where nothing moves with the budget, so that `total` says it.
        binding: names of constraints that hold with equality.
        seconds, rounds: solver effort.
    """

    status: Literal["optimal", "within_gap", "time_limit"]
    spend_cny: FloatArray
    value: float
    upper_bound: float
    shadow_prices: Mapping[str, float]
    binding: tuple[str, ...]
    seconds: float
    rounds: int
    yuan_price: float | None = None

    @property
    def gap(self) -> float:
        """upper_bound / value - 1 for a value > 0 (see `relative_gap`)."""
        return relative_gap(self.upper_bound, self.value)


def relative_gap(bound: float, value: float) -> float:
    """(bound - value) / |value|; 0 where nothing better can exist, inf while there is no plan or no bound and
    where the value is 0 and the bound is not.

    >>> relative_gap(102.0, 100.0), relative_gap(5.0, 5.0), relative_gap(1.0, 0.0)
    (0.02, 0.0, inf)
    """
    if bound <= value:
        return 0.0
    if value == 0 or not np.isfinite(bound - value):
        return float("inf")
    return (bound - value) / abs(value)
