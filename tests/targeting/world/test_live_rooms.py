"""A merchant whose live room fills: what the logs tell of it, and what a plan promises."""

from __future__ import annotations

from dataclasses import replace

import pytest

import targeting as tg
from targeting.report.verdict import live_room
from targeting.words import words_in
from targeting.world import merchant

SHARE, USERS = 0.01, 8000


@pytest.fixture(scope="module")
def shop():
    """A world with a room of 80 places, its planner and its audience."""
    named = merchant.kind_named
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merchant, "kind_named", lambda name: replace(named(name), room_share=SHARE))
        world = merchant.simulate("jewellery", users=USERS, seed=0)
    tables = {"users": world.users, "exposures": world.exposures, "orders": world.orders}
    planner = tg.Planner.fit(tables, campaign=dict(world.campaign), as_of=world.as_of, seed=0, n_draws=60)
    return world, planner, planner.audience(world.users_now)


def plan_of(shop, **changes):
    world, planner, audience = shop
    return planner.plan({**world.campaign, "constraints": [], **changes}, audience)


def test_the_planted_room_is_found_and_survives_saving(shop):
    world, planner, _ = shop
    room = tg.Planner.from_files(planner.to_files()).state.room
    assert room.places == pytest.approx(world.truth.places, rel=0.15)


def test_promised_entries_are_within_fifteen_percent_of_the_truth(shop):
    """Twice the truth where a plan does not know of the room."""
    world, _, audience = shop
    plan = plan_of(shop, placements=["live"], objective="live_entries")
    true = world.truth.value(audience.segments, plan.allocation)
    assert plan.value == pytest.approx(true["live_entries"], rel=0.15)


def test_a_plan_says_how_full_it_makes_the_room(shop):
    plan = plan_of(shop)
    room = plan.live_room
    assert room.places == pytest.approx(USERS * SHARE, rel=0.15)
    assert 0 < room.filled < 1
    assert plan.to_dict()["live_room"]["filled"] == room.filled
    assert f"holds about {room.places:,.0f} viewers" in live_room(plan, words_in("en"))[0]
    assert "直播间每天约容纳" in live_room(plan, words_in("zh"))[0]
    assert plan.gap <= 1.01e-4
    assert not plan.violations()


def test_what_it_is_asked_has_the_same_room(shop):
    plan = plan_of(shop)
    assert plan.price(plan.allocation).value == pytest.approx(plan.value, rel=1e-9)
    budgets = plan.frontier([plan.budget_cny, 2 * plan.budget_cny])
    assert budgets["value"][0] == pytest.approx(plan.value, rel=1e-3)
    assert budgets["value"][1] < 1.5 * plan.value
