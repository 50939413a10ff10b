"""What a merchant would do without us: four ordinary ways to split a budget, to be judged by the truth.

They read only what the merchant has (logs, last plan), never the truth. Written apart from
`targeting.plan.usual_plans` on purpose: it must not import anything of the project but its siblings.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl

from targeting.world.kinds import PLACEMENTS
from targeting.world.merchant import World
from targeting.world.oracle import OraclePlan

TARGET_SHARE = 0.2
RESPONSE_DAYS = 7
MOST_LEVELS = 50


def _grid(assignment: pl.DataFrame) -> pl.DataFrame:
    names = assignment.select(pl.col("segment").unique().sort())
    return names.join(pl.DataFrame({"placement": list(PLACEMENTS)}), how="cross")


def _shared(cells: pl.DataFrame, weight: str, budget_cny: float) -> pl.DataFrame:
    """Budget in proportion to a weight column; equally where every weight is 0."""
    total = float(cells[weight].sum())
    share = pl.col(weight) / total if total > 0 else pl.lit(1.0 / max(cells.height, 1))
    return cells.select("segment", "placement", spend_cny=share * budget_cny)


def _logged(world: World, assignment: pl.DataFrame) -> pl.DataFrame:
    """cost_cny and gmv_cny (net, of followers, after the follow) logged per cell."""
    shown = world.exposures.filter(pl.col("placement") != "none").join(assignment, on="user_id", how="inner")
    cost = shown.group_by("segment", "placement").agg(pl.col("cost_cny").sum())
    fans = shown.filter("followed").select("user_id", "segment", "placement", "followed_at").unique("user_id")
    bought = (
        world.orders.join(fans, on="user_id", how="inner")
        .filter(pl.col("ordered_at") >= pl.col("followed_at"))
        .group_by("segment", "placement")
        .agg(gmv_cny=(pl.col("gmv_cny") - pl.col("refund_cny")).sum())
    )
    keys = ["segment", "placement"]
    return (
        _grid(assignment)
        .join(cost, on=keys, how="left")
        .join(bought, on=keys, how="left")
        .fill_null(0.0)
        .sort(keys)
    )


def equal_split(assignment: pl.DataFrame, *, budget_cny: float) -> pl.DataFrame:
    """The same money for every segment and placement."""
    return _shared(_grid(assignment).with_columns(one=1.0), "one", budget_cny)


def last_plan(world: World, assignment: pl.DataFrame, *, budget_cny: float) -> pl.DataFrame:
    """The last plan's split by placement at the new budget, spread as the platform delivered it."""
    cells = _logged(world, assignment)
    share = dict(
        world.last_plan.select("placement", pl.col("spend_cny") / pl.col("spend_cny").sum()).iter_rows()
    )
    weight = pl.col("placement").replace_strict(share, return_dtype=pl.Float64) * pl.col("cost_cny")
    weight = weight / pl.col("cost_cny").sum().over("placement")
    return _shared(cells.with_columns(weight=weight.fill_nan(0.0)), "weight", budget_cny)


def roas_proportional(world: World, assignment: pl.DataFrame, *, budget_cny: float) -> pl.DataFrame:
    """Money in proportion to the logged return per yuan, organic orders and all."""
    cells = _logged(world, assignment).with_columns(roas=pl.col("gmv_cny") / pl.col("cost_cny"))
    return _shared(cells.with_columns(pl.col("roas").fill_nan(0.0)), "roas", budget_cny)


def plain_response(world: World, *, budget_cny: float) -> OraclePlan:
    """Target the fifth of non-fans with the highest predicted response; placements as in the last plan.

    Response = an order within a week of being shown: a logistic regression with no control group (organic
    buyers look best) and no price curve. What most tools do.
    """
    from sklearn.linear_model import LogisticRegression

    shown = (
        world.exposures.filter(pl.col("placement") != "none")
        .group_by("user_id")
        .agg(pl.col("exposed_at").min())
    )
    first = pl.col("exposed_at")
    window = pl.col("ordered_at").is_between(first, first + timedelta(days=RESPONSE_DAYS))
    buyers = world.orders.join(shown, on="user_id").filter(window)["user_id"].unique()
    design = _design(world.users)
    seen = world.users["user_id"].is_in(shown["user_id"].implode()).to_numpy()
    bought = world.users["user_id"].is_in(buyers.implode()).to_numpy()
    response = np.zeros(len(bought))
    if bought[seen].any() and not bought[seen].all():
        model = LogisticRegression(C=0.1, max_iter=500).fit(design[seen], bought[seen])
        response = model.predict_proba(design)[:, 1]
    public = np.flatnonzero(~world.users_now["is_fan"].to_numpy())
    best = public[np.argsort(-response[public], kind="stable")[: max(1, round(TARGET_SHARE * len(public)))]]
    assignment = pl.DataFrame({"user_id": world.users["user_id"].gather(best)}).with_columns(
        segment=pl.lit("target")
    )
    spend = world.last_plan.with_columns(
        segment=pl.lit("target"), spend_cny=pl.col("spend_cny") * (budget_cny / pl.col("spend_cny").sum())
    ).drop("slot")
    return OraclePlan(assignment, spend, world.truth.value(assignment, spend))


def _design(users: pl.DataFrame) -> np.ndarray:
    """Standardised numbers (nulls at the mean) and a column per level of texts of few levels."""
    features = users.drop("user_id", "snapshot_at", "is_fan")
    short = [c.name for c in features if c.dtype in (pl.String, pl.Boolean) and c.n_unique() <= MOST_LEVELS]
    text = features.select(pl.col(short).cast(pl.String)).to_dummies().to_numpy().astype(float)
    numbers = features.select(pl.col(pl.Int64, pl.Float64).cast(pl.Float64)).to_numpy()
    mean = np.nanmean(numbers, axis=0)
    scaled = (np.where(np.isnan(numbers), mean, numbers) - mean) / np.maximum(
        np.nanstd(numbers, axis=0), 1e-9
    )
    return np.hstack([text, scaled])
