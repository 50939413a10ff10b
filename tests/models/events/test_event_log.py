"""One follow a person, one row that won it, nothing not known yet: the same events for all who ask."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from models.audience.cells.fan_gmv import fan_table
from models.audience.cells.follow_counts import follow_table
from models.events.daily_delivery import daily_delivery
from models.events.event_log import in_order, read_events
from models.events.orders_since_follow import orders_since_follow

DAY = datetime(2020, 11, 11)
LATER = DAY + timedelta(days=30)
COLUMNS = {
    "exposure_id": pl.String,
    "user_id": pl.String,
    "placement": pl.String,
    "exposed_at": pl.Datetime("us"),
    "followed": pl.Boolean,
    "followed_at": pl.Datetime("us"),
    "impressions": pl.Int64,
    "cost_cny": pl.Float64,
    "randomized": pl.Boolean,
}
NO_ORDERS = pl.DataFrame(
    schema={
        "user_id": pl.String,
        "ordered_at": pl.Datetime("us"),
        "gmv_cny": pl.Float64,
        "refund_cny": pl.Float64,
    }
)


@dataclass(frozen=True)
class Shop:
    users: pl.DataFrame
    exposures: pl.DataFrame
    orders: pl.DataFrame = field(default_factory=lambda: NO_ORDERS)


def at(hours: float) -> datetime:
    return DAY + timedelta(hours=hours)


def shop(*rows: tuple[str, str, str, float, float | None], fans: tuple[str, ...] = ()) -> Shop:
    """exposure_id, user_id, placement, hour shown, hour followed or None."""
    exposures = pl.DataFrame(
        [
            (
                name,
                user,
                placement,
                at(shown),
                won is not None,
                None if won is None else at(won),
                0 if placement == "none" else 2,
                1.0,
                False,
            )
            for name, user, placement, shown, won in rows
        ],
        schema=COLUMNS,
        orient="row",
    )
    users = exposures.select(pl.col("user_id").unique(maintain_order=True)).with_columns(
        snapshot_at=pl.lit(DAY), is_fan=pl.col("user_id").is_in(fans)
    )
    return Shop(users, exposures)


def ids(frame: pl.DataFrame) -> list[str]:
    return frame["exposure_id"].to_list()


def test_three_claims_of_one_follow_are_one_follow_for_everybody_who_reads_the_log():
    made = shop(("a", "u", "shelf", 8, 20), ("b", "u", "live", 10, 20), ("c", "u", "video", 12, 20))
    log = read_events(made, as_of=LATER)
    assert ids(log.follows) == ["c"]
    assert log.follows["placement"].to_list() == ["video"]
    assert ids(log.exposures.filter("at_risk")) == ["c"], "claims that lost are neither a follow nor a miss"
    segment = pl.DataFrame({"user_id": ["u"], "segment": ["s"]})
    placements = ["live", "shelf", "video"]
    scored = pl.DataFrame({"user_id": ["u"] * 3, "placement": placements, "segment": ["s"] * 3}).with_columns(
        p_follow=pl.lit(0.1), gmv_per_fan_cny=pl.lit(50.0), p_precise=pl.lit(0.5)
    )
    keys = scored.select("segment", "placement")
    won = {"live": 0.0, "shelf": 0.0, "video": 1.0}
    follows = follow_table(log, scored, keys=keys, trends={}).columns["observed_follows"]
    assert dict(zip(placements, follows, strict=True)) == won
    fans = fan_table(log, scored, keys=keys, horizon_days=30).columns["fans"]
    assert dict(zip(placements, fans, strict=True)) == won
    paid = daily_delivery(log, segment)
    assert dict(paid.select("placement", "new_fans").iter_rows()) == won
    assert paid["cost_cny"].to_list() == [1.0, 1.0, 1.0], (
        "a showing that lost its claim was paid for all the same"
    )


def test_the_first_follow_counts_and_what_comes_after_it_is_no_chance():
    made = shop(("a", "u", "video", 1, 2), ("b", "u", "video", 30, 31), ("c", "u", "video", 50, None))
    log = read_events(made, as_of=LATER)
    assert ids(log.follows) == ["a"]
    assert ids(log.exposures.filter("at_risk")) == ["a"]
    assert log.exposures["followed"].sum() == 1


def test_a_follow_that_comes_a_day_after_its_row_ends_the_risk_when_it_comes():
    made = shop(
        ("a", "u", "video", 20, 30), ("b", "u", "video", 28, None), ("c", "u", "video", 40, None),
        ("d", "v", "video", 41, None),
    )  # fmt: skip
    assert ids(read_events(made, as_of=LATER).exposures.filter("at_risk")) == ["a", "b", "d"]


def test_a_follow_without_a_time_is_of_its_impression():
    made = shop(("a", "u", "video", 8, 20), ("b", "v", "video", 9, None))
    blind = made.exposures.with_columns(followed=True, followed_at=pl.lit(None, pl.Datetime("us")))
    log = read_events(Shop(made.users, blind), as_of=LATER)
    assert log.follows["followed_at"].to_list() == [at(8), at(9)]


def test_a_follow_that_is_not_known_yet_has_not_happened():
    made = shop(("a", "u", "video", 8, 20), ("b", "v", "video", 19, None))
    early = read_events(made, as_of=at(10))
    assert early.exposures.select("exposure_id", "followed", "followed_at", "at_risk").rows() == [
        ("a", False, None, True)
    ]
    assert early.follows.is_empty()


def test_fans_of_before_cannot_be_won_and_their_claims_win_nothing():
    made = shop(("a", "u", "video", 8, 20), ("b", "v", "video", 9, None), fans=("u",))
    log = read_events(made, as_of=LATER)
    assert ids(log.exposures) == ["a", "b"], "what was shown to fans was paid for"
    assert ids(log.exposures.filter("at_risk")) == ["b"]
    assert log.follows.is_empty()


def test_an_organic_follow_of_a_held_out_row_ends_the_risk_too():
    made = shop(("a", "u", "none", 8, 9), ("b", "u", "video", 20, None))
    log = read_events(made, as_of=LATER)
    assert log.follows["placement"].to_list() == ["none"]
    assert ids(log.exposures.filter("at_risk")) == ["a"]


def test_a_log_of_the_same_moment_is_not_read_again_and_an_earlier_one_is_a_cut():
    made = shop(("a", "u", "video", 8, 20), ("b", "v", "video", 30, None))
    log = read_events(made, as_of=LATER)
    assert read_events(log, as_of=LATER) is log
    assert ids(log.before(at(24)).exposures) == ["a"]


def test_orders_count_from_the_follow_to_exactly_the_horizon():
    fans = pl.DataFrame({"user_id": ["u"], "followed_at": [at(0)]})
    hours = [-1, 0, 24 * 30 - 1 / 3600, 24 * 30]
    orders = pl.DataFrame({"user_id": ["u"] * 4, "ordered_at": [at(h) for h in hours], "n": [0, 1, 2, 3]})
    inside = orders_since_follow(fans, orders, horizon_days=30).sort("n")
    assert inside["n"].to_list() == [1, 2]
    assert inside["age_days"].to_list() == pytest.approx([0.0, 30 - 1 / 86400], abs=1e-9)
    assert orders_since_follow(fans, orders)["n"].sort().to_list() == [1, 2, 3]


@pytest.mark.parametrize("seed", range(3))
def test_order_of_rows_does_not_matter_and_nobody_is_won_twice(seed):
    rng = np.random.default_rng(seed)
    n = 2000
    shown = rng.uniform(0, 200, n)
    followed = np.where(
        rng.random(n) < 0.2, np.maximum((shown + rng.uniform(0, 24, n)).round(0), shown), np.nan
    )
    users = [f"u{k:03d}" for k in rng.integers(0, 400, n)]
    placements = rng.choice(["video", "live", "none"], n)
    made = shop(
        *(
            (f"e{i:04d}", user, placement, s, None if np.isnan(f) else f)
            for i, (user, placement, s, f) in enumerate(zip(users, placements, shown, followed, strict=True))
        )
    )
    log = read_events(made, as_of=LATER)
    mixed = Shop(made.users.sample(fraction=1.0, shuffle=True, seed=seed), made.exposures.reverse())
    assert read_events(mixed, as_of=LATER).exposures.equals(log.exposures)
    assert log.follows["user_id"].is_unique().all()
    assert set(log.follows["user_id"]) == set(made.exposures.filter("followed")["user_id"])
    won = log.exposures.join(log.follows.select("user", won="followed_at"), on="user")
    assert (won.filter("at_risk")["exposed_at"] <= won.filter("at_risk")["won"]).all()


def test_a_table_in_order_is_not_copied_by_its_log():
    made = shop(*((f"e{i:03d}", f"u{i * 7 % 50:02d}", "live", i * 5 % 90, None) for i in range(300)))
    ordered = Shop(made.users, in_order(made.exposures))
    log = read_events(ordered, as_of=LATER)
    assert log.exposures.equals(read_events(made, as_of=LATER).exposures)
    assert np.shares_memory(*(one.exposures["cost_cny"].to_numpy() for one in (ordered, log)))
