"""`targeting products`: board, set for the room, and a plan that follows them."""

import json

import jewellery_shop
import polars as pl
import pytest

from models.errors import DataError
from pipelines.jobs.products import run_products
from pipelines.store import read_table, write_table
from pipelines.store.plans import write_files

PRODUCTS = pl.DataFrame(
    {
        "product_id": ["ring", "chain", "tea", "=cup()"],
        "price_cny": [200.0, 100.0, 50.0, 20.0],
        "conversion": [0.01, 0.02, 0.04, 0.05],
        "commission_rate": [0.1, 0.3, 0.2, 0.2],
        "category": ["jewellery", "jewellery", "food", "home"],
    }
)
PROMOTIONS = pl.DataFrame(
    {"product_id": ["chain", "chain", "tea"], "promoted_on": ["2020-10-01", "2020-11-01", "2020-10-05"],
     "gmv_cny": [100.0, 300.0, None]}
)  # fmt: skip


@pytest.fixture
def shop(own_folder, store):
    audience = jewellery_shop.audience()
    plan = jewellery_shop.plan(audience=audience)
    (own_folder / "plan").mkdir()
    write_files(plan.files(html=False), own_folder / "plan")
    first = audience.segments.group_by("segment", maintain_order=True).first()
    orders = pl.concat(
        first.select("user_id", product_id=pl.lit(product), gmv_cny=pl.lit(100.0), refund_cny=pl.lit(0.0))
        for product, wanted in (("chain", first.height), ("tea", first.height))
        for _ in range(wanted)
    )
    for name, table in (("products", PRODUCTS), ("promotions", PROMOTIONS), ("orders", orders)):
        write_table(table, own_folder / f"{name}.csv")

    def run(**options):
        paths = {
            "plan": own_folder / "plan",
            "products": own_folder / "products.csv",
            "out": own_folder / "room",
        }
        return plan, run_products(**paths, tracking_uri=store, **options)

    return run


def test_board_set_and_a_plan_for_it(shop, own_folder):
    files = {name: own_folder / f"{name}.csv" for name in ("orders", "promotions")}
    plan, result = shop(k=2, **files)
    board = read_table(own_folder / "room/board.csv")
    assert set(board["segment"]) == set(plan.audience.segments["segment"])
    chain = board.filter(pl.col("product_id") == "chain").row(0, named=True)
    told = [str(chain[name]) for name in ("promotions", "last_promoted_on", "gmv_per_promotion_cny")]
    assert told == ["2", "2020-11-01", "200.0"]
    assert board.filter(pl.col("product_id") == "=cup()")["promotions"].cast(pl.Int64).to_list() == [0]
    assert len(result.products) == 2
    assert result.value_with_set >= result.plan_value * (1 - 1e-6) > 0
    assert json.loads((own_folder / "room/products.json").read_text())["products"] == list(result.products)


def test_without_orders_all_taste_alike_and_the_plan_stays(shop):
    plan, result = shop(k=4)
    assert result.plan_value == pytest.approx(plan.value, rel=1e-6), "all products together change nothing"
    assert result.value_with_set == pytest.approx(plan.value, rel=1e-5)


def test_what_cannot_be_told_is_refused(shop, own_folder):
    write_table(PROMOTIONS.drop("promoted_on"), own_folder / "wrong.csv")
    with pytest.raises(DataError, match="promotions: column 'promoted_on' is missing"):
        shop(k=1, promotions=own_folder / "wrong.csv")
    write_table(PROMOTIONS.with_columns(promoted_on=pl.lit("soon")), own_folder / "wrong.csv")
    with pytest.raises(DataError, match="promoted_on is 'soon'"):
        shop(k=1, promotions=own_folder / "wrong.csv")
    (own_folder / "plan/segments.parquet").unlink()
    with pytest.raises(DataError, match="knows no people"):
        shop(k=1, orders=own_folder / "orders.csv")
