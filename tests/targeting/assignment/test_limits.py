import offered_people
import polars as pl
import pytest

import targeting as tg
from models.errors import CampaignError, DataError, InfeasibleError

TABLE = offered_people.offers(600, k=3, seed=8)
MONEY = 0.15 * float(TABLE["cost_cny"].sum())


def assigned(*limits, table=TABLE, budget=MONEY):
    return tg.assign(table, budget_cny=budget, limits=limits)


def test_a_cap_and_a_floor_on_a_placement_hold_and_have_prices_of_opposite_signs():
    free = assigned()
    video, live = (offered_people.used_by(free, TABLE, placement=p) for p in ("video", "live"))
    found = assigned(
        {"kind": "bounds", "name": "less video", "placement": "video", "max_cny": 0.5 * video},
        {"kind": "bounds", "name": "more live", "placement": "live", "min_cny": 1.6 * live},
    )
    assert offered_people.used_by(found, TABLE, placement="video") <= 0.5 * video * (1 + 1e-12)
    assert offered_people.used_by(found, TABLE, placement="live") >= 1.6 * live * (1 - 1e-12)
    assert found.prices["less video"] > 0 > found.prices["more live"]
    assert found.value < free.value


def test_shares_are_of_the_budget_and_the_narrower_of_two_ends_counts():
    found = assigned(
        {"kind": "bounds", "placement": "live", "max_share": 0.2, "max_cny": 1e6, "min_share": 0.1}
    )
    spent = offered_people.used_by(found, TABLE, placement="live")
    assert 0.1 * MONEY * (1 - 1e-12) <= spent <= 0.2 * MONEY * (1 + 1e-12)
    assert found.limits["lower"].to_list()[1:] == [pytest.approx(0.1 * MONEY)]
    assert found.limits["upper"].to_list()[1:] == [pytest.approx(0.2 * MONEY)]


def test_expected_live_entries_stay_within_the_room():
    free = assigned()
    room = 0.5 * offered_people.used_by(free, TABLE, "live_entries")
    found = assigned({"kind": "live_capacity", "viewers": room})
    assert offered_people.used_by(found, TABLE, "live_entries") <= room * (1 + 1e-12)
    assert found.prices["live_capacity-1"] > 0


def test_any_other_column_can_be_limited():
    found = assigned({"kind": "amount", "column": "live_entries", "name": "guests", "min": 40.0})
    assert offered_people.used_by(found, TABLE, "live_entries") >= 40.0 * (1 - 1e-12)
    assert found.limits.filter(pl.col("name") == "guests")["unit"].to_list() == ["live_entries"]


def test_each_makes_a_limit_of_every_value():
    found = assigned({"kind": "bounds", "name": "even", "each": "segment", "max_share": 0.3})
    assert [n for n in found.prices if n != "total"] == ["even (s0)", "even (s1)", "even (s2)"]
    for segment in ("s0", "s1", "s2"):
        assert offered_people.used_by(found, TABLE, segment=segment) <= 0.3 * MONEY * (1 + 1e-12)
    cells = assigned({"kind": "bounds", "each": "cell", "placement": ["live", "video"], "max_share": 0.2})
    assert cells.limits.height == 1 + 6
    assert cells.limits["where"].to_list()[1] == "s0, live"


def test_ratios_means_and_shares_of_merchants_hold_too():
    table = TABLE.with_columns(
        impressions=pl.int_range(pl.len()) % 4 + 1.0,
        merchant_id=pl.when(pl.col("user_id") < "u00300").then(pl.lit("m1")).otherwise(pl.lit("m2")),
    )
    found = assigned(
        {"kind": "ratio", "of": {"placement": "live"}, "to": {"placement": "video"}, "min": 0.5, "max": 0.8},
        {"kind": "roi_floor", "placement": "video", "min": 2.5},
        {"kind": "frequency_cap", "impressions": 2.2},
        {"kind": "fairness_floor", "min_share": 0.45},
        table=table,
    )
    live, video = (offered_people.used_by(found, table, placement=p) for p in ("live", "video"))
    assert 0.5 * video * (1 - 1e-9) <= live <= 0.8 * video * (1 + 1e-9)
    assert offered_people.used_by(found, table, "worth", placement="video") >= 2.5 * video * (1 - 1e-9)
    shown = offered_people.used_by(found, table, "impressions")
    assert shown <= 2.2 * found.chosen.height * (1 + 1e-9)
    for merchant in ("m1", "m2"):
        share = offered_people.used_by(found, table, "worth", merchant_id=merchant) / found.value
        assert share >= 0.45 * (1 - 1e-9)
    assert found.value < assigned(table=table).value
    assert found.gap <= 1e-3


def test_an_offer_in_two_placements_counts_in_both():
    table = pl.DataFrame(
        {
            "user_id": ["a", "b", "c"],
            "placement": ["both"] * 3,
            "worth": [3.0, 2.0, 1.0],
            "cost_cny": [3.0, 3.0, 3.0],
            "cost_cny_live": [2.0] * 3,
            "cost_cny_video": [1.0] * 3,
        }
    )
    limit = {"kind": "bounds", "placement": "live", "max_cny": 4.0}
    found = assigned(limit, table=table, budget=9.0)
    assert found.chosen["user_id"].to_list() == ["a", "b"]
    assert found.limits["used"].to_list() == [6.0, 4.0]
    each = assigned({"kind": "bounds", "each": "placement", "max_cny": 4.0}, table=table, budget=9.0)
    assert each.limits["where"].to_list() == ["", "live", "video"]
    assert each.chosen.height == 2


def test_an_offer_too_large_for_a_cap_is_never_made_and_does_not_loosen_the_bound():
    table = pl.DataFrame(
        {"user_id": ["a", "b"], "placement": ["live"] * 2, "worth": [100.0, 1.0], "cost_cny": [10.0, 1.0]}
    )
    found = assigned(table=table, budget=5.0)
    assert (found.value, found.upper_bound, found.status) == (1.0, 1.0, "optimal")


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        (
            {"kind": "max_active", "n": 1},
            r"limits\[0\]: unknown kind 'max_active'.*'bounds', 'live_capacity', 'ratio'",
        ),
        ({"kind": "bounds", "max_share": 2}, r"limits\[0\].max_share: expected a number <= 1"),
        ({"kind": "bounds", "max_chy": 2}, 'did you mean "max_cny"'),
        (
            {"kind": "bounds", "placement": "live"},
            "needs at least one of min_cny, max_cny, min_share, max_share",
        ),
        ({"kind": "amount", "column": "live_entries"}, "needs at least one of min, max"),
        (
            {"kind": "amount", "column": "x", "min": 2, "max": 1},
            "min 2 is greater than max 1; swap or change",
        ),
        ({"kind": "bounds", "name": "total", "max_cny": 1}, "called 'total', which is the budget's name"),
        (
            {"kind": "bounds", "placement": "radio", "max_cny": 1},
            "'radio' is not in the table; it has live, shelf",
        ),
        (
            {"kind": "bounds", "segment": "s9", "max_cny": 1},
            "limit 'bounds-1': segment 's9' is not in the table",
        ),
        ({"kind": "bounds", "fan_kind": "precise", "max_cny": 1}, "the table has no column fan_kind; add it"),
        ({"kind": "bounds", "each": "slot", "max_cny": 1}, "the table has no column slot; add it"),
    ],
)
def test_a_wrong_limit_is_told_in_the_words_of_the_brief(limit, message):
    with pytest.raises(CampaignError, match=message):
        assigned(limit)


def test_a_counted_column_must_be_there_and_hold_amounts():
    with pytest.raises(DataError, match="column 'live_entries' is missing; a limit counts it"):
        assigned({"kind": "live_capacity", "viewers": 3}, table=TABLE.drop("live_entries"))
    negative = TABLE.with_columns(live_entries=pl.lit(-1.0))
    with pytest.raises(DataError, match=r"live_entries of user 'u00000' for 'live' is -1.0; expected a fin"):
        assigned({"kind": "live_capacity", "viewers": 3}, table=negative)


def test_a_floor_beyond_all_offers_is_named_with_what_is_there():
    reach = float(TABLE.filter(pl.col("placement") == "live")["cost_cny"].sum())
    with pytest.raises(
        InfeasibleError, match=r"'much live' asks for at least 1e\+06 CNY, and all offers"
    ) as told:
        assigned({"kind": "bounds", "name": "much live", "placement": "live", "min_cny": 1e6}, budget=2e6)
    assert told.value.conflict == ("much live",)
    assert told.value.relaxation["much live"] == pytest.approx(1e6 - reach)


@pytest.mark.parametrize("n", [30, 600, 4000])
def test_limits_that_contradict_each_other_are_named_and_others_are_not(n):
    table = offered_people.offers(n, k=3, seed=9)
    money = 0.2 * float(table["cost_cny"].sum())
    with pytest.raises(InfeasibleError, match="cannot hold together") as told:
        assigned(
            {"kind": "bounds", "name": "half live", "placement": "live", "min_share": 0.6},
            {"kind": "bounds", "name": "half video", "placement": "video", "min_share": 0.6},
            {"kind": "live_capacity", "name": "room", "viewers": 1e6},
            table=table,
            budget=money,
        )
    assert set(told.value.conflict) == {"total", "half live", "half video"}


def test_floors_that_no_whole_people_meet_are_said_to_be_too_narrow():
    table = pl.DataFrame(
        {"user_id": ["a", "b"], "placement": ["live"] * 2, "worth": [1.0, 1.0], "cost_cny": [1.0, 1.0]}
    )
    with pytest.raises(InfeasibleError, match="no choice of whole people was found that keeps 'half'"):
        assigned({"kind": "bounds", "name": "half", "min_cny": 1.4, "max_cny": 1.6}, table=table, budget=2)
