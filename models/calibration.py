"""Makes predicted rates mean what they say: monotone maps of a log rate, and the tables that prove it.

Two maps, chosen by evidence. Few events: log h = a + s (log h0 - centre), two numbers, pulled towards "no
change" by a normal prior whose strength is set by the information there is (hierarchical shrinkage). Many
events: the same, then an isotonic curve through bins of equal information, kept only if it lowers the
held-out loss. Maps are monotone, so they never reorder people; they extend beyond their knots with slope
one, so they never flatten the best people.

Must not import lightgbm, mlflow, targeting or pipelines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.likelihood import HazardRows, constant_log_rate, fold_of, hazard_gradient, hazard_loss

ISOTONIC_EVENTS = 150
"""Fewer events than this cannot support a curve."""
EVENTS_PER_BIN, ISOTONIC_BINS = 25, 20
"""An isotonic bin stands on this many events; at most so many bins."""


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


def fit_affine(
    rows: HazardRows,
    log_rate: np.ndarray,
    *,
    shift_sd: float,
    slope_sd: float,
    slope_range: tuple[float, float] = (0.2, 2.5),
) -> LogRateMap:
    """Maximum a posteriori shift and slope of a log rate by damped Fisher scoring.

    Prior: shift ~ N(0, shift_sd^2), slope ~ N(1, slope_sd^2). The centre is the information-weighted mean
    of the log rate, which makes
    the two estimates nearly independent: with k events the shift has standard error about 1/sqrt(k).

    Args:
        rows: Events to agree with.
        log_rate: Uncalibrated log rate of each row, (n,).
        shift_sd: Prior standard deviation of the shift (log units).
        slope_sd: Prior standard deviation of the slope.
        slope_range: Hard limits of the slope: keeps the map increasing.
    """
    if rows.y.size == 0:
        return LogRateMap()
    _, information = hazard_gradient(rows, log_rate)
    centre = float(np.average(log_rate, weights=information))
    x = log_rate - centre
    shift, slope = 0.0, 1.0

    def objective(a: float, s: float) -> float:
        penalty = 0.5 * (a / shift_sd) ** 2 + 0.5 * ((s - 1) / slope_sd) ** 2
        return float(hazard_loss(rows, centre + a + s * x).sum()) + penalty

    value = objective(shift, slope)
    for _ in range(50):
        gradient, information = hazard_gradient(rows, centre + shift + slope * x)
        g = np.array([gradient.sum() + shift / shift_sd**2, (gradient * x).sum() + (slope - 1) / slope_sd**2])
        cross = float((information * x).sum())
        hessian = np.array(
            [[information.sum() + shift_sd**-2, cross], [cross, (information * x * x).sum() + slope_sd**-2]]
        )
        step = np.linalg.solve(hessian, g)
        factor = 1.0
        while factor > 1e-6:
            trial_shift = float(np.clip(shift - factor * step[0], -5.0, 5.0))
            trial_slope = float(np.clip(slope - factor * step[1], *slope_range))
            trial = objective(trial_shift, trial_slope)
            if trial <= value:
                break
            factor /= 2
        if factor <= 1e-6 or value - trial < 1e-9:
            break
        shift, slope, value = trial_shift, trial_slope, trial
    return LogRateMap(centre, shift, slope)


def fit_isotonic(rows: HazardRows, log_rate: np.ndarray) -> LogRateMap:
    """Isotonic curve through bins of equal information; each bin's rate is its own maximum likelihood.

    Returns:
        A map with a knot per `EVENTS_PER_BIN` events, at most `ISOTONIC_BINS`; pooled neighbours share one
        level.
    """
    from sklearn.isotonic import IsotonicRegression

    bins = int(np.clip(rows.events // EVENTS_PER_BIN, 1, ISOTONIC_BINS))
    _, information = hazard_gradient(rows, log_rate)
    order = np.argsort(log_rate, kind="stable")
    cumulative = np.cumsum(information[order])
    label = np.minimum((cumulative / cumulative[-1] * bins).astype(int), bins - 1)
    x, y, size = [], [], []
    for k in np.unique(label):
        members = order[label == k]
        weight = information[members]
        x.append(float(np.average(log_rate[members], weights=weight)))
        y.append(constant_log_rate(rows.take(members)))
        size.append(float(weight.sum()))
    level = IsotonicRegression().fit_transform(np.array(x), np.array(y), sample_weight=np.array(size))
    kept = np.concatenate([[True], np.diff(x) > 1e-9])
    return LogRateMap(0.0, 0.0, 1.0, tuple(np.array(x)[kept].tolist()), tuple(level[kept].tolist()))


def fit_calibration(rows: HazardRows, log_rate: np.ndarray, *, seed: int) -> tuple[LogRateMap, ...]:
    """Calibrate out-of-fold log rates: two numbers always, an isotonic curve where it lowers the
    cross-fitted loss.

    Args:
        rows: Held-out or out-of-fold rows.
        log_rate: Their uncalibrated log rates.
        seed: Seed of the two halves on which the curves are compared.
    """
    affine = fit_affine(rows, log_rate, shift_sd=1.0, slope_sd=0.5)
    if rows.events < ISOTONIC_EVENTS or np.ptp(log_rate) < 1e-9:
        return (affine,)
    half = fold_of(rows.user, 2, seed)
    plain = curved = 0.0
    for k in (0, 1):
        fit, check = half != k, half == k
        first = fit_affine(rows.take(fit), log_rate[fit], shift_sd=1.0, slope_sd=0.5)
        second = fit_isotonic(rows.take(fit), first.apply(log_rate[fit]))
        plain += float(hazard_loss(rows.take(check), first.apply(log_rate[check])).sum())
        curved += float(hazard_loss(rows.take(check), chain(log_rate[check], (first, second))).sum())
    if curved < plain:
        return affine, fit_isotonic(rows, affine.apply(log_rate))
    return (affine,)


@dataclass(frozen=True)
class Reliability:
    """Predicted against observed in groups of equal expected events, for a chart and two numbers.

    Attributes:
        predicted: Expected events per group, (n_groups,).
        actual: Observed events per group.
        rows: Rows per group.
        ece: Expected calibration error of the event probability: mean |predicted - actual| weighted by rows.
    """

    predicted: tuple[float, ...]
    actual: tuple[float, ...]
    rows: tuple[int, ...]
    ece: float

    @property
    def ratios(self) -> np.ndarray:
        """Predicted / actual per group (infinite where nothing happened)."""
        actual = np.array(self.actual)
        return np.where(actual > 0, np.array(self.predicted) / np.maximum(actual, 1e-12), np.inf)

    def to_json(self) -> dict[str, Any]:
        """Plain dict for JSON."""
        return {
            "predicted": list(self.predicted),
            "actual": list(self.actual),
            "rows": list(self.rows),
            "ece": self.ece,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Reliability:
        """Inverse of `to_json`."""
        return cls(tuple(value["predicted"]), tuple(value["actual"]), tuple(value["rows"]), value["ece"])


def reliability(
    *, probability: np.ndarray, y: np.ndarray, score: np.ndarray, groups: int = 10
) -> Reliability:
    """Group rows by score into `groups` groups of equal expected events and compare with what happened.

    Args:
        probability: Predicted event probability of each row, (n,).
        y: 1.0 where the event happened.
        score: What the rows are sorted by (the rate per unit of exposure).
        groups: Number of groups; fewer when fewer than five events are expected in each.

    >>> table = reliability(probability=np.full(100, 0.5), y=np.tile([0.0, 1.0], 50),
    score=np.arange(100.0), groups=5)
    >>> table.predicted, table.actual, table.ece
    ((10.0, 10.0, 10.0, 10.0, 10.0), (10.0, 10.0, 10.0, 10.0, 10.0), 0.0)
    """
    groups = max(1, min(groups, int(probability.sum() // 5)))
    order = np.argsort(score, kind="stable")
    cumulative = np.cumsum(probability[order])
    total = max(float(cumulative[-1]) if cumulative.size else 0.0, 1e-12)
    label = np.minimum(np.ceil(cumulative / total * groups - 1e-9).astype(int) - 1, groups - 1).clip(0)
    predicted = np.bincount(label, probability[order], groups)
    actual = np.bincount(label, y[order], groups)
    size = np.bincount(label, minlength=groups)
    ece = float(np.abs(predicted - actual).sum() / max(size.sum(), 1))
    return Reliability(tuple(predicted.tolist()), tuple(actual.tolist()), tuple(size.tolist()), ece)
