"""The arrays the optimiser works on: a `Problem` laid out block by block.

Cells are laid out as a grid (n_blocks, width); short blocks are filled with dead cells, and additive cells
(infinite `users`) are blocks of their own. Everything is linear in five basic metrics per cell: spend,
impressions, fans (gmv = gmv_per_fan x fans), reached, active. It must not import cvxpy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.supply.curves import CurveSet, FloatArray
from targeting.allocation.settings import SETTINGS

BASIC = ("spend", "impressions", "fans", "reached", "active")


@dataclass(frozen=True)
class Choices:
    """The on/off choices of every block's first switches, each as a block of its own, n in all.

    Attributes:
        program: the blocks (n, width); switches beyond the first ones are still open in each.
        block: (n,) the block that each is a choice of, in order.
        at: (n * width,) its cells.
    """

    program: Program
    block: NDArray[np.int64]
    at: NDArray[np.int64]

    @cached_property
    def first(self) -> NDArray[np.int64]:
        """(n_blocks,) number of each block's first choice."""
        return np.flatnonzero(np.r_[True, np.diff(self.block) > 0])

    def most(self, value: FloatArray) -> FloatArray:
        """(n,) of the choices -> (n_blocks,) the most of each block's."""
        return np.asarray(np.maximum.reduceat(value, self.first))

    def best(self, spend: FloatArray, value: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The spend (m,) of each block's best choice, and its value (n_blocks,)."""
        order = np.lexsort((-value, self.block))[self.first]
        return self.program.grid(spend)[order].ravel(), value[order]


@dataclass(frozen=True)
class Program:
    """A problem in the optimiser's layout; m = n_blocks * width cells, r rows (row 0 is the budget).

    Attributes:
        cell: (m,) the problem's cell behind each grid cell, -1 for dead ones.
        width: cells per block.
        curves, hazard: (m,); users: (n_blocks,), inf where additive.
        lower, upper: (m,) limits of the spend; `floor_on` the least spend of a cell that is used.
        switch: (m,) the cell may be off: spend 0, or in [floor_on, upper].
        objective: basic metric -> (m,).
        matrix: basic metric -> sparse (r, m).
        row_lower, row_upper: (r,).
        row_name, row_where: (r,) names of rows.
    """

    cell: NDArray[np.int64]
    width: int
    curves: CurveSet
    hazard: FloatArray
    users: FloatArray
    lower: FloatArray
    upper: FloatArray
    floor_on: FloatArray
    switch: NDArray[np.bool_]
    objective: Mapping[str, FloatArray]
    matrix: Mapping[str, sparse.csr_matrix]
    row_lower: FloatArray
    row_upper: FloatArray
    row_name: tuple[str, ...]
    row_where: tuple[str, ...]

    @property
    def additive(self) -> bool:
        """Whether every cell stands alone."""
        return self.width == 1 and not bool(np.isfinite(self.users).any())

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        return len(self.users)

    @cached_property
    def absolute(self) -> Mapping[str, sparse.csr_matrix]:
        """The absolute values of `matrix`, of the metrics that any row uses."""
        return {k: sparse.csr_matrix(abs(v)) for k, v in self.matrix.items() if v.nnz}

    @cached_property
    def touching(self) -> tuple[sparse.csr_matrix, ...]:
        """(r, m) ones where a row speaks of a cell, of each metric that any row uses."""
        return tuple(sparse.csr_matrix(v.astype(bool), dtype=float) for v in self.absolute.values())

    @cached_property
    def across(self) -> Mapping[str, sparse.csr_matrix]:
        """The transposes (m, r) of `matrix`, of the metrics that any row uses."""
        return {k: sparse.csr_matrix(v.T) for k, v in self.matrix.items() if v.nnz}

    @cached_property
    def ups(self) -> NDArray[np.int64]:
        """Numbers of the rows with an upper limit."""
        return np.flatnonzero(np.isfinite(self.row_upper))

    @cached_property
    def downs(self) -> NDArray[np.int64]:
        """Numbers of the rows with a lower limit."""
        return np.flatnonzero(np.isfinite(self.row_lower))

    @cached_property
    def choices(self) -> Choices:
        """Every on/off choice of a block's first `SETTINGS.enumerated_switches` switches."""
        switch = self.grid(self.switch)
        rank = np.where(switch, np.cumsum(switch, axis=1) - 1, -1)
        most = min(int(rank.max(initial=-1)) + 1, SETTINGS.enumerated_switches)
        if not most:
            return Choices(self, np.arange(self.n_blocks), np.arange(len(self.switch)))
        number = np.arange(2**most)
        has = switch.sum(axis=1)[:, None]
        bits = (number[:, None] >> np.arange(most)) & 1  # (2^most, most): on; those a block lacks are on
        block, choice = np.nonzero(((has[:, :, None] > np.arange(most)) | (bits == 1)).all(axis=2))
        at = (block[:, None] * self.width + np.arange(self.width)).ravel()
        rank, floor = rank[block], self.grid(self.floor_on)[block]
        decided, high = (rank >= 0) & (rank < most), self.grid(self.upper)[block]
        on = np.take_along_axis(bits[choice], np.clip(rank, 0, most - 1), axis=1) == 1
        least = np.minimum(np.maximum(floor, SETTINGS.hardly * high), high)
        lower = np.where(decided, np.where(on, least, 0.0), self.grid(self.lower)[block])
        chosen = replace(
            self,
            cell=self.cell[at],
            curves=self.curves.take(at),
            hazard=self.hazard[at],
            users=self.users[block],
            lower=lower.ravel(),
            upper=np.where(decided & ~on, 0.0, high).ravel(),
            floor_on=floor.ravel(),
            switch=(switch[block] & ~decided).ravel(),
        )
        return Choices(chosen, block, at)

    def by_row(self, sides: FloatArray) -> FloatArray:
        """(r,) signed numbers of rows from >= 0 ones of their upper, then their lower limits."""
        out = np.zeros(len(self.row_lower))
        out[self.ups] += sides[: len(self.ups)]
        out[self.downs] -= sides[len(self.ups) :]
        return out

    def grid(self, x: NDArray[Any]) -> NDArray[Any]:
        """(..., m) -> (..., n_blocks, width)."""
        return x.reshape(*x.shape[:-1], self.n_blocks, self.width)

    def weights(self, prices: FloatArray, *, objective: float = 1.0) -> dict[str, FloatArray]:
        """Price-adjusted weight of each basic metric, (m,): what the pricing problem of a block maximises."""
        worth = {k: objective * self.objective[k] for k in BASIC}
        return {k: worth[k] - self.across[k] @ prices if k in self.across else worth[k] for k in BASIC}

    def price_limits(self, prices: FloatArray) -> float:
        """prices x limits, the constant of the Lagrangian: upper limits where the price is > 0, lower where
        < 0.
        """
        high = np.where(prices > 0, prices * np.where(np.isfinite(self.row_upper), self.row_upper, 0.0), 0.0)
        low = np.where(prices < 0, prices * np.where(np.isfinite(self.row_lower), self.row_lower, 0.0), 0.0)
        return float((high + low).sum())

    def lawful(self, prices: FloatArray) -> FloatArray:
        """Prices without those that have no limit to push against: any such vector gives a valid bound."""
        prices = np.where(np.isfinite(self.row_upper), prices, np.minimum(prices, 0.0))
        return np.where(np.isfinite(self.row_lower), prices, np.maximum(prices, 0.0))

    def narrowed(self, cell: int, low: float, high: float) -> Program:
        """The same program with one cell decided on and within [low, high] (off: both 0)."""
        lower, upper, switch = self.lower.copy(), self.upper.copy(), self.switch.copy()
        lower[cell], upper[cell], switch[cell] = low, high, False
        return replace(self, lower=lower, upper=upper, switch=switch)

    def laid(self, x: FloatArray) -> FloatArray:
        """Numbers of the problem's cells (n_cells,) -> the grid (m,), 0 in dead cells."""
        return np.where(self.cell >= 0, np.asarray(x, float)[np.maximum(self.cell, 0)], 0.0)

    def told(self, x: FloatArray, n_cells: int) -> FloatArray:
        """The grid (m,) -> numbers of the problem's cells (n_cells,)."""
        out = np.zeros(n_cells)
        alive = self.cell >= 0
        out[self.cell[alive]] = x[alive]
        return out
