"""One table against its contract: good rows pass unchanged, bad ones are named, nothing disappears."""

import json
from datetime import datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.contracts import CONTRACTS, REJECTED, conform
from models.contracts.conform import recognise
from models.errors import DataError

NOW = datetime(2020, 11, 1)


def spoilt(frame, **cells):
    """The frame with the first row's cells replaced."""
    first = pl.int_range(pl.len()) == 0
    return frame.with_columns(
        pl.when(first).then(pl.lit(value, dtype=frame.schema[name])).otherwise(pl.col(name)).alias(name)
        for name, value in cells.items()
    )


def as_text(frame):
    return frame.with_columns(pl.all().cast(pl.String))


@pytest.mark.parametrize("table", ["users", "exposures", "orders"])
def test_good_rows_pass_unchanged_typed_or_as_text(request, table):
    frame = request.getfixturevalue(table)
    typed, text = (conform(raw, table, source="f") for raw in (frame, as_text(frame)))
    assert typed.rejected.is_empty()
    assert typed.rejected.schema == REJECTED
    assert typed.good.equals(text.good)
    assert dict(typed.good.schema) | {
        name: column.dtype for name, column in CONTRACTS[table].columns.items()
    } == dict(typed.good.schema)
    same = frame.columns
    assert typed.good.select(same).cast(dict(frame.schema)).equals(frame)


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"exposure_id": None}, "exposure_id: expected text, not empty"),
        ({"user_id": " "}, "user_id: expected text, not empty"),
        ({"campaign_id": "x" * 1001}, "campaign_id: expected text, not empty, at most 1000 letters"),
        ({"exposed_at": None}, "exposed_at: expected a time such as 2020-11-11 09:00:00"),
        ({"cost_cny": -0.01}, "cost_cny: expected a finite number >= 0"),
        ({"cost_cny": float("nan")}, "cost_cny: expected a finite number >= 0"),
        ({"cost_cny": float("inf")}, "cost_cny: expected a finite number >= 0"),
        ({"impressions": -1}, "impressions: expected a whole number >= 0"),
        ({"impressions": 0}, "impressions: expected 0 for placement none and at least 1 for any other"),
        ({"placement": "none"}, "impressions: expected 0 for placement none and at least 1 for any other"),
        ({"followed": None}, "followed: expected true or false"),
        ({"propensity": 0.0}, "propensity: expected a finite number > 0 and <= 1 (or empty)"),
        ({"propensity": 1.01}, "propensity: expected a finite number > 0 and <= 1 (or empty)"),
        ({"propensity": float("inf")}, "propensity: expected a finite number > 0 and <= 1 (or empty)"),
        (
            {"followed_at": NOW - timedelta(seconds=1)},
            "followed_at: expected a time within 24 h after exposed_at",
        ),
        (
            {"followed_at": NOW + timedelta(hours=25)},
            "followed_at: expected a time within 24 h after exposed_at",
        ),
        ({"followed": False}, "followed_at: expected empty where followed is false"),
    ],
)
def test_a_bad_exposure_is_quarantined_with_its_reason(exposures, cells, reason):
    conformed = conform(spoilt(exposures, **cells), "exposures", source="f.parquet")
    [row] = conformed.rejected.to_dicts()
    assert row["reason"].split("; ")[0] == reason
    assert (row["table"], row["source"], row["row"]) == ("exposures", "f.parquet", 1)
    assert conformed.good["exposure_id"].to_list() == ["e2", "e3", "e4"]
    assert conformed.rows.to_list() == [2, 3, 4]


@pytest.mark.parametrize(
    "cells",
    [
        {"followed_at": None},
        {"followed_at": NOW + timedelta(hours=24)},
        {"propensity": float("nan")},
        {"propensity": 1.0},
    ],
)
def test_what_is_allowed_is_kept(exposures, cells):
    assert conform(spoilt(exposures, **cells), "exposures", source="f").rejected.is_empty()


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"gmv_cny": 0.0}, "gmv_cny: expected a finite number > 0"),
        ({"gmv_cny": -5.0}, "gmv_cny: expected a finite number > 0"),
        ({"refund_cny": -1.0}, "refund_cny: expected a finite number >= 0"),
        ({"refund_cny": 201.0}, "refund_cny: expected at most twice gmv_cny (same unit?)"),
        ({"ordered_at": None}, "ordered_at: expected a time such as 2020-11-11 09:00:00"),
    ],
)
def test_a_bad_order_is_quarantined_with_its_reason(orders, cells, reason):
    rejected = conform(spoilt(orders, **cells), "orders", source="f").rejected
    assert reason in rejected["reason"][0].split("; ")


def test_a_refund_with_shipping_is_clipped_with_a_warning(orders):
    conformed = conform(spoilt(orders, refund_cny=110.0), "orders", source="f")
    assert conformed.good["refund_cny"].to_list() == [100.0, 59.9]
    assert "1 refunds above gmv_cny" in conformed.warnings[0]


def test_all_reasons_of_a_row_are_told_and_the_row_is_kept_as_json(exposures):
    raw = spoilt(as_text(exposures), cost_cny="abc", propensity="high", followed="maybe", followed_at=None)
    [row] = conform(raw, "exposures", source="f").rejected.to_dicts()
    assert {reason.split(":")[0] for reason in row["reason"].split("; ")} == {
        "cost_cny",
        "propensity",
        "followed",
    }
    assert json.loads(row["raw"])["cost_cny"] == "abc"


def test_the_first_of_an_id_is_kept(orders):
    repeated = pl.concat([orders, orders[:1], spoilt(orders[:1], gmv_cny=7.0)])
    conformed = conform(repeated, "orders", source="f")
    assert conformed.good.equals(conform(orders, "orders", source="f").good)
    assert conformed.rejected.select("row", "reason").rows() == [
        (3, "order_id: expected unique, repeats an earlier row exactly (the first is kept)"),
        (4, "order_id: expected unique, restates an earlier row (the first is kept)"),
    ]


def test_a_bad_row_does_not_shadow_a_good_one_of_the_same_id(orders):
    conformed = conform(pl.concat([spoilt(orders[:1], gmv_cny=-1.0), orders]), "orders", source="f")
    assert conformed.rows.to_list() == [2, 3]


@given(bad=st.sets(st.integers(0, 29)), text=st.booleans())
@settings(derandomize=True, max_examples=40, deadline=None)
def test_every_row_is_either_good_or_quarantined(bad, text):
    frame = pl.DataFrame(
        {
            "order_id": [f"o{i}" for i in range(30)],
            "user_id": "a",
            "ordered_at": NOW,
            "gmv_cny": [-1.0 if i in bad else 1.0 for i in range(30)],
            "refund_cny": 0.0,
        }
    )
    if len(bad) == 30:
        return
    conformed = conform(as_text(frame) if text else frame, "orders", source="f")
    assert conformed.rejected["row"].to_list() == sorted(i + 1 for i in bad)
    assert conformed.rows.to_list() == [i + 1 for i in range(30) if i not in bad]
    assert conformed.good["order_id"].to_list() == [f"o{i}" for i in range(30) if i not in bad]


def test_rows_are_numbered_within_their_part(orders):
    raw = pl.concat([orders, orders.with_columns(order_id="n" + pl.col("order_id"), gmv_cny=pl.lit(-1.0))])
    conformed = conform(raw, "orders", source="d", parts=[("d/0", 1), ("d/1", 0), ("d/2", 2), ("d/3", 1)])
    assert conformed.rejected.select("source", "row").rows() == [("d/2", 2), ("d/3", 1)]


def test_follows_known_by_day_only_are_kept(exposures):
    follows = exposures.with_columns(
        pl.col("exposed_at") + pl.duration(hours=9),
        followed=pl.Series([True, True, False, True]),
        followed_at=pl.Series([NOW, NOW + timedelta(days=2), None, NOW + timedelta(days=3)]),
    )
    assert conform(follows, "exposures", source="f").rejected.is_empty()
    by_hour = follows.with_columns(pl.col("followed_at") + pl.duration(hours=1))
    assert conform(by_hour, "exposures", source="f").rejected["row"].to_list() == [1, 4]


def test_a_column_may_have_the_name_of_our_own(users, orders):
    row = pl.Series("row", [7, 7, 7], dtype=pl.UInt32)
    assert conform(users.with_columns(row), "users", source="f").good["row"].to_list() == [7.0] * 3
    rejected = conform(spoilt(orders.with_columns(row[:2]), gmv_cny=-1.0), "orders", source="f").rejected
    assert rejected["row"].to_list() == [1]


def test_no_rows(users, orders):
    with pytest.raises(DataError, match="f: no data rows; expected at least one row of table users"):
        conform(users.clear(), "users", source="f")
    empty = conform(orders.clear(), "orders", source="f")
    assert empty.good.is_empty()
    assert "no orders at all" in empty.warnings[0]
    one = conform(users[:1], "users", source="f")
    assert one.good.height == 1


def test_no_usable_row_is_an_error_that_says_why(users):
    with pytest.raises(
        DataError, match=r"f: none of 3 rows of table users is usable; 3 of them: is_fan: expected true"
    ):
        conform(users.with_columns(is_fan=pl.lit("perhaps")), "users", source="f")


@pytest.mark.parametrize(
    ("column", "cells", "expected"),
    [
        ("cost_cny", [[1.0]] * 4, "List"),
        ("exposed_at", [True] * 4, "Boolean"),
        ("followed", [NOW] * 4, "Datetime"),
    ],
)
def test_a_column_of_a_hopeless_type_is_an_error(exposures, column, cells, expected):
    with pytest.raises(DataError, match=f"f: column '{column}' holds {expected}"):
        conform(exposures.with_columns(pl.Series(column, cells)), "exposures", source="f")


def test_unknown_columns_give_one_warning(orders):
    conformed = conform(orders.with_columns(x=1, y=2), "orders", source="f")
    assert conformed.warnings == ("f: ignored unknown columns x, y",)
    assert "x" not in conformed.good.columns


def test_lines_with_too_many_fields_are_quarantined(orders):
    raw = as_text(orders).with_columns(__surplus__=pl.Series(["x", None]))
    conformed = conform(raw, "orders", source="f")
    assert conformed.rejected["reason"][0].startswith("line: expected 6 fields")
    assert conformed.rows.to_list() == [2]


def test_a_table_is_recognised_by_its_columns(users, exposures, orders):
    for frame, table in ((users, "users"), (exposures, "exposures"), (orders, "orders")):
        assert recognise(frame.columns, source="f") == table
    assert recognise(["date", "segment", "placement", "cost", "new_fans"], source="f") == "delivery"
    assert recognise(["segment", "placement", "spend", "value"], source="f") == "curves"
    with pytest.raises(DataError, match="table delivery missing"):
        recognise(["spent", "clicks"], source="f")
    with pytest.raises(DataError, match="table orders missing"):
        recognise(["order_id", "user_id", "ordered_at", "gmv_cny"], source="f")
