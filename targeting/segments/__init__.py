"""Segments: from scores of users to named groups that a platform can target, and who the present fans are.

`formation` cuts, `segmenter` places other users by the same thresholds, `rules` says each segment in platform
terms, `diagnosis` compares fans, buyers and segments.
"""

from targeting.segments.formation import Segmentation, aggregate, form_segments, summarise
from targeting.segments.segmenter import Segmenter

__all__ = ["Segmentation", "Segmenter", "aggregate", "form_segments", "summarise"]
