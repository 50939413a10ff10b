"""Segments: from scores of single users to the few groups that money can be given to.

A planner cannot buy single users, so users are grouped, and grouping costs plan value. Under a square-root
supply law, spending on groups of n_i users worth w_i an impression returns sqrt(budget * sum n_i w_i^2): what
a grouping loses is exactly the variance of worth inside its groups. A best-first regression tree on the worth
p_follow * gmv_per_fan_cny of every placement therefore groups *for the decision*, after one first split by
fan kind (precise or content). How many groups is decided by cross-validated plan value (`gain_seen`): a split
must pay by the share of its promised gain that later outcomes show.

It must not import pipelines, the allocator or any estimator: scores in, names out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl

from models.errors import DataError
from targeting.segments.gain_seen import gain_seen
from targeting.segments.grouping import Grouping
from targeting.segments.rules import describe_segments
from targeting.segments.segment_names import name_leaves
from targeting.segments.segment_settings import SETTINGS
from targeting.segments.segment_tree import leaf_of
from targeting.segments.segmenter import Segmenter
from targeting.segments.wide_scores import tree_features, widen

NOBODY = "scores: nobody is eligible (every scored user is a fan already); give users with is_fan false"
CELL_COLUMNS = (
    "segment", "fan_kind", "placement", "users", "p_follow", "gmv_per_fan_cny", "p_precise", "p_enter",
    "hazard_cv",
)  # fmt: skip


@dataclass(frozen=True)
class Segmentation:
    """Every eligible user in one segment.

    Attributes:
        assignment: user_id, segment.
        summary: one row per segment, most worth first: segment, fan_kind, users, p_precise, rule,
            rule_precision, rule_recall, and p_follow_<placement>, gmv_per_fan_cny_<placement> means.
        cells: one row per segment x placement (see `aggregate`).
        segmenter: the thresholds, to place other users.
        value_kept: plan value of these segments over that of user-level choice (square-root law), 0..1; None
            where people were put into segments that others formed.
        gain_seen: share of the promised gain of telling people apart that held-out outcomes show, 0..1; None
            without a trial.
    """

    assignment: pl.DataFrame
    summary: pl.DataFrame
    cells: pl.DataFrame
    segmenter: Segmenter
    value_kept: float | None = None
    gain_seen: float | None = None

    @property
    def p_precise_threshold(self) -> float:
        """The line between precise and content fans."""
        return self.segmenter.p_precise_threshold


def form_segments(
    scores: pl.DataFrame,
    users: pl.DataFrame,
    *,
    min_audience: int | None = None,
    max_segments: int | None = None,
    p_precise_threshold: float | None = None,
    value_goal: float | None = None,
    rules: bool = True,
    trial: pl.DataFrame | None = None,
) -> Segmentation:
    """Group the eligible users for the decision.

    Args:
        scores: long score table (SPEC): user_id, placement, p_follow, gmv_per_fan_cny, p_precise, eligible,
            p_enter.
        users: features of the same users, for the targeting rules (may hold more users).
        min_audience: fewest users of a segment (an audience that small as a whole becomes one segment);
            default: `usual_audience`.
        max_segments: most segments; default: `most_segments` of the settings.
        p_precise_threshold: line between precise and content; default: see `Grouping`.
        value_goal: stop splitting when this share of the user-level plan value is reached; default: the
            settings'.
        rules: also find platform targeting rules.
        trial: scores of an earlier model with what came of people since (its `later_outcomes`): decides what
            a split must promise. Without it every promise is believed.

    Raises:
        DataError: nobody is eligible, or a score is missing or not finite.
    """
    placements = tuple(scores["placement"].unique().sort().to_list()) if "placement" in scores.columns else ()
    wide = widen(scores, placements=placements)
    if wide.is_empty():
        raise DataError(NOBODY)
    least = usual_audience(wide.height) if min_audience is None else min_audience
    most = SETTINGS.most_segments if max_segments is None else max_segments
    goal = SETTINGS.value_goal if value_goal is None else value_goal
    if least < 1 or most < 1:
        raise DataError(f"segments: min_audience {least} and max_segments {most} must be 1 or more")
    grouping = Grouping(len(placements), least, most, goal, p_precise_threshold)
    seen = None if trial is None else _gain_seen(trial, grouping, placements)
    segmenter, kept = _learned(wide, grouping, placements, share=1.0 if seen is None else seen)
    found = segmented(segmenter, scores, users if rules else None)
    return replace(found, value_kept=kept, gain_seen=seen)


def segmented(segmenter: Segmenter, scores: pl.DataFrame, users: pl.DataFrame | None) -> Segmentation:
    """Scored people in segments that were formed before.

    Args:
        segmenter: the thresholds.
        scores: long score table.
        users: their features, for the platform rules; None leaves the rules out.

    Raises:
        DataError: nobody is eligible.
    """
    assignment = segmenter.assign(scores)
    if assignment.is_empty():
        raise DataError(NOBODY)
    cells = aggregate(scores, assignment, segmenter=segmenter)
    summary = summarise(cells, segmenter=segmenter)
    if users is not None:
        rules = describe_segments(users, assignment)
        summary = summary.join(rules, on="segment", how="left", maintain_order="left")
    return Segmentation(assignment=assignment, summary=summary, cells=cells, segmenter=segmenter)


def _learned(
    wide: pl.DataFrame, grouping: Grouping, placements: tuple[str, ...], *, share: float
) -> tuple[Segmenter, float]:
    """The thresholds, and the plan value that the groups keep."""
    # Sums in one order, so shuffled input gives the same floats.
    features = tree_features(wide.sort("user_id"), placements)
    groups = grouping.group(features, share=share)
    root, names, kinds = name_leaves(
        groups.root,
        features=features,
        worth=grouping.worth(features),
        threshold=groups.threshold,
        separated=groups.separated,
    )
    return Segmenter(placements, root, names, kinds, p_precise_threshold=groups.threshold), groups.kept


def _gain_seen(trial: pl.DataFrame, grouping: Grouping, placements: tuple[str, ...]) -> float | None:
    """`gain_seen` of the groups that the earlier scores would have made; None where nobody was eligible."""
    wide = widen(trial, placements=placements).sort("user_id")
    if wide.height == 0:
        return None
    features = tree_features(wide, placements)
    return gain_seen(
        trial.join(wide.select("user_id"), on="user_id", how="semi").sort("user_id"),
        leaf=leaf_of(grouping.group(features).root, features),
        worth=grouping.worth(features),
        placements=placements,
    )


def usual_audience(eligible: int) -> int:
    """Fewest users of a segment where nobody says: 500, or a fifteenth of a small audience, 50 at least.

    Consoles want a few hundred people; a shop with a thousand left would otherwise have one segment and
    nothing to decide.

    >>> [usual_audience(n) for n in (200, 1500, 40_000)]
    [50, 100, 500]
    """
    return min(SETTINGS.usual_audience, max(SETTINGS.smallest_audience, eligible // SETTINGS.audiences))


def aggregate(scores: pl.DataFrame, assignment: pl.DataFrame, *, segmenter: Segmenter) -> pl.DataFrame:
    """Means of the scores per segment x placement, the inputs of DESIGN 4.2.

    Returns:
        segment, fan_kind, placement, users (N_i), p_follow (h_ij = mean), gmv_per_fan_cny
        (g_ij = sum h g / sum h), p_precise (hazard weighted), p_enter (mean; null without a live step),
        hazard_cv (spread of h inside the cell: standard deviation / mean). Ordered by segment, then
        placement.
    """
    hazard = pl.col("p_follow")
    total = hazard.sum()
    weighted = {
        name: pl.when(total > 0)
        .then((hazard * pl.col(name)).sum() / total)
        .otherwise(pl.col(name).mean())
        .alias(name)
        for name in ("gmv_per_fan_cny", "p_precise")
    }
    entered = pl.col("p_enter").mean() if "p_enter" in scores.columns else pl.lit(None, dtype=pl.Float64)
    found = (
        scores.join(assignment, on="user_id", how="inner")
        .sort("user_id", "placement")
        .group_by("segment", "placement")
        .agg(
            pl.len().alias("users"),
            weighted["gmv_per_fan_cny"],
            weighted["p_precise"],
            entered.alias("p_enter"),
            pl.when(total > 0).then(hazard.std(ddof=0) / hazard.mean()).otherwise(0.0).alias("hazard_cv"),
            hazard.mean().alias("p_follow"),
        )
    )
    order = pl.DataFrame({"segment": segmenter.names, "fan_kind": segmenter.kinds}).join(
        pl.DataFrame({"placement": segmenter.placements}), how="cross"
    )
    joined = order.join(found, on=["segment", "placement"], how="inner", maintain_order="left")
    return joined.select(CELL_COLUMNS)


def summarise(cells: pl.DataFrame, *, segmenter: Segmenter) -> pl.DataFrame:
    """One row per segment from `aggregate`: users, fan kind, p_precise, mean scores of each placement."""
    first = cells.group_by("segment", maintain_order=True).agg(
        pl.col("fan_kind").first(),
        pl.col("users").first(),
        ((pl.col("p_precise") * pl.col("p_follow")).sum() / pl.col("p_follow").sum())
        .fill_nan(None)
        .alias("p_precise"),
    )
    for placement in segmenter.placements:
        means = cells.filter(pl.col("placement") == placement).select(
            "segment",
            pl.col("p_follow").alias(f"p_follow_{placement}"),
            pl.col("gmv_per_fan_cny").alias(f"gmv_per_fan_cny_{placement}"),
        )
        first = first.join(means, on="segment", how="left", maintain_order="left")
    return first
