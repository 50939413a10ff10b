"""Other budgets and the cost of rules: one time limit each, however many there are."""

from __future__ import annotations

from dataclasses import replace

import jewellery_shop
import pytest

from targeting.plan import budgets, rules

RULES = [{"kind": "bounds", "name": "live", "placement": "live", "max_share": 0.3}]


@pytest.mark.parametrize("room", [budgets, rules])
def test_what_there_is_no_time_for_is_left_out(monkeypatch, room):
    plan = jewellery_shop.plan(jewellery_shop.campaign(constraints=RULES))
    monkeypatch.setattr(room, "SETTINGS", replace(room.SETTINGS, asked_seconds=0.0))
    if room is budgets:
        found = budgets.budgets_of(plan)
        assert found.points.is_empty()
        assert found.best is None
        assert found.step is None
    else:
        told = {rule.name: rule for rule in rules.rules_of(plan)}
        assert told["live"].at_limit
        assert told["live"].gain is None
        assert told["live"].step is not None
        assert told["live"].step["gain"] is None


def test_the_first_budgets_are_the_plan_s_own_and_the_one_without_its_last_step():
    plan = jewellery_shop.plan(jewellery_shop.campaign(constraints=RULES))
    found = budgets.budgets_of(plan)
    asked = found.points["budget_cny"].to_list()
    assert asked == sorted(asked)
    assert {plan.budget_cny, plan.budget_cny - found.step_cny} <= set(asked)
    own = found.points.filter(found.points["budget_cny"] == plan.budget_cny)
    assert own["value"].item() == pytest.approx(plan.value, rel=1e-3)
    assert found.step is not None
    assert found.step["value"] > 0
