"""The funnel as it is scored. In: user features. Out: follow hazards per impression, organic ones per day.

Where entering the live room is logged a placement's hazard has two steps, h = e q with
P(enter | row) = 1 - exp(-n e) and P(follow | entered) = 1 - (1 - q) exp(-b): an impression enters and then
converts (thinning). `follow` fits it.

Must not import lightgbm, mlflow, targeting or pipelines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models.rates.rate import Rate
from models.rates.rate_maps import LogRateMap, chain
from models.rates.trend import NO_TREND, Trend


def two_step_log_hazard(log_enter: np.ndarray, log_follow: np.ndarray) -> np.ndarray:
    """log(e q) with q = 1 - exp(-exp(log_follow))."""
    return np.asarray(log_enter + np.log(-np.expm1(-np.exp(np.minimum(log_follow, 5.0)))))


@dataclass(frozen=True)
class PlacementFunnel:
    """The way of one placement from impression to follow.

    Attributes:
        follow: Hazard of following per impression (one step) or after entering (two steps).
        enter: Hazard of entering the live room per impression, or None where there is no such step.
        total: Maps of the two-step log hazard to the logged total and `total_causal` to the randomised one.
        total_causal: See `total`.
        trend: Drift of the follow hazard over the logged days (entering the live room is taken as steady).
    """

    follow: Rate
    enter: Rate | None = None
    total: tuple[LogRateMap, ...] = ()
    total_causal: tuple[LogRateMap, ...] = ()
    trend: Trend = NO_TREND

    def log_hazard(self, matrix: np.ndarray, *, threads: int = 1, causal: bool = True) -> np.ndarray:
        """Log of the incremental follow hazard per impression as of now, (n,)."""
        if self.enter is None:
            return self.follow.log_rate(matrix, threads=threads, causal=causal) + self.trend.now
        enter = self.enter.log_rate(matrix, threads=threads, causal=causal)
        log_hazard = two_step_log_hazard(enter, self.follow.log_rate(matrix, threads=threads, causal=False))
        return chain(log_hazard, self.total + self.total_causal if causal else self.total) + self.trend.now

    @property
    def randomised_shift(self) -> float:
        """Log of randomised over logged follow hazard at the middle of the randomised rows."""
        maps = self.follow.causal if self.enter is None else self.enter.causal + self.total_causal
        return float(sum(one.shift for one in maps))


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

    def organic_hazard(self, matrix: np.ndarray, *, threads: int = 1, causal: bool = True) -> np.ndarray:
        """Organic follow hazard per user-day, (n,)."""
        if self.organic is None:
            return np.zeros(matrix.shape[0])
        return np.asarray(np.exp(self.organic.log_rate(matrix, threads=threads, causal=causal)))

    @property
    def trends(self) -> dict[str, Trend]:
        """Drift of each placement's hazard over the logged days."""
        return {name: one.trend for name, one in self.placements.items()}

    @property
    def ranking_shift(self) -> float:
        """Log of randomised over logged follow hazards at the middle of the rows, mean of the placements.

        What ranked delivery selects for, in one number: 0 without selection, negative where it shows to
        people who are more likely to follow than their features say.
        """
        return float(np.mean([one.randomised_shift for one in self.placements.values()]))
