"""Segments: everyone once, never too small, formed by worth, named for people, the same in any order."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scored_people import people

from models.errors import DataError
from targeting.segments import Segmenter, aggregate, form_segments


def formed(scores, users=None, **more):
    users = scores.select("user_id").unique() if users is None else users
    return form_segments(scores, users, rules=False, **more)


@settings(max_examples=25, derandomize=True, deadline=None)
@given(
    n=st.integers(1, 400),
    least=st.integers(1, 120),
    most=st.integers(1, 14),
    threshold=st.one_of(st.none(), st.floats(0, 1)),
    seed=st.integers(0, 5),
)
def test_every_eligible_user_is_in_one_segment_that_is_large_enough(n, least, most, threshold, seed):
    _, scores = people(n, seed=seed)
    eligible = scores.filter("eligible")["user_id"].unique()
    if len(eligible) == 0:
        return
    found = formed(scores, min_audience=least, max_segments=most, p_precise_threshold=threshold)
    assert sorted(found.assignment["user_id"].to_list()) == sorted(eligible.to_list())
    sizes = found.assignment["segment"].value_counts()
    assert sizes["count"].min() >= min(least, len(eligible))
    assert sizes.height <= most
    assert sorted(sizes["segment"].to_list()) == sorted(found.summary["segment"].to_list())
    assert found.summary["users"].sum() == len(eligible)
    assert 0 < found.value_kept <= 1


def test_both_kinds_exist_and_precise_come_first():
    users, scores = people()
    found = formed(scores, users)
    kinds = found.summary["fan_kind"].to_list()
    assert set(kinds) == {"precise", "content"}
    assert kinds == sorted(kinds, reverse=True)
    assert 0.03 < found.p_precise_threshold < 0.2
    precise = found.summary.group_by("fan_kind").agg(pl.col("p_precise").mean()).sort("fan_kind")
    assert precise["p_precise"].to_list() == pytest.approx([0.02, 0.25], rel=0.15)


def test_names_are_for_people_unique_and_in_order_of_worth():
    _, scores = people()
    found = formed(scores, max_segments=16, min_audience=50)
    names = found.summary["segment"].to_list()
    assert len(set(names)) == len(names)
    assert all(name.split(" · ")[0] in ("precise", "content") for name in names)
    worth = found.summary["p_follow_live"] * found.summary["gmv_per_fan_cny_live"]
    for kind in ("precise", "content"):
        own = worth.filter(found.summary["fan_kind"] == kind).to_numpy()
        assert own[0] > own[-1]
    few = formed(scores, max_segments=4)
    assert "precise · likely" in few.summary["segment"].to_list()
    assert "content · cheap reach" in few.summary["segment"].to_list()


def test_rows_in_another_order_give_the_same_segments():
    users, scores = people(1500)
    one = formed(scores, users)
    other = formed(scores.sample(fraction=1.0, shuffle=True, seed=4), users.reverse())
    assert one.assignment.sort("user_id").equals(other.assignment.sort("user_id"))
    assert one.segmenter == other.segmenter
    assert one.cells.equals(other.cells)


def test_segments_keep_nearly_all_of_the_user_level_value():
    _, scores = people(6000)
    assert formed(scores).value_kept > 0.95
    assert formed(scores, max_segments=3).value_kept < formed(scores, max_segments=8).value_kept
    loose = formed(scores, value_goal=0.9)
    assert len(loose.summary) < len(formed(scores, value_goal=0.999).summary)


def test_equal_scores_give_one_segment():
    _, scores = people(800)
    flat = scores.with_columns(p_follow=pl.lit(0.01), gmv_per_fan_cny=pl.lit(30.0), p_precise=pl.lit(0.1))
    found = formed(flat)
    assert found.summary["segment"].to_list() == ["everyone"]
    assert found.summary["fan_kind"].to_list() == ["mixed"]
    nothing = formed(flat.with_columns(p_follow=pl.lit(0.0)))
    assert nothing.summary.height == 1
    assert nothing.cells["gmv_per_fan_cny"].to_list() == [30.0, 30.0]


def test_scores_that_hardly_differ_do_not_make_kinds():
    _, scores = people(3000, spread=0.02)
    rng = np.random.default_rng(0)
    noise = pl.Series(0.1 * rng.lognormal(0, 0.05, scores.height))
    found = formed(scores.with_columns(p_precise=noise, gmv_per_fan_cny=pl.lit(30.0)))
    assert "precise" not in found.summary["fan_kind"].to_list()
    assert found.summary.height <= 2


def test_cells_are_hazard_weighted():
    _, scores = people(1000)
    found = formed(scores)
    row = found.cells.row(0, named=True)
    members = found.assignment.filter(pl.col("segment") == row["segment"])["user_id"].implode()
    own = scores.filter(pl.col("user_id").is_in(members) & (pl.col("placement") == row["placement"]))
    h, g = own["p_follow"], own["gmv_per_fan_cny"]
    assert row["users"] == own.height
    assert row["p_follow"] == pytest.approx(h.mean())
    assert row["gmv_per_fan_cny"] == pytest.approx((h * g).sum() / h.sum())
    live = found.cells.filter(pl.col("placement") == "live")
    assert live["p_enter"].to_list() == pytest.approx([0.2] * live.height)
    assert found.cells.filter(pl.col("placement") == "video")["p_enter"].null_count() == live.height
    assert aggregate(scores, found.assignment, segmenter=found.segmenter).equals(found.cells)


def test_the_segmenter_survives_json_and_places_new_people():
    _, scores = people(1500)
    found = formed(scores)
    again = Segmenter.from_json(found.segmenter.to_json())
    assert again == found.segmenter
    _, fresh = people(700, seed=9)
    placed = again.assign(fresh)
    assert set(placed["segment"]) <= set(found.summary["segment"])
    assert placed.height == fresh.filter("eligible")["user_id"].n_unique()
    everyone = again.assign(fresh, everyone=True)
    assert everyone.height == 700
    assert again.assign(fresh.filter(~pl.col("eligible"))).height == 0
    broken = r"segmenter.json: is not a segmenter \(root\.\S*below\S*: Input should be an object"
    with pytest.raises(DataError, match=broken):
        Segmenter.from_json(found.segmenter.to_json().replace('"below": {"leaf"', '"below": 1, "x": {"leaf"'))


def test_a_given_threshold_is_used_and_shown():
    _, scores = people(1500)
    found = formed(scores, p_precise_threshold=0.3, min_audience=20)
    assert found.p_precise_threshold == 0.3
    low = found.cells.filter(pl.col("fan_kind") == "content")["p_precise"].max()
    assert low < 0.3


def test_the_number_of_people_and_negative_values_do_no_harm():
    _, scores = people(1000)
    found = formed(scores.with_columns(gmv_per_fan_cny=-pl.col("gmv_per_fan_cny")), min_audience=2000)
    assert found.summary.height == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.with_columns(eligible=pl.lit(False)), "nobody is eligible"),
        (lambda s: s.with_columns(p_follow=pl.lit(float("nan"))), "p_follow of user 'u000000'"),
        (lambda s: s.with_columns(p_precise=pl.lit(None, pl.Float64)), "p_precise of user"),
        (lambda s: s.drop("gmv_per_fan_cny"), "column 'gmv_per_fan_cny' is missing"),
        (lambda s: s.drop("placement"), "column 'placement' is missing"),
        (lambda s: pl.concat([s, s.head(1)]), "two rows for placement 'video'"),
        (lambda s: s.slice(1), "no row for placement 'video'"),
    ],
)
def test_bad_scores_are_named(change, message):
    users, scores = people(50, fans=0.0)
    with pytest.raises(DataError, match=message):
        formed(change(scores), users)


def test_bad_sizes_are_named():
    _, scores = people(50)
    with pytest.raises(DataError, match="min_audience 0"):
        formed(scores, min_audience=0)
