"""How people are grouped by what they are worth: the kind split, then the tree, as far as gains are believed.

It must not import pipelines, the allocator or any estimator.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from targeting.segments.segment_settings import SETTINGS
from targeting.segments.segment_tree import FloatArray, TreeNode, grow


@dataclass(frozen=True)
class Groups:
    """A grouping.

    Attributes:
        root: The tree.
        kept: Plan value of the groups over that of user-level choice, if every promise holds, 0..1.
        threshold: Line between precise and content fans.
        separated: Whether the two kinds differ enough to be told apart.
    """

    root: TreeNode
    kept: float
    threshold: float
    separated: bool


@dataclass(frozen=True)
class Grouping:
    """The rules of a grouping.

    Attributes:
        n_placements: Placements whose worth is looked at.
        min_audience: Fewest users of a group.
        max_segments: Most groups.
        value_goal: Stop when this share of the user-level plan value is reached.
        p_precise_threshold: Line between precise and content; None: the split of p_precise that explains most
            of its variance (Otsu 1979), among those that leave `min_audience` users on both sides.
    """

    n_placements: int
    min_audience: int
    max_segments: int
    value_goal: float
    p_precise_threshold: float | None = None

    def worth(self, features: FloatArray) -> FloatArray:
        """Worth of an impression per placement, (n_users, n_placements), from the tree's features."""
        return features[:, 1 : 1 + self.n_placements]

    def group(self, features: FloatArray, *, share: float = 1.0) -> Groups:
        """Group users by the tree's features (`wide_scores.tree_features`).

        Args:
            features: (n_users, n_features).
            share: Part of the promised gains that is believed, 0..1.
        """
        worth, hazard = self.worth(features), features[:, -1:]
        threshold, separated = _kind_threshold(
            features[:, 0], given=self.p_precise_threshold, least=self.min_audience
        )
        root, kept = grow(
            features=features,
            worth=np.hstack([worth, hazard * SETTINGS.fan_weight * _rms(worth) / _rms(hazard)]),
            first=(0, threshold) if separated else None,
            min_leaf=self.min_audience,
            max_leaves=self.max_segments,
            value_goal=self.value_goal,
            share=share,
        )
        return Groups(root, kept, threshold, separated)


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
    separated = bool(high[cut] >= SETTINGS.least_kind_lift * max(low[cut], 1e-12))
    return threshold, separated
