"""Nine real spend -> impressions curves: the optimiser's split against the exact optimum.

    python examples/ipinyou/run.py ../shared/data/ipinyou

Each file counts the auctions an advertiser won at every market price. Paying up to some price wins all up to
it, so the cumulated histogram is the exact curve of impressions over spend. The best split of one budget is
known exactly too: put the price levels of all advertisers in one queue and buy the cheapest first.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np
import polars as pl

import targeting as tg

CNY_PER_PRICE = 1e-5  # a market price is in fen (1/100 yuan) per 1,000 impressions
SHARES = (0.02, 0.1, 0.25, 0.5, 0.9)  # of what all auctions together cost


def read_prices(folder: Path) -> pl.DataFrame:
    """segment (the advertiser), price_cny of an impression, impressions won at that price; cheapest first."""
    files = sorted(folder.glob("*.json"))
    if not files:
        raise SystemExit(f"{folder}: no *.json there, expected iPinYou's price histograms (see README.md)")
    parts = []
    for path in files:
        counts = json.loads(path.read_text(encoding="utf-8"))["price_counter_train"]
        price = np.arange(len(counts)) * CNY_PER_PRICE
        parts.append(pl.DataFrame({"segment": path.stem, "price_cny": price, "impressions": counts}))
    return pl.concat(parts).filter(pl.col("impressions") > 0).sort("segment", "price_cny")


def curves_of(prices: pl.DataFrame) -> pl.DataFrame:
    """Cumulated: points (segment, placement, spend_cny, value), value in impressions."""
    spend = (pl.col("price_cny") * pl.col("impressions")).cum_sum().over("segment")
    value = pl.col("impressions").cum_sum().over("segment").cast(pl.Float64)
    return prices.select("segment", placement=pl.lit("display"), spend_cny=spend, value=value)


def cheapest_first(prices: pl.DataFrame, budget_cny: float) -> float:
    """The most impressions any split can buy: all price levels in one queue, the last one in part."""
    queue = prices.sort("price_cny")
    cost = (queue["price_cny"] * queue["impressions"]).to_numpy()
    left = np.clip(budget_cny - (np.cumsum(cost) - cost), 0.0, cost)
    part = np.divide(left, cost, out=np.ones_like(cost), where=cost > 0)
    return float(part @ queue["impressions"].to_numpy())


def main() -> None:
    """Print, per budget, the optimiser's impressions against the exact optimum and an equal split."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=os.environ.get("IPINYOU"))
    parser.add_argument("--out", type=Path, help="also write the table, as CSV")
    arguments = parser.parse_args()
    if arguments.folder is None:
        parser.error("name the folder of the iPinYou histograms, or set IPINYOU")
    prices = read_prices(Path(arguments.folder))
    curves = curves_of(prices)
    whole = float((prices["price_cny"] * prices["impressions"]).sum())
    points = {k[0]: g.select("spend_cny", "value").to_numpy() for k, g in curves.group_by("segment")}
    rows = []
    for share in SHARES:
        budget = round(share * whole, 3)
        start = time.perf_counter()
        plan = tg.allocate(curves, budget_cny=budget)
        seconds = time.perf_counter() - start
        exact = cheapest_first(prices, budget)
        equal = sum(np.interp(budget / len(points), p[:, 0], p[:, 1]) for p in points.values())
        rows.append({
            "budget_cny": budget, "impressions": plan.value, "exact": exact, "loss": 1.0 - plan.value / exact,
            "certified_gap": plan.gap, "equal_split_loss": 1.0 - equal / exact, "seconds": seconds,
        })  # fmt: skip
    table = pl.DataFrame(rows)
    if arguments.out is not None:
        table.write_csv(arguments.out)
    with pl.Config(
        tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True, tbl_cols=-1, tbl_width_chars=120
    ):
        print(table)


if __name__ == "__main__":
    main()
