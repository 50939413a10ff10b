"""Outcomes of a spend by plain loops over the formulae of DESIGN 4.2: the checker's own copy.

Exists so that the audit owes nothing to the solver's vectorised outcomes. Slow on purpose. It must not import
anything of the allocation package but `problem`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from targeting.allocation.problem import Market, Rooms


@dataclass(frozen=True)
class Outcome:
    """What a spend brings, one number per cell."""

    impressions: list[float]
    entries: list[float]
    fans: list[float]
    gmv: list[float]
    reached: list[float]


def true_outcome(market: Market, spend_cny: Sequence[float], *, draw: int | None = None) -> Outcome:
    """Outcomes of a spend (n_cells,), at the expected curves or at one draw of `market.draws`."""
    n = len(market)
    hazard, gmv_per_fan, supply = market.hazard, market.gmv_per_fan_cny, market.supply
    if draw is not None and market.draws is not None:
        hazard, gmv_per_fan = market.draws.hazard[draw], market.draws.gmv_per_fan_cny[draw]
        supply = market.draws.supply.draw(draw)
    shown = [float(a) for a in supply.value(np.array(spend_cny, dtype=float))]
    opened = _opened(market, shown, draw)
    rate = [float(hazard[i]) * opened[i] for i in range(n)]
    fans, reached = [0.0] * n, [0.0] * n
    blocks: dict[int, list[int]] = {}
    for i in range(n):
        blocks.setdefault(int(market.block[i]), []).append(i)
    for members in blocks.values():
        users = float(market.users[members[0]])
        pull = sum(rate[i] * shown[i] for i in members) / users
        crowd = sum(shown[i] for i in members) / users
        for i in members:
            fans[i] = rate[i] * shown[i] * _competing(pull)
            reached[i] = shown[i] * _competing(crowd)
    return Outcome(
        impressions=shown,
        entries=[float(market.entry[i]) * opened[i] * shown[i] for i in range(n)],
        fans=fans,
        gmv=[float(gmv_per_fan[i]) * fans[i] for i in range(n)],
        reached=reached,
    )


def _opened(market: Market, shown: Sequence[float], draw: int | None) -> list[float]:
    """Share of its arrivals that each cell's live room lets in."""
    rooms = market.rooms
    if rooms is None:
        return [1.0] * len(shown)
    places = rooms.places if draw is None or rooms.draws is None else rooms.draws[draw]
    arrivals = [0.0] * len(places)
    for i, room in enumerate(rooms.of.tolist()):
        if room >= 0:
            arrivals[room] += float(market.entry[i]) * shown[i]
    return [1.0 if r < 0 else _competing(arrivals[r] / float(places[r])) for r in rooms.of.tolist()]


def _competing(z: float) -> float:
    """(1 - exp(-z)) / z: one person becomes a fan, or is reached, once."""
    return -math.expm1(-z) / z if z > 0 else 1.0


def independent_parts(market: Market) -> list[list[int]]:
    """Cells by shared users: parts that cannot take fans from each other. Those of one live room, which can
    crowd each other out of it, are one part.
    """
    part_of_block = {block: block for block in market.block.tolist()}
    roomy: dict[int, int] = {}
    if market.rooms is not None:
        for block, room in zip(market.block.tolist(), market.rooms.of.tolist(), strict=True):
            if room >= 0:
                kept, gone = roomy.setdefault(room, part_of_block[block]), part_of_block[block]
                part_of_block = {b: kept if p == gone else p for b, p in part_of_block.items()}
                roomy = {r: kept if p == gone else p for r, p in roomy.items()}
    parts: dict[int, list[int]] = {}
    for i, block in enumerate(market.block.tolist()):
        parts.setdefault(part_of_block[block], []).append(i)
    return list(parts.values())


def part_of(market: Market, members: Sequence[int]) -> Market:
    """The market of some cells alone (without draws)."""
    at = np.array(members, dtype=np.int64)
    return Market(
        cells=market.cells[members],
        block=market.block[at],
        supply=market.supply.take(at),
        users=market.users[at],
        hazard=market.hazard[at],
        entry=market.entry[at],
        gmv_per_fan_cny=market.gmv_per_fan_cny[at],
        observed_max_cny=market.observed_max_cny[at],
        rooms=None if market.rooms is None else Rooms(market.rooms.of[at], market.rooms.places),
    )


def counted(outcome: Outcome, objective: str) -> list[float]:
    """What the objective counts as value, cell by cell: fans, entries, or GMV (profit counts GMV too)."""
    return {"new_fans": outcome.fans, "live_entries": outcome.entries}.get(objective, outcome.gmv)


def marginal_of_last_yuan(market: Market, spend_cny: Sequence[float], cell: int, *, objective: str) -> float:
    """Value per yuan of the last fen (0.01 CNY or a millionth of the cell's spend) spent in the cell."""
    spend = [float(s) for s in spend_cny]
    step = min(spend[cell], max(1e-6 * spend[cell], 0.01))
    less = list(spend)
    less[cell] -= step
    full = sum(counted(true_outcome(market, spend), objective))
    return (full - sum(counted(true_outcome(market, less), objective))) / step
