"""The people a plan is made for: their scores, their segments, and what the present fans say about them.

A value passed from `Planner.audience` to `Planner.plan`; it must not import the planner or the optimiser.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from targeting.segments import Segmentation
from targeting.segments.diagnosis import Diagnosis

SCORE_COLUMNS = ("user_id", "placement", "p_follow", "gmv_per_fan_cny", "p_precise", "eligible")


@dataclass(frozen=True, repr=False)
class Audience:
    """Scored and segmented users.

    Attributes:
        scores: user_id, placement, p_follow (per impression, incremental), gmv_per_fan_cny, p_precise,
            eligible, p_enter.
        segments: user_id, segment: every eligible user once.
        summary: one row per segment: users, fan kind, mean scores, targeting rule with its precision and
            recall.
        segmentation: the segments' means, to plan with; None in a plan that was read back from files.
        diagnosis: who the present fans are against who buys; None where it was not made.
    """

    scores: pl.DataFrame
    segments: pl.DataFrame
    summary: pl.DataFrame
    segmentation: Segmentation | None = None
    diagnosis: Diagnosis | None = None

    def files(self) -> dict[str, pl.DataFrame | str]:
        """scores.parquet, segments.parquet and segment_summary.csv of DESIGN 3.3."""
        return {
            "scores.parquet": self.scores.select(SCORE_COLUMNS),
            "segments.parquet": self.segments,
            "segment_summary.csv": self.summary,
        }

    def __str__(self) -> str:
        """How many people, in how many segments."""
        head = f"Audience of {self.segments.height:,} eligible users in {self.summary.height} segments"
        return f"{head}\n{self.summary}"

    __repr__ = __str__
