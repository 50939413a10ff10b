"""Feature coding: every dtype, unknown levels, empty and constant columns, JSON round trip."""

from datetime import datetime

import numpy as np
import polars as pl
import pytest
from stored_copy import read_back

from models.audience.encoding import FeatureEncoder
from models.audience.settings import AUDIENCE
from models.errors import DataError


def users(n=60):
    return pl.DataFrame(
        {
            "user_id": [f"u{i}" for i in range(n)],
            "snapshot_at": [datetime(2020, 1, 1)] * n,
            "is_fan": [i % 2 == 0 for i in range(n)],
            "gender": ["m" if i % 3 else None for i in range(n - 1)] + ["f"],
            "age": [float(i) for i in range(n)],
            "new": [i % 5 == 0 for i in range(n)],
            "joined": [datetime(2019, 1, 1 + i % 20) for i in range(n)],
            "empty": pl.Series([None] * n, dtype=pl.String),
            "same": [1.0] * n,
            "same_text": ["x"] * n,
        }
    )


def test_only_informative_features_are_coded():
    encoder = FeatureEncoder.fit(users())
    assert encoder.names == ("gender", "age", "new", "joined")
    assert encoder.categorical == (0,)


def test_unknown_level_null_and_infinity_are_missing():
    encoder = FeatureEncoder.fit(users())
    row = users(1).with_columns(
        gender=pl.lit("other"), age=pl.lit(float("inf")), new=pl.lit(None, dtype=pl.Boolean)
    )
    assert np.isnan(encoder.encode(row)[0, :3]).all()
    known = encoder.encode(users(2).with_columns(gender=pl.lit("m")))
    assert known[:, 0].tolist() == [1.0, 1.0]


def test_json_round_trip_and_extra_columns_are_ignored():
    encoder = FeatureEncoder.fit(users())
    again = read_back(FeatureEncoder, encoder)
    assert again == encoder
    frame = users().with_columns(more=pl.lit(3)).select(pl.all().reverse())
    np.testing.assert_array_equal(again.encode(frame), encoder.encode(frame))


def test_high_cardinality_keeps_the_frequent_and_shares_a_code_for_the_rest():
    city = [f"c{i % 80}" for i in range(2000)] + [f"rare{i}" for i in range(200)]
    frame = pl.DataFrame({"user_id": [str(i) for i in range(2200)], "city": city})
    encoder = FeatureEncoder.fit(frame)
    (column,) = encoder.columns
    assert len(column.levels) == 80 > AUDIENCE.long_levels
    coded = encoder.encode(pl.DataFrame({"user_id": ["a", "b", "c"], "city": ["c1", "never seen", None]}))[
        :, 0
    ]
    assert coded[1] == 80.0
    assert np.isnan(coded[2])
    names = pl.DataFrame({"user_id": city, "name": [f"n{i}" for i in range(2200)]})
    assert FeatureEncoder.fit(names).columns == ()


def test_a_table_as_wide_as_nobody_can_learn_from_is_refused():
    users = pl.DataFrame({"user_id": ["a", "b"], **{f"x{at}": [0.0, 1.0] for at in range(1001)}})
    with pytest.raises(DataError, match="1001 feature columns, expected at most 1000"):
        FeatureEncoder.fit(users)
    assert len(FeatureEncoder.fit(users.drop("x7")).columns) == 1000


def test_missing_column_names_the_nearest():
    encoder = FeatureEncoder.fit(users())
    with pytest.raises(DataError, match=r"column gender is missing.*nearest column: gendre"):
        encoder.encode(users().rename({"gender": "gendre"}))


def test_text_where_a_number_was_is_read_or_refused():
    encoder = FeatureEncoder.fit(users())
    as_text = users().with_columns(pl.col("age").cast(pl.String), pl.col("new").cast(pl.String))
    np.testing.assert_array_equal(encoder.encode(as_text), encoder.encode(users()))
    with pytest.raises(DataError, match="column age holds 'old', expected a number"):
        encoder.encode(users().with_columns(age=pl.lit("old")))
    with pytest.raises(DataError, match="column tags holds List"):
        FeatureEncoder.fit(users().with_columns(tags=pl.Series([[1]] * 60)))
