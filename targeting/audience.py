"""The people a plan is made for: their scores, their segments, and what the present fans say about them.

A value passed from `Planner.audience` to `Planner.plan`; it must not import the planner or the optimiser.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from models.audience.encoding import FeatureEncoder
from models.contracts.quarantine import no_rejects, worst
from models.errors import DataError
from targeting.printing import Whole, printed
from targeting.segments import Segmentation
from targeting.segments.diagnosis import Diagnosis
from targeting.segments.lookalike import Lookalike, lookalike
from targeting.segments.wide_scores import SCORE_COLUMNS


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
        rejected: quarantined rows of the people given: table, source, row, reason, raw.
        warnings: what was met in their features, one line each.
        people: the users as they were scored, and how their features are coded; None where only scores were
            given.
    """

    scores: pl.DataFrame
    segments: pl.DataFrame
    summary: pl.DataFrame
    segmentation: Segmentation | None = None
    diagnosis: Diagnosis | None = None
    rejected: pl.DataFrame = field(default_factory=no_rejects)
    warnings: tuple[str, ...] = ()
    people: tuple[pl.DataFrame, FeatureEncoder] | None = None

    def lookalike(self, seed_users: object, *, seed: int = 0) -> Lookalike:
        """Who is not a fan yet, ranked by likeness to given buyers (相似粉丝), beside what they are worth.

        Args:
            seed_users: their ids, or a frame with a column user_id; they must be among the people scored.
            seed: same seed, same ranking.

        Raises:
            DataError: too few of them are among the people, or the audience holds scores only.
        """
        if self.people is None:
            raise DataError(
                "audience: holds scores but no features, so nobody's likeness can be told; make it with"
                " Planner.audience(users)"
            )
        users, encoder = self.people
        return lookalike(seed_users, people=users, scores=self.scores, encoder=encoder, seed=seed)

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
        told = [f"{count} rows set aside: {why}" for why, count in worst(self.rejected, count=3)]
        return "\n".join([head, printed(self.summary), *told, *self.warnings])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """Its people and segments, for a notebook."""
        head = f"{self.segments.height:,} eligible users in {self.summary.height} segments"
        return f"<p>{head}</p>{Whole(self.summary)._repr_html_()}"
