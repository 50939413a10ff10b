"""A plan as the units of a console: one per segment and placement, or per stretch of slots where there are
several, with daily budgets in whole yuan, and every yuan of the plan accounted for.

* The slots of a segment and placement begin as a unit each. One that is below the platform's minimum is
  merged with the nearest other; one that is still below it alone is dropped, with the reason.
* A daily budget is spend over dates, rounded down to whole yuan, so that no limit of the plan is exceeded;
  what that leaves is told.
* A campaign's budget is a ceiling over its units. Where all of them together are below the campaign's minimum
  it is lifted to that, and the units' budgets still bind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor

import polars as pl

from models.contracts.unit_names import unit_name
from targeting.export.bids import Bid, bid_of
from targeting.export.export_rules import ExportRules
from targeting.export.guarantee import Cover, Fans, cover
from targeting.export.schedule import Schedule, schedule_of
from targeting.plan.decided import DecidedPlan
from targeting.plan.person_offers import CELL

_SUMS = ("spend_cny", "new_fans", "new_fans_low", "new_fans_high", "new_fan_gmv_cny")


@dataclass(frozen=True)
class Unit:
    """One unit to launch.

    Attributes:
        name: says campaign, segment and placement; a report that has it finds the plan.
        campaign: the console's campaign it belongs to: one a placement.
        segment, placement: of the plan.
        slots: of the plan that it holds.
        schedule: when it runs.
        spend_cny: of the plan. daily_cny: of the unit, whole yuan.
        new_fans: of the plan, or None.
        bid, cover: what to bid, and what the console's guarantee is worth.
    """

    name: str
    campaign: str
    segment: str
    placement: str
    slots: tuple[int, ...]
    schedule: Schedule
    spend_cny: float
    daily_cny: int
    new_fans: float | None
    bid: Bid
    cover: Cover


@dataclass(frozen=True)
class Dropped:
    """Money of a segment and placement that cannot be launched, and why."""

    segment: str
    placement: str
    spend_cny: float
    why: str


@dataclass(frozen=True)
class Launch:
    """The units, and where the plan's money is.

    Attributes:
        units: what to launch.
        dropped: what is too small.
        campaigns: console campaign -> daily ceiling, whole yuan.
        planned_cny: of the plan; it is launched_cny + dropped_cny + rounded_cny.
    """

    units: tuple[Unit, ...]
    dropped: tuple[Dropped, ...]
    campaigns: dict[str, int]
    planned_cny: float

    @property
    def launched_cny(self) -> float:
        """Daily budgets over all dates."""
        return float(sum(unit.daily_cny * len(unit.schedule.days) for unit in self.units))

    @property
    def dropped_cny(self) -> float:
        """Of what was dropped."""
        return round(sum(one.spend_cny for one in self.dropped), 3)

    @property
    def rounded_cny(self) -> float:
        """Lost to whole yuan."""
        return round(self.planned_cny - self.launched_cny - self.dropped_cny, 3)


def launch_of(plan: DecidedPlan, rules: ExportRules) -> Launch:
    """The units of a plan."""
    units: list[Unit] = []
    dropped: list[Dropped] = []
    funded = plan.allocation.filter(pl.col("spend_li") > 0).sort(*CELL, "slot")
    for (segment, placement), cells in funded.group_by(CELL, maintain_order=True):
        for slots in _merged(plan, cells, rules.minimums.unit_day_cny):
            mine = cells.filter(pl.col("slot").is_in(slots))
            schedule = schedule_of(plan.campaign, slots)
            daily = _daily(mine, schedule)
            spend = float(mine["spend_li"].sum()) / 1000
            if daily < rules.minimums.unit_day_cny:
                least = rules.minimums.unit_day_cny
                why = f"{daily} yuan a day, the platform takes {least:g} and more a unit; set min_ticket_cny"
                dropped.append(Dropped(str(segment), str(placement), spend, why))
            else:
                units.append(_unit(plan, rules, mine, slots, schedule, daily))
    return Launch(
        tuple(units), tuple(dropped), _campaigns(units, rules.minimums.campaign_day_cny), plan.spend_cny
    )


def _merged(plan: DecidedPlan, cells: pl.DataFrame, least_cny: float) -> list[tuple[int, ...]]:
    """Slots by unit: each alone, but those below the minimum with their nearest neighbours."""
    groups: list[tuple[int, ...]] = [(slot,) for slot in cells["slot"].to_list()]

    def daily(slots: Sequence[int]) -> int:
        return _daily(cells.filter(pl.col("slot").is_in(slots)), schedule_of(plan.campaign, slots))

    while len(groups) > 1 and min(map(daily, groups)) < least_cny:
        at = min(range(len(groups)), key=lambda i: daily(groups[i]))
        beside = [i for i in (at - 1, at + 1) if 0 <= i < len(groups)]
        other = min(beside, key=lambda i: min(abs(a - b) for a in groups[i] for b in groups[at]))
        first, second = sorted((at, other))
        groups[first : second + 1] = [(*groups[first], *groups[second])]
    return groups


def _daily(cells: pl.DataFrame, schedule: Schedule) -> int:
    """Whole yuan a date."""
    return floor(int(cells["spend_li"].sum()) / (1000 * len(schedule.days)))


def _unit(
    plan: DecidedPlan,
    rules: ExportRules,
    cells: pl.DataFrame,
    slots: tuple[int, ...],
    schedule: Schedule,
    daily: int,
) -> Unit:
    segment, placement = cells.select(CELL).row(0)
    total = {name: None if cells[name].null_count() else float(cells[name].sum()) for name in _SUMS}
    spend, fans = total["spend_cny"] or 0.0, total["new_fans"]
    weighed = cells.filter(pl.col("marginal_gmv_per_cny").is_finite())
    worth = (pl.col("marginal_gmv_per_cny") * pl.col("spend_cny")).sum() / pl.col("spend_cny").sum()
    marginal = weighed.select(worth).item() if weighed.height else None
    bid = bid_of(
        plan,
        spend_cny=spend,
        new_fans=fans,
        gmv_cny=total["new_fan_gmv_cny"],
        marginal_gmv_per_cny=marginal,
        refund_share=rules.refund_share,
    )
    low, high = total["new_fans_low"], total["new_fans_high"]
    certain = fans or 0.0
    held = cover(
        rules.guarantee,
        spend_cny=spend,
        target_cny=bid.fan_cny or 0.0,
        fans=Fans(certain, certain if low is None else low, certain if high is None else high),
        days=len(schedule.days),
        edits=rules.planned_edits,
    )
    several = plan.campaign.slots.count > 1
    name = unit_name(
        plan.campaign.campaign_id, segment, placement, slots=(slots[0], slots[-1]) if several else None
    )
    campaign = f"{plan.campaign.campaign_id}|{placement}"
    return Unit(name, campaign, segment, placement, slots, schedule, spend, daily, fans, bid, held)


def _campaigns(units: Sequence[Unit], least_cny: float) -> dict[str, int]:
    """Ceiling of each campaign: its dearest date, the platform's minimum at least."""
    ceilings: dict[str, int] = {}
    for name in dict.fromkeys(unit.campaign for unit in units):
        mine = [unit for unit in units if unit.campaign == name]
        days = {day for unit in mine for day in unit.schedule.days}
        dearest = max(sum(u.daily_cny for u in mine if day in u.schedule.days) for day in days)
        ceilings[name] = max(dearest, round(least_cny))
    return ceilings
