"""When a unit runs: slots of a campaign as half-hours of the week, in the bits that consoles take.

A campaign's slots share its days evenly. A console repeats a week's bits between two dates, so a unit's bits
are the half-hours of the week that its slots touch. Kuaishou takes 24 x 7 bits from Monday 0:00 on, Ocean
Engine 48 x 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from math import ceil, floor

from targeting.campaign import Campaign

HALVES_A_DAY = 48
HALVES_A_WEEK = 7 * HALVES_A_DAY
_DAYS = ("周一", "周二", "周三", "周四", "周五", "周六", "周日")


@dataclass(frozen=True)
class Schedule:
    """When a unit runs.

    Attributes:
        halves: of the week, Monday 0:00 first, in which it runs.
        first, last: its dates; None where the brief does not say when the campaign starts.
        days: numbers of the dates it runs on, a daily budget may be spent on each.
    """

    halves: frozenset[int]
    first: date | None
    last: date | None
    days: tuple[int, ...]

    def bits(self, a_day: int = 24) -> str:
        """`a_day` x 7 digits: 1 where it runs at some time of that stretch."""
        step = HALVES_A_DAY // a_day
        stretches = range(0, HALVES_A_WEEK, step)
        return "".join("1" if self.halves & set(range(at, at + step)) else "0" for at in stretches)

    @property
    def all_week(self) -> bool:
        """Whether it never pauses."""
        return len(self.halves) == HALVES_A_WEEK

    def words(self) -> str:
        """The bits as hours of days: 周一 18:00-24:00."""
        if self.all_week:
            return "全天"
        said = []
        for day, name in enumerate(_DAYS):
            mine = sorted(half - day * HALVES_A_DAY for half in self.halves if half // HALVES_A_DAY == day)
            for _, run in groupby(enumerate(mine), key=lambda pair: pair[1] - pair[0]):
                held = [half for _, half in run]
                said.append(f"{name} {_clock(held[0])}-{_clock(held[-1] + 1)}")
        return "; ".join(said)


def schedule_of(campaign: Campaign, slots: Sequence[int]) -> Schedule:
    """When some slots of a campaign run; a campaign of one slot that begins at midnight never pauses.

    Where the brief does not say when it starts, the hours of a slot are those of every day of the week.
    """
    length = campaign.days * HALVES_A_DAY / campaign.slots.count
    ends = ((floor(slot * length + 1e-9), ceil((slot + 1) * length - 1e-9)) for slot in slots)
    run = sorted({half for start, stop in ends for half in range(start, stop)})
    begins, whole = campaign.starts_at, campaign.slots.count == 1
    offset = 0 if begins is None else _of_week(begins)
    at = [half + offset for half in run]
    days = sorted({half // HALVES_A_DAY for half in at})
    if whole and offset % HALVES_A_DAY == 0:
        halves = frozenset(range(HALVES_A_WEEK))
    elif begins is None:
        clock = {half % HALVES_A_DAY for half in run}
        halves = frozenset(day * HALVES_A_DAY + half for day in range(7) for half in clock)
    else:
        halves = frozenset(half % HALVES_A_WEEK for half in at)
    if begins is None:
        return Schedule(halves, None, None, tuple(days))
    monday = begins.date() - timedelta(days=begins.weekday())
    first, last = (monday + timedelta(days=day) for day in (days[0], days[-1]))
    return Schedule(halves, first, last, tuple(days))


def _of_week(moment: datetime) -> int:
    return moment.weekday() * HALVES_A_DAY + 2 * moment.hour + moment.minute // 30


def _clock(half: int) -> str:
    return f"{half // 2:02d}:{30 * (half % 2):02d}"
