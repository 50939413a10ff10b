"""The caller's time limit: one for all that a question costs, explaining included."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Deadline:
    """Seconds left of the caller's time limit."""

    started: float
    seconds: float

    @classmethod
    def of(cls, seconds: float) -> Deadline:
        """A deadline that starts now."""
        return cls(time.perf_counter(), seconds)

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self.started

    def left(self, most: float) -> float:
        """Seconds for one of several questions: what is left, at most so many, and a twentieth at least."""
        return min(max(self.seconds - self.elapsed, 0.05), most)

    @property
    def over(self) -> bool:
        """Whether the time is used up."""
        return self.elapsed >= self.seconds


NEVER = Deadline.of(float("inf"))
