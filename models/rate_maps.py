"""Monotone maps of a log rate, fitted under one view of the world or averaged over several.

A rate that was learned from some rows is asked to speak for others: out of fold, under a coin, in another
placement. What changes on the way is a shift and a slope,

    f'(x) = c + a + s (f(x) - c),      a ~ N(a0, sd_a^2),  s ~ N(s0, sd_s^2)

and a *view* is a prior on the two ("nothing changes", "nobody differs", "anything goes"). Where the rows
decide between views, the view that explains them takes over; where they cannot, the answer is an average, so
a few events neither invent differences nor deny them.

Must not import lightgbm, mlflow, targeting or pipelines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.likelihood import HazardRows, hazard_gradient, hazard_loss

SLOPE_RANGE = (0.01, 2.5)
"""Hard limits of a slope: a map stays increasing."""
SHIFT_LIMIT = 5.0
MAX_STEPS = 50


@dataclass(frozen=True)
class LogRateMap:
    """Monotone map of a log rate.

    Attributes:
        centre: Log rate where the shift `a` applies.
        shift: a.
        slope: s > 0.
        knots_x: Knots of the isotonic part in calibrated log rate, increasing (empty: none).
        knots_y: Their images, non-decreasing.
    """

    centre: float = 0.0
    shift: float = 0.0
    slope: float = 1.0
    knots_x: tuple[float, ...] = ()
    knots_y: tuple[float, ...] = ()

    def apply(self, log_rate: np.ndarray) -> np.ndarray:
        """Mapped log rate, same shape."""
        x = self.centre + self.shift + self.slope * (log_rate - self.centre)
        if not self.knots_x:
            return x
        inside = np.interp(x, self.knots_x, self.knots_y)
        return inside + np.minimum(x - self.knots_x[0], 0.0) + np.maximum(x - self.knots_x[-1], 0.0)

    def to_json(self) -> dict[str, Any]:
        """Plain dict for JSON."""
        return {
            "centre": self.centre,
            "shift": self.shift,
            "slope": self.slope,
            "knots_x": list(self.knots_x),
            "knots_y": list(self.knots_y),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> LogRateMap:
        """Inverse of `to_json`."""
        return cls(
            value["centre"], value["shift"], value["slope"], tuple(value["knots_x"]), tuple(value["knots_y"])
        )


def chain(log_rate: np.ndarray, maps: tuple[LogRateMap, ...]) -> np.ndarray:
    """Apply maps from left to right."""
    for one in maps:
        log_rate = one.apply(log_rate)
    return log_rate


@dataclass(frozen=True)
class View:
    """A view of how a rate changes: independent normal priors of shift and slope.

    Attributes:
        shift_sd: Deviation of the shift, log units.
        slope_sd: Deviation of the slope.
        shift: Mean of the shift.
        slope: Mean of the slope.
    """

    shift_sd: float
    slope_sd: float
    shift: float = 0.0
    slope: float = 1.0

    def penalty(self, a: float, s: float) -> float:
        """Negative log density of (a, s), up to a constant."""
        return 0.5 * ((a - self.shift) / self.shift_sd) ** 2 + 0.5 * ((s - self.slope) / self.slope_sd) ** 2


def fit_affine(rows: HazardRows, log_rate: np.ndarray, view: View) -> LogRateMap:
    """Maximum a posteriori shift and slope of a log rate by damped Fisher scoring.

    The centre is the information-weighted mean of the log rate, which makes the two estimates nearly
    independent: with k events the shift has standard error about 1/sqrt(k).

    Args:
        rows: Events to agree with.
        log_rate: Log rate of each row before the map, (n,).
        view: Prior.
    """
    return _fit(rows, log_rate, view)[0]


def average_views(rows: HazardRows, log_rate: np.ndarray, views: Sequence[View]) -> LogRateMap:
    """Shift and slope averaged over views, each weighted by its marginal likelihood (equal odds before).

    Args:
        rows: Events to agree with.
        log_rate: Log rate of each row before the map, (n,).
        views: Priors.
    """
    if rows.y.size == 0:
        return LogRateMap()
    fits = [_fit(rows, log_rate, view) for view in views]
    evidence = np.array([log_evidence for _, log_evidence in fits])
    weight = np.exp(evidence - evidence.max())
    weight /= weight.sum()
    return LogRateMap(
        fits[0][0].centre,
        float(weight @ [one.shift for one, _ in fits]),
        float(weight @ [one.slope for one, _ in fits]),
    )


def _fit(rows: HazardRows, log_rate: np.ndarray, view: View) -> tuple[LogRateMap, float]:
    """The map, and the Laplace approximation of the view's log marginal likelihood up to a constant."""
    if rows.y.size == 0:
        return LogRateMap(shift=view.shift, slope=view.slope), 0.0
    _, information = hazard_gradient(rows, log_rate)
    centre = float(np.average(log_rate, weights=information))
    x = log_rate - centre
    shift, slope = view.shift, float(np.clip(view.slope, *SLOPE_RANGE))

    def objective(a: float, s: float) -> float:
        return float(hazard_loss(rows, centre + a + s * x).sum()) + view.penalty(a, s)

    value = objective(shift, slope)
    for _ in range(MAX_STEPS):
        gradient, information = hazard_gradient(rows, centre + shift + slope * x)
        g = np.array(
            [
                gradient.sum() + (shift - view.shift) / view.shift_sd**2,
                (gradient * x).sum() + (slope - view.slope) / view.slope_sd**2,
            ]
        )
        step = np.linalg.solve(_curvature(information, x, view), g)
        factor = 1.0
        while factor > 1e-6:
            trial_shift = float(np.clip(shift - factor * step[0], -SHIFT_LIMIT, SHIFT_LIMIT))
            trial_slope = float(np.clip(slope - factor * step[1], *SLOPE_RANGE))
            trial = objective(trial_shift, trial_slope)
            if trial <= value:
                break
            factor /= 2
        if factor <= 1e-6 or value - trial < 1e-9:
            break
        shift, slope, value = trial_shift, trial_slope, trial
    _, information = hazard_gradient(rows, centre + shift + slope * x)
    spread = 0.5 * float(np.linalg.slogdet(_curvature(information, x, view))[1])
    evidence = -value - float(np.log(view.shift_sd * view.slope_sd)) - spread
    return LogRateMap(centre, shift, slope), evidence


def _curvature(information: np.ndarray, x: np.ndarray, view: View) -> np.ndarray:
    """Hessian of the objective in (shift, slope), (2, 2)."""
    cross = float((information * x).sum())
    return np.array(
        [
            [information.sum() + view.shift_sd**-2, cross],
            [cross, (information * x * x).sum() + view.slope_sd**-2],
        ]
    )
