"""The rows of a campaign where a coin chose, with what came of them and what the plan's scores had said.

Frames in, frames out. It must not import the optimiser or the planner.
"""

from __future__ import annotations

from datetime import datetime

import numpy as np
import polars as pl

from targeting.evaluation.runoff import fan_orders

NOBODY = "none"


def score_column(placement: str, kind: str) -> str:
    """Column of a placement's score, `follow` or `worth`; no placement's name can collide with it."""
    return f"{placement}\x1f{kind}"


def in_its_days(exposures: pl.DataFrame, campaign: pl.DataFrame) -> pl.DataFrame:
    """All exposures of the days on which a campaign ran: held-out people often belong to no campaign.

    Args:
        exposures: Of all campaigns.
        campaign: Those of the one that is judged.
    """
    day = campaign["exposed_at"].dt.date()
    return exposures.filter(pl.col("exposed_at").dt.date().is_between(day.min(), day.max()))


def randomised_rows(rows: pl.DataFrame, segments: pl.DataFrame, actions: tuple[str, ...]) -> pl.DataFrame:
    """Randomised rows of the plan's people with their segment.

    Args:
        rows: Exposures of the campaign's days, of whatever campaign, up to each person's follow.
        segments: user_id, segment of the plan's people.
        actions: `none` and the placements.
    """
    kept = [c for c in rows.columns if c != "segment"]
    return (
        rows.select(kept)
        .filter(pl.col("randomized").fill_null(False) & pl.col("placement").is_in(actions))
        .join(segments, on="user_id", how="inner", maintain_order="left")
        .sort("user_id", "exposed_at", "exposure_id")
    )


def with_outcomes(
    randomised: pl.DataFrame, orders: pl.DataFrame, *, horizon_days: int, known_by: datetime
) -> pl.DataFrame:
    """Adds new_fans (0 or 1) and new_fan_gmv_cny (net, of the fan won by the row); cost_cny stays.

    Args:
        randomised: From `randomised_rows`.
        orders: Orders of everybody.
        horizon_days: How long a new fan's purchases count.
        known_by: Later orders are not known.
    """
    fans = randomised.filter("followed")
    bought = fan_orders(
        fans.select("user_id", "segment", "placement", "followed_at"),
        orders,
        horizon_days=horizon_days,
        known_by=known_by,
    )
    gmv = bought.group_by("user_id").agg(pl.col("net_cny").sum().alias("new_fan_gmv_cny"))
    won = fans.select("exposure_id", "user_id").join(gmv, on="user_id", how="left").drop("user_id")
    return randomised.join(
        won.with_columns(new_fans=pl.lit(1.0)), on="exposure_id", how="left", maintain_order="left"
    ).with_columns(pl.col("new_fans", "new_fan_gmv_cny", "cost_cny").fill_null(0.0))


def with_scores(
    randomised: pl.DataFrame, scores: pl.DataFrame, placements: tuple[str, ...]
) -> tuple[pl.DataFrame, np.ndarray]:
    """Adds the scores of each placement (0 for people without one), and gives them as features, (n, d).

    Args:
        randomised: From `randomised_rows`.
        scores: Long score table, or an empty frame.
        placements: Which.
    """
    added: list[str] = []
    for name in placements if "placement" in scores.columns else ():
        columns = {
            score_column(name, "follow"): pl.col("p_follow"),
            score_column(name, "worth"): pl.col("p_follow") * pl.col("gmv_per_fan_cny"),
        }
        mine = scores.filter(pl.col("placement") == name).select("user_id", **columns)
        randomised = randomised.join(mine, on="user_id", how="left", maintain_order="left")
        added += list(columns)
    randomised = randomised.with_columns(pl.col(added).fill_null(0.0)) if added else randomised
    return randomised, randomised.select(added).to_numpy() if added else np.zeros((randomised.height, 0))
