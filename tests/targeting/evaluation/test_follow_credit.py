"""One follow a person, credited as training credits it, and nobody is won twice."""

from datetime import datetime, timedelta

import polars as pl
import pytest

from models.events.event_log import read_events
from targeting.evaluation.follow_credit import at_risk, credited, known_by_then

DAY = datetime(2020, 11, 11)
COLUMNS = {
    "exposure_id": pl.String,
    "user_id": pl.String,
    "placement": pl.String,
    "exposed_at": pl.Datetime("us"),
    "followed": pl.Boolean,
    "followed_at": pl.Datetime("us"),
}


def rows(*given: tuple[str, str, float, float | None], placement: str = "video") -> pl.DataFrame:
    """exposure_id, user_id, hour shown, hour followed or None."""
    return pl.DataFrame(
        [
            (
                *(exposure, user, placement, DAY + timedelta(hours=shown)),
                *(followed is not None, None if followed is None else DAY + timedelta(hours=followed)),
            )
            for exposure, user, shown, followed in given
        ],
        schema=COLUMNS,
        orient="row",
    )


def test_a_follow_that_two_rows_claim_is_that_of_the_later_one():
    both = rows(("a", "u", 8, 20), ("b", "u", 10, 20), ("c", "u", 12, None))
    assert credited(both)["exposure_id"].to_list() == ["b"]
    assert at_risk(both, both)["exposure_id"].to_list() == ["b", "c"], "the other claim says nothing"


def test_the_first_follow_counts_and_what_comes_after_it_is_no_chance():
    twice = rows(("a", "u", 1, 2), ("b", "u", 30, 31), ("c", "u", 50, None))
    assert credited(twice)["exposure_id"].to_list() == ["a"]
    assert at_risk(twice, twice)["exposure_id"].to_list() == ["a"]


def test_a_late_follower_of_an_earlier_day_is_not_at_risk_any_more():
    everything = rows(("a", "u", 20, 30), ("b", "u", 28, None), ("c", "u", 40, None), ("d", "v", 41, None))
    today = everything.filter(pl.col("exposed_at") >= DAY + timedelta(days=1))
    assert at_risk(today, everything)["exposure_id"].to_list() == ["b", "d"]


def test_a_follow_without_a_time_is_of_its_impression():
    blind = rows(("a", "u", 8, 20), ("b", "v", 9, None)).with_columns(followed=True, followed_at=None)
    blind = blind.with_columns(pl.col("followed_at").cast(pl.Datetime("us")))
    assert credited(blind)["followed_at"].to_list() == [DAY + timedelta(hours=h) for h in (8, 9)]


def test_a_follow_that_is_not_known_yet_has_not_happened():
    late = rows(("a", "u", 8, 20), ("b", "v", 19, None))
    early = known_by_then(late, DAY + timedelta(hours=10))
    assert early.select("exposure_id", "followed", "followed_at").rows() == [("a", False, None)]


@pytest.mark.parametrize("seed", range(3))
def test_rows_are_credited_as_training_credits_them(seed):
    import numpy as np

    rng = np.random.default_rng(seed)
    n = 4000
    shown = rng.uniform(0, 200, n)
    followed = np.where(rng.random(n) < 0.2, shown + rng.uniform(0, 24, n), np.nan).round(0)
    users = [f"u{k:03d}" for k in rng.integers(0, 700, n)]
    logs = rows(
        *(
            (f"e{i:04d}", user, s, None if f != f else max(f, s))
            for i, (user, s, f) in enumerate(zip(users, shown, followed, strict=True))
        )
    ).with_columns(
        impressions=pl.lit(1), randomized=pl.lit(False), propensity=pl.lit(None), entered_live=pl.lit(None)
    )
    people = logs.select(pl.col("user_id").unique()).with_columns(
        snapshot_at=pl.lit(DAY), is_fan=pl.lit(False)
    )

    class Tables:
        users = people
        exposures = logs
        orders = pl.DataFrame(
            schema={
                "user_id": pl.String, "ordered_at": pl.Datetime("us"), "gmv_cny": pl.Float64,
                "refund_cny": pl.Float64,
            }
        )  # fmt: skip

    learned = read_events(Tables, as_of=DAY + timedelta(days=30))
    assert (
        at_risk(logs, logs)["exposure_id"]
        .sort()
        .equals(learned.exposures.filter("at_risk")["exposure_id"].sort())
    )
    won = learned.exposures.filter("followed")["exposure_id"].sort()
    assert credited(logs)["exposure_id"].sort().equals(won)
