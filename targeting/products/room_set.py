"""A set of k products for a live room, by one small exact program; and what it makes of a market's fans.

    max sum_p value_p x_p   s.t.  sum_p x_p = k,  sum_{p in category} x_p <= most,  x in {0, 1}

value_p is what the viewers expected in the room bring through p, and no more than its stock: viewers by
segment times orders a viewer, at most the stock, times price that stays (times commission).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import numpy as np
import polars as pl

from models.errors import CampaignError, InfeasibleError, SolverError
from targeting.allocation.problem import Market
from targeting.products.ratings import EVERYBODY

Counts = Literal["gmv", "commission"]


def choose_products(
    rated: pl.DataFrame,
    *,
    k: int,
    viewers: Mapping[str, float],
    counts: Counts = "gmv",
    most_per_category: int | None = None,
) -> pl.DataFrame:
    """The best set of k products for these viewers.

    Args:
        rated: from `rate_products`.
        k: products in the room.
        viewers: expected by segment; `everybody` where products are rated for all alike.
        counts: what is maximised.
        most_per_category: for diversity; None is no limit.

    Returns:
        product_id, category, expected_orders, value_cny, best first.

    Raises:
        CampaignError: k is no number of products, or a segment is not rated.
        InfeasibleError: categories are too few for k products.
    """
    unknown = sorted(set(viewers) - set(rated["segment"]))
    if unknown:
        raise CampaignError(f"viewers: segment {unknown[0]!r} is not rated; rate products with its orders")
    table = _values(rated, viewers, counts)
    if not 1 <= k <= table.height:
        raise CampaignError(f"k: is {k}; expected 1 to {table.height}, the number of products")
    chosen = _best(table, k, most_per_category)
    return table.filter(chosen).sort("value_cny", "product_id", descending=[True, False])


def _values(rated: pl.DataFrame, viewers: Mapping[str, float], counts: Counts) -> pl.DataFrame:
    """What each product brings in the room."""
    present = pl.DataFrame({"segment": list(viewers), "viewers": [float(n) for n in viewers.values()]})
    orders = (pl.col("viewers") * pl.col("conversion") * pl.col("lift")).sum()
    each = pl.col("price_cny") * (1.0 - pl.col("refund_rate"))
    if counts == "commission":
        each = each * pl.col("commission_rate")
    return (
        rated.join(present, on="segment", how="inner")
        .group_by("product_id", "category", maintain_order=True)
        .agg(wanted=orders, stock=pl.col("stock").first(), each=each.first())
        .with_columns(expected_orders=pl.min_horizontal("wanted", pl.col("stock").fill_null(float("inf"))))
        .sort("product_id")
        .select(
            "product_id", "category", "expected_orders", value_cny=pl.col("expected_orders") * pl.col("each")
        )
    )


def _best(table: pl.DataFrame, k: int, most: int | None) -> pl.Series:
    from scipy.optimize import Bounds, LinearConstraint, milp

    limits = [LinearConstraint(np.ones((1, table.height)), k, k)]
    if most is not None:
        names = table["category"].unique(maintain_order=True)
        inside = np.array([(table["category"] == name).to_numpy() for name in names], dtype=float)
        if np.minimum(inside.sum(axis=1), most).sum() < k:
            raise InfeasibleError(
                f"products: {len(names)} categories with at most {most} each have no {k} products; "
                "allow more a category, or fewer products"
            )
        limits.append(LinearConstraint(inside, -np.inf, float(most)))
    value = table["value_cny"].to_numpy()
    # Of equals the first ids: a hair less for each later one, too small to change anything else.
    hair = 1e-9 * max(float(value.max()), 1.0) * np.arange(len(value)) / len(value)
    done = milp(
        hair - value, constraints=limits, integrality=np.ones(len(value)), bounds=Bounds(0, 1),
        options={"mip_rel_gap": 0.0},
    )  # fmt: skip
    if done.x is None:
        raise SolverError(f"products: no set was found ({done.message.strip()}); please report this table")
    return pl.Series(done.x > 0.5)


def with_products(market: Market, rated: pl.DataFrame, chosen: pl.DataFrame) -> Market:
    """The market with g of each cell times what the chosen set is worth to its segment beside all products.

    A fan of a segment that the set suits buys more: g_ij is multiplied by the set's mean GMV per thousand
    viewers over that of all products, each segment by its own ratings.
    """
    ours = rated.join(chosen.select("product_id"), on="product_id", how="semi")
    means = [table.group_by("segment").agg(mean=pl.col("gmv_per_1000_cny").mean()) for table in (ours, rated)]
    both = means[0].join(means[1], on="segment", suffix="_all")
    factor = dict(both.select("segment", pl.col("mean") / pl.col("mean_all")).iter_rows())
    usual = factor.get(EVERYBODY, 1.0)
    each = np.array([factor.get(name, usual) for name in market.cells["segment"].to_list()])
    draws = market.draws
    if draws is not None:
        draws = replace(draws, gmv_per_fan_cny=draws.gmv_per_fan_cny * each)
    return replace(market, gmv_per_fan_cny=market.gmv_per_fan_cny * each, draws=draws)
