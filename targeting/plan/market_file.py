"""A market as JSON text, so that a saved plan can be loaded and asked again (frontier, why, what-if).

Point estimates are written exactly; draws too, because the intervals of a reloaded plan must be the same to
the last digit. It must not touch the disk.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field, PlainSerializer, PlainValidator, TypeAdapter

from models.chance import Chance
from models.errors import DataError
from models.stored import WRONG_SHAPE, Array, File, Rows, read, written
from models.supply.curves import FAMILIES, CurveSet
from targeting.allocation.problem import CELL_KEYS, Draws, Market, Rooms

CELLS = {key: pl.Int64 if key == "slot" else pl.String for key in CELL_KEYS}


def _codes(raw: Any) -> NDArray[np.int8]:
    return raw if isinstance(raw, np.ndarray) else np.array([FAMILIES.index(name) for name in raw], np.int8)


def _names(codes: NDArray[np.int8]) -> list[str]:
    return [FAMILIES[code] for code in codes]


_Whole = Annotated[
    NDArray[np.int64],
    PlainValidator(lambda raw: np.asarray(raw, dtype=np.int64)),
    PlainSerializer(np.ndarray.tolist),
]


class _Curves(File):
    family: Annotated[NDArray[np.int8], PlainValidator(_codes), PlainSerializer(_names)]
    top: Array
    scale_cny: Array
    shape: Array
    base: Array
    knots: tuple[Array | None, ...]

    def curves(self) -> CurveSet:
        return CurveSet(**dict(self))


class _Draws(File):
    supply: _Curves
    hazard: Array
    gmv_per_fan_cny: Array


class _Rooms(File):
    of: _Whole
    places: Array
    draws: Array | None


class _Market(File):
    cells: Annotated[pl.DataFrame, Rows(CELLS, by_column=True)]
    block: _Whole
    supply: _Curves
    users: Array
    hazard: Array
    entry: Array
    gmv_per_fan_cny: Array
    observed_max_cny: Array
    draws: _Draws | None
    chance: Chance | None = None
    rooms: _Rooms | None = None
    # Markets of before had slots that carried over; those that did cannot be asked again.
    carryover: Annotated[float, Field(ge=0, le=0, exclude=True)] = 0.0
    carry_in_cny: Annotated[None, Field(exclude=True)] = None

    def market(self) -> Market:
        kept = {name: value for name, value in self if name not in ("carryover", "carry_in_cny")}
        draws = self.draws
        drawn = None if draws is None else Draws(**{**dict(draws), "supply": draws.supply.curves()})
        rooms = None if self.rooms is None else Rooms(**dict(self.rooms))
        market = Market(**{**kept, "supply": self.supply.curves(), "draws": drawn, "rooms": rooms})
        _refuse_crooked(market)
        return market


def _refuse_crooked(market: Market) -> None:
    """Refuse arrays that do not fit the cells, or hold what no market can."""
    n = market.cells.height
    of_cells = {name: getattr(market, name) for name in ("users", "hazard", "entry", "gmv_per_fan_cny")}
    shapes = {**of_cells, "observed_max_cny": market.observed_max_cny, "block": market.block}
    shapes["supply"] = market.supply.family
    drawn = market.draws
    if drawn is not None:
        of_draws = {"draws.hazard": drawn.hazard, "draws.gmv_per_fan_cny": drawn.gmv_per_fan_cny}
        if len({array.shape for array in (*of_draws.values(), drawn.supply.top)}) > 1:
            raise ValueError("draws: expected as many of each")
        of_cells |= of_draws
        shapes |= {"draws.supply": drawn.supply.family, "draws.hazard": drawn.hazard[0]}
    for name, array in shapes.items():
        if array.shape != (n,):
            raise ValueError(f"{name}: expected one number for each of {n} cells")
    for name, array in of_cells.items():
        if np.isnan(array).any() or (name != "users" and np.isinf(array).any()):
            raise ValueError(f"{name}: expected finite numbers")
    if not (market.users > 0).all() or not (market.hazard >= 0).all() or not (market.entry >= 0).all():
        raise ValueError("users, hazard, entry: expected none below 0, and users")
    if np.isnan(market.observed_max_cny).any() or not ((market.block >= 0) & (market.block < n)).all():
        raise ValueError("observed_max_cny, block: expected numbers, and those of cells")
    if market.chance is not None:
        _refuse_crooked_chance(market.chance)
    if market.rooms is not None:
        _refuse_crooked_rooms(market.rooms, (n, 0 if drawn is None else len(drawn.hazard)))


def _refuse_crooked_rooms(rooms: Rooms, shape: tuple[int, int]) -> None:
    n, n_draws = shape
    count = len(rooms.places)
    if (
        rooms.of.shape != (n,)
        or rooms.places.shape != (count,)
        or not ((rooms.of >= -1) & (rooms.of < count)).all()
    ):
        raise ValueError("rooms: expected one of the rooms, or -1, for each cell")
    if rooms.draws is not None and rooms.draws.shape != (n_draws, count):
        raise ValueError("rooms: expected as many draws as of the curves")
    if not (rooms.places > 0).all() or (rooms.draws is not None and not (rooms.draws > 0).all()):
        raise ValueError("rooms: expected places")


def _refuse_crooked_chance(chance: Chance) -> None:
    if chance.buyer_cny.shape != chance.buyer_share.shape or chance.buyer_cny.ndim != 1:
        raise ValueError("chance: expected as many buyers as shares")
    numbers = [*chance.buyer_cny, *chance.buyer_share, chance.day_sd, chance.cell_sd, chance.fan_unit]
    if not np.isfinite(numbers).all() or min(numbers) < 0 or chance.fan_unit == 0:
        raise ValueError("chance: expected finite numbers from 0, and a fan_unit")
    if len(chance.buyer_cny) and not chance.buyer_cny @ chance.buyer_share > 0:
        raise ValueError("chance: expected buyers who leave something")


_MARKET = TypeAdapter(_Market)


def market_to_json(market: Market) -> str:
    """The market as JSON text; `market_from_json` gives an equal one back."""
    content = _Market.model_validate(market)
    return written(_MARKET, content.model_copy(update={"cells": market.cells.select(CELL_KEYS)}))


def market_from_json(text: str, *, source: str = "market.json") -> Market:
    """The market that `market_to_json` wrote.

    Raises:
        DataError: the text is not such a market.
    """
    held = read(_MARKET, text, source=source, what="saved market")
    try:
        return held.market()
    except (DataError, *WRONG_SHAPE) as error:
        raise DataError(
            f"{source}: is not a saved market ({error}); expected a file that `targeting` wrote"
        ) from error
