"""The 28 days of past campaigns in the logs: budgets that follow demand, delivery that follows likely buyers.

Some budgets were drawn at random, and each day a small share of users entered an experiment (held out, video
or live). It must not import anything of the project but its siblings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from targeting.world.kinds import HISTORY_DAYS, Kind
from targeting.world.people import People
from targeting.world.showings import Showing, gathered, show
from targeting.world.supply import FloatArray, unit_price

ARMS = np.array([0.3, 0.3, 0.4])  # video, live, held out
BASE_PRESSURE = np.array([0.11, 0.10])
TEST_STEPS = np.array([0.35, 0.8, 1.6, 3.0])
FESTIVAL_DAYS = (12, 13, 14)


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
    shape = (HISTORY_DAYS, 2)
    demand = rng.normal(size=(HISTORY_DAYS, 1))
    ordinary = np.exp(0.3 * demand + 0.25 * rng.normal(size=shape))
    tested = (rng.random(shape) < 0.4) & (kind.explore_share > 0)
    level = np.where(tested, rng.choice(TEST_STEPS, shape), ordinary)
    weekend = (np.arange(HISTORY_DAYS) % 7 >= 5)[:, None]
    price = np.exp(0.08 * demand + 0.04 * rng.normal(size=shape))
    hazard = np.exp(0.04 * rng.normal(size=shape))
    age = np.linspace(-1.0, 0.0, HISTORY_DAYS)[:, None]
    festive = np.isin(np.arange(HISTORY_DAYS), FESTIVAL_DAYS)[:, None] & (kind.festival_price > 1)
    return Calendar(
        pressure=np.minimum(BASE_PRESSURE * level * np.where(festive, 2.0, 1.0), 0.6),
        price=price * np.exp(kind.drift_price * age) * np.where(festive, kind.festival_price, 1.0),
        traffic=np.where(weekend, 1.12, 1.0) * np.exp(0.05 * rng.normal(size=shape)),
        hazard=hazard * np.exp(np.array(kind.drift_hazard) * age) * np.where(festive, 1.15, 1.0),
        tested=tested,
    )


def _favour(people: People, kind: Kind) -> FloatArray:
    """(n, 2) relative pressure, mean 1: the platform shows to whom it expects to follow and to buy."""
    worth = np.log(people.follow_given_features) + 0.5 * np.log(people.buy_given_features)
    worth = (worth - worth.mean(axis=0)) / np.maximum(worth.std(axis=0), 1e-9)
    weight = np.exp(0.5 * np.clip(worth, -2.5, 2.5) + kind.intent_delivery * people.intent[:, None])
    pressure: FloatArray = weight / weight.mean(axis=0)
    return pressure


def run_history(
    rng: np.random.Generator, people: People, kind: Kind, *, eligible: NDArray[np.bool_], calendar: Calendar
) -> Showing:
    """All rows of the history; a follower leaves the public traffic the moment it follows."""
    n = len(eligible)
    favour, waiting, days = _favour(people, kind), eligible.copy(), []
    for day in range(HISTORY_DAYS):
        trial = (rng.random(n) < kind.explore_share) & waiting
        arm = rng.choice(3, n, p=ARMS)
        level, traffic = calendar.pressure[day], calendar.traffic[day]
        in_arm = trial[:, None] & (arm[:, None] == np.arange(2))
        pressure = np.where(trial[:, None], level, np.minimum(favour * level, 0.85))
        usual = rng.poisson(pressure * people.capacity * traffic * (waiting & ~trial)[:, None])
        shown = usual + in_arm * (1 + rng.poisson(level * people.capacity * traffic))
        price = unit_price(pressure, price_cny=people.price_cny * calendar.price[day], theta=kind.theta)
        cost = shown * price * np.exp(0.15 * rng.normal(size=shown.shape) - 0.5 * 0.15**2)
        rows = show(
            rng,
            people,
            day=day,
            shown=shown,
            cost_cny=cost,
            held_out=trial & (arm == 2),
            randomized=trial,
            propensity=np.where(trial, ARMS[arm], np.nan),
            hazard_scale=calendar.hazard[day],
        )
        waiting[rows.user[rows.followed]] = False
        days.append(rows)
    return gathered(days)
