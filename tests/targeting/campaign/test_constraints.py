"""Constraint entries: names, selections, and one clear line for every mistake."""

from __future__ import annotations

import pytest

from models.errors import CampaignError
from targeting.campaign.constraints import KINDS, parse_constraints

GOOD = [
    {"kind": "bounds", "placement": "live", "min_share": 0.2},
    {"kind": "ratio", "of": {"placement": "video"}, "to": {"placement": "live"}, "max": 2},
    {"kind": "min_if_used", "min_cny": 100},
    {"kind": "max_active", "n": 3},
    {"kind": "roi_floor", "min": 1.5},
    {"kind": "marginal_floor", "min": 1},
    {"kind": "live_capacity", "viewers": 5000},
    {"kind": "change_limit", "max_share": 0.3},
    {"kind": "fairness_floor", "min_share": 0.1},
    {"kind": "frequency_cap", "impressions": 4},
    {"kind": "risk", "measure": "cvar", "level": 0.1, "floor": 1e4},
    {"kind": "target", "metric": "new_fans", "value": 500},
    {"kind": "trial", "max_cny": 500},
]


def test_there_is_a_good_entry_for_every_kind_and_each_is_read():
    read = parse_constraints(GOOD)
    assert [type(c) for c in read] == list(KINDS)
    assert len(KINDS) == 13


def test_the_default_name_is_kind_and_position_counted_from_one():
    assert [c.name for c in parse_constraints(GOOD[:2])] == ["bounds-1", "ratio-2"]
    models = tuple(c.model_copy(update={"name": ""}) for c in parse_constraints(GOOD[:2]))
    assert [c.name for c in parse_constraints(models)] == ["bounds-1", "ratio-2"]


def test_a_selection_takes_a_value_or_a_list():
    one, several = parse_constraints(
        [
            {"kind": "bounds", "segment": 1, "max_cny": 3},
            {"kind": "bounds", "segment": ["a", "b"], "slot": [0, 2], "max_cny": "8e2"},
        ]
    )
    assert one.given() == {"segment": ("1",)}
    assert several.given() == {"segment": ("a", "b"), "slot": (0, 2)}
    assert several.max_cny == 800.0


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"kind": "bound"}, ["unknown kind 'bound'", 'did you mean "bounds"?', "'ratio'"]),
        ({"max_cny": 3}, ["needs the key kind", "bounds, ratio"]),
        ("bounds", ["a mapping", "'bounds'"]),
        ({"kind": "bounds"}, ["at least one of min_cny, max_cny"]),
        ({"kind": "bounds", "max_cyn": 3}, ["constraints[0].max_cyn", 'did you mean "max_cny"?']),
        ({"kind": "bounds", "min_cny": 5, "max_cny": 3}, ["min_cny 5 is greater than max_cny 3"]),
        ({"kind": "bounds", "min_share": 0.5, "max_share": 0.3}, ["min_share 0.5 is greater"]),
        ({"kind": "bounds", "max_share": 1.2}, ["max_share", "<= 1"]),
        ({"kind": "bounds", "min_cny": -1}, ["min_cny", ">= 0"]),
        ({"kind": "bounds", "max_cny": float("nan")}, ["max_cny", "finite"]),
        ({"kind": "bounds", "segment": [], "max_cny": 1}, ["segment", "at least one value"]),
        ({"kind": "bounds", "slot": "a", "max_cny": 1}, ["slot", "whole number"]),
        ({"kind": "bounds", "each": "cells", "max_cny": 1}, ["each", 'did you mean "cell"?']),
        ({"kind": "ratio", "of": {"placment": "a"}, "to": {}, "max": 1}, ["of.placment", '"placement"']),
        ({"kind": "ratio", "of": {"placement": "a"}, "to": {}}, ["at least one of min, max"]),
        ({"kind": "ratio", "of": {}, "to": {}, "max": 1}, ["select the same cells"]),
        ({"kind": "min_if_used", "min_cny": 0}, ["min_cny", "> 0"]),
        ({"kind": "max_active", "n": 0}, ["n", ">= 1"]),
        ({"kind": "live_capacity", "viewers": 0}, ["viewers", "> 0", "got 0"]),
        ({"kind": "change_limit"}, ["at least one of max_share, max_cny"]),
        ({"kind": "frequency_cap", "impressions": 1}, ["impressions", "> 1"]),
        ({"kind": "risk", "measure": "var", "level": 0.1, "floor": 1}, ["measure", "'cvar'"]),
        ({"kind": "risk", "measure": "cvar", "level": 1.0, "floor": 1}, ["level", "< 1"]),
        (
            {"kind": "risk", "measure": "cvar", "level": 0.1, "floor": 1, "placement": "live"},
            ["risk is about the whole plan"],
        ),
        ({"kind": "target", "metric": "fans", "value": 3}, ["metric", 'did you mean "new_fans"?']),
        ({"kind": "bounds", "name": "total", "max_cny": 1}, ["'total'", "rename"]),
    ],
)
def test_every_mistake_is_one_line_that_says_what_was_expected(entry, words):
    with pytest.raises(CampaignError) as caught:
        parse_constraints([entry])
    line = str(caught.value)
    assert "\n" not in line
    for word in words:
        assert word in line


def test_two_constraints_cannot_share_a_name():
    entry = {"kind": "bounds", "name": "cap", "max_cny": 1}
    with pytest.raises(CampaignError, match="1 and 2 are both called 'cap'"):
        parse_constraints([entry, entry])


def test_a_default_name_that_is_taken_is_refused_too():
    taken = {"kind": "bounds", "name": "bounds-2", "max_cny": 1}
    with pytest.raises(CampaignError, match="both called 'bounds-2'"):
        parse_constraints([taken, {"kind": "bounds", "max_cny": 2}])
