from dataclasses import replace
from datetime import datetime, timedelta

import jewellery_shop
import numpy as np
import polars as pl
import pytest

from models.contracts import Dataset
from models.errors import DataError
from targeting.audience import Audience
from targeting.evaluation import OUTSIDE, evaluate_campaign

START = datetime(2020, 11, 11)
EXPOSURE = {
    "exposure_id": pl.String,
    "user_id": pl.String,
    "campaign_id": pl.String,
    "placement": pl.String,
    "exposed_at": pl.Datetime("us"),
    "impressions": pl.Int64,
    "cost_cny": pl.Float64,
    "followed": pl.Boolean,
    "followed_at": pl.Datetime("us"),
    "randomized": pl.Boolean,
    "propensity": pl.Float64,
}


def people() -> Audience:
    return Audience(
        scores=pl.DataFrame(),
        segments=pl.DataFrame(
            {"user_id": ["u0", "u1", "u2"], "segment": ["precise · likely"] * 2 + ["content · keen"]}
        ),
        summary=pl.DataFrame(),
    )


@pytest.fixture(scope="module")
def plan():
    return jewellery_shop.plan(audience=people())


def logs(*, campaign_id: str = "jewellery-1111") -> Dataset:
    def shown(i: int, user: str, placement: str, followed: bool, cost: float = 5.0) -> tuple:
        at = START + timedelta(hours=i)
        then = at if followed else None
        return (f"e{i}", user, campaign_id, placement, at, 10, cost, followed, then, False, None)

    rows = [
        shown(0, "u0", "live", True),
        shown(1, "u1", "video", False),
        shown(2, "u2", "video", True),
        shown(3, "u9", "video", True),
        shown(4, "u0", "video", True),  # followed already: the first follow counts
    ]
    orders = pl.DataFrame(
        {
            "order_id": ["o0", "o1", "o2"],
            "user_id": ["u0", "u0", "u2"],
            "ordered_at": [START + timedelta(days=d) for d in (0.5, 20, 40)],
            "gmv_cny": [100.0, 60.0, 999.0],
            "refund_cny": [0.0, 10.0, 0.0],
        }
    )
    users = pl.DataFrame(
        {
            "user_id": ["u0", "u1", "u2", "u9"],
            "snapshot_at": [START + timedelta(days=41)] * 4,
            "is_fan": [True, False, False, True],
        }
    )
    return Dataset(users=users, exposures=pl.DataFrame(rows, schema=EXPOSURE, orient="row"), orders=orders)


def with_rows(data: Dataset, more: pl.DataFrame) -> Dataset:
    """The data with further exposures, of people who were not in it before."""
    known = data.users["user_id"].implode()
    people = more.select("user_id").filter(~pl.col("user_id").is_in(known)).unique()
    users = people.with_columns(snapshot_at=data.users["snapshot_at"][0], is_fan=pl.lit(False))
    return Dataset(pl.concat([data.users, users]), pl.concat([data.exposures, more]), data.orders)


def test_realised_is_counted_once_and_within_the_horizon(plan):
    found = evaluate_campaign(plan, logs())
    assert found.totals["new_fans"]["realised"] == 3.0
    assert found.totals["spend_cny"]["realised"] == 25.0
    assert found.totals["new_fan_gmv_cny"]["realised"] == 150.0
    assert found.maturity == 1.0
    outside = found.cells.filter(pl.col("segment") == OUTSIDE)
    assert outside["realised_fans"].item() == 1.0
    assert any("people outside the plan" in note for note in found.notes)


def test_reasons_add_up_to_the_difference(plan):
    cells = evaluate_campaign(plan, logs()).cells
    because = cells.select(pl.sum_horizontal("^because_.*_cny$").alias("all"))["all"]
    gap = cells["projected_gmv_cny"] - cells["promised_gmv_cny"]
    np.testing.assert_allclose(because, gap, atol=1e-6)


def test_windows_and_retention(plan):
    found = evaluate_campaign(plan, logs())
    assert found.windows["days"].to_list() == [0, 1, 3, 7, 15, 30]
    assert found.windows["gmv_cny"].to_list() == [100.0] * 5 + [150.0]
    assert found.windows["roi"].to_list()[-1] == pytest.approx(6.0)
    month = found.retention.row(by_predicate=pl.col("days") == 30, named=True)
    assert (month["fans"], month["retained"]) == (3, pytest.approx(2 / 3))
    assert month["low"] < 2 / 3 < month["high"]
    day = found.retention.row(by_predicate=pl.col("days") == 1, named=True)
    assert day["fans"] == 0, "a snapshot of day 41 says nothing of the first day"
    assert day["why"] == "no snapshot of a new fan between 1 and 7 days after the follow"


def test_a_young_campaign_is_projected_and_says_so(plan):
    found = evaluate_campaign(plan, logs(), as_of=START + timedelta(days=2))
    assert found.totals["new_fan_gmv_cny"]["realised"] == 100.0
    assert any("younger than 30 days" in note for note in found.notes)


def test_a_follow_is_an_event_too(plan):
    """Nothing is shown or bought after it, and still it is known."""
    data = logs()
    late = START + timedelta(hours=20)
    followed = pl.when(pl.col("user_id") == "u9").then(late).otherwise("followed_at")
    found = evaluate_campaign(
        plan,
        Dataset(data.users, data.exposures.with_columns(followed_at=followed), data.orders.clear()),
    )
    assert found.totals["new_fans"]["realised"] == 3.0


def test_windows_beyond_a_short_horizon_hold_what_came_later(plan):
    found = evaluate_campaign(plan, logs(), horizon_days=7)
    assert found.totals["new_fan_gmv_cny"]["realised"] == 100.0
    assert found.windows["gmv_cny"].to_list() == [100.0] * 5 + [150.0]


def test_logs_without_the_campaign_are_refused(plan):
    other = logs(campaign_id="other")
    early = Dataset(
        users=other.users,
        exposures=other.exposures.with_columns(pl.col("exposed_at") - timedelta(days=400)),
        orders=other.orders,
    )
    with pytest.raises(DataError, match=r"'jewellery-1111' or of its days, .*campaigns found: other"):
        evaluate_campaign(plan, early)


def test_a_plan_without_people_cannot_be_judged_by_user_logs():
    supplied = jewellery_shop.plan(audience=None)
    supplied = replace(supplied, provenance=replace(supplied.provenance, model_uri=None))
    with pytest.raises(DataError, match=r"has no segments.parquet \(made from delivery"):
        evaluate_campaign(supplied, logs())


def test_held_out_rows_say_who_would_have_followed_anyway(plan):
    data = logs()
    held = pl.DataFrame(
        [
            (
                *(f"h{i}", f"h{i}", "jewellery-1111", "none", START, 0, 0.0),
                *(i == 0, START if i == 0 else None, True, 0.5),
            )
            for i in range(5)
        ],
        schema=EXPOSURE,
        orient="row",
    )
    found = evaluate_campaign(plan, with_rows(data, held))
    assert any("about 1 (+- 1) of the 3 new fans would have followed anyway" in note for note in found.notes)


def test_an_evaluation_prints_and_becomes_json(plan):
    import json

    found = evaluate_campaign(plan, logs())
    assert "new_fans: promised" in str(found)
    json.dumps(found.to_dict(), allow_nan=False)
    names = ("cells", "reasons", "windows", "retention", "drift")
    assert set(found.files()) == {f"evaluation_{name}.csv" for name in names}
    assert found.experiment is None, "no coin, no verdict of a coin"


def test_later_snapshots_tell_who_still_follows(plan):
    def snapshot(days, fans):
        users = {"user_id": ["u0", "u2", "u9"], "snapshot_at": [START + timedelta(days=days)] * 3}
        return pl.DataFrame({**users, "is_fan": [name in fans for name in users["user_id"]]})

    later = [snapshot(2, ("u0", "u2", "u9")), snapshot(8, ("u0", "u2")), snapshot(9, ())]
    found = evaluate_campaign(plan, logs(), later=later).retention
    kept = dict(found.select("days", "retained").iter_rows())
    assert kept == {1: 1.0, 7: pytest.approx(2 / 3), 15: None, 30: pytest.approx(2 / 3)}
    assert found["fans"].to_list() == [3, 3, 0, 3]
    text = str(evaluate_campaign(plan, logs(), later=later))
    assert "day 1 100 % of 3, day 7 67 % of 3, day 15 unknown" in text
    early = evaluate_campaign(plan, logs(), later=later, as_of=START + timedelta(days=3)).retention
    assert early["fans"].to_list() == [3, 0, 0, 0], "what was not known by then is not used"


def test_totals_count_what_the_campaign_added_and_what_a_fan_cost(plan):
    data = logs()
    held = pl.DataFrame(
        [(f"h{i}", "u1", "holdout", "none", START, 0, 0.0, False, None, True, 0.5) for i in range(3)]
        + [("h9", "u8", "holdout", "none", START, 0, 0.0, True, START, True, 0.5)],
        schema=EXPOSURE,
        orient="row",
    )
    found = evaluate_campaign(plan, with_rows(data, held))
    assert found.totals["cost_per_fan_cny"]["realised"] == pytest.approx(25 / 3)
    promised = plan.expected["new_fans"]
    assert found.totals["cost_per_fan_cny"]["low"] == pytest.approx(plan.spend_cny / promised.high)
    # one of two held-out person-days followed, four person-days were shown: two of the three fans anyway
    assert found.totals["incremental_fans"]["realised"] == pytest.approx(1.0)
    assert found.totals["cost_per_incremental_fan_cny"]["realised"] == pytest.approx(25.0)
    assert "incremental_fans" not in evaluate_campaign(plan, logs()).totals
    assert found.totals["roi"]["realised"] == pytest.approx(6.0)


def test_the_reasons_of_the_whole_add_up_and_are_said(plan):
    found = evaluate_campaign(plan, logs())
    assert found.reasons["reason"].to_list() == ["spend", "price", "hazard", "value"]
    final = found.totals["new_fan_gmv_cny"]
    promised = float(plan.allocation["new_fan_gmv_cny"].sum())
    assert found.reasons["change"].sum() == pytest.approx(final["projected"] - promised)
    assert "comes from: spend" in str(found)


def test_the_page_needs_nothing_else(plan):
    from targeting.evaluation.evaluation_page import render

    page = render(evaluate_campaign(plan, logs()), plan)
    assert "print-color-adjust: exact" in page, "the bars are there on paper too"
    assert page.startswith("<!doctype html>")
    assert "<script" not in page
    assert "http" not in page
    for words in ("Promised and realised", "Where the difference comes from", "T30", "Still following after"):
        assert words in page
    assert "What the coin says" not in page, "there was no coin"


def test_what_fans_bought_before_is_told_beside_what_they_bought_after(plan):
    data = logs()
    before = data.orders.head(1).with_columns(
        order_id=pl.lit("b"), ordered_at=pl.lit(START - timedelta(days=10), dtype=pl.Datetime("us")),
        gmv_cny=pl.lit(60.0),
    )  # fmt: skip
    found = evaluate_campaign(plan, Dataset(data.users, data.exposures, pl.concat([data.orders, before])))
    told = [note for note in found.notes if "before they followed" in note]
    # 60 yuan over the 3 x 10 days back: 2 a day, 3 fans x 30 days since
    assert len(told) == 1
    assert "bought 1.99 yuan each per day" in told[0] or "bought 2 yuan each per day" in told[0]
    assert "179 yuan" in told[0] or "180 yuan" in told[0]
    assert not any("before they followed" in note for note in evaluate_campaign(plan, data).notes)
    assert found.totals["new_fan_gmv_cny"]["realised"] == 150.0, "it is told, not taken off"


def test_chance_is_not_read_as_a_broken_promise():
    """60 promised (50 to 70); 74 came, give or take 9 by chance: inside. 74 of a sure sum: outside."""
    from targeting.evaluation.totals import total_of
    from targeting.plan.promise import Interval

    promise = Interval(60.0, 50.0, 70.0)
    assert total_of(promise, 74.0)["within"] is False
    assert total_of(promise, 74.0, error=74**0.5)["within"] is True
    assert total_of(promise, 95.0, error=95**0.5)["within"] is False
    assert total_of(promise, 48.0, error=48**0.5)["within"] is True
    assert total_of(None, 45.0)["within"] is None


def test_totals_carry_the_error_of_what_came(plan):
    found = evaluate_campaign(plan, logs()).totals
    assert found["new_fans"]["chance"] == pytest.approx(3**0.5)
    assert found["new_fan_gmv_cny"]["chance"] == pytest.approx(150.0), "one buyer: it could as well be none"
    assert found["cost_per_fan_cny"]["chance"] == pytest.approx(25 / 3 / 3**0.5)
    assert found["spend_cny"]["chance"] is None


def test_a_campaign_that_nobody_has_seen_yet_brought_nothing(plan):
    found = evaluate_campaign(plan, logs(), as_of=START - timedelta(days=1))
    assert found.totals["new_fans"]["realised"] == 0.0
    assert found.totals["new_fans"]["within"] is False
    assert found.experiment is None
    assert found.reasons["change"].sum() == pytest.approx(-float(plan.allocation["new_fan_gmv_cny"].sum()))
