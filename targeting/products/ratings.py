"""What a thousand viewers bring by product and segment: GMV that stays, and commission.

For product p and segment s, with conversion c_p (orders a viewer), price r_p, refunds f_p and commission k_p

    gmv_per_1000 = 1000 c_p lift_sp r_p (1 - f_p)      commission_per_1000 = k_p gmv_per_1000

A segment's taste is seen in orders, of a category rather than of a product, for there are few:

    lift_sp = (n_sc + m share_c) / (n_s + m) / share_c

with n_sc kept orders of segment s in the category c of p, share_c that of all orders, and m orders of
pseudo-evidence that pull a segment with few orders to everybody's taste (Dirichlet-multinomial mean).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from models.contracts.frames import as_frame
from models.errors import DataError

EVERYBODY = "everybody"
NEEDED = ("product_id", "price_cny", "conversion")
_FILLED = {"commission_rate": 0.0, "refund_rate": 0.0, "sales_30d": 0.0}


@dataclass(frozen=True)
class ProductSettings:
    """Tuning numbers of the room.

    Attributes:
        evidence: orders of pseudo-evidence behind a segment's taste. Chosen: a segment with as many orders of
            its own is believed half.
    """

    evidence: float = 20.0


SETTINGS = ProductSettings()


def rate_products(products: object, orders: object = None, segments: object = None) -> pl.DataFrame:
    """Products by segment, best first.

    Args:
        products: product_id, price_cny, conversion (orders a viewer, 0..1); where known commission_rate,
            refund_rate, sales_30d, category, stock, supply_base.
        orders: user_id, product_id, gmv_cny, refund_cny: whose taste is what. Without, all are alike.
        segments: user_id, segment.

    Returns:
        segment, the columns of products, lift, gmv_per_1000_cny, commission_per_1000_cny, rank.

    Raises:
        DataError: a column is missing, a product stands twice, or a number is out of its range.
    """
    table = _checked(as_frame(products))
    tastes = _lifts(table, as_frame(orders), as_frame(segments)) if orders is not None else _alike(table)
    kept = pl.col("price_cny") * (1.0 - pl.col("refund_rate"))
    rated = table.join(tastes, on="category", how="left", maintain_order="left").with_columns(
        gmv_per_1000_cny=1000.0 * pl.col("conversion") * pl.col("lift") * kept
    )
    rated = rated.with_columns(commission_per_1000_cny=pl.col("gmv_per_1000_cny") * pl.col("commission_rate"))
    best = rated.sort("segment", "gmv_per_1000_cny", "product_id", descending=[False, True, False])
    ranked = best.with_columns(rank=pl.int_range(1, pl.len() + 1).over("segment"))
    return ranked.select(
        "segment", *table.columns, "lift", "gmv_per_1000_cny", "commission_per_1000_cny", "rank"
    )


def in_numbers(table: pl.DataFrame, columns: Iterable[str], *, source: str) -> pl.DataFrame:
    """The table with those of the columns that it has as numbers: a CSV's are text.

    Raises:
        DataError: one holds what is no number.
    """
    for name in (column for column in columns if column in table.columns):
        held = table[name]
        number = held.cast(pl.Float64, strict=False)
        if number.null_count() > held.null_count():
            wrong = held.filter(number.is_null() & held.is_not_null())[0]
            raise DataError(f"{source}: {name} is {wrong!r}; expected a number")
        table = table.with_columns(number)
    return table


def _checked(table: pl.DataFrame) -> pl.DataFrame:
    missing = [name for name in NEEDED if name not in table.columns]
    if missing:
        raise DataError(f"products: column {missing[0]!r} is missing; expected {', '.join(NEEDED)}")
    table = in_numbers(table, ("price_cny", "conversion", "stock", *_FILLED), source="products")
    absent = [pl.lit(value).alias(name) for name, value in _FILLED.items() if name not in table.columns]
    category = pl.col("category") if "category" in table.columns else pl.lit(None, dtype=pl.String)
    stock = pl.col("stock") if "stock" in table.columns else pl.lit(None, dtype=pl.Float64)
    table = table.with_columns(*absent, stock=stock.cast(pl.Float64), category=category.fill_null("?"))
    table = table.with_columns(pl.col("product_id").cast(pl.String), pl.col(list(_FILLED)).fill_null(0.0))
    if not table["product_id"].is_unique().all():
        twice = table.filter(pl.col("product_id").is_duplicated())["product_id"][0]
        raise DataError(f"products: product {twice!r} stands twice; expected one row a product")
    for name, most in (
        ("price_cny", None),
        ("conversion", 1.0),
        ("commission_rate", 1.0),
        ("refund_rate", 1.0),
    ):
        fits = pl.col(name).is_finite() & (pl.col(name) >= 0) & (pl.col(name) <= (most or float("inf")))
        bad = table.filter(~fits.fill_null(False))
        if bad.height:
            wanted = "a number >= 0" if most is None else "a share from 0 to 1"
            told = f"{name} of product {bad['product_id'][0]!r} is {bad[name][0]}"
            raise DataError(f"products: {told}; expected {wanted}")
    return table


def _alike(table: pl.DataFrame) -> pl.DataFrame:
    return table.select("category").unique().with_columns(segment=pl.lit(EVERYBODY), lift=pl.lit(1.0))


def _lifts(table: pl.DataFrame, orders: pl.DataFrame, segments: pl.DataFrame) -> pl.DataFrame:
    """category, segment, lift."""
    orders = in_numbers(orders, ("gmv_cny", "refund_cny"), source="orders")
    kept = orders.filter(pl.col("refund_cny").fill_null(0.0) < pl.col("gmv_cny"))
    bought = kept.with_columns(pl.col("product_id").cast(pl.String)).join(
        table.select("product_id", "category"), on="product_id", how="inner"
    )
    mine = bought.join(segments.select("user_id", "segment"), on="user_id", how="inner")
    total = max(bought.height, 1)
    categories = table.select("category").unique()
    share = categories.join(bought.group_by("category").len(), on="category", how="left").select(
        "category", share=(pl.col("len").fill_null(0) + 1.0) / (total + categories.height)
    )
    every = share.join(segments.select("segment").unique(), how="cross")
    counted = every.join(mine.group_by("segment", "category").len(), on=["segment", "category"], how="left")
    own = pl.col("len").fill_null(0)
    m = SETTINGS.evidence
    lift = (own + m * pl.col("share")) / (own.sum().over("segment") + m) / pl.col("share")
    return counted.select("category", "segment", lift=lift)
