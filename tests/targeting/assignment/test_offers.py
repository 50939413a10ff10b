import polars as pl
import pytest

import targeting as tg
from models.errors import DataError

GOOD = {"user_id": ["a", "b"], "placement": ["video", "live"], "worth": [1.0, 2.0], "cost_cny": [1.0, 1.0]}


def refused(match, **columns):
    with pytest.raises(DataError, match=match):
        tg.assign(pl.DataFrame({**GOOD, **columns}, strict=False), budget_cny=1)


@pytest.mark.parametrize("column", list(GOOD))
def test_a_missing_column_is_named(column):
    with pytest.raises(DataError, match=f"offers: column '{column}' is missing; expected user_id, placement"):
        tg.assign({k: v for k, v in GOOD.items() if k != column}, budget_cny=1)


def test_an_empty_table_is_no_audience():
    with pytest.raises(DataError, match="the table is empty; expected one row per person and placement"):
        tg.assign(pl.DataFrame(GOOD).clear(), budget_cny=1)


@pytest.mark.parametrize("bad", [float("nan"), None, float("inf"), -1.0])
def test_a_cost_is_a_finite_number_of_at_least_0_and_the_person_is_named(bad):
    refused(
        r"cost_cny of user 'b' for 'live' is .*; expected a finite number >= 0 \(1 such rows\)",
        cost_cny=[1.0, bad],
    )


@pytest.mark.parametrize("bad", [float("nan"), None, float("-inf")])
def test_worth_may_be_negative_but_is_a_number(bad):
    refused(
        r"worth of user 'a' for 'video' is .*; expected a finite number \(1 such rows\)", worth=[bad, 1.0]
    )
    assert tg.assign({**GOOD, "worth": [-1.0, 2.0]}, budget_cny=9).value == 2.0


def test_text_is_no_number():
    refused("column 'worth' holds String, expected numbers", worth=["1", "2"])


def test_an_offer_without_a_person_is_refused_with_its_row():
    refused("row 2: user_id is empty", user_id=["a", None])
    refused("row 1: placement is empty", placement=[None, "live"])


def test_a_person_has_a_placement_once():
    refused(
        "user 'a' has two rows for 'video'; expected one per person",
        user_id=["a", "a"],
        placement=["video"] * 2,
    )


def test_the_control_group_is_no_placement():
    refused(
        "placement 'none' is for people who are held out; leave these rows out", placement=["none", "live"]
    )


@pytest.mark.parametrize("ids", [[1.0, 2.0], [1, 2], pl.Series([1, 2], dtype=pl.UInt64)])
def test_ids_that_pandas_made_numbers_of_are_read_as_their_digits(ids):
    found = tg.assign(pl.DataFrame({**GOOD, "user_id": ids}), budget_cny=9)
    assert found.chosen["user_id"].to_list() == ["1", "2"]


@pytest.mark.parametrize("bad", [1.5, 9.00001e17, float("inf")])
def test_an_id_that_is_no_whole_number_or_lost_its_digits_is_refused_with_its_row(bad):
    refused("row 2: user_id is .*; expected text or a whole number", user_id=[1.0, bad])


def test_a_missing_id_of_a_float_column_is_empty():
    refused("row 2: user_id is empty", user_id=[1.0, float("nan")])
