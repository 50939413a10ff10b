"""The plans a merchant would make otherwise, valued on the same curves as ours.

Last plan (its shares, scaled to the money at hand), equal split over the cells, and spend in proportion to
each cell's past return (ROAS), which is what most dashboards suggest. They ignore the brief's constraints,
as their users would; `feasible` says which of them the brief would have allowed. It must not import the
optimiser.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import numpy as np
import polars as pl

from models.contracts import as_frame
from models.errors import DataError
from models.supply.curves import FloatArray
from targeting.allocation.lastplan import last_spend
from targeting.allocation.outcomes import outcomes
from targeting.allocation.problem import Market, Metric, Problem
from targeting.campaign import Campaign
from targeting.plan.decided import BASELINES, DecidedPlan

_COUNTED: Mapping[str, Metric] = {"new_fans": "fans", "live_entries": "entries"}


def worth(problem: Problem, campaign: Campaign, spend_cny: FloatArray) -> float:
    """What the brief calls value, at (n_cells,) spend: GMV, fans, entries, or profit. Independent of any
    `target`.
    """
    found = outcomes(problem.market, spend_cny)
    metric = _COUNTED.get(campaign.objective, "gmv")
    total = float(found[metric].sum())
    if campaign.objective == "profit" and campaign.economics is not None:
        return campaign.economics.kept_share * total - float(spend_cny.sum())
    return total


def usual_plans(
    problem: Problem,
    *,
    campaign: Campaign,
    money_cny: float,
    last_spend_cny: FloatArray | None,
    feasible: Callable[[FloatArray], bool],
    unknown: Collection[str] = (),
) -> pl.DataFrame:
    """The baselines as a frame of `BASELINES`, with one spend for all of them.

    Args:
        problem: the compiled problem whose market values them.
        campaign: the brief.
        money_cny: what each of them spends.
        last_spend_cny: (n_cells,) past spend of any scale, or None where there is no history.
        feasible: whether a spend vector keeps to the brief.
        unknown: figures that the curves cannot speak of; they become null.
    """
    market = problem.market
    n = len(market)
    equal = np.full(n, money_cny / n)
    spends = {"equal split": equal}
    reference = equal
    if last_spend_cny is not None and last_spend_cny.sum() > 0:
        last = last_spend_cny * (money_cny / last_spend_cny.sum())
        spends = {"last plan": last, **spends}
        reference = np.where(last > 0, last, equal)
    returns = _returns(market, reference, campaign.objective)
    if returns.sum() > 0:
        spends["ROAS-proportional split"] = money_cny * returns / returns.sum()
    rows = []
    for label, spend in spends.items():
        found = outcomes(market, spend)
        rows.append(
            {
                "label": label,
                "spend_cny": float(spend.sum()),
                "value": worth(problem, campaign, spend),
                "new_fans": None if "new_fans" in unknown else float(found["fans"].sum()),
                "new_fan_gmv_cny": None if "new_fan_gmv_cny" in unknown else float(found["gmv"].sum()),
                "feasible": feasible(spend),
            }
        )
    return pl.DataFrame(rows, schema=BASELINES)


def past_spend(
    market: Market, *, last_plan: pl.DataFrame | FloatArray | None, history: pl.DataFrame | None
) -> FloatArray | None:
    """(n_cells,) what was done before, of any scale; None where nothing is known.

    A last plan over other segments (often just `all`) still says how money was split over placements; within
    a placement it went where the logs saw it go.
    """
    logged = _matched(market, history)
    if last_plan is None:
        return logged
    if not isinstance(last_plan, pl.DataFrame):
        return np.asarray(last_plan, dtype=float)
    exact = _matched(market, last_plan)
    if exact is not None:
        return exact
    if "placement" not in last_plan.columns or "spend_cny" not in last_plan.columns:
        return logged
    weight = logged if logged is not None else np.ones(len(market))
    spend = np.zeros(len(market))
    names = market.cells["placement"].to_numpy()
    for placement, total in last_plan.group_by("placement").agg(pl.col("spend_cny").sum()).iter_rows():
        share = np.where(names == placement, weight, 0.0)
        if share.sum() > 0:
            spend += float(total) * share / share.sum()
    return spend if spend.sum() > 0 else logged


def _matched(market: Market, table: pl.DataFrame | None) -> FloatArray | None:
    """The table's spend on this market's cells; None where it names none of them."""
    keys = ["segment", "placement"]
    if table is None or any(c not in table.columns for c in (*keys, "spend_cny")):
        return None
    text = table.with_columns(pl.col(keys).cast(pl.String))
    if text.join(market.cells, on=keys, how="semi").is_empty():
        return None
    return last_spend(market, text)


def _returns(market: Market, spend_cny: FloatArray, objective: str) -> FloatArray:
    """(n_cells,) value per yuan at the reference spend, what a dashboard shows as ROAS; 0 where unknown."""
    metric = _COUNTED.get(objective, "gmv")
    value = outcomes(market, spend_cny)[metric]
    return np.nan_to_num(np.maximum(value, 0.0) / np.maximum(spend_cny, 1e-12))


def spend_vector(market: Market, other: DecidedPlan | pl.DataFrame | Mapping[object, object]) -> FloatArray:
    """(n_cells,) spend of a plan, a frame or a mapping, on this market's cells; what it does not name gets 0.

    Raises:
        DataError: it names a cell that the market does not have, or a spend that is no number >= 0.
    """
    frame = _as_spend_frame(other)
    missing = [c for c in ("segment", "placement", "spend_cny") if c not in frame.columns]
    if missing:
        raise DataError(
            f"plan to compare: column {missing[0]!r} is missing; expected segment, placement, spend_cny"
        )
    keys = ["segment", "placement"]
    keys += [key for key in ("slot", "campaign_id", "merchant_id") if key in frame.columns]
    text = [pl.col(key).cast(market.cells.schema[key]) for key in keys]
    given = (
        frame.select(*text, pl.col("spend_cny").cast(pl.Float64)).group_by(keys, maintain_order=True).sum()
    )
    bad = given.filter(~(pl.col("spend_cny").is_finite() & (pl.col("spend_cny") >= 0)).fill_null(False))
    if bad.height:
        where = bad.row(0, named=True)
        raise DataError(
            f"plan to compare: spend_cny of {where['segment']!r}, {where['placement']!r} is "
            f"{where['spend_cny']}; expected a number >= 0"
        )
    strange = given.filter(pl.col("spend_cny") > 0).join(market.cells, on=keys, how="anti")
    if strange.height:
        where = strange.row(0, named=True)
        raise DataError(
            f"plan to compare: segment {where['segment']!r}, placement {where['placement']!r} is not in this "
            f"plan; compare plans over the same segments"
        )
    joined = market.cells.join(given, on=keys, how="left", maintain_order="left")
    shared = market.cells.select(pl.len().over(keys).alias("n"))["n"].to_numpy()
    return np.asarray(joined["spend_cny"].fill_null(0.0).to_numpy() / shared)


def _as_spend_frame(other: object) -> pl.DataFrame:
    allocation = getattr(other, "allocation", None)
    if isinstance(allocation, pl.DataFrame):
        return allocation
    if isinstance(other, Mapping):
        rows = [(str(segment), str(placement), float(spend)) for (segment, placement), spend in other.items()]
        return pl.DataFrame(rows, schema=["segment", "placement", "spend_cny"], orient="row")
    return as_frame(other)


def compare(plan: DecidedPlan, other: DecidedPlan | pl.DataFrame | Mapping[object, object]) -> pl.DataFrame:
    """This plan beside another spend, both valued on *this* plan's curves.

    Args:
        plan: this one.
        other: a plan, a frame with `segment`, `placement`, (`slot`,) `spend_cny`, or a mapping
            {(segment, placement): yuan}. Cells it does not name get nothing.

    Returns:
        One row per cell and a last row `total`: spend and GMV here and there, and the differences.

    Raises:
        DataError: `other` names a cell that this plan's market does not have.
    """
    market = plan.market
    theirs = spend_vector(market, other)
    ours = plan.solution.spend_cny
    cells = market.cells.select("segment", "placement", "slot").with_columns(
        spend_cny=pl.Series(ours),
        other_spend_cny=pl.Series(theirs),
        new_fan_gmv_cny=pl.Series(outcomes(market, ours)["gmv"]),
        other_new_fan_gmv_cny=pl.Series(outcomes(market, theirs)["gmv"]),
    )
    total = cells.select(
        pl.lit("total").alias("segment"),
        pl.lit("").alias("placement"),
        pl.lit(0, dtype=pl.Int64).alias("slot"),
        pl.col("^.*_cny$").sum(),
    )
    return pl.concat([cells, total]).with_columns(
        spend_change_cny=pl.col("spend_cny") - pl.col("other_spend_cny"),
        gmv_change_cny=pl.col("new_fan_gmv_cny") - pl.col("other_new_fan_gmv_cny"),
    )
