"""What a round step of a limit brings: the number told is that of the plan of the looser brief."""

from __future__ import annotations

from dataclasses import replace

import jewellery_shop
import numpy as np
import polars as pl
import pytest

from targeting.allocation.problem import Rooms
from targeting.campaign.constraints import KINDS, BaseConstraint, parse_constraints
from targeting.campaign.steps import _NUMBERS, loosened, steps_of
from targeting.decision.again import decide_again
from targeting.decision.supplied_curves import allocate

NO_NUMBERS = {"kind", "of", "to", "measure", "level", "metric"}


def test_every_number_of_every_kind_has_a_step():
    for model in KINDS:
        own = model.model_fields.keys() - BaseConstraint.model_fields.keys() - NO_NUMBERS
        kind = model.model_fields["kind"].annotation.__args__[0]
        assert own == set(_NUMBERS[kind]), kind


@pytest.mark.parametrize(
    ("written", "looser"),
    [
        ({"kind": "bounds", "min_share": 0.3, "max_cny": 500}, {"min_share": 0.29, "max_cny": 501}),
        ({"kind": "roi_floor", "min": 3.0}, {"min": 2.9}),
        ({"kind": "roi_floor", "min": 0.056}, {"min": 0.046}),
        ({"kind": "max_active", "n": 3}, {"n": 4}),
        ({"kind": "frequency_cap", "impressions": 2.0}, {"impressions": 2.1}),
        ({"kind": "target", "metric": "new_fans", "value": 0.5}, {"value": 0.0}),
    ],
)
def test_a_step_leaves_more_room(written, looser):
    [constraint] = parse_constraints([written])
    wider = loosened(constraint)
    assert {key: getattr(wider, key) for key in looser} == pytest.approx(looser)
    assert set(steps_of(constraint)) == set(looser)


def test_the_gain_is_that_of_the_looser_brief():
    rules = [
        {"kind": "bounds", "name": "live", "placement": "live", "max_share": 0.3},
        {
            "kind": "roi_floor",
            "name": "returns",
            "each": "segment",
            "segment": "content · casual",
            "min": 3.8,
        },
    ]
    plan = jewellery_shop.plan(jewellery_shop.campaign(constraints=rules))
    told = {row["constraint"]: row for row in plan.prices().to_dicts()}
    assert set(told) >= {"total", "live"}
    for name, row in told.items():
        if name == "total":
            brief = jewellery_shop.campaign(constraints=rules, budget_cny=plan.budget_cny + row["step"])
        else:
            looser = [loosened(c) for c in parse_constraints(rules) if c.name == name]
            kept = [c for c in parse_constraints(rules) if c.name != name]
            brief = jewellery_shop.campaign(
                constraints=[c.model_dump(exclude_none=True) for c in (*looser, *kept)]
            )
        assert row["gain"] == pytest.approx(jewellery_shop.plan(brief).value - plan.value, rel=1e-3, abs=0.05)
        assert row["price"] == pytest.approx(row["gain"], rel=0.2), "a round step is near the slope here"


def test_where_a_live_room_fills_the_gain_is_told_with_its_status():
    curves = pl.DataFrame(
        {
            "segment": ["a", "a", "b", "b"],
            "placement": ["video", "live"] * 2,
            "top": [900.0, 1500.0, 700.0, 1200.0],
            "half_spend_cny": [120.0, 60.0, 90.0, 80.0],
            "slope": [1.0] * 4,
        }
    )
    plan = allocate(curves, budget_cny=300)
    live = (plan.market.cells["placement"] == "live").to_numpy()
    rooms = Rooms(of=np.where(live, 0, -1), places=np.array([800.0]))
    entry = np.where(live, 1.0, 0.0)
    full = decide_again(plan, plan.campaign, market=replace(plan.market, rooms=rooms, entry=entry))
    [row] = full.prices().to_dicts()
    more = decide_again(full, plan.campaign.model_copy(update={"budget_cny": 300 + row["step"]}))
    assert row["status"] in ("optimal", "within_gap")
    doubt = full.upper_bound - full.value + more.upper_bound - more.value
    assert row["gain"] == pytest.approx(more.value - full.value, abs=doubt + 1e-9)


def test_one_more_cell_is_told_by_the_plan_with_one_more_cell():
    rules = [{"kind": "max_active", "name": "few", "n": 2}]
    plan = jewellery_shop.plan(jewellery_shop.campaign(constraints=rules))
    [row] = [r for r in plan.prices().to_dicts() if r["constraint"] == "few"]
    more = jewellery_shop.plan(jewellery_shop.campaign(constraints=[{**rules[0], "n": 3}]))
    assert (row["unit"], row["step"]) == ("cells", 1.0)
    assert row["gain"] == pytest.approx(more.value - plan.value, rel=1e-6)
