"""Where nobody can be preferred there is one segment, and the plan says so."""

import polars as pl
import pytest
from scored_people import people

from targeting.plan.provenance import NO_DIFFERENCE
from targeting.planning_state import segment_warnings
from targeting.segments import form_segments
from targeting.words import words_in


def formed(spread, n=4000, **more):
    """Segments of people whose scores differ by a factor of `spread` either way."""
    users, scores = people(n)
    kept = (pl.col("user_id").hash(0) % 2).cast(pl.Float64) * 2 - 1
    alike = scores.with_columns(
        p_follow=0.004 * spread**kept, gmv_per_fan_cny=pl.lit(20.0), p_precise=pl.lit(0.1)
    )
    return form_segments(alike, users, rules=False, **more)


@pytest.mark.parametrize(("spread", "told"), [(1.0, True), (1.03, True), (1.6, False)])
def test_no_difference_is_one_segment_and_a_sentence(spread, told):
    found = formed(spread)
    assert (found.summary.height == 1) == told
    assert (NO_DIFFERENCE in segment_warnings(found, None)) == told


def test_people_too_few_for_two_segments_are_no_finding():
    assert segment_warnings(formed(1.0, n=80), None) == ()
    assert segment_warnings(formed(1.0), 3000) == ()


def test_the_sentence_is_said_in_chinese():
    assert words_in("zh").told(NO_DIFFERENCE).startswith("未发现差异")
    assert words_in("en").told(NO_DIFFERENCE) == NO_DIFFERENCE
