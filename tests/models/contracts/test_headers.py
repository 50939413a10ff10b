"""Which header means which column."""

import pytest

from models.contracts.aliases import ALIASES
from models.contracts.headers import bind, fold, means
from models.contracts.schemas import CONTRACTS, CURVE_PARAMETERS, CURVE_POINTS
from models.errors import DataError

DELIVERY = ["date", "segment", "placement", "cost_cny", "new_fans"]


def bound(columns, table="delivery"):
    return bind(columns, table, CONTRACTS[table], source="f.csv").bound


@pytest.mark.parametrize(
    ("header", "factor"),
    [
        ("cost_cny", 1.0),
        ("COST_CNY", 1.0),
        ("\ufeff Cost CNY ", 1.0),
        ("花费", 1.0),
        ("花费(元)", 1.0),
        ("花费（厘）", 1e-3),
        ("花费 ( 厘 )", 1e-3),
        ("cost_li", 1e-3),
        ("消耗[分]", 1e-2),
        ("花费(万元)", 1e4),
    ],
)
def test_a_cost_header_in_any_dress(header, factor):
    columns = bound(["date", "segment", "placement", header, "new_fans"])
    assert columns["cost_cny"].raw == header
    assert columns["cost_cny"].factor == factor


def test_the_aliases_of_the_design():
    design = {
        "日期": "date",
        "时段": "hour",
        "计划ID": "campaign_id",
        "人群": "segment",
        "投放位置": "placement",
        "花费": "cost_cny",
        "曝光数": "impressions",
        "直播间进入数": "live_entries",
        "涨粉数": "new_fans",
        "支付订单数": "orders",
        "支付金额": "gmv_cny",
    }
    columns = bound(list(design))
    assert {binding.raw: name for name, binding in columns.items()} == design
    assert means("GMV", "delivery", "gmv_cny")
    assert means("退款金额", "orders", "refund_cny")
    assert means("refund_li", "orders", "refund_cny")


def test_every_column_of_every_table_has_a_chinese_name_and_no_name_means_two_columns():
    contracts = {**CONTRACTS, "curves": CURVE_POINTS}
    for table, contract in (*contracts.items(), ("curves", CURVE_PARAMETERS)):
        names: dict[str, str] = {}
        for column in contract.columns:
            aliases = ALIASES[table].get(column, ())
            assert any(not alias.isascii() for alias in aliases) or column == "value", column
            for alias in {fold(name) for name in (column, *aliases)}:
                assert names.setdefault(alias, column) == column, alias


def test_money_in_an_unknown_unit_is_not_taken_for_yuan():
    with pytest.raises(DataError, match=r"'cost_cny'.*found: .*cost \(usd\)"):
        bound(["date", "segment", "placement", "cost (usd)", "new_fans"])


def test_a_missing_column_names_what_was_found_and_the_nearest():
    with pytest.raises(DataError) as error:
        bound(["date", "segmnt", "placement", "cost_cny"])
    assert str(error.value) == (
        "f.csv: required column 'segment' (nearest: 'segmnt') of table delivery missing; "
        "found: date, segmnt, placement, cost_cny; add or rename it"
    )


def test_two_columns_for_one_name():
    with pytest.raises(DataError, match=r"f.csv: columns 'cost_cny' and '花费\(厘\)' both mean 'cost_cny'"):
        bound([*DELIVERY, "花费(厘)"])


@pytest.mark.parametrize(
    ("known", "name"), [("计划ID", "计划名称"), ("campaign_id", "campaign_name"), ("计划编号", "计划")]
)
def test_an_id_tells_campaigns_apart_where_their_name_stands_beside_it(known, name):
    contract = CONTRACTS["delivery"]
    for pair in ((known, name), (name, known)):
        found = bind([*DELIVERY, *pair], "delivery", contract, source="f.csv")
        assert found.bound["campaign_id"].raw == known
        assert found.ignored == (name,)
    assert bound([*DELIVERY, name])["campaign_id"].raw == name


def test_two_ids_for_one_column_are_refused():
    with pytest.raises(DataError, match="columns 'campaign_id' and '计划ID' both mean 'campaign_id'"):
        bound([*DELIVERY, "campaign_id", "计划ID"])


def test_unknown_columns_are_features_of_users_and_ignored_elsewhere():
    users = bind(
        ["user_id", "snapshot_at", "is_fan", "性别", "客单价(厘)", "Interest A", "Unnamed: 0"],
        "users",
        CONTRACTS["users"],
        source="u",
    )
    assert {name: (b.raw, b.factor) for name, b in users.features.items()} == {
        "gender": ("性别", 1.0),
        "aov_cny": ("客单价(厘)", 1e-3),
        "Interest A": ("Interest A", 1.0),
    }
    assert users.ignored == ("Unnamed: 0",)
    delivery = bind([*DELIVERY, "clicks"], "delivery", CONTRACTS["delivery"], source="d")
    assert delivery.ignored == ("clicks",)
    assert not delivery.features
