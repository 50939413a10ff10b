"""From what was learned to what money buys: the `Market` of one campaign.

The learned pieces speak of one day and one audience: users, follow rate and value per segment x placement
from the scores, the daily supply curve a_1 and the evidence draws from the logs. A campaign of d days in a
slot buys a(s) = d a_1(s / d), because each day starts a fresh auction with the same audience;
`Market.observed_max_cny` grows with d for the same reason. It must not import the optimiser, estimators or
the planner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.audience.cells import CellFactors
from models.chance import Chance
from models.contracts.words import respelt
from models.errors import CampaignError, DataError
from models.supply.curves import CurveSet, FloatArray
from models.supply.day_parts import DayParts
from models.supply.delivery_report import DeliveryModel
from models.supply.live_room import LiveRoom
from models.supply.response import ResponseModel
from targeting.allocation.problem import Draws, Learned, Market, Rooms
from targeting.campaign import Campaign
from targeting.grants import with_grants
from targeting.segments import Segmentation


def market_of(learned: Learned, *, campaign: Campaign, parts: DayParts | None = None) -> Market:
    """The market of a campaign: its placements, its days, its slots.

    Args:
        learned: one day of one audience.
        campaign: placements, days, slots.
        parts: how hours and weekdays differ; a slot has the mean multipliers of its hours.

    Raises:
        CampaignError: a placement of the brief was never learned.
    """
    spelt = respelt(learned.cells["placement"].cast(pl.String), campaign.placements)
    learned = replace(learned, cells=learned.cells.with_columns(spelt))
    at = _chosen(learned.cells, campaign.placements)
    slots = campaign.slots.count
    days = campaign.days / slots
    index = np.tile(at, slots)
    cells = learned.cells[index].select(
        pl.lit(campaign.campaign_id).alias("campaign_id"),
        pl.lit(campaign.merchant_id).alias("merchant_id"),
        pl.col("segment").cast(pl.String),
        pl.col("placement").cast(pl.String),
        pl.Series("slot", np.repeat(np.arange(slots), len(at)), dtype=pl.Int64),
        pl.col("fan_kind").cast(pl.String),
    )
    draws = learned.draws
    units, fans, value = _slot_factors(cells, campaign, parts)
    bought = Market(
        cells=cells,
        block=blocks(cells),
        supply=over_days(learned.supply.take(index), days).rescaled(top=units),
        users=learned.users[index],
        hazard=learned.hazard[index] * fans,
        entry=learned.entry[index],
        gmv_per_fan_cny=learned.gmv_per_fan_cny[index] * value,
        observed_max_cny=learned.observed_max_cny[index] * days,
        draws=None
        if draws is None
        else Draws(
            supply=over_days(draws.supply.take(index), days).rescaled(top=units),
            hazard=draws.hazard[:, index] * fans,
            gmv_per_fan_cny=draws.gmv_per_fan_cny[:, index] * value,
        ),
        chance=None if learned.chance is None else learned.chance.over_days(campaign.days, slots=slots),
        rooms=None if learned.rooms is None else _rooms_of_slots(learned.rooms, at, slots=slots, days=days),
    )
    return with_grants(bought, campaign.grants)


def _rooms_of_slots(rooms: Rooms, at: NDArray[np.int64], *, slots: int, days: float) -> Rooms:
    """The rooms in each slot of `days`: what is let in on one day is forgotten on the next."""
    count = len(rooms.places)
    shift = np.repeat(np.arange(slots) * count, len(at))
    of = np.tile(rooms.of[at], slots)
    return Rooms(
        of=np.where(of >= 0, of + shift, -1),
        places=np.tile(rooms.places, slots) * days,
        draws=None if rooms.draws is None else np.tile(rooms.draws, (1, slots)) * days,
    )


def _with_room(learned: Learned, room: LiveRoom | None) -> Learned:
    """Rates that were learned at the load of the past as those of an empty room, and the room that they fill.

    Arrivals are counted at the central rate of entering; a draw's own rate is in its places.
    """
    if room is None or learned.draws is None:
        return learned
    live = learned.entry > 0
    entry = learned.entry * np.where(live, room.level, 1.0)
    draws = learned.draws
    return replace(
        learned,
        hazard=np.where(live, learned.hazard / room.opened, learned.hazard),
        entry=entry,
        draws=replace(draws, hazard=np.where(live, draws.hazard / room.opened_draws[:, None], draws.hazard)),
        rooms=Rooms(
            of=np.where(live, 0, -1),
            places=np.array([room.places]),
            draws=(room.places_draws * room.level / room.level_draws)[:, None],
        ),
    )


def _slot_factors(
    cells: pl.DataFrame, campaign: Campaign, parts: DayParts | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(n_cells,) multipliers of units per yuan, fans per unit and GMV per fan in each cell's slot."""
    one = np.ones(cells.height)
    if parts is None:
        return one, one, one
    told = parts.over(campaign.starts_at, days=campaign.days, slots=campaign.slots.count)
    known = {name: j for j, name in enumerate(parts.placements)}
    place = np.array([known.get(name, -1) for name in cells["placement"].to_list()])
    found = np.where(place >= 0, told[:, place, cells["slot"].to_numpy()], 1.0)
    return found[0], found[1], found[2]


def part_warnings(parts: DayParts | None, *, campaign: Campaign) -> tuple[str, ...]:
    """A word on slots whose hours or weekdays nothing tells apart."""
    if campaign.slots.count == 1:
        return ()
    within = campaign.days / campaign.slots.count < 1
    what = "hours of the day" if within else "days of the week"
    if parts is not None and (parts.hours_differ if within else parts.weekdays_differ):
        if within or campaign.starts_at is not None:
            return ()
        return ("slots: days of the week differ in what money buys, but the brief has no starts_at; give it",)
    return (f"slots: {what} do not differ beyond chance in these data, so equal slots are planned alike",)


def over_days(daily: CurveSet, days: float) -> CurveSet:
    """a(s) = days * a_1(s / days).

    >>> one = CurveSet.of("log", top=np.array([10.0]), scale_cny=np.array([5.0]))
    >>> bool(np.isclose(over_days(one, 3.0).value(np.array([30.0])), 3.0 * one.value(np.array([10.0])))[0])
    True
    """
    return daily.rescaled(top=days, spend=days)


def blocks(cells: pl.DataFrame) -> NDArray[np.int64]:
    """(n_cells,) equal numbers for cells that compete for the same users: same campaign and segment, in every
    slot, because one person becomes a fan once in the whole campaign.
    """
    keys = cells.select(pl.struct("campaign_id", "merchant_id", "segment").rank("dense").alias("block"))
    return keys["block"].cast(pl.Int64).to_numpy() - 1


def _chosen(cells: pl.DataFrame, placements: Sequence[str]) -> NDArray[np.int64]:
    """Row numbers of the brief's placements, segment by segment."""
    known = cells["placement"].unique(maintain_order=True).to_list()
    unknown = [p for p in placements if p not in known]
    if unknown:
        raise CampaignError(
            f"placements: {unknown[0]!r} is not among those that were learned ({', '.join(known)}); "
            f"take it out of the brief or train on logs that have it"
        )
    if cells.is_empty():
        raise DataError("segments: there is no segment to plan for; score users who are not fans yet")
    return np.flatnonzero(cells["placement"].is_in(list(placements)).to_numpy())


def build_market(
    *,
    segmentation: Segmentation,
    response: ResponseModel,
    evidence: CellFactors,
    campaign: Campaign,
    chance: Chance | None = None,
    parts: DayParts | None = None,
    room: LiveRoom | None = None,
) -> Market:
    """The market of a campaign for people: scores' means, daily supply and evidence brought together.

    Hazard and value are the scores' segment means times the pooled ratio of logged to predicted outcomes, so
    a cell whose scores look lucky is pulled back before the optimiser sees it; the draws are joint across
    cells.

    Args:
        segmentation: who is in which segment; `cells` has users, hazard and value per segment x placement.
        response: one-day supply, rescaled to this audience's segments.
        evidence: ratio of what was logged to what was scored, per cell, with draws.
        campaign: placements, days, slots.
        chance: how a day's outcomes scatter around what is expected; None in a planner of before.
        parts: how hours and weekdays differ; None in a planner of before.
        room: how many the live room holds; None where nothing tells.

    Raises:
        DataError: a cell has no supply curve or no evidence (they were fitted on other segments).
    """
    cells = segmentation.cells
    users = {row["segment"]: float(row["users"]) for row in segmentation.summary.to_dicts()}
    supply = response.take(_rows_of(response.cells, cells, what="supply curve"))
    judged = _rows_of(evidence.cells, cells, what="evidence")
    hazard, gmv = cells["p_follow"].to_numpy(), cells["gmv_per_fan_cny"].to_numpy()
    learned = Learned(
        cells=cells.select("segment", "placement", "fan_kind"),
        supply=supply.curves(users),
        users=cells["users"].cast(pl.Float64).to_numpy(),
        hazard=hazard * evidence.cells["hazard_factor"].to_numpy()[judged],
        entry=cells["p_enter"].cast(pl.Float64).fill_null(0.0).to_numpy(),
        gmv_per_fan_cny=gmv * evidence.cells["gmv_factor"].to_numpy()[judged],
        observed_max_cny=supply.observed_max_cny(users),
        draws=Draws(
            supply=supply.draws(users),
            hazard=hazard * evidence.hazard_factor[:, judged],
            gmv_per_fan_cny=gmv * evidence.gmv_factor[:, judged],
        ),
        chance=chance,
    )
    return market_of(_with_room(learned, room), campaign=campaign, parts=parts)


def _rows_of(learned: pl.DataFrame, cells: pl.DataFrame, *, what: str) -> NDArray[np.int64]:
    """Row numbers of `cells` in `learned`, matched on segment and placement."""
    keys = ["segment", "placement"]
    numbered = learned.select(keys).with_row_index("row")
    found = cells.select(keys).join(numbered, on=keys, how="left", maintain_order="left")
    if found["row"].null_count():
        where = found.filter(pl.col("row").is_null()).row(0, named=True)
        raise DataError(
            f"market: segment {where['segment']!r}, placement {where['placement']!r} has no {what}; "
            f"score and segment with the planner that learned it"
        )
    return found["row"].cast(pl.Int64).to_numpy()


def delivery_market(model: DeliveryModel, *, campaign: Campaign, parts: DayParts | None = None) -> Market:
    """The market of a campaign learned from a console's report; audiences are of unknown size, so cells add
    up. `parts` as of `market_of`.
    """
    cells = model.response.cells.select("segment", "placement", pl.lit("unknown").alias("fan_kind"))
    n = cells.height
    learned = Learned(
        cells=cells,
        supply=model.response.curves(),
        users=np.full(n, np.inf),
        hazard=model.hazard,
        entry=model.entry,
        gmv_per_fan_cny=model.gmv_per_fan_cny,
        observed_max_cny=model.response.observed_max_cny(),
        draws=Draws(
            supply=model.response.draws(), hazard=model.hazard_draws, gmv_per_fan_cny=model.gmv_draws
        ),
        chance=model.chance,
    )
    return market_of(_with_room(learned, model.room), campaign=campaign, parts=parts)
