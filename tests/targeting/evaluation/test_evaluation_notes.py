"""What an evaluation says of its own rows: which were judged, which were not, and what was refused."""

from dataclasses import replace
from datetime import timedelta

import jewellery_shop
import polars as pl
import pytest
from test_evaluation import EXPOSURE, START, logs, people, with_rows

from models.contracts import Dataset
from models.errors import DataError
from targeting.evaluation import evaluate_campaign


@pytest.fixture(scope="module")
def plan():
    return jewellery_shop.plan(audience=people())


def test_the_campaign_is_found_by_its_days_where_the_id_is_unknown(plan):
    from targeting.evaluation.evaluation_page import render

    found = evaluate_campaign(plan, logs(campaign_id="other"))
    assert found.totals["new_fans"]["realised"] == 3.0
    told = (
        "no shown exposure carries campaign_id 'jewellery-1111': everything shown from 2020-11-11 00:00"
        " to 2020-11-12 00:00 is judged, which is of other"
    )
    assert found.notes[0] == told
    assert told in str(found)
    assert told in found.to_dict()["notes"]
    assert told.replace("'", "&#39;") in render(found, plan)
    assert not any("no shown exposure carries" in note for note in evaluate_campaign(plan, logs()).notes)


def test_held_out_rows_alone_are_no_campaign(plan):
    """The holdout carries the campaign's id, what was shown does not."""
    data = logs(campaign_id="other")
    held = data.exposures.head(1).with_columns(
        exposure_id=pl.lit("h"), campaign_id=pl.lit("jewellery-1111"), placement=pl.lit("none"),
        impressions=pl.lit(0, dtype=pl.Int64), cost_cny=pl.lit(0.0), followed=pl.lit(False),
        user_id=pl.lit("u7"), followed_at=pl.lit(None, dtype=pl.Datetime("us")),
    )  # fmt: skip
    both = Dataset(data.users, pl.concat([data.exposures, held]), data.orders)
    found = evaluate_campaign(plan, both)
    assert found.totals["new_fans"]["realised"] == 3.0
    assert "no shown exposure carries" in found.notes[0]
    with pytest.raises(DataError, match="was shown"):
        evaluate_campaign(plan, Dataset(data.users, held, data.orders))


def test_a_campaign_on_other_days_than_the_plans_is_told(plan):
    data = logs()
    moved = data.exposures.with_columns(pl.col("exposed_at", "followed_at") - timedelta(days=20))
    notes = evaluate_campaign(plan, Dataset(data.users, moved, data.orders)).notes
    assert notes[0] == (
        "5 of 5 exposures of jewellery-1111 are not of the plan's days (2020-11-11 00:00 to 2020-11-12 00:00)"
        " but of 2020-10-22 00:00 to 2020-10-22 04:00; they are judged as its own"
    )
    assert not any("the plan's days" in note for note in evaluate_campaign(plan, data).notes)


def test_ids_that_are_not_the_plans_are_refused(plan):
    data = logs()
    users, other = (t.with_columns(user_id="id-" + pl.col("user_id")) for t in (data.users, data.exposures))
    with pytest.raises(DataError, match=r"none of .* 5 shown rows .*first user_id 'id-u0', the plan's 'u0'"):
        evaluate_campaign(plan, Dataset(users, other, data.orders))


def test_placements_of_no_cell_and_follows_without_a_time_are_told(plan):
    data = logs()
    feed = data.exposures.with_columns(
        placement=pl.col("placement").replace({"video": "feed"}),
        followed_at=pl.lit(None, dtype=pl.Datetime("us")),
    )
    notes = evaluate_campaign(plan, Dataset(data.users, feed, data.orders)).notes
    assert "4 exposures (20 yuan) went to feed, where the plan has nothing" in notes
    assert "4 follows have no time: they are taken to be of their impression's" in notes


def test_no_follow_among_few_held_out_people_is_no_certainty(plan):
    data = logs()
    held = pl.DataFrame(
        [(f"h{i}", f"h{i}", "holdout", "none", START, 0, 0.0, False, None, True, 0.5) for i in range(8)],
        schema=EXPOSURE,
        orient="row",
    )
    found = evaluate_campaign(plan, with_rows(data, held))
    # 4 shown person-days, a rate of 1 in 10 at most: 4 sqrt(0.1 * 0.9 / 8)
    assert found.totals["incremental_fans"]["realised"] == 3.0
    assert found.totals["incremental_fans"]["chance"] == pytest.approx((3 + 16 * 0.09 / 8) ** 0.5)


def test_another_horizon_and_rows_that_are_not_known_yet_are_told(plan):
    notes = evaluate_campaign(plan, logs(), horizon_days=7, as_of=START + timedelta(hours=2)).notes
    assert (
        "purchases count 7 days after the follow, the plan's promise is of 30: the two differ for that alone"
        in notes
    )
    told = "2 of 5 exposures of the campaign are later than 2020-11-11 02:00 and not known yet"
    assert told in notes
    plain = " ".join(evaluate_campaign(plan, logs()).notes)
    assert "promise is of" not in plain
    assert "not known yet" not in plain


def test_orders_without_hours_are_told(plan):
    data = logs()
    days = data.orders.with_columns(pl.col("ordered_at").dt.truncate("1d"))
    told = [
        n for n in evaluate_campaign(plan, Dataset(data.users, data.exposures, days)).notes if "hours" in n
    ]
    assert told == [
        "orders have dates but no hours: they count from the day after the follow, T0 holds only those of"
        " follows without hours"
    ]
    assert not any("hours" in note for note in evaluate_campaign(plan, data).notes)


def test_a_plan_for_people_whose_list_was_lost_says_so():
    lost = jewellery_shop.plan(audience=None)
    lost = replace(lost, provenance=replace(lost.provenance, model_uri="models:/m/1"))
    with pytest.raises(DataError, match=r"its segments.parquet is not there"):
        evaluate_campaign(lost, logs())
