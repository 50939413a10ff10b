"""Parts of a table: what they may lack, how they may be spelled, what they may not mix."""

from datetime import datetime

import polars as pl
import pytest

from models.contracts import conform
from models.contracts.parts import optional_columns, stack, with_empty
from models.errors import DataError

ORDERS = pl.DataFrame(
    {
        "order_id": ["o1", "o2"],
        "user_id": ["u1", "u2"],
        "ordered_at": [datetime(2020, 11, 11)] * 2,
        "gmv_cny": [10.0, 20.0],
        "refund_cny": [0, 0],
    }
)
AGAIN = ORDERS.with_columns(order_id="p" + pl.col("order_id"))


def test_a_part_may_lack_what_the_contract_does_not_need():
    both = stack(
        [("d/a", ORDERS.with_columns(product_id=pl.lit("ring"))), ("d/b", AGAIN)], "orders", source="d"
    )
    assert both.frame["product_id"].to_list() == ["ring", "ring", None, None]
    assert both.warnings == ("d/b: no column 'product_id' (1 of 2 parts lack it); taken as empty",)
    assert conform(both.frame, "orders", source="d").good.height == 4


def test_a_part_that_lacks_a_needed_column_is_named():
    with pytest.raises(DataError, match=r"d/b: required column 'gmv_cny' .*of table orders missing"):
        stack([("d/a", ORDERS), ("d/b", AGAIN.drop("gmv_cny"))], "orders", source="d")


def test_without_a_contract_every_part_needs_every_column():
    with pytest.raises(DataError, match=r"d/b: columns differ from a \('refund_cny'\)"):
        stack([("d/a", ORDERS), ("d/b", AGAIN.drop("refund_cny"))], None, source="d")


def test_parts_may_spell_a_column_differently():
    chinese = AGAIN.rename({"order_id": "订单ID", "gmv_cny": "支付金额"})
    both = stack([("d/a", ORDERS), ("d/b", chinese)], "orders", source="d")
    assert both.frame.columns == ORDERS.columns
    assert both.frame["gmv_cny"].to_list() == [10.0, 20.0] * 2


@pytest.mark.parametrize("columns", [["支付金额", *ORDERS.columns], [*ORDERS.columns, "支付金额"]])
def test_a_later_part_that_has_a_column_twice_is_refused_by_name(columns):
    twice = AGAIN.with_columns(pl.lit(1.0).alias("支付金额")).select(columns)
    both = stack([("d/a", ORDERS), ("d/b", twice)], "orders", source="d")
    with pytest.raises(DataError, match="d: columns 'gmv_cny' and '支付金额' both mean 'gmv_cny'"):
        conform(both.frame, "orders", source="d")


def test_parts_in_different_units_are_refused_rather_than_added_up():
    li = AGAIN.rename({"refund_cny": "refund_li"})
    both = stack([("d/a", ORDERS), ("d/b", li)], "orders", source="d")
    with pytest.raises(DataError, match=r"'refund_cny' and 'refund_li' both mean 'refund_cny'"):
        conform(both.frame, "orders", source="d")


@pytest.mark.parametrize(
    ("column", "held"),
    [
        (pl.lit("ten"), "holds text, in a it holds numbers"),
        (pl.lit(datetime(2020, 1, 1)), "holds times, in a it holds numbers"),
        (pl.Series([[1.0], [2.0]]), "holds values of type List"),
    ],
)
def test_a_column_of_another_type_is_named_with_its_part(column, held):
    parts = [("d/a", ORDERS), ("d/b", AGAIN.with_columns(gmv_cny=column))]
    for table in ("orders", None):
        with pytest.raises(DataError) as error:
            stack(parts, table, source="d")
        assert str(error.value).startswith("d/b: column 'gmv_cny'")
        assert held in str(error.value)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("dtype", [pl.Null, pl.String, pl.Float64])
def test_a_column_without_a_value_goes_with_any_type(dtype):
    empty = AGAIN.with_columns(refund_cny=pl.lit(None, dtype=dtype))
    for parts in ([("d/a", ORDERS), ("d/b", empty)], [("d/b", empty), ("d/a", ORDERS)]):
        assert stack(parts, "orders", source="d").frame["refund_cny"].dtype == pl.Int64
    twice = stack([("d/a", empty), ("d/b", empty)], "orders", source="d").frame
    assert twice["refund_cny"].dtype == dtype


def test_numbers_and_text_may_be_of_different_width():
    other = AGAIN.with_columns(pl.col("gmv_cny").cast(pl.Int32), pl.col("user_id").cast(pl.Categorical))
    both = stack([("d/a", ORDERS), ("d/b", other)], "orders", source="d").frame
    assert both.schema["gmv_cny"] == pl.Float64
    assert both.schema["user_id"] == pl.String


def test_parts_that_are_streamed_get_the_columns_of_the_others():
    users = pl.DataFrame({"user_id": ["u1"], "snapshot_at": [datetime(2020, 1, 1)], "is_fan": [False]})
    full, other = users.with_columns(gender=pl.lit("f")), users.rename({"user_id": "用户ID"})
    optional = optional_columns({"a": full.schema, "b": other.schema}, "users")
    assert [name for name, _ in optional.values()] == ["gender"]
    told = with_empty(other, optional, "users", source="b")
    assert told.columns == ["用户ID", "snapshot_at", "is_fan", "gender"]
    assert told.schema["gender"] == pl.String
    assert with_empty(full.rename({"gender": "性别"}), optional, "users", source="c").width == 4
