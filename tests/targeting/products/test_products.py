"""Ratings by segment, the set for a room beside all sets, and a market that follows."""

import itertools

import jewellery_shop
import numpy as np
import polars as pl
import pytest

from models.errors import CampaignError, DataError, InfeasibleError
from targeting.products import choose_products, rate_products, with_products

PRODUCTS = pl.DataFrame(
    {
        "product_id": ["ring", "chain", "tea", "cup"],
        "price_cny": [200.0, 100.0, 50.0, 20.0],
        "conversion": [0.01, 0.02, 0.04, 0.05],
        "commission_rate": [0.1, 0.3, 0.2, 0.2],
        "refund_rate": [0.5, 0.2, 0.1, 0.0],
        "category": ["jewellery", "jewellery", "food", "home"],
        "stock": [None, 5, 1000, 1000],
    }
)


def test_a_thousand_viewers_bring_conversion_times_price_that_stays():
    rated = rate_products(PRODUCTS)
    by = {row["product_id"]: row for row in rated.iter_rows(named=True)}
    assert by["chain"]["gmv_per_1000_cny"] == pytest.approx(1000 * 0.02 * 100 * 0.8)
    assert by["chain"]["commission_per_1000_cny"] == pytest.approx(0.3 * 1600)
    assert rated["product_id"].to_list() == ["tea", "chain", "cup", "ring"]
    assert rated["rank"].to_list() == [1, 2, 3, 4]


def test_a_segments_orders_tell_its_taste_and_few_orders_tell_little():
    def orders(n):
        return pl.DataFrame(
            {
                "user_id": ["w"] * n + ["x"] * n,
                "product_id": ["chain"] * n + ["tea"] * n,
                "gmv_cny": [100.0] * 2 * n,
                "refund_cny": [0.0] * 2 * n,
            }
        )

    segments = pl.DataFrame({"user_id": ["w", "x", "nobody"], "segment": ["women", "men", "new"]})
    few, many = (rate_products(PRODUCTS, orders(n), segments) for n in (2, 2000))

    def lift(rated, segment, product):
        here = (pl.col("segment") == segment) & (pl.col("product_id") == product)
        return rated.filter(here)["lift"].item()

    assert lift(many, "women", "chain") == pytest.approx(2.0, rel=0.02)
    assert lift(many, "women", "tea") < 0.02
    assert 1.0 < lift(few, "women", "chain") < 1.3
    assert lift(many, "new", "chain") == pytest.approx(1.0)


@pytest.mark.parametrize("seed", range(20))
def test_the_set_is_the_best_of_all_sets(seed):
    rng = np.random.default_rng(seed)
    n, k, most = 9, int(rng.integers(2, 5)), int(rng.integers(1, 3))
    products = pl.DataFrame(
        {
            "product_id": [f"p{i}" for i in range(n)],
            "price_cny": rng.uniform(10, 300, n),
            "conversion": rng.uniform(0.001, 0.05, n),
            "category": rng.choice(["a", "b", "c", "d"], n),
            "stock": rng.integers(1, 60, n),
        }
    )
    rated = rate_products(products)
    every = choose_products(rated, k=n, viewers={"everybody": 1000})
    value = dict(every.select("product_id", "value_cny").iter_rows())
    category = dict(every.select("product_id", "category").iter_rows())
    sets = [
        s
        for s in itertools.combinations(value, k)
        if max(np.unique([category[p] for p in s], return_counts=True)[1]) <= most
    ]
    if not sets:
        with pytest.raises(InfeasibleError, match="allow more a category"):
            choose_products(rated, k=k, viewers={"everybody": 1000}, most_per_category=most)
        return
    found = choose_products(rated, k=k, viewers={"everybody": 1000}, most_per_category=most)
    assert found["value_cny"].sum() == pytest.approx(max(sum(value[p] for p in s) for s in sets))
    assert found.height == k


def test_stock_is_all_that_can_be_sold():
    found = choose_products(rate_products(PRODUCTS), k=4, viewers={"everybody": 1000})
    orders = dict(found.select("product_id", "expected_orders").iter_rows())
    assert orders["chain"] == 5.0
    assert orders["tea"] == pytest.approx(40.0)


def test_a_market_follows_the_set():
    market = jewellery_shop.market()
    rated = rate_products(PRODUCTS)
    chosen = choose_products(rated, k=1, viewers={"everybody": 1000})
    assert chosen["product_id"].to_list() == ["tea"]
    found = with_products(market, rated, chosen)
    factor = 1800 / np.mean([1000, 1600, 1800, 1000])
    assert found.gmv_per_fan_cny == pytest.approx(market.gmv_per_fan_cny * factor)
    assert found.draws.gmv_per_fan_cny == pytest.approx(market.draws.gmv_per_fan_cny * factor)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"conversion": pl.lit(1.5)}, "conversion of product 'ring' is 1.5; expected a share from 0 to 1"),
        ({"price_cny": pl.lit(-1.0)}, r"price_cny of product 'ring' is -1.0; expected a number >= 0"),
        ({"product_id": pl.lit("ring")}, "product 'ring' stands twice"),
    ],
)
def test_a_wrong_table_is_named(change, message):
    with pytest.raises(DataError, match=message):
        rate_products(PRODUCTS.with_columns(**change))
    with pytest.raises(DataError, match="column 'price_cny' is missing"):
        rate_products(PRODUCTS.drop("price_cny"))


def test_wrong_wishes_are_named():
    rated = rate_products(PRODUCTS)
    with pytest.raises(CampaignError, match="k: is 5; expected 1 to 4"):
        choose_products(rated, k=5, viewers={"everybody": 1})
    with pytest.raises(CampaignError, match="segment 'women' is not rated"):
        choose_products(rated, k=1, viewers={"women": 1})
