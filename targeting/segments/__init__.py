"""Segments. In: scores of users. Out: named groups that a platform can target, and who the present fans are.

`formation` cuts, `segmenter` places other users by the same thresholds, `rules` says each segment in platform
terms, `diagnosis` compares fans, buyers and segments, `lookalike` ranks people by likeness to seeds,
`segment_settings` holds the tuning numbers.
"""

from targeting.segments.formation import (
    Segmentation,
    aggregate,
    form_segments,
    segmented,
    summarise,
    usual_audience,
)
from targeting.segments.segmenter import Segmenter

__all__ = [
    "Segmentation", "Segmenter", "aggregate", "form_segments", "segmented", "summarise", "usual_audience",
]  # fmt: skip
