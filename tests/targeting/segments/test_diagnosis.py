"""Diagnosis: the numbers add up, the sentences say them, and missing columns or events do no harm."""

from __future__ import annotations

import polars as pl
import pytest
from scored_people import AS_OF, orders_of, people

from models.errors import DataError
from targeting.segments import form_segments
from targeting.segments.diagnosis import diagnose


def diagnosed(users, scores, orders, **more):
    return diagnose(users, orders, scores, form_segments(scores, users, rules=False), as_of=AS_OF, **more)


def test_content_fans_are_counted_and_said():
    users, scores = people()
    found = diagnosed(users, scores, orders_of(users))
    fans = users.filter("is_fan")
    men = fans.filter(pl.col("gender") == "m").height / fans.height
    assert found.numbers["fans"] == fans.height
    assert 0.7 < found.numbers["content_share"] < 0.95
    assert found.sentences[0].startswith(
        f"Of {fans.height:,} fans in the data {found.numbers['content_share']:.0%}"
    )
    assert any(s.startswith(f"Men are {men:.0%} of the fans") for s in found.sentences)
    assert any("precise segments hold" in s for s in found.sentences)


def test_shares_of_every_column_sum_to_one():
    users, scores = people()
    found = diagnosed(users, scores, orders_of(users))
    sums = found.profile.group_by("column").agg(pl.col("fans", "public", "buyers", "gmv").sum())
    assert set(sums["column"]) >= {"gender", "age_band", "city_tier"}
    for name in ("fans", "public", "buyers", "gmv"):
        assert sums[name].to_list() == pytest.approx([1.0] * sums.height)
    assert found.profile["column"][0] == "gender"
    assert "1" in found.profile.filter(pl.col("column") == "city_tier")["level"].to_list()


def test_gmv_is_net_within_the_horizon_and_up_to_now():
    users, scores = people()
    orders = orders_of(users, n=50)
    late = orders.with_columns(ordered_at=pl.lit(AS_OF) + pl.duration(days=1))
    early = orders.with_columns(ordered_at=pl.lit(AS_OF) - pl.duration(days=90))
    back = orders.with_columns(refund_cny=pl.col("gmv_cny"))
    found = diagnosed(users, scores, pl.concat([orders, late, early, back]))
    assert found.numbers["gmv_cny"] == pytest.approx(orders["gmv_cny"].sum())
    assert 0 <= found.numbers["gmv_share_of_fans"] <= 1
    assert found.numbers["fans_who_bought"] < 0.2


def test_segments_say_where_the_present_fans_would_be():
    users, scores = people()
    found = diagnosed(users, scores, orders_of(users))
    assert found.segments["fans"].sum() == users["is_fan"].sum()
    assert found.segments["users"].sum() == (~users["is_fan"]).sum()


def test_no_gender_no_order_no_fan():
    users, scores = people(1500)
    bare = diagnosed(users.select("user_id", "is_fan"), scores, orders_of(users).clear())
    assert bare.profile.height == 0
    assert any("Nobody bought" in s for s in bare.sentences)
    nobody = users.with_columns(is_fan=pl.lit(False))
    found = diagnosed(nobody, scores.with_columns(eligible=pl.lit(True)), orders_of(users))
    assert "content_share" not in found.numbers
    assert "cannot be described" in found.sentences[0]


def test_kinds_that_cannot_be_told_apart_are_not_claimed():
    users, scores = people(1500)
    flat = scores.with_columns(p_precise=pl.lit(0.1))
    found = diagnosed(users, flat, orders_of(users))
    assert any("does not tell precise from content" in s for s in found.sentences)


def test_no_user_is_named():
    users, scores = people(200)
    with pytest.raises(DataError, match="no user"):
        diagnose(
            users.clear(), orders_of(users), scores, form_segments(scores, users, rules=False), as_of=AS_OF
        )
