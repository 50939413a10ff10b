"""What has changed since a plan was made: curves, features and scores, each with a verdict.

A plan is as good as the past is like the present. Curves are compared with what the campaign's yuan bought,
features and scores with those the model was trained on (`models.judging.drift` has the thresholds). Frames
in, frames out. It must not import estimators or the optimiser.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from models.contracts.features import feature_columns
from models.judging.drift import Drift, drift_of, drift_of_curve, drift_of_frames, drift_table, worst_verdict
from targeting.allocation.outcomes import outcomes
from targeting.allocation.problem import Metric
from targeting.evaluation.evaluation_settings import SETTINGS
from targeting.plan.decided import DecidedPlan

METRIC: dict[str, Metric] = {"impressions": "impressions", "fans": "fans", "gmv_cny": "gmv"}
KINDS = ("curve", "feature", "score")
LOW, HIGH = 0.1, 0.9
SCORES = ("p_follow", "gmv_per_fan_cny", "p_precise")
SCHEMA = {
    "kind": pl.String, "name": pl.String, "psi": pl.Float64, "noise": pl.Float64, "verdict": pl.String,
    "why": pl.String,
}  # fmt: skip


def curve_drift(plan: DecidedPlan, cells: pl.DataFrame, *, basis: str = "impressions") -> pl.DataFrame:
    """What the realised spend bought, against what the plan's curves say of that spend.

    Args:
        plan: Its market holds the curves and their draws.
        cells: segment, placement, realised_spend_cny, realised_<basis>.
        basis: What to compare: impressions, or fans or gmv_cny for a plan whose curves know no impressions.

    Returns:
        `SCHEMA` with kind `curve`, one row per cell with spend; `psi` holds |log(realised / promised)|.
    """
    promised = _bought(plan, cells, METRIC[basis])
    found = []
    for row in promised.join(cells, on=["segment", "placement"], maintain_order="left").iter_rows(named=True):
        if row["realised_spend_cny"] >= SETTINGS.least_spend_cny and row["promised"] > 0:
            found.append(
                drift_of_curve(
                    name=f"{row['segment']}, {row['placement']}",
                    promised=row["promised"],
                    low=row["low"],
                    high=row["high"],
                    realised=row[f"realised_{basis}"],
                )
            )
    return _of_kind(drift_table(found), "curve")


def people_drift(
    *,
    trained_on: pl.DataFrame,
    now: pl.DataFrame,
    scores_then: pl.DataFrame | None = None,
    scores_now: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Features of the people now against those of the training data, and their scores where both are given.

    Args:
        trained_on: `users` the model was trained on.
        now: `users` of the campaign.
        scores_then: Score table of the first, long by placement.
        scores_now: Score table of the second, by the same model.

    Returns:
        `SCHEMA`, kinds `feature` and `score`.
    """
    features = drift_of_frames(trained_on, now, columns=feature_columns(trained_on))
    parts = [_of_kind(features, "feature")]
    if scores_then is not None and scores_now is not None:
        parts.append(_of_kind(drift_table(_score_drifts(scores_then, scores_now)), "score"))
    return pl.concat(parts)


def summary(drift: pl.DataFrame) -> tuple[str, ...]:
    """One sentence per kind: the verdict, and the worst of it."""
    said = []
    for kind in KINDS:
        mine = drift.filter(pl.col("kind") == kind)
        if mine.is_empty():
            continue
        verdict = worst_verdict(mine["verdict"])
        worst = mine.filter(pl.col("verdict") == verdict)
        example = "" if verdict == "stable" else f" ({worst['name'][0]}: {worst['why'][0]})"
        moved = mine.filter(pl.col("verdict") != "stable").height
        said.append(f"drift of {kind}s: {verdict}, {moved} of {mine.height} moved{example}")
    return tuple(said)


def _of_kind(table: pl.DataFrame, kind: str) -> pl.DataFrame:
    return table.with_columns(kind=pl.lit(kind)).select(list(SCHEMA))


def _score_drifts(then: pl.DataFrame, now: pl.DataFrame) -> list[Drift]:
    found = []
    for name in then["placement"].unique().sort().to_list():
        before, after = (s.filter((pl.col("placement") == name) & pl.col("eligible")) for s in (then, now))
        if before.height and after.height:
            found += [drift_of(before[c].alias(f"{c} in {name}"), after[c]) for c in SCORES]
    return found


def _bought(plan: DecidedPlan, cells: pl.DataFrame, metric: Metric) -> pl.DataFrame:
    """segment, placement, promised, low, high: what the curves say the realised spend buys.

    A cell's realised spend is laid over its slots as the plan laid its own (alike where the plan gave none).
    """
    market = plan.market
    keys = market.cells.select("segment", "placement")
    spent = keys.join(cells, on=["segment", "placement"], how="left", maintain_order="left")
    total = spent["realised_spend_cny"].fill_null(0.0).to_numpy()
    code = keys.select(pl.struct("segment", "placement").rank("dense")).to_series().to_numpy() - 1
    planned = np.asarray(plan.solution.spend_cny, dtype=float)
    sums, counts = np.bincount(code, weights=planned)[code], np.bincount(code)[code]
    share = np.where(sums > 0, planned / np.where(sums > 0, sums, 1.0), 1.0 / counts)
    spend = total * share
    point = outcomes(market, spend)[metric]
    frame = {"promised": point, "low": point, "high": point}
    if market.draws is not None:
        drawn = outcomes(market, spend, draw=slice(None))[metric]
        frame["low"], frame["high"] = np.quantile(drawn, [LOW, HIGH], axis=0)
    return (
        keys.with_columns(**{name: pl.Series(values) for name, values in frame.items()})
        .group_by("segment", "placement", maintain_order=True)
        .agg(pl.col("promised", "low", "high").sum())
    )
