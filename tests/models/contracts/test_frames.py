"""Frames as pandas makes them: read, or refused by the name of the column."""

from datetime import date, datetime

import pandas as pd
import polars as pl
import pytest

from models.contracts import as_frame
from models.errors import DataError


def column(values, **how):
    return as_frame(pd.DataFrame({"x": pd.Series(values, **how)}), source="users")["x"]


@pytest.mark.parametrize(
    ("values", "dtype", "meant"),
    [
        ([1, "a", None], object, ["1", "a", None]),
        ([1.0, "2", pd.NA], object, ["1", "2", None]),
        ([1.5, date(2024, 1, 1), None], object, ["1.5", "2024-01-01", None]),
        ([2**70, 1], object, [str(2**70), "1"]),
        ([2**63 + 5, 1], "uint64", [2**63 + 5, 1]),
        ([1, None], "Int64", [1, None]),
        ([True, None], "boolean", [True, None]),
        (["a", None], "category", ["a", None]),
        (pd.period_range("2024-01", periods=2, freq="M"), None, ["2024-01", "2024-02"]),
        (pd.arrays.SparseArray([0, 1]), None, [0, 1]),
        ([0.5, float("nan")], float, [0.5, None]),
    ],
)
def test_a_column_is_read(values, dtype, meant):
    assert column(values, dtype=dtype).to_list() == meant


def test_an_offset_is_not_lost_beside_times_without_one():
    mixed = column([datetime(2024, 1, 1), pd.Timestamp("2024-01-01", tz="Asia/Shanghai")], dtype=object)
    assert mixed.to_list() == ["2024-01-01 00:00:00", "2024-01-01 00:00:00+08:00"]


def test_what_cannot_be_read_is_named():
    twice = pd.DataFrame([[1, 2]], columns=["age", "age"])
    with pytest.raises(DataError, match=r"users: column 'age' stands twice"):
        as_frame(twice, source="users")
    with pytest.raises(DataError, match=r"users: column 'x' holds complex128"):
        column([1 + 2j])
    with pytest.raises(DataError, match=r"users: expected a polars, pandas or Arrow frame .* got int"):
        as_frame(3, source="users")
    with pytest.raises(DataError, match="single Series column"):
        as_frame(pl.Series([1]))


def test_names_that_are_no_text_become_text():
    frame = as_frame(pd.DataFrame([[1, 2]], columns=[7, ("a", "b")]))
    assert frame.columns == ["7", "a b"]


@pytest.mark.parametrize(
    "dtype", [pl.Date, pl.Datetime("us"), pl.Datetime("ms", "Asia/Shanghai"), pl.Datetime("ns")]
)
def test_a_moment_of_no_calendar_can_be_told(dtype):
    size = 32 if dtype == pl.Date else 64
    whole = pl.Series(
        [0, 18_000, 2 ** (size - 1) - 1, -(2 ** (size - 1)), None], dtype=getattr(pl, f"Int{size}")
    )
    raw = pl.DataFrame({"t": whole.cast(dtype)})
    held = as_frame(raw)["t"]
    assert held.dtype == dtype
    assert held[[0, 1, 4]].equals(raw["t"][[0, 1, 4]])
    assert held.cast(pl.String).null_count() == 1  # polars panics of the raw one
