"""The days of past campaigns in the logs: budgets that follow demand, delivery that follows likely buyers.

Some budgets were drawn at random, and each day a small share of users entered an experiment (held out, video
or live). Campaigns that reach the same people on the same day add up their pressure, and so their prices. It
must not import anything of the project but its siblings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from targeting.world.audiences import Audience, pressures, split_rows
from targeting.world.delivery import draw_impressions, mean_impressions, room_left
from targeting.world.kinds import Kind
from targeting.world.people import People
from targeting.world.showings import Showing, gathered, show
from targeting.world.supply import FloatArray, unit_price

ARMS = np.array([0.3, 0.3, 0.4])  # video, live, held out
TEST_STEPS = np.array([0.35, 0.8, 1.6, 3.0])
FESTIVAL_DAYS = (12, 13, 14)
HIGHEST_PRESSURE = 0.85
WAVE_DAYS = 40.0
RHYTHMS = {"steady": 0.1, "ordinary": 0.3, "bursts": 0.3, "returns": 0.2}  # sd of log budget with demand
BURST_SHARE, BURST_LEVEL, QUIET_LEVEL = 0.15, 4.0, 0.4


@dataclass(frozen=True)
class Calendar:
    """Per day (row) and placement (column): what the day was like."""

    pressure: FloatArray
    price: FloatArray
    traffic: FloatArray
    hazard: FloatArray
    tested: NDArray[np.bool_]


def draw_calendar(rng: np.random.Generator, kind: Kind) -> Calendar:
    """Budgets rise with demand (which also raises prices), except on test days, where a coin sets them."""
    days = kind.history_days
    shape = (days, 2)
    demand = rng.normal(size=(days, 1))
    rhythm = RHYTHMS[kind.buying.rhythm]
    ordinary = np.exp(rhythm * demand + 0.25 * rhythm / 0.3 * rng.normal(size=shape))
    tested = (rng.random(shape) < kind.buying.test_share) & (kind.explore_share > 0)
    level = np.where(tested, rng.choice(TEST_STEPS, shape), ordinary)
    weekend = (np.arange(days) % 7 >= 5)[:, None]
    price = np.exp(0.08 * demand + 0.04 * rng.normal(size=shape))
    hazard = np.exp(0.04 * rng.normal(size=shape))
    age = np.linspace(-1.0, 0.0, days)[:, None]
    festive = np.isin(np.arange(days), FESTIVAL_DAYS)[:, None] & (kind.festival_price > 1)
    traffic = np.where(weekend, 1.12, 1.0) * np.exp(0.05 * rng.normal(size=shape))
    if kind.buying.rhythm == "bursts":
        level = level * np.where(rng.random(shape) < BURST_SHARE, BURST_LEVEL, QUIET_LEVEL)
    if kind.weekly or kind.season:
        hazard = hazard * _seasons(rng, kind)[:, None]
    return Calendar(
        pressure=np.minimum(np.array(kind.buying.pressure) * level * np.where(festive, 2.0, 1.0), 0.6),
        price=price * np.exp(kind.drift_price * age) * np.where(festive, kind.festival_price, 1.0),
        traffic=traffic,
        hazard=hazard * np.exp(np.array(kind.drift_hazard) * age) * np.where(festive, 1.15, 1.0),
        tested=tested,
    )


def _seasons(rng: np.random.Generator, kind: Kind) -> FloatArray:
    """(days,) weekday pattern times a slow wave, 1 on the campaign's day."""
    weekday = kind.weekly * rng.normal(size=7)
    phase = rng.uniform(0, 2 * np.pi)
    day = np.arange(kind.history_days + 1)
    log = weekday[day % 7] + kind.season * np.sin(phase + 2 * np.pi * day / WAVE_DAYS)
    return np.asarray(np.exp(log[:-1] - log[-1]))


def run_history(
    rng: np.random.Generator,
    people: People,
    kind: Kind,
    *,
    eligible: NDArray[np.bool_],
    calendar: Calendar,
    audiences: Sequence[Audience],
) -> Showing:
    """All rows of the history; a follower leaves the public traffic the moment it follows."""
    n = len(eligible)
    waiting, days = eligible.copy(), []
    emphasis = np.ones(len(audiences))
    places = None if kind.room_share is None else kind.room_share * n
    for day in range(kind.history_days):
        trial = (rng.random(n) < kind.explore_share) & waiting
        arm = rng.choice(3, n, p=ARMS)
        level, traffic = calendar.pressure[day], calendar.traffic[day]
        in_arm = trial[:, None] & (arm[:, None] == np.arange(2))
        asked = pressures(audiences, level, day=day, emphasis=emphasis)
        pressure = np.where(trial[:, None], level, np.minimum(asked, HIGHEST_PRESSURE))
        capacity = people.capacity * traffic
        usual_mean = mean_impressions(capacity, pressure, cap=kind.cap) * (waiting & ~trial)[:, None]
        usual = draw_impressions(rng, usual_mean, cap=kind.cap)
        forced = draw_impressions(rng, mean_impressions(capacity, level, cap=kind.cap), cap=kind.cap)
        shown = usual + in_arm * (1 + forced)
        price = unit_price(pressure, price_cny=people.price_cny * calendar.price[day], shape=kind.shape)
        paid = shown * price * np.exp(0.15 * rng.normal(size=shown.shape) - 0.5 * 0.15**2)
        rows = show(
            rng,
            people,
            day=day,
            shown=shown,
            cost_cny=paid,
            held_out=trial & (arm == 2),
            randomized=trial,
            propensity=np.where(trial, ARMS[arm], np.nan),
            hazard_scale=calendar.hazard[day],
            room=room_left(float(people.enter @ shown[:, 1]), places),
        )
        waiting[rows.user[rows.followed]] = False
        days.append(split_rows(rng, rows, audiences, day=day, emphasis=emphasis))
        if kind.buying.rhythm == "returns" and day % 7 == 6:
            emphasis = _chased(people, days[-7:], emphasis)
    return gathered(days)


def _chased(people: People, week: Sequence[Showing], emphasis: FloatArray) -> FloatArray:
    """Money moves to the audiences whose new fans looked best per yuan last week: half of the log ratio."""
    rows = gathered(list(week))
    own = rows.campaign >= 0
    size = len(emphasis)
    spent = np.bincount(rows.campaign[own], rows.cost_cny[own], size)
    won = own & rows.followed
    worth = people.buy[rows.user, np.minimum(rows.placement, 1)] * people.amount_cny[rows.user]
    value = np.bincount(rows.campaign[won], worth[won], size)
    prior = value.sum() / max(spent.sum(), 1e-9)
    seen = (value + 0.1 * value.sum() / size) / np.maximum(spent + 0.1 * spent.sum() / size, 1e-9)
    moved = emphasis * np.sqrt(np.maximum(seen, 1e-9) / max(prior, 1e-9))
    return np.asarray(np.clip(moved / moved.mean(), 0.15, 4.0))
