"""Times as spreadsheets and consoles write them, and those that cannot be meant."""

from datetime import datetime, timedelta

import polars as pl

from models.contracts import conform
from models.contracts.times import time, unbelievable

NINE = datetime(2024, 5, 1, 9)


def read(*cells):
    return time(pl.Series(cells)).values.to_list()


def test_days_as_excel_counts_them():
    assert read("45413.375", "45413") == [NINE, datetime(2024, 5, 1)]
    assert read(45413.375, 45413.0) == [NINE, datetime(2024, 5, 1)]


def test_days_and_months_are_told_apart_by_the_column_or_not_at_all():
    assert read("13/05/2024", "01/05/2024 09:00") == [datetime(2024, 5, 13), NINE]
    assert read("05/13/2024", "05/01/2024 09:00") == [datetime(2024, 5, 13), NINE]
    assert read("01/05/2024", "02/05/2024") == [None, None]
    assert read("13/05/2024", "05/13/2024") == [None, None]
    assert time(pl.Series(["13/05/2024", "01/05/2024"]), by_cell=True).bad.all()


def test_times_with_and_without_an_offset_in_one_column():
    both = read("2024-05-01 09:00:00+08:00", "2024-05-01 09:00:00", "2024-05-01")
    assert both == [NINE, NINE, datetime(2024, 5, 1)]
    mixed = time(pl.Series(["2024-05-01T01:00:00Z", "2024-05-01 09:00:00"]))
    assert mixed.values.to_list() == [NINE, None]
    assert mixed.bad.to_list() == [False, True]


def test_one_order_of_the_year_9999_is_not_the_newest():
    days = [NINE + timedelta(days=d % 90) for d in range(300)]
    orders = pl.DataFrame(
        {
            "order_id": [f"o{i}" for i in range(302)],
            "user_id": "a",
            "ordered_at": [*days, datetime(9999, 12, 31), datetime(2032, 5, 1)],
            "gmv_cny": 1.0,
            "refund_cny": 0.0,
        }
    )
    conformed = conform(orders, "orders", source="orders")
    assert conformed.good["ordered_at"].max() == max(days)
    assert conformed.rejected["row"].to_list() == [301, 302]
    assert "expected a date that can be meant" in conformed.rejected["reason"][0]


def test_a_pause_of_years_with_many_rows_behind_it_is_history():
    old = [datetime(2020, 1, 1) + timedelta(days=d) for d in range(100)]
    new = [NINE + timedelta(days=d) for d in range(10)]
    assert not unbelievable(pl.Series([*old, *new])).any()


def test_full_width_digits_are_digits_in_times_too():
    read = time(pl.Series(["２０２０-１１-０１", "２０２０年１１月１日 ０９：３０"]))
    assert read.values.dt.day().to_list() == [1, 1]
    assert not read.bad.any()
