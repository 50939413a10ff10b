from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from targeting.evaluation.runoff import attribution, fan_orders, project_gmv, projected_days, retention

DAY0 = datetime(2020, 11, 1, 12)
FAN = {"user_id": pl.String, "segment": pl.String, "placement": pl.String, "followed_at": pl.Datetime("us")}


def fans(*days_ago_at_day_10: int) -> pl.DataFrame:
    rows = [(f"u{i}", "s", "live", DAY0 + timedelta(days=10 - d)) for i, d in enumerate(days_ago_at_day_10)]
    return pl.DataFrame(rows, schema=FAN, orient="row")


def orders(*rows: tuple[str, float, float, float]) -> pl.DataFrame:
    """user_id, days after DAY0, gmv, refund."""
    return pl.DataFrame(
        [(u, DAY0 + timedelta(days=d), g, r) for u, d, g, r in rows],
        schema={
            "user_id": pl.String,
            "ordered_at": pl.Datetime("us"),
            "gmv_cny": pl.Float64,
            "refund_cny": pl.Float64,
        },
        orient="row",
    )


NOW = DAY0 + timedelta(days=10)


def test_only_orders_between_the_follow_and_the_horizon_count_net_of_refunds():
    table = fan_orders(
        fans(5),
        orders(
            ("u0", 4.9, 10, 0),
            ("u0", 5.0, 20, 5),
            ("u0", 6.99, 30, 0),
            ("u0", 7.0, 99, 0),
            ("stranger", 6, 50, 0),
        ),
        horizon_days=2,
        known_by=NOW,
    )
    assert table["net_cny"].to_list() == [15.0, 30.0]
    assert table["age_days"].to_list() == [0.0, pytest.approx(1.99)]


def test_orders_after_what_is_known_are_not_looked_at():
    later = orders(("u0", 10.5, 10, 0))
    assert fan_orders(fans(5), later, horizon_days=30, known_by=NOW).is_empty()


def test_young_fans_are_projected_from_old_ones():
    # Two old fans buy 10 each on day 0 and 30 each on day 2; two fans of today bought 10 each so far.
    people = fans(5, 5, 0, 0)
    sales = [("u0", 5.0, 10, 0), ("u1", 5.0, 10, 0), ("u0", 7.0, 30, 0), ("u1", 7.0, 30, 0)]
    sales += [("u2", 10.0, 10, 0), ("u3", 10.0, 10, 0)]
    found = fan_orders(people, orders(*sales), horizon_days=3, known_by=NOW)
    projected = project_gmv(people, found, horizon_days=3, known_by=NOW)
    assert projected["projected_gmv_cny"].item() == pytest.approx(4 * 40.0)


def test_a_cell_keeps_its_own_level():
    people = fans(5, 5, 0).with_columns(placement=pl.Series(["live", "live", "video"]))
    sales = [
        ("u0", 5.0, 10, 0),
        ("u1", 5.0, 10, 0),
        ("u0", 7.0, 30, 0),
        ("u1", 7.0, 30, 0),
        ("u2", 10.0, 20, 0),
    ]
    found = fan_orders(people, orders(*sales), horizon_days=3, known_by=NOW)
    table = project_gmv(people, found, horizon_days=3, known_by=NOW)
    video = table.filter(pl.col("placement") == "video")["projected_gmv_cny"].item()
    per_day_0 = (10 + 10 + 20) / 3
    own, shared = 20.0 / per_day_0, (80.0 + 20.0) / (2 * (per_day_0 + 30.0) + per_day_0)
    assert 20.0 + shared * 30.0 < video < 20.0 + own * 30.0, "between the level of all and its own"
    many = pl.concat([people] * 200).with_columns(user_id=pl.int_range(600).cast(pl.String))
    copied = pl.concat([found] * 200)
    grown = project_gmv(many, copied, horizon_days=3, known_by=NOW)
    video = grown.filter(pl.col("placement") == "video")["projected_gmv_cny"].item()
    assert video / 200 == pytest.approx(20.0 + own * 30.0, rel=0.02), "with many orders its own"


def test_the_run_off_may_come_from_fans_of_other_campaigns():
    """All of the campaign's fans are of today; older ones won before tell what is still to come."""
    young, old = fans(0, 0), fans(8, 8).with_columns(user_id=pl.Series(["o0", "o1"]))
    sales = orders(("o0", 2.0, 10, 0), ("o1", 2.0, 10, 0), ("o0", 4.0, 30, 0), ("o1", 4.0, 30, 0),
                   ("u0", 10.0, 10, 0), ("u1", 10.0, 10, 0))  # fmt: skip
    everyone = pl.concat([young, old])
    mine, theirs = (fan_orders(f, sales, horizon_days=3, known_by=NOW) for f in (young, everyone))
    alone = project_gmv(young, mine, horizon_days=3, known_by=NOW)
    helped = project_gmv(young, mine, older=(everyone, theirs), horizon_days=3, known_by=NOW)
    assert alone["projected_gmv_cny"].item() == pytest.approx(20.0), "nothing is known of later days"
    assert helped["projected_gmv_cny"].item() == pytest.approx(80.0)
    assert projected_days(young, horizon_days=3, known_by=NOW) == 0
    assert projected_days(everyone, horizon_days=3, known_by=NOW) == 3


def test_nothing_to_project_from_is_nothing():
    nobody = fans()
    found = fan_orders(nobody, orders(), horizon_days=3, known_by=NOW)
    assert project_gmv(nobody, found, horizon_days=3, known_by=NOW).is_empty()
    table = attribution(nobody, orders(), spend_cny=0.0, known_by=NOW, days=(0, 1))
    assert table["roi"].to_list() == [None, None]


def test_the_horizon_is_counted_as_training_counts_it():
    """The same fans and orders: the evaluation's total is that of the labels a model learns from."""
    from models.audience.delay import RefundMaturity
    from models.audience.followers import kept_orders, read_followers
    from models.events.event_log import EventLog

    rng = np.random.default_rng(3)
    people = fans(*rng.uniform(3, 9, 50).tolist())
    sales = orders(
        *((f"u{i}", float(day), 10.0 + i, 0.0) for i in range(50) for day in rng.uniform(0, 10, 8))
    )
    code = people.select("user_id", user=pl.int_range(50, dtype=pl.UInt32))
    log = EventLog(
        users=people.select("user_id"),
        exposures=pl.DataFrame(),
        follows=people.join(code, on="user_id").select(
            "user", "placement", "followed_at", randomized=pl.lit(False)
        ),
        orders=sales.join(code, on="user_id").drop("user_id"),
        as_of=NOW,
        warnings=(),
    )
    learned = read_followers(log, kept_orders(log, RefundMaturity()), placements=("live",), horizon_days=2)
    judged = fan_orders(people, sales, horizon_days=2, known_by=NOW)
    assert judged["net_cny"].sum() == pytest.approx(learned.net_cny.sum())
    by_day = people.join(sales, on="user_id").filter(
        pl.col("ordered_at").is_between(
            "followed_at", pl.col("followed_at").dt.truncate("1d").dt.offset_by("3d")
        )
    )
    assert by_day.height > judged.height, "calendar days would have counted more"


def test_the_run_off_counts_hours():
    """Old fans buy 10 yuan every half day; those of 36 hours ago have bought for 36 hours, not two days."""
    old, young = fans(*[9.0] * 40), fans(*[1.5] * 40).with_columns(user_id="y" + pl.col("user_id"))
    sales = [(f"u{i}", 1.0 + k / 2, 10.0, 0.0) for i in range(40) for k in range(6)]
    sales += [(f"yu{i}", 8.5 + k / 2, 10.0, 0.0) for i in range(40) for k in range(4)]
    everyone = pl.concat([old, young])
    mine, theirs = (fan_orders(f, orders(*sales), horizon_days=3, known_by=NOW) for f in (young, everyone))
    assert mine["net_cny"].sum() == 40 * 4 * 10.0
    found = project_gmv(young, mine, older=(everyone, theirs), horizon_days=3, known_by=NOW)
    assert found["projected_gmv_cny"].item() == pytest.approx(40 * 6 * 10.0)


def test_windows_are_calendar_days_and_do_not_end_with_the_horizon():
    people = fans(5)  # followed at noon
    sales = orders(("u0", 5.4, 10, 0), ("u0", 5.6, 20, 0), ("u0", 7.4, 40, 0), ("u0", 7.6, 80, 0))
    table = attribution(people, sales, spend_cny=10.0, known_by=NOW, days=(0, 1, 2))
    assert table["gmv_cny"].to_list() == [10.0, 30.0, 70.0]


def test_windows_grow_and_say_how_complete_they_are():
    people = fans(5, 0)
    sales = [("u0", 5.0, 10, 0), ("u0", 6.0, 20, 0), ("u1", 10.0, 5, 0)]
    table = attribution(people, orders(*sales), spend_cny=10.0, known_by=NOW, days=(0, 1, 7))
    assert table["gmv_cny"].to_list() == [15.0, 35.0, 35.0]
    assert table["roi"].to_list() == [1.5, 3.5, 3.5]
    assert table["complete"].to_list() == [1.0, 0.5, 0.0]


def test_retention_counts_only_those_seen_long_enough_after():
    users = pl.DataFrame(
        {"user_id": ["u0", "u1", "u2"], "snapshot_at": [NOW] * 3, "is_fan": [True, False, True]},
        schema_overrides={"snapshot_at": pl.Datetime("us")},
    )
    table = retention(fans(8, 7, 2), [users], days=(1, 7, 30))
    assert table.select("days", "fans", "retained").rows() == [(1, 1, 1.0), (7, 2, 0.5), (30, 0, None)]
    assert table["why"].to_list() == [
        "", "", "no snapshot of a new fan between 30 and 60 days after the follow"
    ]  # fmt: skip
    before = users.with_columns(snapshot_at=pl.lit(DAY0 - timedelta(days=1)))
    assert retention(fans(8, 7, 2), [before], days=(1, 7))["fans"].to_list() == [0, 0]


def test_run_off_is_unbiased_when_young_and_old_are_alike():
    rng = np.random.default_rng(5)
    ages = rng.integers(0, 11, 4000)
    people = fans(*ages.tolist())
    lags = rng.integers(0, 6, 4000)
    known = [
        (f"u{i}", 10.0 - a + lag, 10.0, 0.0)
        for i, (a, lag) in enumerate(zip(ages, lags, strict=True))
        if lag <= a
    ]
    found = fan_orders(people, orders(*known), horizon_days=6, known_by=NOW)
    projected = project_gmv(people, found, horizon_days=6, known_by=NOW)["projected_gmv_cny"].item()
    assert found["net_cny"].sum() < 0.85 * 40_000
    assert projected == pytest.approx(40_000, rel=0.03)
