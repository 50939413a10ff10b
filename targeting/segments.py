"""Segments: from scores of single users to the few groups that money can be given to.

A planner cannot buy single users, so users are grouped, and grouping costs plan value. Under a square-root
supply law, spending on groups of n_i users worth w_i an impression returns sqrt(budget * sum n_i w_i^2): what a
grouping loses is exactly the variance of worth inside its groups. A best-first regression tree on the worth
p_follow * gmv_per_fan_cny of every placement therefore groups *for the decision*, after one first split by fan
kind (precise or content). The tree is a handful of thresholds, so it is JSON and any engine can apply it.

It must not import pipelines, the allocator or any estimator: scores in, names out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.errors import DataError
from targeting.rules import describe_segments
from targeting.segment_tree import FloatArray, Leaf, Split, TreeNode, grow, leaf_of

SCORE_COLUMNS = ("user_id", "placement", "p_follow", "gmv_per_fan_cny", "p_precise", "eligible")
PRECISE, CONTENT, MIXED = "precise", "content", "mixed"
# Words from the most to the least worth an impression; a kind with n segments takes n words of its ladder.
LADDERS = {
    PRECISE: ("top", "very likely", "likely", "fairly likely", "possible", "unlikely", "rare"),
    CONTENT: ("keen", "warm", "curious", "casual", "passing", "cool", "cheap reach"),
    MIXED: ("top", "high", "upper", "middle", "lower", "low", "reach"),
}
LADDER_PICKS = {1: (2,), 2: (2, 6), 3: (1, 4, 6), 4: (0, 2, 4, 6), 5: (0, 1, 2, 4, 6), 6: (0, 1, 2, 3, 4, 6)}
# Fan kinds are told apart only where their p_precise differs by this factor: below it "precise" means nothing.
MIN_KIND_LIFT = 1.5
# Weight of follows beside GMV in what a split saves: the same segments must serve briefs that count fans.
FAN_WEIGHT = 0.3


@dataclass(frozen=True)
class Segmenter:
    """The thresholds that put a user into a segment; deterministic and independent of the order of rows.

    Attributes:
        placements: placements whose scores are needed, in the order of the tree's features.
        root: the tree; its leaves carry segment names.
        names: segment names in order of worth.
        kinds: fan kind of each name.
        p_precise_threshold: a user at or above it counts as a precise fan to be.
    """

    placements: tuple[str, ...]
    root: TreeNode
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    p_precise_threshold: float

    def assign(self, scores: pl.DataFrame, *, everyone: bool = False) -> pl.DataFrame:
        """Segment of every eligible user (of every scored user with `everyone`, to read past logs).

        Args:
            scores: long score table (SPEC), one row per user and placement.
            everyone: also place users that are not eligible (present fans).

        Returns:
            user_id, segment; one row per user, in the order of first appearance.

        Raises:
            DataError: a score is missing, not finite, or a placement is absent.
        """
        wide = widen(scores, placements=self.placements, everyone=everyone)
        if wide.height == 0:
            return pl.DataFrame(
                {"user_id": [], "segment": []}, schema={"user_id": pl.String, "segment": pl.String}
            )
        leaves = leaf_of(self.root, tree_features(wide, self.placements))
        names = np.asarray(self.names, dtype=object)[leaves]
        return pl.DataFrame({"user_id": wide["user_id"], "segment": pl.Series(list(names), dtype=pl.String)})

    def to_json(self) -> str:
        """The segmenter as JSON text."""
        return json.dumps(
            {
                "placements": self.placements,
                "root": _node_to_dict(self.root),
                "names": self.names,
                "kinds": self.kinds,
                "p_precise_threshold": self.p_precise_threshold,
            },
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, text: str) -> Segmenter:
        """The segmenter that `to_json` wrote."""
        raw = json.loads(text)
        return cls(
            placements=tuple(raw["placements"]),
            root=_node_from_dict(raw["root"]),
            names=tuple(raw["names"]),
            kinds=tuple(raw["kinds"]),
            p_precise_threshold=float(raw["p_precise_threshold"]),
        )


@dataclass(frozen=True)
class Segmentation:
    """Every eligible user in one segment.

    Attributes:
        assignment: user_id, segment.
        summary: one row per segment, most worth first: segment, fan_kind, users, p_precise, rule,
            rule_precision, rule_recall, and p_follow_<placement>, gmv_per_fan_cny_<placement> means.
        cells: one row per segment x placement (see `aggregate`).
        segmenter: the thresholds, to place other users.
        value_kept: plan value of these segments over that of user-level choice (square-root law), 0..1.
    """

    assignment: pl.DataFrame
    summary: pl.DataFrame
    cells: pl.DataFrame
    segmenter: Segmenter
    value_kept: float

    @property
    def p_precise_threshold(self) -> float:
        """The line between precise and content fans."""
        return self.segmenter.p_precise_threshold


def form_segments(
    scores: pl.DataFrame,
    users: pl.DataFrame,
    *,
    min_audience: int = 200,
    max_segments: int = 12,
    p_precise_threshold: float | None = None,
    value_goal: float = 0.995,
    rules: bool = True,
) -> Segmentation:
    """Group the eligible users for the decision.

    Args:
        scores: long score table (SPEC): user_id, placement, p_follow, gmv_per_fan_cny, p_precise, eligible, p_enter.
        users: features of the same users, for the targeting rules (may hold more users).
        min_audience: fewest users of a segment (an audience that small as a whole becomes one segment).
        max_segments: most segments.
        p_precise_threshold: line between precise and content; default: the split of p_precise that explains most
            of its variance (Otsu 1979), among those that leave `min_audience` users on both sides.
        value_goal: stop splitting when this share of the user-level plan value is reached.
        rules: also find platform targeting rules.

    Raises:
        DataError: nobody is eligible, or a score is missing or not finite.
    """
    if min_audience < 1 or max_segments < 1:
        raise DataError(
            f"segments: min_audience {min_audience} and max_segments {max_segments} must be 1 or more"
        )
    placements = tuple(dict.fromkeys(scores["placement"].to_list())) if "placement" in scores.columns else ()
    wide = widen(scores, placements=placements)
    if wide.height == 0:
        raise DataError(
            "scores: nobody is eligible (every scored user is a fan already); give users with is_fan false"
        )
    ordered = wide.sort("user_id")  # sums in one order, so shuffled input gives the same floats
    features = tree_features(ordered, placements)
    worth = features[:, 1 : 1 + len(placements)]
    hazard = features[:, -1:]
    threshold, separated = _kind_threshold(features[:, 0], given=p_precise_threshold, least=min_audience)
    root, kept = grow(
        features=features,
        worth=np.hstack([worth, hazard * FAN_WEIGHT * _rms(worth) / _rms(hazard)]),
        first=(0, threshold) if separated else None,
        min_leaf=min_audience,
        max_leaves=max_segments,
        value_goal=value_goal,
    )
    root, names, kinds = _named(
        root, features=features, worth=worth, threshold=threshold, separated=separated
    )
    segmenter = Segmenter(
        placements=placements, root=root, names=names, kinds=kinds, p_precise_threshold=threshold
    )
    assignment = segmenter.assign(scores)
    cells = aggregate(scores, assignment, segmenter=segmenter)
    summary = summarise(cells, segmenter=segmenter)
    if rules:
        summary = summary.join(
            describe_segments(users, assignment), on="segment", how="left", maintain_order="left"
        )
    return Segmentation(
        assignment=assignment, summary=summary, cells=cells, segmenter=segmenter, value_kept=kept
    )


def aggregate(scores: pl.DataFrame, assignment: pl.DataFrame, *, segmenter: Segmenter) -> pl.DataFrame:
    """Means of the scores per segment x placement, the inputs of DESIGN 4.2.

    Returns:
        segment, fan_kind, placement, users (N_i), p_follow (h_ij = mean), gmv_per_fan_cny
        (g_ij = sum h g / sum h), p_precise (hazard weighted), p_enter (mean; null without a live step),
        hazard_cv (spread of h inside the cell: standard deviation / mean). Ordered by segment, then placement.
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
    columns = [
        "segment",
        "fan_kind",
        "placement",
        "users",
        "p_follow",
        "gmv_per_fan_cny",
        "p_precise",
        "p_enter",
    ]
    joined = order.join(found, on=["segment", "placement"], how="inner", maintain_order="left")
    return joined.select([*columns, "hazard_cv"])


def summarise(cells: pl.DataFrame, *, segmenter: Segmenter) -> pl.DataFrame:
    """One row per segment from `aggregate`: users, fan kind, p_precise and the mean scores of each placement."""
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


def widen(scores: pl.DataFrame, *, placements: Sequence[str], everyone: bool = False) -> pl.DataFrame:
    """One row per user with h, g, p of every placement as columns `h:<placement>` etc.; checks the scores."""
    absent = [name for name in SCORE_COLUMNS if name not in scores.columns]
    if absent:
        raise DataError(f"scores: column {absent[0]!r} is missing; expected {', '.join(SCORE_COLUMNS)}")
    numbers = ("p_follow", "gmv_per_fan_cny", "p_precise")
    for name in numbers:
        bad = scores.filter(pl.col(name).is_null() | ~pl.col(name).cast(pl.Float64).is_finite())
        if bad.height:
            where = bad.row(0, named=True)
            raise DataError(
                f"scores: {name} of user {where['user_id']!r}, placement {where['placement']!r} is {where[name]}; "
                f"expected a finite number ({bad.height} such rows); score these users again"
            )
    wide = scores.select("user_id").unique(maintain_order=True)
    if not everyone:
        wide = scores.filter(pl.col("eligible")).select("user_id").unique(maintain_order=True)
    for placement in placements:
        part = scores.filter(pl.col("placement") == placement)
        if part["user_id"].n_unique() != part.height:
            raise DataError(f"scores: a user has two rows for placement {placement!r}; expected one")
        renamed = part.select(
            "user_id", *(pl.col(n).cast(pl.Float64).alias(f"{n}:{placement}") for n in numbers)
        )
        wide = wide.join(renamed, on="user_id", how="left", maintain_order="left")
        if wide[f"p_follow:{placement}"].null_count():
            raise DataError(
                f"scores: some users have no row for placement {placement!r}; score every placement"
            )
    return wide


def tree_features(wide: pl.DataFrame, placements: Sequence[str]) -> FloatArray:
    """Features of the tree, (n_users, 3 + n_placements): p_precise, worth of each placement, their sum, follows.

    Worth is p_follow * gmv_per_fan_cny (yuan an impression), negative values count as 0; follows is the sum of p_follow.
    """
    hazard = np.stack([wide[f"p_follow:{p}"].to_numpy() for p in placements], axis=1)
    gmv = np.stack([wide[f"gmv_per_fan_cny:{p}"].to_numpy() for p in placements], axis=1)
    precise = np.stack([wide[f"p_precise:{p}"].to_numpy() for p in placements], axis=1)
    weight = np.maximum(hazard, 0.0)
    total = weight.sum(axis=1)
    mean = np.where(
        total > 0, (weight * precise).sum(axis=1) / np.where(total > 0, total, 1.0), precise.mean(axis=1)
    )
    worth = np.maximum(hazard * gmv, 0.0)
    return np.column_stack([mean, worth, worth.sum(axis=1), total])


def _rms(values: FloatArray) -> float:
    return float(np.sqrt((values**2).sum())) or 1.0


def _kind_threshold(p_precise: FloatArray, *, given: float | None, least: int) -> tuple[float, bool]:
    """Threshold on p_precise and whether it separates two kinds worth telling apart."""
    if given is not None:
        above = int((p_precise >= given).sum())
        return float(given), min(above, len(p_precise) - above) >= least
    ordered = np.sort(p_precise)
    n = len(ordered)
    below = np.arange(1, n)
    cumulative = np.cumsum(ordered)[:-1]
    total = float(ordered.sum())
    low, high = cumulative / below, (total - cumulative) / (n - below)
    allowed = (below >= least) & (n - below >= least) & (np.diff(ordered) > 0)
    if not allowed.any():
        return float(ordered.mean()), False
    between = np.where(allowed, below * (n - below) * (high - low) ** 2, -1.0)
    cut = int(np.argmax(between))
    threshold = float(0.5 * (ordered[cut] + ordered[cut + 1]))
    separated = bool(high[cut] >= MIN_KIND_LIFT * max(low[cut], 1e-12))
    return threshold, separated


def _named(
    root: TreeNode, *, features: FloatArray, worth: FloatArray, threshold: float, separated: bool
) -> tuple[TreeNode, tuple[str, ...], tuple[str, ...]]:
    """The tree with leaves renumbered in order of worth (precise before content), and their names and kinds."""
    leaves = leaf_of(root, features)
    numbers = np.unique(leaves)
    level = np.array([worth[leaves == leaf].sum(axis=1).mean() for leaf in numbers])
    precise = np.array([features[leaves == leaf, 0].mean() >= threshold for leaf in numbers])
    kinds = [(PRECISE if one else CONTENT) if separated else MIXED for one in precise]
    rank = sorted(range(len(numbers)), key=lambda i: (kinds[i] == CONTENT, -level[i], i))
    if len(numbers) == 1:
        return _renumber(root, {int(numbers[0]): 0}), ("everyone",), (MIXED,)
    names: list[str] = []
    for kind in dict.fromkeys(kinds[i] for i in rank):
        names.extend(f"{kind} · {word}" for word in _words(kind, kinds.count(kind)))
    mapping = {int(numbers[i]): position for position, i in enumerate(rank)}
    return _renumber(root, mapping), tuple(names), tuple(kinds[i] for i in rank)


def _words(kind: str, n: int) -> list[str]:
    ladder = LADDERS[kind]
    if n == 1 and kind == CONTENT:
        return [ladder[-1]]
    if n in LADDER_PICKS:
        return [ladder[i] for i in LADDER_PICKS[n]]
    steps = np.linspace(0, len(ladder) - 1e-9, n, endpoint=False).astype(int)
    counts: NDArray[np.int64] = np.bincount(steps, minlength=len(ladder))
    words: list[str] = []
    for word, count in zip(ladder, counts, strict=True):
        words.extend([word] if count == 1 else [f"{word} {i + 1}" for i in range(count)])
    return words


def _renumber(node: TreeNode, mapping: dict[int, int]) -> TreeNode:
    if isinstance(node, Leaf):
        return Leaf(mapping[node.number])
    return Split(node.feature, node.threshold, _renumber(node.below, mapping), _renumber(node.above, mapping))


def _node_to_dict(node: TreeNode) -> dict[str, object]:
    if isinstance(node, Leaf):
        return {"leaf": node.number}
    return {
        "feature": node.feature,
        "threshold": node.threshold,
        "below": _node_to_dict(node.below),
        "above": _node_to_dict(node.above),
    }


def _node_from_dict(raw: dict[str, object]) -> TreeNode:
    if "leaf" in raw:
        return Leaf(int(str(raw["leaf"])))
    below, above = raw["below"], raw["above"]
    if not isinstance(below, dict) or not isinstance(above, dict):
        raise DataError(
            "segmenter: a split of the tree has no two branches; expected JSON written by Segmenter.to_json"
        )
    return Split(
        int(str(raw["feature"])), float(str(raw["threshold"])), _node_from_dict(below), _node_from_dict(above)
    )
