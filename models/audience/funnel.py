"""The funnel as it is scored. In: user features. Out: follow hazards per impression, organic ones per day.

`follow` fits it.

Must not import lightgbm, mlflow, targeting or pipelines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models.rates.batch import People
from models.rates.rate import Rate
from models.rates.trend import NO_TREND, Trend


@dataclass(frozen=True)
class PlacementFunnel:
    """The way of one placement from impression to follow.

    Attributes:
        follow: Hazard of following per impression.
        enter: Hazard of entering the live room per impression, or None where there is no such step.
        trend: Drift of the follow hazard over the logged days (entering the live room is taken as steady).
    """

    follow: Rate
    enter: Rate | None = None
    trend: Trend = NO_TREND

    def log_hazard(self, people: People, *, threads: int = 1, causal: bool = True) -> np.ndarray:
        """Log of the incremental follow hazard per impression as of now, (n,)."""
        return self.follow.log_rate(people, threads=threads, causal=causal) + self.trend.now


@dataclass(frozen=True)
class Funnel:
    """Incremental follow hazards of every placement.

    Attributes:
        placements: One funnel per placement, in the brief's order.
        organic: Organic follow hazard per user-day, or None where no held-out rows exist.
        metrics: Events and trees of every rate, by name.
    """

    placements: Mapping[str, PlacementFunnel]
    organic: Rate | None
    metrics: Mapping[str, float]

    def organic_hazard(self, people: People, *, threads: int = 1, causal: bool = True) -> np.ndarray:
        """Organic follow hazard per user-day, (n,)."""
        if self.organic is None:
            return np.zeros(len(people))
        return np.asarray(np.exp(self.organic.log_rate(people, threads=threads, causal=causal)))

    @property
    def trends(self) -> dict[str, Trend]:
        """Drift of each placement's hazard over the logged days."""
        return {name: one.trend for name, one in self.placements.items()}
