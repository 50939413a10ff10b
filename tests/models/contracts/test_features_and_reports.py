"""Features of users, delivery reports and curves: what `conform` does beyond the log tables."""

from datetime import datetime, timedelta

import polars as pl
import pytest

from models.contracts import conform
from models.errors import DataError

NOW = datetime(2020, 11, 1)


def test_features_get_their_types_from_their_cells():
    raw = pl.DataFrame(
        {
            "user_id": ["a", "b", "c", ""],
            "snapshot_at": ["2020-11-01"] * 4,
            "is_fan": ["0", "1", "0", "0"],
            "spend": ["1,000", "", "2.5", "rotten"],
            "vip": ["true", "否", "", ""],
            "gender": ["男", "F", "other", ""],
            "city_tier": ["1", "新一线", "", "3"],
            "nothing": ["", "", "", ""],
        }
    )
    good = conform(raw, "users", source="f").good
    assert good["spend"].to_list() == [1000.0, None, 2.5]
    assert good["vip"].to_list() == [True, False, None]
    assert good["gender"].to_list() == ["m", "f", "other"]
    assert good["city_tier"].to_list() == ["1", "新一线", None]
    assert good["nothing"].dtype == pl.Float64


def test_typed_features(users):
    raw = users.with_columns(
        score=pl.Series([1.0, float("nan"), float("inf")]),
        kind=pl.Series(["x", "y", None], dtype=pl.Categorical),
        joined=pl.Series([NOW - timedelta(days=2)] * 3),
        lasted=pl.Series([timedelta(days=1)] * 3),
    )
    conformed = conform(raw, "users", source="f")
    good = conformed.good
    assert good["score"].to_list() == [1.0, None, None]
    assert good["kind"].dtype == pl.String
    assert good["joined"].to_list() == [2.0] * 3
    assert good["lasted"].to_list() == [1.0] * 3
    assert good["age"].dtype == pl.Float64
    assert sum("NaN or infinite" in line for line in conformed.warnings) == 1


def test_nested_features_are_an_error_that_names_the_column(users):
    with pytest.raises(DataError, match=r"f: feature column 'tags' holds List\(String\)"):
        conform(users.with_columns(tags=pl.Series([["a"]] * 3)), "users", source="f")


def test_delivery_needs_an_outcome_column_and_cell():
    raw = pl.DataFrame({"date": ["2020-11-11"] * 2, "segment": "s", "placement": "p", "cost_cny": 1.0})
    with pytest.raises(DataError, match="at least one outcome column"):
        conform(raw, "delivery", source="f")
    conformed = conform(raw.with_columns(pl.Series("new_fans", [None, 2.0])), "delivery", source="f")
    assert conformed.rejected["row"].to_list() == [1]
    assert "at least one of impressions" in conformed.rejected["reason"][0]
    twice = conform(raw.with_columns(orders=1.0), "delivery", source="f")
    assert "1 rows repeat" in twice.warnings[0]


def test_curves_come_as_points_or_parameters():
    points = {"segment": ["s"] * 2, "placement": "p", "spend_cny": [0.0, 10.0], "value": [0.0, 5.0]}
    assert conform(pl.DataFrame(points), "curves", source="f").good["value"].to_list() == [0.0, 5.0]
    hill = {
        "segment": ["s", "t"],
        "placement": "p",
        "top": [1.0, 2.0],
        "half_spend_cny": [5, 5],
        "slope": [1.5, None],
    }
    conformed = conform(pl.DataFrame(hill), "curves", source="f")
    assert conformed.good["family"].to_list() == ["hill"]
    assert conformed.rejected["reason"].to_list() == ["slope: expected a number > 0 for this family"]
    families = conform(pl.DataFrame({**hill, "family": ["Cubic", "log"]}), "curves", source="f")
    assert families.good["family"].to_list() == ["log"]
    assert "family: expected one of hill, log" in families.rejected["reason"][0]
    with pytest.raises(DataError, match="curves as points"):
        conform(
            pl.DataFrame({"segment": ["s"], "placement": ["p"], "spend_cny": [1.0]}), "curves", source="f"
        )


def test_units_and_words_are_converted():
    raw = pl.DataFrame(
        {
            "日期": ["2020/11/11", "2020-11-12"],
            "人群": ["A", "B"],
            "投放位置": ["短视频", "直播间"],
            "花费（厘）": ["1,500", "2000"],
            "涨粉数": ["3", ""],
            "支付金额": ["", "¥1.2万"],
        }
    )
    good = conform(raw, "delivery", source="f").good
    assert good["cost_cny"].to_list() == [1.5, 2.0]
    assert good["placement"].to_list() == ["video", "live"]
    assert good["gmv_cny"].to_list() == [None, 12_000.0]
    assert good["hour"].to_list() == [None, None]
    assert good.schema["date"] == pl.Date
    assert good.schema["impressions"] == pl.Int64


def test_hours_are_read_as_consoles_write_them():
    written = ["9", "09:00", "9:00-10:00", "23时", " 8点", "7.0", None]
    raw = {"date": "2020-11-11", "segment": "s", "placement": "live", "cost_cny": 1.0, "new_fans": 1.0}
    good = conform(
        pl.DataFrame({"时段": written}).with_columns(**{k: pl.lit(v) for k, v in raw.items()}),
        "delivery",
        source="f",
    ).good
    assert good["hour"].to_list() == [9, 9, 9, 23, 8, 7, None]
    numbers = pl.DataFrame({**{k: [v] for k, v in raw.items()}, "hour": [13]})
    assert conform(numbers, "delivery", source="f").good["hour"].to_list() == [13]
