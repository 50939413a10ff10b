"""A person's value never depends on who else is in the batch, on its order, or on the types it came in."""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.audience.encoding import FeatureEncoder
from models.contracts import as_frame, conform
from models.contracts.features import Odd, add_up
from models.errors import DataError

N = 40
NOW = datetime(2024, 5, 1)
DRAWN = np.random.default_rng(3)
USERS = pl.DataFrame(
    {
        "user_id": [f"u{i}" for i in range(N)],
        "snapshot_at": [NOW] * N,
        "is_fan": DRAWN.random(N) < 0.2,
        "owns": DRAWN.choice(["是", "否", "未知"], N),
        "tier": DRAWN.choice(["1", "2", "3+"], N),
        "gender": DRAWN.choice(["m", "f", "secret"], N),
        "zip": DRAWN.choice(["010", "020", "x"], N),
        "flag": DRAWN.random(N) < 0.5,
        "visits": DRAWN.integers(0, 4, N),
        "spent": DRAWN.integers(0, 100_000, N) / 100,
        "joined": [(NOW - timedelta(days=int(d))).date() for d in DRAWN.integers(0, 90, N)],
    }
)
TRAINED = conform(USERS, "users", source="users").good
ENCODER = FeatureEncoder.fit(TRAINED)
KINDS = {feature.name: feature.kind for feature in ENCODER.columns}
CODES = ENCODER.encode(TRAINED)


def spelt(column, how):
    """The same cells in another of the types that engines, files and people give them."""
    if column.dtype == pl.String:
        return [
            column,
            column.cast(pl.Categorical),
            column.cast(pl.Enum(column.unique().drop_nulls())),
            pl.Series(column.name, [f" {cell} " for cell in column]),
            column.cast(pl.Int32) if column.str.contains(r"^\d$").all() else column,
            (column == "是").alias(column.name) if column.is_in(["是", "否"]).all() else column,
            column.replace({"m": "男", "f": "女"}) if column.name == "gender" else column,
        ][how]
    if column.dtype == pl.Boolean:
        words = column.replace_strict({True: "是", False: "否"}, return_dtype=pl.String)
        numbers = (column.cast(pl.Int8), column.cast(pl.Float64))
        return [column, *numbers, column.cast(pl.String), words, words, column][how]
    if column.dtype == pl.Date:
        text = column.dt.strftime("%Y/%m/%d")
        times = column.cast(pl.Datetime("ms"))
        return [column, times, column.cast(pl.String), text, text, column, column][how]
    if column.dtype.is_numeric():
        text, exact, real = (column.cast(kind) for kind in (pl.String, pl.Decimal(12, 2), pl.Float64))
        return [column, text, exact, real, text.cast(pl.Categorical), column, column][how]
    return column


def coded(part, hows, *, through_pandas):
    others = [spelt(part[name], how) for name, how in zip(part.columns[1:], hows, strict=True)]
    raw = pl.DataFrame([part["user_id"], *others])
    frame = as_frame(raw.to_pandas()) if through_pandas else raw
    read = conform(frame, "users", source="part", is_part=True, features=ENCODER.columns)
    assert read.rejected.is_empty()
    assert not [odd for odd in read.odd if odd.what != "times"]
    return ENCODER.encode(read.good)


def test_the_kinds_of_the_whole_table():
    assert KINDS == {
        "owns": "category", "tier": "category", "gender": "category", "zip": "category",
        "flag": "bool", "visits": "number", "spent": "number", "joined": "number",
    }  # fmt: skip


@pytest.mark.slow
@given(
    order=st.permutations(range(N)),
    cuts=st.sets(st.integers(1, N - 1), max_size=12),
    hows=st.lists(st.integers(0, 6), min_size=len(USERS.columns) - 1, max_size=len(USERS.columns) - 1),
    through_pandas=st.booleans(),
)
@settings(derandomize=True, max_examples=60, deadline=None)
def test_any_split_order_and_spelling_gives_the_same_codes(order, cuts, hows, through_pandas):
    parts = np.split(np.array(order), sorted(cuts))
    found = np.vstack([coded(USERS[part], hows, through_pandas=through_pandas) for part in parts])
    np.testing.assert_array_equal(found, CODES[order])


def test_one_person_alone():
    for i in range(N):
        np.testing.assert_array_equal(coded(USERS[[i]], [0] * 10, through_pandas=False), CODES[[i]])


def test_what_training_never_saw_is_counted_with_an_example():
    strange = USERS.with_columns(
        owns=pl.lit("借"),
        gender=pl.when(pl.int_range(N) < 3).then(pl.lit("x")).otherwise(pl.col("gender")),
        visits=pl.when(pl.int_range(N) < 5).then(pl.lit("often")).otherwise(pl.col("visits").cast(pl.String)),
        spent=pl.when(pl.int_range(N) == 0).then(1e308).when(pl.int_range(N) == 1).then(-5.0)
        .when(pl.int_range(N) == 2).then(float("inf")).otherwise(pl.col("spent")),
    )  # fmt: skip
    read = conform(strange, "users", source="night", features=ENCODER.columns)
    told = {(odd.feature, odd.what): odd for odd in read.odd}
    assert told["owns", "unseen"] == Odd("owns", "unseen", N, "借")
    assert told["gender", "unseen"].cells == 3
    assert told["visits", "unreadable"] == Odd("visits", "unreadable", 5, "often")
    assert {what for feature, what in told if feature == "spent"} == {"absurd", "negative", "infinite"}
    line = "night: feature 'owns' has 40 cells with a value that training never saw"
    assert any(line in warning for warning in read.warnings)
    assert read.good["spent"][0] is None
    assert read.good["spent"][1] == -5.0
    assert add_up([*read.odd, *read.odd])[0].cells == 2 * read.odd[0].cells


@pytest.mark.parametrize("word", ["1.0", " 1 ", "１"])
def test_a_level_is_found_under_another_spelling(word):
    tier = next(feature for feature in ENCODER.columns if feature.name == "tier")
    assert tier.read(pl.Series("tier", [word]))[0].to_list() == ["1"]


def test_the_reader_of_a_feature_refuses_what_is_no_column():
    nested = USERS.with_columns(tier=pl.Series([["1"]] * N))
    with pytest.raises(DataError, match=r"night: feature column 'tier' holds List\(String\)"):
        conform(nested, "users", source="night", features=ENCODER.columns)


def test_pandas_categories_of_intervals_are_words():
    cut = USERS.to_pandas().assign(band=lambda users: pd.cut(users.spent, [0, 300, 1000]))
    read = conform(as_frame(cut), "users", source="users").good
    assert set(read["band"].drop_nulls()) == {"(0, 300]", "(300, 1000]"}
