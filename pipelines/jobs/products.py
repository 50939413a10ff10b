"""Job `products`: what to sell to whom, and the plan for fans who find that set in the room."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl

from models.errors import DataError
from pipelines import tracking
from pipelines.shell import Tell, silent
from pipelines.store import claim, disk, read_table, write_table
from pipelines.store.plans import read_plan
from pipelines.store.target import Target
from targeting.allocation.outcomes import outcomes
from targeting.decision.again import decide_again
from targeting.decision.verbs import Plan
from targeting.products import choose_products, rate_products, top_board, with_products
from targeting.products.ratings import EVERYBODY
from targeting.products.room_set import Counts

SUMMARY = "products.json"


@dataclass(frozen=True)
class ProductsResult:
    """The set for the room, and what it makes of the plan.

    Attributes:
        out: directory with board.csv (every segment's best products with their promotions), room.csv (the
            set) and allocation.csv (the plan's brief decided for that set).
        run_id: MLflow run.
        products: in the set. value_cny: what the viewers of the plan bring through them.
        plan_value: of the plan as it is, for fans who find this set; value_with_set: of the plan decided for
            it; both in the brief's objective.
    """

    out: str
    run_id: str
    products: tuple[str, ...]
    value_cny: float
    plan_value: float
    value_with_set: float


def run_products(
    *,
    plan: Path,
    products: Path,
    out: Path,
    k: int,
    orders: Path | None = None,
    promotions: Path | None = None,
    counts: Counts = "gmv",
    most_per_category: int | None = None,
    tracking_uri: str | None = None,
    tell: Tell = silent,
) -> ProductsResult:
    """Rate the products for the plan's segments, choose k for the room, decide the brief anew for that set.

    Raises:
        DataError: a table lacks a column, orders are given to a plan that knows no people, or `out` cannot be
            written.
        CampaignError, InfeasibleError: no set of k.
    """
    given = [path for path in (plan, products, orders, promotions) if path is not None]
    with claim(out, inputs=given) as target:
        tell("reading")
        decided = read_plan(plan)
        if orders is not None and decided.audience is None:
            raise DataError(
                f"{plan}: knows no people, so orders cannot tell its segments' taste; plan from logs"
            )
        tell("rating")
        segments = None if orders is None or decided.audience is None else decided.audience.segments
        rated = rate_products(read_table(products), None if orders is None else read_table(orders), segments)
        board = top_board(rated, None if promotions is None else read_table(promotions))
        chosen = choose_products(
            rated, k=k, viewers=_viewers(decided, rated), counts=counts, most_per_category=most_per_category
        )
        tell("planning for the set")
        market = with_products(decided.market, rated, chosen)
        again = decide_again(decided, decided.campaign, market=market)
        as_it_is = again.price(decided.allocation.select("segment", "placement", "slot", "spend_cny")).value
        inputs = {"plan": plan, "products": products, "k": k, "counts": counts}
        prints = dict(decided.provenance.fingerprints)
        tables = {"board": board, "room": chosen, "allocation": again.allocation}
        with tracking.job_run(
            "products", tracking_uri=tracking_uri, inputs=inputs, fingerprints=prints
        ) as run:
            result = ProductsResult(
                out=str(out),
                run_id=run.run_id,
                products=tuple(chosen["product_id"].to_list()),
                value_cny=float(chosen["value_cny"].sum()),
                plan_value=as_it_is,
                value_with_set=again.value,
            )
            _publish(target, result, tables)
            run.metrics({"value_cny": result.value_cny, "value_with_set": result.value_with_set})
            run.file(out / SUMMARY)
    return result


def _publish(target: Target, result: ProductsResult, tables: Mapping[str, pl.DataFrame]) -> None:
    """The tables and the summary, all at once."""
    with target.replaced() as folder:
        for name, table in tables.items():
            write_table(table, folder / f"{name}.csv")
        told = json.dumps(asdict(result), ensure_ascii=False, indent=2) + "\n"
        disk.put(folder / SUMMARY, told.encode())


def _viewers(plan: Plan, rated: pl.DataFrame) -> dict[str, float]:
    """Who the plan brings: live entries of each segment where they are known, else impressions."""
    found = outcomes(plan.market, plan.solution.spend_cny)
    seen = found["entries"] if found["entries"].sum() > 0 else found["impressions"]
    each = plan.market.cells.select("segment", viewers=pl.Series(seen)).group_by("segment").sum()
    known = set(rated["segment"])
    if known == {EVERYBODY}:
        return {EVERYBODY: float(each["viewers"].sum())}
    return {name: count for name, count in each.sort("segment").iter_rows() if name in known}
