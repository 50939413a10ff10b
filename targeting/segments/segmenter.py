"""The segmenter: the few thresholds that put any scored user into a segment, as JSON.

It must not import anything but the score table and the tree.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from pydantic import TypeAdapter

from models.stored import read, written
from targeting.segments.segment_tree import TreeNode, leaf_of
from targeting.segments.wide_scores import tree_features, widen


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
        leaves = leaf_of(self.root, tree_features(wide, self.placements))
        names = np.asarray(self.names, dtype=object)[leaves]
        return pl.DataFrame({"user_id": wide["user_id"], "segment": pl.Series(list(names), dtype=pl.String)})

    def to_json(self) -> str:
        """The segmenter as JSON text."""
        return written(_SEGMENTER, self)

    @classmethod
    def from_json(cls, text: str) -> Segmenter:
        """The segmenter that `to_json` wrote.

        Raises:
            DataError: the text is not such a segmenter; names the key.
        """
        return read(_SEGMENTER, text, source="segmenter.json", what="segmenter")


_SEGMENTER = TypeAdapter(Segmenter)
