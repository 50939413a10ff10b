"""Numbers that may mean two things a thousandfold apart: read where nothing is open, else refused."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.contracts import conform
from models.contracts.numbers import decimal_mark, number, read_number
from models.contracts.words import identifier
from models.errors import DataError


def read(*cells, **how):
    return number(pl.Series(cells, dtype=pl.String), **how).values.to_list()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("0.07万", 700.0),
        ("1.2w", 12_000.0),
        ("3k", 3000.0),
        ("5千万", 5e7),
        ("1.5亿", 1.5e8),
        ("12人", 12.0),
        ("1,234次", 1234.0),
        ("１２３", 123.0),
        ("1 234,50", 1234.5),
        ("1'234.5", 1234.5),
        ("2‰", 0.002),
    ],
)
def test_units_and_groups_in_a_cell(written, meant):
    assert read(written) == [meant]


@pytest.mark.parametrize("written", ["0,123", "00,123", "1,5", "1234,560", "1,23,456", "10万+", "3 apples"])
def test_a_comma_that_cannot_group_is_not_read(written):
    assert read(written) == [None]


def test_one_column_with_two_conventions_is_refused_where_it_is_open():
    assert read("123,450", "1,234") == [123_450.0, 1234.0]
    assert read("123,450", "1234,560", "7", "1,234.5") == [None, None, 7.0, 1234.5]
    assert read("123,450", "1234,560", by_cell=True) == [123_450.0, None]


@pytest.mark.parametrize(
    ("cells", "mark"),
    [
        (["12,5", "1.234"], ","),
        (["12.5", "1,234"], "."),
        (["12,5", "12.5"], "?"),
        (["123,450", "7"], ","),
        (["1.234", "7"], "?"),
        (["7", "abc"], ","),
    ],
)
def test_a_file_separated_by_semicolons_tells_its_decimal_mark(cells, mark):
    assert decimal_mark(pl.DataFrame({"x": cells})) == mark


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=20))
@settings(derandomize=True, max_examples=60, deadline=None)
def test_decimal_commas_and_dots_mean_the_same_in_their_files(thousandths):
    dots = [f"{n / 1000:,.3f}" for n in thousandths]
    commas = [cell.translate(str.maketrans(",.", ".,")) for cell in dots]
    assert read(*commas, decimal=",") == read(*dots) == [n / 1000 for n in thousandths]


def test_what_stays_open_in_a_file_is_refused():
    assert read("1.234", "123,450", "12,5", "12.5", decimal="?") == [None, None, 12.5, 12.5]


def test_a_number_of_a_brief_is_read_like_a_cell():
    assert [read_number(text) for text in ("0.5万", "25%", "1,000", "1:30:00", "x")] == [
        5000.0,
        0.25,
        1000.0,
        None,
        None,
    ]


def test_factors_in_the_header_of_a_count():
    raw = pl.DataFrame(
        {
            "日期": ["2024-05-01"],
            "人群": ["A"],
            "投放位置": ["短视频"],
            "花费(万元)": ["0.02"],
            "曝光数(万次)": ["0.07"],
            "涨粉数(人)": ["3"],
        }
    )
    [row] = conform(raw, "delivery", source="f").good.to_dicts()
    assert (row["cost_cny"], row["impressions"], row["new_fans"]) == (200.0, 700, 3.0)


def test_ids_that_lost_their_digits_are_refused_by_that_name():
    lost = identifier(pl.Series(["9.00001E+17", "u1", "12"]))
    assert lost.bad.to_list() == [True, False, False]
    assert identifier(pl.Series(["12.0", "7.0", None])).values.to_list() == ["12", "7", None]
    assert identifier(pl.Series(["12.0", "7.5"])).values.to_list() == ["12", "7.5"]
    raw = pl.DataFrame({"user_id": ["9.00001E+17"] * 3, "snapshot_at": "2024-05-01", "is_fan": "0"})
    with pytest.raises(DataError, match=r"scientific notation .*ids as text \(first: row 1, which holds '9"):
        conform(raw, "users", source="users.csv")
