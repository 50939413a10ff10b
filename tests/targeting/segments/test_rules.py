"""Targeting rules: found where there is one, judged by its precision and recall, in the platform's words."""

from __future__ import annotations

import numpy as np
import polars as pl
from scored_people import people

from targeting.segments import form_segments
from targeting.segments.rules import describe_segments


def test_a_rule_that_defines_a_segment_is_found():
    users, _ = people(3000)
    inside = (pl.col("gender") == "f") & (pl.col("orders_90d") >= 3)
    assignment = users.select("user_id", segment=pl.when(inside).then(pl.lit("in")).otherwise(pl.lit("out")))
    rule = describe_segments(users, assignment).filter(pl.col("segment") == "in").row(0, named=True)
    assert set(rule["rule"].split(" and ")) == {"gender = f", "orders_90d >= 3"}
    assert rule["rule_precision"] == 1.0
    assert rule["rule_recall"] == 1.0


def test_a_range_and_a_run_of_levels_are_readable():
    rng = np.random.default_rng(0)
    users = pl.DataFrame(
        {
            "user_id": [f"u{i}" for i in range(4000)],
            "price": rng.uniform(0, 100, 4000),
            "age_band": rng.choice(["a", "b", "c", "d"], 4000),
            "vip": rng.random(4000) < 0.5,
        }
    )
    inside = pl.col("price").is_between(36, 64) & pl.col("age_band").is_in(["b", "c"])
    assignment = users.select("user_id", segment=pl.when(inside).then(pl.lit("in")).otherwise(pl.lit("out")))
    rule = describe_segments(users, assignment).filter(pl.col("segment") == "in").row(0, named=True)
    assert "age_band = b or c" in rule["rule"]
    assert "price >=" in rule["rule"]
    assert "price <" in rule["rule"]
    assert rule["rule_precision"] > 0.75
    yes = users.select("user_id", segment=pl.when("vip").then(pl.lit("in")).otherwise(pl.lit("out")))
    assert "vip = yes" in describe_segments(users, yes)["rule"].to_list()


def test_rules_have_at_most_three_terms_and_the_precision_they_claim():
    users, scores = people(2500)
    found = form_segments(scores, users)
    assert found.summary["rule"].null_count() == 0
    for row in found.summary.to_dicts():
        assert row["rule"].count(" and ") <= 2
        assert 0 <= row["rule_precision"] <= 1
    best = found.summary.filter(pl.col("fan_kind") == "content").sort("users").tail(1)
    assert best["rule_precision"][0] > 0.4


def test_nothing_to_say_says_everyone():
    users = pl.DataFrame({"user_id": ["a", "b", "c"], "text": [None, None, None]})
    assignment = pl.DataFrame({"user_id": ["a", "b", "c"], "segment": ["x", "x", "y"]})
    rules = describe_segments(users, assignment)
    assert rules["rule"].to_list() == ["everyone", "everyone"]
    assert rules["rule_recall"].to_list() == [1.0, 1.0]
    assert np.allclose(rules["rule_precision"], [2 / 3, 1 / 3])


def test_ids_times_and_long_lists_are_not_conditions():
    users, _ = people(600)
    users = users.with_columns(nick=pl.col("user_id"), empty=pl.lit(None, pl.Float64))
    assignment = users.select("user_id", segment=pl.lit("a")).with_columns(
        segment=pl.when(pl.int_range(pl.len()) < 300).then(pl.lit("a")).otherwise(pl.lit("b"))
    )
    for rule in describe_segments(users, assignment)["rule"].to_list():
        assert not any(word in rule for word in ("nick", "snapshot_at", "user_id", "is_fan", "empty"))
