"""Cells as people and consoles write them."""

from datetime import UTC, date, datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.contracts import values

NINE = datetime(2020, 11, 11, 9)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("12", 12.0),
        ("1,234.5", 1234.5),
        ("¥1,200.50", 1200.5),
        ("￥ 30元", 30.0),
        ("3.5%", 0.035),
        ("1.2万", 12_000.0),
        (" 7\u3000", 7.0),
        ("-2", -2.0),
        ("1e3", 1000.0),
    ],
)
def test_a_written_number_is_read(written, meant):
    parsed = values.number(pl.Series([written, "0"]))
    assert parsed.values[0] == pytest.approx(meant)
    assert not parsed.bad.any()


@pytest.mark.parametrize("written", ["abc", "1,5", "1,23,456", "1.2.3", "$4", "12 apples", "0x10", "--3"])
def test_what_is_not_surely_a_number_is_bad(written):
    parsed = values.number(pl.Series([written]))
    assert parsed.values[0] is None
    assert parsed.bad.to_list() == [True]


@pytest.mark.parametrize("blank", ["", " ", "-", "NULL", "N/A", "\\N", "无数据", None])
@pytest.mark.parametrize("dtype", [pl.Float64(), pl.Int64(), pl.Boolean(), pl.Datetime("us"), pl.Date()])
def test_an_empty_cell_is_null_and_not_bad(blank, dtype):
    parsed = values.parse(pl.Series(["x", blank], dtype=pl.String), dtype)
    assert parsed.values[1] is None
    assert parsed.bad.to_list() == [True, False]
    assert parsed.values.dtype == dtype


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=1, max_size=20))
@settings(derandomize=True, max_examples=60, deadline=None)
def test_plain_numbers_survive_being_text(numbers):
    parsed = values.number(pl.Series([repr(number) for number in numbers]))
    assert parsed.values.to_list() == numbers


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=20))
@settings(derandomize=True, max_examples=60, deadline=None)
def test_thousands_separators_change_nothing(numbers):
    parsed = values.number(pl.Series([f"{number:,}" for number in numbers]))
    assert parsed.values.to_list() == numbers


@pytest.mark.parametrize(
    "written",
    [
        "2020-11-11 09:00:00",
        "2020-11-11T09:00:00",
        "2020-11-11T09:00:00.000000",
        "2020/11/11 09:00",
        "2020/11/11 9:00:00",
        "2020.11.11 9:00",
        "2020年11月11日 09:00",
        "2020年11月11日09:00",
        "20201111 09:00:00",
        "2020-11-11T01:00:00Z",
        "2020-11-11 01:00:00+00:00",
        "2020-11-11T09:00:00+08",
        "2020-11-11T06:30:00+05:30",
        "1605056400",
        "1605056400000",
        " 2020-11-11 09:00:00 ",
    ],
)
def test_a_written_time_is_read_as_shanghai_time(written):
    for column in (
        pl.Series([written]),
        pl.Series(["2020-11-10 00:00:00", written]),
        pl.Series(["x", written]),
    ):
        parsed = values.time(column)
        assert parsed.values[-1] == NINE
        assert not parsed.bad[-1]


@pytest.mark.parametrize(
    "written", ["11/12/2020", "2020-02-30", "2020-11-11 25:00:00", "yesterday", "7", "9:00"]
)
def test_an_ambiguous_or_impossible_time_is_bad(written):
    assert values.time(pl.Series([written])).bad.to_list() == [True]


def test_typed_times_become_naive_shanghai_microseconds():
    utc = pl.Series([datetime(2020, 11, 11, 1, tzinfo=UTC)])
    for column in (utc, utc.cast(pl.Datetime("ms", "UTC")), utc.dt.convert_time_zone("America/New_York")):
        assert values.time(column).values.to_list() == [NINE]
    assert values.time(pl.Series([date(2020, 11, 11)])).values.to_list() == [datetime(2020, 11, 11)]
    assert values.time(pl.Series([1605056400, 20201111, 5])).values.to_list() == [
        NINE,
        datetime(2020, 11, 11),
        None,
    ]
    assert values.parse(pl.Series([NINE]), pl.Date()).values.to_list() == [date(2020, 11, 11)]


@pytest.mark.parametrize("words", [("true", "false"), ("1", "0"), ("是", "否"), ("YES", "no"), (" T ", "F")])
def test_truth_words(words):
    assert values.truth(pl.Series(words)).values.to_list() == [True, False]


def test_truth_of_numbers_is_only_zero_and_one():
    parsed = values.truth(pl.Series([1.0, 0.0, 2.0, float("nan")]))
    assert parsed.values.to_list() == [True, False, None, None]
    assert parsed.bad.to_list() == [False, False, True, False]


def test_ids_read_as_numbers_keep_their_digits():
    assert values.text(pl.Series([12, 7])).values.to_list() == ["12", "7"]
    assert values.text(pl.Series([12.0, float("nan")])).values.to_list() == ["12", None]
    assert values.text(pl.Series([1.5, 1e300])).bad.to_list() == [True, True]
    assert values.parse(pl.Series([b"ab"]), pl.String()).values.to_list() == ["ab"]
    assert values.parse(pl.Series(["x"], dtype=pl.Categorical), pl.String()).values.to_list() == ["x"]


def test_whole_numbers():
    parsed = values.parse(pl.Series(["3", "3.0", "3.5", "1e30", "inf"]), pl.Int64())
    assert parsed.values.to_list() == [3, 3, None, None, None]
    assert parsed.bad.to_list() == [False, False, True, True, True]


def test_nan_is_empty_only_where_empty_is_allowed():
    cells = pl.Series([float("nan"), 1.0])
    assert values.parse(cells, pl.Float64(), nullable=True).values.to_list() == [None, 1.0]
    assert values.parse(cells, pl.Float64()).values.is_nan().to_list() == [True, False]


@pytest.mark.parametrize("dtype", [pl.String(), pl.Float64(), pl.Boolean(), pl.Datetime("us")])
def test_a_list_can_never_be_read(dtype):
    with pytest.raises(values.WrongTypeError, match="List"):
        values.parse(pl.Series([[1], [2]]), dtype)


def test_placement_words():
    words = pl.Series(
        ["短视频", "直播间", " ", "Video", "short-video", "对照", "mens_email", "Mens_Email", None]
    )
    renamed = ["video", "live", " ", "video", "video", "none", "mens_email", "Mens_Email", None]
    assert values.placement(words).to_list() == renamed
